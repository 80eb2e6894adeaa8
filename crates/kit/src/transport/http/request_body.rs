//! Reads the body of a request within its size, its time and its least rate.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::http2::Received;
use super::reply::{self, Refusal};
use super::{App, Client, HttpConfig};

/// The body of a request, as it comes.
pub(super) enum Incoming {
    Http1(hyper::body::Incoming),
    Http2(Received),
}

/// A body ended early: its client has gone, or has broken the rules of HTTP.
pub(super) struct Incomplete;

/// A part of one, or its end.
pub(super) type Piece = Option<Result<Frame<Bytes>, Incomplete>>;

impl Body for Incoming {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
        match &mut *self {
            Self::Http1(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|_| Incomplete)))
            }
            Self::Http2(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

/// Reads the body. One that came in one piece is not copied, and what came with its head takes no
/// clock.
pub(super) async fn read(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    mut body: Incoming,
) -> Result<Bytes, Refusal> {
    let limit = app.server.wire_limits().message_bytes;
    let too_large = || {
        reply::refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than allowed.",
        )
    };
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut total = 0;
    let mut pace = None;
    loop {
        let piece = match now(&mut body).await {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                let pace = pace.get_or_insert_with(|| {
                    client.activity.awaits_body();
                    Pace::new(&app.config)
                });
                let piece = pace.next(total, &mut body).await?;
                client.activity.heard();
                piece
            }
        };
        let Some(piece) = piece else { break };
        let piece =
            piece.map_err(|_| reply::refuse(StatusCode::BAD_REQUEST, "The body is incomplete."))?;
        let Ok(data) = piece.into_data() else {
            continue;
        };
        total += data.len();
        if total > limit {
            return Err(too_large());
        }
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(declared.unwrap_or_default().max(total));
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    if pace.is_some() {
        client.activity.begin().await;
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// The next piece, if it is there.
async fn now(body: &mut Incoming) -> Poll<Piece> {
    let mut piece = pin!(body.frame());
    poll_fn(|cx| Poll::Ready(piece.as_mut().poll(cx))).await
}

/// Sees to it that a body that has to be waited for comes at some rate.
struct Pace<'a> {
    config: &'a HttpConfig,
    /// When all of it has to be there.
    end: Instant,
    /// When the next part of it has to be there, and how long the body then has to be.
    next: (Instant, usize),
}

impl<'a> Pace<'a> {
    fn new(config: &'a HttpConfig) -> Self {
        let now = Instant::now();
        Self {
            config,
            end: now + config.body_timeout,
            next: (now + config.body_window, config.least_body()),
        }
    }

    /// Waits for the next piece of a body of which `total` bytes are there.
    async fn next(&mut self, total: usize, body: &mut Incoming) -> Result<Piece, Refusal> {
        loop {
            let (window, least) = self.next;
            if let Ok(piece) = timeout_at(window.min(self.end), body.frame()).await {
                return Ok(piece);
            }
            if total < least || self.end <= window {
                let why = "The body took too long to arrive.";
                // The rest of it could be taken for a request.
                return Err(reply::refuse(StatusCode::REQUEST_TIMEOUT, why).closing());
            }
            self.next = (
                window + self.config.body_window,
                total.saturating_add(self.config.least_body()),
            );
        }
    }
}
