//! The socket of a connection, which ends when nobody reads what is written to it, and tells what
//! comes and goes.

use std::io::{self, ErrorKind, IoSlice, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::activity::Activity;
use super::stream::Stream;
use super::tls::{self, Encrypted};

pub(super) struct Socket {
    stream: Stream,
    /// What was read already, and is to be read again.
    unread: Bytes,
    activity: Arc<Activity>,
    /// Time that a write may make no progress.
    patience: Duration,
    /// Made when a write has to wait for the first time.
    timer: Option<Pin<Box<Sleep>>>,
    stalled: bool,
}

impl Socket {
    pub(super) fn new(stream: Stream, activity: Arc<Activity>, patience: Duration) -> Self {
        Self {
            stream,
            unread: Bytes::new(),
            activity,
            patience,
            timer: None,
            stalled: false,
        }
    }

    /// The same, from which these bytes are read once more.
    pub(super) fn rewound(mut self, unread: Bytes) -> Self {
        self.unread = unread;
        self
    }

    /// Passes on what a write came to, if not for too long to nothing.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.stalled {
                self.stalled = false;
                self.activity.flows();
            }
            return written;
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(self.patience)));
        if !self.stalled {
            self.stalled = true;
            self.activity.stalls();
            timer.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(timer.as_mut().poll(cx));
        let why = "the client does not read";
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, why)))
    }

    /// Asks the system itself: the runtime knows of what has come only when it was told of it.
    fn look(&self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.stream.raw();
        match (&*socket).read(buf.initialize_unfilled()) {
            Ok(length) => {
                buf.advance(length);
                if length > 0 {
                    self.activity.heard();
                }
                Poll::Ready(Ok(()))
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                self.activity.heard_nothing();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.stalled {
            // Else the system would keep what nobody reads, and go on offering it for minutes.
            let _ = self.stream.raw().set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread[..length]);
            self.unread.advance(length);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &read {
            Poll::Pending if self.activity.leaving() => return self.look(buf),
            Poll::Pending => self.activity.heard_nothing(),
            Poll::Ready(Ok(())) if buf.filled().len() > before => self.activity.heard(),
            Poll::Ready(_) => {}
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What HTTP is spoken over: a socket, or TLS on one.
pub(super) enum Channel {
    Plain(Socket),
    Tls(Box<Encrypted>),
}

/// The same for each kind.
macro_rules! each {
    ($channel:expr, $one:ident => $what:expr) => {
        match $channel {
            Channel::Plain($one) => $what,
            Channel::Tls($one) => $what,
        }
    };
}

impl Channel {
    /// Whether its client has chosen HTTP/2 with ALPN.
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => tls::is_http2(stream),
        }
    }

    fn activity(&self) -> &Activity {
        match self {
            Self::Plain(socket) => &socket.activity,
            Self::Tls(stream) => &tls::socket(stream).activity,
        }
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), one => Pin::new(one).poll_read(cx, buf))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), one => Pin::new(one).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), one => Pin::new(one).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, one => one.is_write_vectored())
    }

    /// HTTP flushes when it has nothing left to write; TLS has its own reasons for it.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(each!(&mut *self, one => Pin::new(one).poll_flush(cx)))?;
        self.activity().flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), one => Pin::new(one).poll_shutdown(cx))
    }
}
