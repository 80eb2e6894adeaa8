//! Stands for `tls.rs` in a build without the feature `tls`: there is no certificate, so no connection is encrypted.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Metrics;

use super::socket::Socket;

/// How often files would be looked at.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// A certificate with its key. A build without the feature `tls` has none.
#[derive(Debug, Clone)]
pub struct Tls(Infallible);

/// Why a certificate and a key cannot be used; a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTls(());

impl fmt::Display for BadTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS belongs to the feature tls, which this program was built without")
    }
}

impl std::error::Error for BadTls {}

impl Tls {
    /// Reads nothing.
    ///
    /// # Errors
    /// Always: that the feature is missing.
    pub fn from_files(_: impl Into<PathBuf>, _: impl Into<PathBuf>) -> Result<Self, BadTls> {
        Err(BadTls(()))
    }

    /// Whether something new is in use.
    pub fn reload(&self) -> bool {
        match self.0 {}
    }

    /// When the certificate in use ends.
    pub fn end(&self) -> Option<SystemTime> {
        match self.0 {}
    }

    pub(super) fn measure(&self, _: &[Metrics]) {
        match self.0 {}
    }

    pub(super) async fn accept(&self, _: Socket) -> io::Result<Encrypted> {
        match self.0 {}
    }
}

/// There is none.
pub(super) enum Encrypted {}

pub(super) fn is_http2(encrypted: &Encrypted) -> bool {
    match *encrypted {}
}

pub(super) fn socket(encrypted: &Encrypted) -> &Socket {
    match *encrypted {}
}

impl AsyncRead for Encrypted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
