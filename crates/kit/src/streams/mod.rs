//! The streams of one session that can be resumed, and the ids of their events.

mod bits;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::Share;

use stream::StreamLog;

pub(crate) use bits::{parse_bits, random_bits};
pub(crate) use stream::{StreamReader, StreamWriter};

/// Bounds of the streams that can be resumed. A response beyond them is sent all the same; it is
/// lost when its connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams of one session: those that go on and those that are kept after their end, oldest
    /// of the latter dropped first. Default 16.
    pub per_session: usize,
    /// Streams of all sessions of one caller. Default 128.
    pub per_caller: usize,
    /// Streams of all sessions. A caller never has more than are left for others. Default 512.
    pub in_all: usize,
    /// Events kept of one stream besides its answer; older ones are dropped. Default 256.
    pub events: usize,
    /// Bytes of messages kept of one stream, its answer and a single longer message aside.
    /// Default 256 KiB.
    pub bytes: usize,
    /// Time for which a stream is kept after its end. Default 60 s.
    pub keep: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            per_session: 16,
            per_caller: 128,
            in_all: 512,
            events: 256,
            bytes: 256 << 10,
            keep: Duration::from_secs(60),
        }
    }
}

/// The id of an event: the 128 random bits of its stream as 32 hex digits, and its number there.
///
/// It is looked up among the streams of one session only, and a session is its principal's alone,
/// so not even an id that has leaked is of use to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) stream: u128,
    pub(crate) number: u64,
}

impl EventId {
    /// Reads an id as it was handed out; anything else is no id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stream, number) = text.split_once('-')?;
        let id = Self {
            stream: parse_bits(stream)?,
            number: number.parse().ok()?,
        };
        // One spelling each: `+1` and `01` are numbers as well.
        (number == id.number.to_string()).then_some(id)
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}-{}", self.stream, self.number)
    }
}

/// What an event id belongs to.
pub(crate) enum Resumed {
    /// A response; reads what comes after the event.
    Response(StreamReader),
    /// A stream of what belongs to no request, by its number in the session; it keeps nothing.
    Unsolicited(u64),
}

/// The streams of one session.
#[derive(Default)]
pub(crate) struct Streams(Mutex<State>);

#[derive(Default)]
struct State {
    logs: Vec<Arc<StreamLog>>,
    unsolicited: Option<u128>,
    closed: bool,
}

impl State {
    fn let_go(&mut self, keep: Duration, now: Instant) {
        self.logs.retain(|log| {
            log.ended()
                .is_none_or(|ended| now.saturating_duration_since(ended) < keep)
        });
    }

    /// Drops the log that ended first; `false` when all go on.
    fn drop_oldest(&mut self) -> bool {
        let ended = self.logs.iter().enumerate();
        let oldest = ended
            .filter_map(|(i, log)| Some((log.ended()?, i)))
            .min()
            .map(|(_, i)| i);
        oldest.map(|i| self.logs.remove(i)).is_some()
    }
}

impl Streams {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log of a response, with both its ends. `None` when there is no room: the response
    /// cannot be resumed then.
    pub(crate) fn open(
        &self,
        limits: &StreamLimits,
        places: &Share,
    ) -> Option<(StreamWriter, StreamReader)> {
        let id = random_bits().ok()?;
        let mut state = self.state();
        if state.closed {
            return None;
        }
        state.let_go(limits.keep, Instant::now());
        while state.logs.len() >= limits.per_session {
            if !state.drop_oldest() {
                return None;
            }
        }
        // One that ended makes room for one. Where that is not enough, the caller's share is used up
        // elsewhere, and the others would go for nothing.
        let place = match places.take() {
            Err(_) if state.drop_oldest() => places.take(),
            place => place,
        };
        let log = StreamLog::new(id, *limits, place.ok()?);
        let reader = log.read_after(0)?;
        let writer = log.writer();
        state.logs.push(log);
        Some((writer, reader))
    }

    /// What an event of this session belongs to; `None` for all other ids.
    pub(crate) fn resume(&self, id: EventId, keep: Duration) -> Option<Resumed> {
        let mut state = self.state();
        state.let_go(keep, Instant::now());
        if state.unsolicited == Some(id.stream) {
            return Some(Resumed::Unsolicited(id.number));
        }
        let log = state.logs.iter().find(|log| log.id() == id.stream)?;
        log.read_after(id.number).map(Resumed::Response)
    }

    /// The id that begins the stream of this number of what belongs to no request. `None` when there
    /// is no randomness.
    pub(crate) fn unsolicited(&self, number: u64) -> Option<EventId> {
        let mut state = self.state();
        if state.unsolicited.is_none() {
            state.unsolicited = random_bits().ok();
        }
        Some(EventId {
            stream: state.unsolicited?,
            number,
        })
    }

    /// Whether a response is still written or read.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().logs.iter().any(|log| log.is_busy())
    }

    /// Whether a response is kept, over or not.
    pub(crate) fn keeps_any(&self) -> bool {
        !self.state().logs.is_empty()
    }

    /// Drops what ended too long ago.
    pub(crate) fn sweep(&self, keep: Duration, now: Instant) {
        self.state().let_go(keep, now);
    }

    /// Ends everything: the session is over.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let logs = std::mem::take(&mut state.logs);
        drop(state);
        logs.iter().for_each(|log| log.close());
    }
}
