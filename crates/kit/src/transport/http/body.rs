//! What is sent back: nothing, a whole body, or server-sent events that are made while they are
//! read, by whoever reads them. A task stands between a handler and its client only where the
//! client may come back on another connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use crate::connection::{Connection, Unsolicited};
use crate::core::{Answer, Event, Exchange};
use crate::streams::{EventId, Follower, StreamReader};

/// Bytes of events that are put in one frame when more than one is ready.
pub(super) const FRAME: usize = 64 << 10;

/// A comment, which no client takes for a message.
pub(super) const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// The body of a response.
pub(super) enum Body {
    Whole(Option<Bytes>),
    Events(Box<Events>),
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Whole(None)
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }

    /// Whether a client that loses it loses no call, although it answers one: the client can read on
    /// with another connection, or has to answer a question before the call goes on, which it does
    /// without this connection.
    pub(super) fn waits(&self) -> bool {
        let Self::Events(events) = self else {
            return false;
        };
        match &events.source {
            Some(Source::Log(_) | Source::Followed(_)) => true,
            Some(Source::Exchange(kept)) => kept.waits(),
            _ => false,
        }
    }

    /// Whether it is a stream that answers no request of its own connection.
    pub(super) fn is_standalone(&self) -> bool {
        let Self::Events(events) = self else {
            return false;
        };
        matches!(
            events.source,
            Some(Source::Unsolicited(_) | Source::Session(_))
        )
    }

    /// The session that ends with it.
    pub(super) fn session(&self) -> Option<&Arc<Connection>> {
        match self {
            Self::Events(events) => match &events.source {
                Some(Source::Session(session)) => Some(&session.connection),
                _ => None,
            },
            Self::Whole(_) => None,
        }
    }
}

/// Appends one message as a server-sent event. JSON on one line needs no escaping there.
pub(super) fn write_event(out: &mut BytesMut, id: Option<EventId>, message: &[u8]) {
    out.reserve(message.len() + 24);
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(b"event: message\ndata: ");
    out.extend_from_slice(message);
    out.extend_from_slice(b"\n\n");
}

/// Messages as the events of a stream that cannot be resumed.
pub(super) fn written(messages: &[Bytes]) -> BytesMut {
    let length = messages.iter().map(|message| message.len() + 24).sum();
    let mut events = BytesMut::with_capacity(length);
    for message in messages {
        write_event(&mut events, None, message);
    }
    events
}

/// An exchange that, for a legacy client that goes away, is run to its end all the same:
/// before 2026-07-28 a disconnect is no cancellation.
pub(super) struct Kept {
    exchange: Option<Exchange>,
    survives: bool,
}

impl Kept {
    pub(super) fn new(exchange: Exchange, survives: bool) -> Self {
        Self {
            exchange: Some(exchange),
            survives,
        }
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(None);
        };
        let event = exchange.poll_event(cx);
        if let Poll::Ready(None | Some(Event::Answer(_))) = event {
            self.exchange = None;
        }
        event
    }

    /// Whether it survives, and only waits for its client.
    fn waits(&self) -> bool {
        self.survives && self.exchange.as_ref().is_some_and(Exchange::is_asking)
    }

    /// The exchange, which is somebody else's to run from now on.
    pub(super) fn take(&mut self) -> Option<Exchange> {
        self.exchange.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(mut exchange) = self.exchange.take().filter(|_| self.survives) else {
            return;
        };
        // Nobody will hear what it asks.
        exchange.set_read(false);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Bounded like every call: by its timeout and by the calls that may be in flight.
            runtime.spawn(async move { while exchange.next_event().await.is_some() {} });
        }
    }
}

/// Where events come from.
pub(super) enum Source {
    /// One exchange; the stream ends with its answer.
    Exchange(Kept),
    /// One exchange that a task runs; the stream ends with its answer, or before it.
    Log(StreamReader),
    /// One exchange that another replica runs; the same.
    Followed(Follower),
    /// Everything that belongs to no request; ends with the client, the session or the server.
    Unsolicited(Unsolicited),
    /// All there is for a client of legacy SSE.
    Session(SessionStream),
}

/// What a client of legacy SSE hears: the answers to everything it posts, and what belongs to none.
pub(super) struct SessionStream {
    pub(super) connection: Arc<Connection>,
    pub(super) answers: mpsc::Receiver<Bytes>,
    pub(super) unsolicited: Unsolicited,
    /// Ends the session when the stream ends.
    pub(super) _ends: Box<dyn Send + Sync>,
}

/// An event's id, its message, and whether another may follow.
type Next = (Option<EventId>, Bytes, bool);

/// A stream of server-sent events.
pub(super) struct Events {
    /// Ready to be sent.
    pending: BytesMut,
    source: Option<Source>,
    keep_alive: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Ends streams that have no end of their own.
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Events {
    /// A stream that starts with what is `pending`.
    pub(super) fn new(pending: BytesMut, source: Source, keep_alive: Duration) -> Self {
        Self {
            pending,
            source: Some(source),
            keep_alive,
            timer: None,
            closing: None,
        }
    }

    pub(super) fn until(mut self, closing: impl Future<Output = ()> + Send + 'static) -> Self {
        self.closing = Some(Box::pin(closing));
        self
    }

    pub(super) fn into_body(self) -> Body {
        Body::Events(Box::new(self))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Next>> {
        let next = |message: Option<Bytes>| message.map(|message| (None, message, true));
        match &mut self.source {
            None => Poll::Ready(None),
            Some(Source::Exchange(kept)) => loop {
                return match ready!(kept.poll_event(cx)) {
                    Some(Event::Message(message)) => Poll::Ready(next(Some(message))),
                    Some(Event::Answer(Answer { body, .. })) => {
                        Poll::Ready(Some((None, body, false)))
                    }
                    Some(Event::Release) => continue,
                    None => Poll::Ready(None),
                };
            },
            Some(Source::Log(reader)) => reader
                .poll_next(cx)
                .map(|event| event.map(|(id, message)| (Some(id), message, true))),
            Some(Source::Followed(follower)) => follower
                .poll_next(cx)
                .map(|event| event.map(|(id, message)| (Some(id), message, true))),
            Some(Source::Unsolicited(stream)) => stream.poll_recv(cx).map(next),
            Some(Source::Session(session)) => match session.answers.poll_recv(cx) {
                Poll::Ready(message) => Poll::Ready(next(message)),
                Poll::Pending => session.unsolicited.poll_recv(cx).map(next),
            },
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            self.closing = None;
            match &self.source {
                // What is in flight is still answered; the last answer ends the stream.
                Some(Source::Session(session)) => session.connection.end_answers(),
                _ => self.source = None,
            }
        }
        while self.pending.len() < FRAME {
            match self.poll_next(cx) {
                Poll::Ready(Some((id, message, more))) => {
                    write_event(&mut self.pending, id, &message);
                    if !more {
                        self.source = None;
                    }
                }
                Poll::Ready(None) => {
                    self.source = None;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if !self.pending.is_empty() {
            self.timer = None;
            return Poll::Ready(Some(self.pending.split().freeze()));
        }
        if self.source.is_none() {
            return Poll::Ready(None);
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(self.keep_alive)));
        match timer.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.timer = None;
                Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE)))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => events
                .poll_frame(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Events(events) => events.source.is_none() && events.pending.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}
