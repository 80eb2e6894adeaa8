//! The events of responses that legacy clients can resume, where several processes serve their sessions.

use std::time::Duration;

use bytes::Bytes;

use crate::principal::Principal;

use super::StoreFuture;

/// A response that a client can resume: whose it is is a part of what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStream {
    /// Whose session it is of.
    pub owner: Principal,
    /// What tells its session from all others: a part of its id that is of no use without the rest.
    pub session: u128,
    /// What tells it from all others of the session.
    pub stream: u128,
}

/// What is said in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredEvent {
    /// It has begun: its number is 0.
    Begun,
    /// A message, and others may follow.
    Message(Bytes),
    /// The answer, the last message.
    Answer(Bytes),
    /// It has ended without an answer.
    Ended,
}

/// What is kept of a response after some event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvents {
    /// Events with their numbers, the first first. There may be more after them, but when there are none there are no more.
    pub events: Vec<(u64, StoredEvent)>,
    /// The number of the last that is there.
    pub last: u64,
}

/// Keeps the events of responses for all processes that share it.
///
/// What one response makes it keep is bounded by whoever writes: [`StreamLimits`](crate::session::StreamLimits).
pub trait EventStore: Send + Sync + 'static {
    /// Adds events, with numbers that grow; those that it has already do no harm. It forgets those below `first`, and all of
    /// the response when nothing is added for the time `keep`. Without events it is only kept for longer.
    ///
    /// `true` when all is there from `first` on; `false` when what was added before is not there any more, and nothing
    /// was added.
    ///
    /// # Errors
    /// When that cannot be done; it is tried again then.
    fn append<'a>(
        &'a self,
        stream: &'a EventStream,
        events: &'a [(u64, StoredEvent)],
        first: u64,
        keep: Duration,
    ) -> StoreFuture<'a, bool>;

    /// What comes after the event `after`; `None` for a response that it does not have.
    ///
    /// # Errors
    /// When that cannot be told.
    fn after<'a>(
        &'a self,
        stream: &'a EventStream,
        after: u64,
    ) -> StoreFuture<'a, Option<StoredEvents>>;

    /// Forgets a response.
    ///
    /// # Errors
    /// When that cannot be done.
    fn remove<'a>(&'a self, stream: &'a EventStream) -> StoreFuture<'a, ()>;
}
