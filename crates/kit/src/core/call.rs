//! One request on its way to its answer.
//!
//! Where this stands in the life of a call is drawn in `docs/architecture.md`.

use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::context::{Ctx, Queued};
use crate::wire::{self, Code, Id, RpcError};

use super::batch::Batch;
use super::heartbeat::Heartbeat;
use super::slot::Slot;
use super::watch::Watch;

/// A finished message for the client that ends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The JSON-RPC response.
    pub body: Bytes,
    /// The error code when it is an error: the HTTP transport maps it to a status.
    pub error: Option<Code>,
    /// Seconds after which trying again may help, if that is known.
    pub retry_after: Option<NonZeroU32>,
    /// The scopes that the caller lacks, with spaces between, if that is the error.
    pub scopes: Option<Box<str>>,
}

impl Answer {
    pub(crate) fn result(id: &Id, result: &[u8]) -> Self {
        Self {
            body: wire::result(id, result),
            error: None,
            retry_after: None,
            scopes: None,
        }
    }

    /// An error under `id`, or under none when it could not be read.
    pub fn error(id: Option<&Id>, error: &RpcError) -> Self {
        Self {
            body: wire::error(id, error),
            error: Some(error.code),
            retry_after: error.retry_after,
            scopes: error.scopes().map(Into::into),
        }
    }
}

/// What a transport has to do with a message it handed in.
pub enum Reply {
    /// Nothing: it was a notification or a response.
    Accepted,
    /// Send this.
    Answer(Answer),
    /// Poll this: it yields the request's notifications and then its answer.
    Call(Call),
    /// Poll this: the same for a batch.
    Batch(Batch),
}

/// A [`Call`] or a [`Batch`]: what a transport polls.
pub enum Exchange {
    /// One request.
    Call(Call),
    /// Several.
    Batch(Batch),
}

impl Exchange {
    /// See [`Call::poll_event`].
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        match self {
            Self::Call(call) => call.poll_event(cx),
            Self::Batch(batch) => batch.poll_event(cx),
        }
    }

    /// Says whether somebody reads what comes of it; until it is said, somebody does. For transports
    /// whose clients may go and come back: a question that nobody can hear does not wait for long.
    pub(crate) fn set_read(&self, read: bool) {
        match self {
            Self::Call(call) => call.ctx.set_read(read),
            Self::Batch(batch) => batch.calls().for_each(|call| call.ctx.set_read(read)),
        }
    }

    /// Whether all that is left of it waits for its client.
    pub(crate) fn is_asking(&self) -> bool {
        match self {
            Self::Call(call) => call.ctx.is_asking(),
            Self::Batch(batch) => batch.calls().all(|call| call.ctx.is_asking()),
        }
    }

    /// [`Exchange::poll_event`] as a future.
    pub async fn next_event(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }
}

impl Reply {
    /// What there is to poll, if anything; else what there is to send, if anything.
    pub fn into_exchange(self) -> Result<Exchange, Option<Answer>> {
        match self {
            Self::Accepted => Err(None),
            Self::Answer(answer) => Err(Some(answer)),
            Self::Call(call) => Ok(Exchange::Call(call)),
            Self::Batch(batch) => Ok(Exchange::Batch(batch)),
        }
    }
}

/// Something a call wants sent.
#[derive(Debug)]
pub enum Event {
    /// A notification, or a request to the client, that belongs to this call.
    Message(Bytes),
    /// The handler does not need the client's connection for a while
    /// ([`Ctx::release_stream`](crate::Ctx::release_stream)). A transport whose client cannot come
    /// back for the rest goes on as if nothing was said.
    Release,
    /// The answer. Nothing follows.
    Answer(Answer),
}

type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A request that is being worked on.
///
/// Dropping it stops the work and frees its place; nothing is left behind. It yields its answer
/// exactly once, or ends without one when it was cancelled (as the specification asks).
pub struct Call {
    ctx: Ctx,
    work: Option<Work>,
    answer: Option<Answer>,
    heartbeat: Option<Heartbeat>,
    /// Until somebody was told how it ended, if anybody wants to hear.
    watch: Option<Watch>,
    // Frees the place of this call among those in flight.
    slot: Option<Slot>,
}

impl Call {
    pub(super) fn new(
        ctx: Ctx,
        slot: Slot,
        heartbeat: Option<Heartbeat>,
        watch: Option<Watch>,
        work: Work,
    ) -> Self {
        Self {
            ctx,
            work: Some(work),
            answer: None,
            heartbeat,
            watch,
            slot: Some(slot),
        }
    }

    /// The next thing to send; `None` after the answer, or at once when the call is cancelled.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ctx.is_unwanted() {
            self.work = None;
            self.answer = None;
            self.unanswered();
            return Poll::Ready(None);
        }
        if let Some(work) = &mut self.work {
            if let Poll::Ready(answer) = work.as_mut().poll(cx) {
                self.work = None;
                self.ctx.outbox().close();
                // A handler that waits for a cancel may hear of it after the check above, and end.
                if self.ctx.is_unwanted() {
                    self.unanswered();
                    return Poll::Ready(None);
                }
                self.answer = Some(answer);
            } else if let Some(slot) = &mut self.slot {
                slot.follow();
            }
        }
        // What was said before the answer goes out before it.
        if let Some(said) = self.ctx.outbox().poll_next(cx) {
            return Poll::Ready(Some(match said {
                Queued::Message(message) => Event::Message(message),
                Queued::Release => Event::Release,
            }));
        }
        match (self.answer.take(), &self.work) {
            (Some(answer), _) => {
                // Before the client can have the answer: it may use the id again at once.
                self.slot = None;
                if let Some(watch) = self.watch.take() {
                    watch.answered(&self.ctx, &answer);
                }
                Poll::Ready(Some(Event::Answer(answer)))
            }
            (None, None) => Poll::Ready(None),
            // A cancel that came after the check above found no waker to wake.
            (None, Some(_)) if self.ctx.is_unwanted() => Poll::Ready(None),
            (None, Some(_)) => match &mut self.heartbeat {
                Some(heartbeat) => heartbeat
                    .poll(&self.ctx, cx)
                    .map(|message| Some(Event::Message(message))),
                None => Poll::Pending,
            },
        }
    }
}

impl Call {
    fn unanswered(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.unanswered(&self.ctx);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.unanswered();
        // Work that the handler spawned hears of it through its `Ctx`.
        if self.work.is_some() {
            self.ctx.cancel();
        }
        self.ctx.outbox().close();
    }
}
