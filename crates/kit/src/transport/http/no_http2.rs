//! Stands for `http2.rs` in a build without the feature `http2`: HTTP/2 is not offered, and a connection that begins with it
//! ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::App;
use super::client::Client;
use super::connections::Slot;
use super::listener::Failed;
use super::request_body::{Incomplete, Piece};
use super::socket::Channel;

/// Serves nothing.
///
/// # Errors
/// Always: that the feature is missing.
pub(super) async fn serve(
    _: Arc<App>,
    _: Arc<Client>,
    _: Channel,
    _: &Slot,
    _: CancellationToken,
) -> Result<(), Failed> {
    Err("the client speaks HTTP/2, which this program was built without".into())
}

/// There is none.
pub(super) enum Received {}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Piece> {
        match *self {}
    }
}
