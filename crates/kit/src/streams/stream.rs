//! The events of one response, kept so that a client that lost its connection can read on
//! (specification 2025-11-25 `basic/transports#resumability-and-redelivery`).
//!
//! One task writes, at most one client reads. While somebody reads, the writer waits for a slow
//! reader as every call does; while nobody does, it never waits, and the oldest events are dropped
//! when there are too many. The answer is never dropped. The log knows whether anybody reads, which
//! decides how long a question of the call may wait.
//!
//! Where this stands in the life of a call is drawn in `docs/architecture.md`.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::limits::Permit;
use bytes::Bytes;

use super::{EventId, StreamLimits};

/// What one response said so far.
pub(crate) struct StreamLog {
    id: u128,
    limits: StreamLimits,
    state: Mutex<State>,
    // Its place among the logs of all sessions.
    _place: Permit,
}

struct State {
    /// The number of the oldest event that is kept.
    first: u64,
    events: VecDeque<Bytes>,
    bytes: usize,
    reader: Option<Attached>,
    readers: u64,
    writer: Option<Waker>,
    /// Whom to wake when somebody begins or ceases to read.
    watcher: Option<Waker>,
    ended: Option<Instant>,
    closed: bool,
}

struct Attached {
    number: u64,
    /// The number of the event that it reads next.
    position: u64,
    /// Where it is to end, although the response goes on.
    release_at: Option<u64>,
    waker: Option<Waker>,
}

impl State {
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Makes room for a message; `false` when a reader still needs what is there.
    fn make_room(&mut self, length: usize, limits: &StreamLimits) -> bool {
        while !self.events.is_empty()
            && (self.events.len() >= limits.events || self.bytes + length > limits.bytes)
        {
            if self
                .reader
                .as_ref()
                .is_some_and(|reader| reader.position <= self.first)
            {
                return false;
            }
            self.bytes -= self.events.pop_front().map_or(0, |event| event.len());
            self.first += 1;
        }
        true
    }

    fn push(&mut self, message: Bytes) -> Option<Waker> {
        self.bytes += message.len();
        self.events.push_back(message);
        self.reader.as_mut()?.waker.take()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl StreamLog {
    pub(super) fn new(id: u128, limits: StreamLimits, place: Permit) -> Arc<Self> {
        Arc::new(Self {
            id,
            limits,
            state: Mutex::new(State {
                // Number 0 is the event that only tells the client the stream's id.
                first: 1,
                events: VecDeque::new(),
                bytes: 0,
                reader: None,
                readers: 0,
                writer: None,
                watcher: None,
                ended: None,
                closed: false,
            }),
            _place: place,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> u128 {
        self.id
    }

    /// When the last event was written; `None` while the response goes on.
    pub(super) fn ended(&self) -> Option<Instant> {
        self.state().ended
    }

    /// Whether it is still written or read.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        state.ended.is_none() || state.reader.is_some()
    }

    /// The only writer.
    pub(super) fn writer(self: &Arc<Self>) -> StreamWriter {
        StreamWriter(Arc::clone(self))
    }

    /// Reads what comes after event `after`, in place of whoever reads now. `None` for an event
    /// that was never written.
    pub(super) fn read_after(self: &Arc<Self>, after: u64) -> Option<StreamReader> {
        let mut state = self.state();
        if after >= state.next() || state.closed {
            return None;
        }
        state.readers += 1;
        let number = state.readers;
        let position = state.first.max(after + 1);
        let former = state.reader.replace(Attached {
            number,
            position,
            release_at: None,
            waker: None,
        });
        // The new reader may need less than the former did.
        let (writer, watcher) = (state.writer.take(), state.watcher.take());
        drop(state);
        wake(writer);
        wake(watcher);
        wake(former.and_then(|former| former.waker));
        Some(StreamReader {
            log: Arc::clone(self),
            number,
        })
    }

    /// Ends everything: the session is over.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.ended.get_or_insert_with(Instant::now);
        state.events.clear();
        state.bytes = 0;
        let (reader, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        wake(writer);
        wake(reader.and_then(|reader| reader.waker));
    }
}

/// Writes one response into its log. Dropping it ends the response.
pub(crate) struct StreamWriter(Arc<StreamLog>);

impl StreamWriter {
    /// Writes a message; waits for room when the one who reads is slow.
    pub(crate) async fn say(&self, message: Bytes) {
        let mut message = Some(message);
        poll_fn(|cx| {
            let mut state = self.0.state();
            let length = message.as_ref().map_or(0, Bytes::len);
            if !state.closed && !state.make_room(length, &self.0.limits) {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(message) = message.take().filter(|_| !state.closed) {
                let reader = state.push(message);
                drop(state);
                wake(reader);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Whether somebody reads; the task hears of it when that changes.
    pub(crate) fn is_read(&self, cx: &Context<'_>) -> bool {
        let mut state = self.0.state();
        if !state
            .watcher
            .as_ref()
            .is_some_and(|watcher| watcher.will_wake(cx.waker()))
        {
            state.watcher = Some(cx.waker().clone());
        }
        state.reader.is_some()
    }

    /// Ends the connection of the one who reads, after what is written so far.
    pub(crate) fn release(&self) {
        let mut state = self.0.state();
        let next = state.next();
        let waker = state.reader.as_mut().and_then(|reader| {
            reader.release_at = Some(next);
            reader.waker.take()
        });
        drop(state);
        wake(waker);
    }

    /// Writes the answer, whatever else is kept, and ends.
    pub(crate) fn answer(self, message: Bytes) {
        let mut state = self.0.state();
        if !state.closed {
            // What a reader still needs stays, and the answer comes on top of it.
            state.make_room(0, &self.0.limits);
            let reader = state.push(message);
            drop(state);
            wake(reader);
        }
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ended.get_or_insert_with(Instant::now);
        let waker = state.reader.as_mut().and_then(|reader| reader.waker.take());
        drop(state);
        wake(waker);
    }
}

/// Reads one response. Dropping it lets the writer go on without waiting.
pub(crate) struct StreamReader {
    log: Arc<StreamLog>,
    number: u64,
}

impl StreamReader {
    /// The next event; `None` after the answer, when the handler released the stream, when
    /// somebody else reads now, and when the session is over.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<(EventId, Bytes)>> {
        let mut guard = self.log.state();
        let state = &mut *guard;
        let Some(reader) = state
            .reader
            .as_mut()
            .filter(|reader| reader.number == self.number)
        else {
            return Poll::Ready(None);
        };
        let number = reader.position;
        if reader.release_at.is_some_and(|at| number >= at) {
            state.reader = None;
            let (writer, watcher) = (state.writer.take(), state.watcher.take());
            drop(guard);
            wake(writer);
            wake(watcher);
            return Poll::Ready(None);
        }
        let index = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        let Some(message) = state.events.get(index).cloned() else {
            if state.ended.is_some() {
                return Poll::Ready(None);
            }
            reader.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        reader.position += 1;
        let writer = state.writer.take();
        drop(guard);
        wake(writer);
        let id = EventId {
            stream: self.log.id,
            number,
        };
        Poll::Ready(Some((id, message)))
    }

    /// The id to resume from the beginning with.
    pub(crate) fn stream(&self) -> EventId {
        EventId {
            stream: self.log.id,
            number: 0,
        }
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        let mut state = self.log.state();
        if state
            .reader
            .as_ref()
            .is_none_or(|reader| reader.number != self.number)
        {
            return;
        }
        state.reader = None;
        let (writer, watcher) = (state.writer.take(), state.watcher.take());
        drop(state);
        wake(writer);
        wake(watcher);
    }
}
