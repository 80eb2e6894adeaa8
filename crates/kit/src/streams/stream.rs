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
use std::time::{Duration, Instant};

use crate::limits::Permit;
use crate::store::StoredEvent;
use crate::store::bus::Reading;
use bytes::Bytes;

use super::copy::{Copying, Uncopied};
use super::{EventId, StreamLimits};

/// Events that are copied to the store in one round trip.
const TOGETHER: usize = 64;

/// Time after which a reader at another replica that says nothing is gone.
const GONE: Duration = Duration::from_secs(6);

/// What one response said so far.
pub(crate) struct StreamLog {
    id: u128,
    limits: StreamLimits,
    state: Mutex<State>,
    /// What it has together with the task that copies it for other replicas, where there are some.
    copying: Option<Arc<Copying>>,
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
    /// Whether the last event is the answer.
    answered: bool,
    closed: bool,
    /// Events below this number are in the store.
    copied: u64,
    /// Who read at another replica, and has not been told that somebody else does now.
    cut: Option<Elsewhere>,
}

struct Attached {
    number: u64,
    /// The number of the event that it reads next.
    position: u64,
    /// Where it is to end, although the response goes on.
    release_at: Option<u64>,
    waker: Option<Waker>,
    /// It reads at another replica, and was last heard of then.
    elsewhere: Option<(Elsewhere, Instant)>,
}

/// A connection of a client to another replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) replica: u32,
    pub(super) reader: u64,
}

/// Who reads elsewhere, the number of the next event that the store will have, and where it is to end.
pub(super) type Told = (Elsewhere, u64, Option<u64>);

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

    /// The number of the first event that is kept: 0 while none was dropped.
    fn kept(&self) -> u64 {
        if self.first == 1 { 0 } else { self.first }
    }

    /// What comes after the last event that the store is to have: an end without an answer is one more.
    fn total(&self) -> u64 {
        self.next() + u64::from(self.ended.is_some() && !self.answered)
    }

    /// The one who reads here or elsewhere is replaced; whom to wake.
    fn replace_reader(&mut self, next: u64, elsewhere: Option<Elsewhere>) -> [Option<Waker>; 3] {
        self.readers += 1;
        let former = self.reader.replace(Attached {
            number: self.readers,
            position: self.first.max(next),
            release_at: None,
            waker: None,
            elsewhere: elsewhere.map(|one| (one, Instant::now())),
        });
        let mut former_waker = None;
        if let Some(former) = former {
            former_waker = former.waker;
            self.cut = former.elsewhere.map(|(one, _)| one).or(self.cut);
        }
        // The new reader may need less than the former did.
        [self.writer.take(), self.watcher.take(), former_waker]
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
    pub(super) fn new(
        id: u128,
        limits: StreamLimits,
        place: Permit,
        copying: Option<Arc<Copying>>,
    ) -> Arc<Self> {
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
                answered: false,
                closed: false,
                copied: 0,
                cut: None,
            }),
            copying,
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
        let wakes = state.replace_reader(after + 1, None);
        let number = state.readers;
        drop(state);
        wakes.into_iter().for_each(wake);
        self.ring();
        Some(StreamReader {
            log: Arc::clone(self),
            number,
        })
    }

    /// A client reads at another replica, up to before `next`. `false` when it should not, since somebody else does.
    pub(super) fn reads_elsewhere(&self, who: Elsewhere, next: u64, how: Reading) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        let next = next.min(state.next());
        let mut known = state.reader.as_mut().filter(|reader| {
            let known = reader.elsewhere.as_ref();
            known.is_some_and(|(known, _)| *known == who)
        });
        let is_known = known.is_some();
        if let Some(reader) = &mut known {
            reader.position = reader.position.max(next);
            reader.elsewhere = Some((who, Instant::now()));
        }
        let wakes = match how {
            Reading::Ends if is_known => {
                state.reader = None;
                [state.writer.take(), state.watcher.take(), None]
            }
            Reading::Ends => return true,
            _ if state.closed => return false,
            _ if is_known => [state.writer.take(), None, None],
            // All of it is or will be in the store, where each reads by itself. What says that somebody has begun may have
            // been on its way for so long that they have read everything, and somebody else reads now.
            _ if state.ended.is_some() && state.reader.is_some() => return true,
            Reading::GoesOn if state.reader.is_some() => return false,
            _ => state.replace_reader(next, Some(who)),
        };
        drop(guard);
        wakes.into_iter().for_each(wake);
        self.ring();
        true
    }

    /// Who is to be told that somebody else reads, and who reads elsewhere and of what. One who says nothing is gone.
    pub(super) fn readers_elsewhere(&self) -> (Option<Elsewhere>, Option<Told>) {
        let mut state = self.state();
        let cut = state.cut.take();
        let copied = state.copied.min(state.next());
        let Some(reader) = &state.reader else {
            return (cut, None);
        };
        let Some((who, heard)) = reader.elsewhere else {
            return (cut, None);
        };
        if heard.elapsed() < GONE {
            return (cut, Some((who, copied, reader.release_at)));
        }
        state.reader = None;
        let (writer, watcher) = (state.writer.take(), state.watcher.take());
        drop(state);
        wake(writer);
        wake(watcher);
        (cut, None)
    }

    /// What the store does not have yet, or the first of it.
    pub(super) fn uncopied(&self) -> Uncopied {
        let state = self.state();
        let first = state.kept();
        let from = state.copied.max(first);
        let mut events = Vec::new();
        if from == 0 {
            events.push((0, StoredEvent::Begun));
        }
        let skipped = usize::try_from(from.max(1) - state.first).unwrap_or(usize::MAX);
        let numbers = state.first..;
        for (number, message) in numbers.zip(&state.events).skip(skipped).take(TOGETHER) {
            let message = message.clone();
            let is_answer = state.answered && number + 1 == state.next();
            events.push(match is_answer {
                true => (number, StoredEvent::Answer(message)),
                false => (number, StoredEvent::Message(message)),
            });
        }
        let next = events.last().map_or(from, |(last, _)| last + 1);
        if next == state.next().max(1) && next < state.total() {
            events.push((next, StoredEvent::Ended));
        }
        Uncopied {
            events,
            first,
            goes_on: state.ended.is_none(),
        }
    }

    /// The store has what is before this event.
    pub(super) fn set_copied(&self, next: u64) {
        self.state().copied = next;
    }

    /// Whether the store does not have everything.
    pub(super) fn is_behind(&self) -> bool {
        let state = self.state();
        !state.closed && state.copied < state.total()
    }

    /// The same, where it is copied.
    pub(super) fn is_shared_and_behind(&self) -> bool {
        let copied = self.copying.as_ref();
        copied.is_some_and(|copying| !copying.forgets()) && self.is_behind()
    }

    /// Other replicas are not to find it any more.
    pub(super) fn forget(&self) {
        if let Some(copying) = &self.copying {
            copying.forget();
        }
    }

    fn ring(&self) {
        if let Some(copying) = &self.copying {
            copying.wake.notify_one();
        }
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
        self.forget();
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
                self.0.ring();
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
        self.0.ring();
    }

    /// Writes the answer, whatever else is kept, and ends.
    pub(crate) fn answer(self, message: Bytes) {
        let mut state = self.0.state();
        if !state.closed {
            // What a reader still needs stays, and the answer comes on top of it.
            state.make_room(0, &self.0.limits);
            let reader = state.push(message);
            state.answered = true;
            drop(state);
            wake(reader);
            self.0.ring();
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
        self.0.ring();
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
