//! The streams of one session that can be resumed, and the ids of their events.

mod bits;
mod copy;
mod follow;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::limits::Share;
use crate::principal::Principal;
use crate::store::bus::{Reading, SharedSession, hash};
use crate::store::{EventStream, StoreError};

use copy::Copying;
use follow::{Following, Told};
use stream::{Elsewhere, StreamLog};

pub(crate) use bits::{parse_bits, random_bits};
pub(crate) use copy::SharedStreams;
pub(crate) use follow::Follower;
pub(crate) use stream::{StreamReader, StreamWriter};

/// Bits of a stream's number below that of the replica that writes it, where replicas share streams.
const REPLICA_SHIFT: u32 = 96;

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

/// The id of an event: the 128 random bits of its stream as 32 hex digits, and its number there. Where replicas share
/// streams, the first 32 bits are instead the number of the replica that writes it, or 0 when any replica knows what it is.
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

impl EventId {
    /// The replica that writes its stream, where replicas share streams.
    fn replica(self) -> u32 {
        // What is left has 32 bits.
        (self.stream >> REPLICA_SHIFT) as u32
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}-{}", self.stream, self.number)
    }
}

/// A session that replicas serve together, and where they keep its streams.
pub(crate) struct SharedBy<'a> {
    pub(crate) streams: &'a Arc<SharedStreams>,
    pub(crate) session: SharedSession,
    pub(crate) owner: &'a Principal,
}

impl SharedBy<'_> {
    fn stream(&self, stream: u128) -> EventStream {
        EventStream {
            owner: self.owner.clone(),
            session: self.session.nonce,
            stream,
        }
    }
}

/// Why a response at another replica cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// There is no such event, or it is not kept any more.
    Gone,
    /// Nobody can say at the moment.
    Unavailable,
    /// The caller reads or writes as many as it may.
    Full,
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
    /// Those of other replicas that are read here.
    followed: Vec<Followed>,
    /// Readers that there were.
    readers: u64,
    closed: bool,
}

/// A response of another replica that is read here. Dropping it ends that.
struct Followed {
    stream: u128,
    reader: u64,
    told: watch::Sender<Told>,
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
        oldest.map(|i| self.logs.remove(i).forget()).is_some()
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
        shared: Option<&SharedBy<'_>>,
    ) -> Option<(StreamWriter, StreamReader)> {
        let mut id = random_bits().ok()?;
        if let Some(shared) = shared {
            let replica = u128::from(shared.streams.replica());
            id = id >> (128 - REPLICA_SHIFT) | replica << REPLICA_SHIFT;
        }
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
        let copying = shared.map(|_| Arc::<Copying>::default());
        let log = StreamLog::new(id, *limits, place.ok()?, copying.clone());
        let reader = log.read_after(0)?;
        let writer = log.writer();
        if let (Some(shared), Some(copying)) = (shared, copying) {
            // It ends with the log.
            tokio::spawn(copy::copy(
                Arc::downgrade(&log),
                copying,
                shared.session,
                shared.stream(id),
                limits.keep,
                Arc::clone(shared.streams),
            ));
        }
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

    /// Reads what comes after an event at another replica, in place of whoever reads it now.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub(crate) async fn follow(
        &self,
        id: EventId,
        places: &Share,
        shared: &SharedBy<'_>,
    ) -> Result<Follower, Unread> {
        let writer = id.replica();
        if writer == 0 || writer == shared.streams.replica() {
            return Err(Unread::Gone);
        }
        let place = places.take().map_err(|_| Unread::Full)?;
        let stream = shared.stream(id.stream);
        let found = follow::find(shared.streams, &stream, id.number).await;
        let found = match found {
            Ok(found) => found.ok_or(Unread::Gone)?,
            Err(StoreError::Full | StoreError::Unavailable) => return Err(Unread::Unavailable),
        };
        let (told, hears) = watch::channel(Told::default());
        let reader = {
            let mut state = self.state();
            if state.closed {
                return Err(Unread::Gone);
            }
            state.readers += 1;
            let reader = state.readers;
            state
                .followed
                .retain(|one| one.stream != id.stream && !one.told.is_closed());
            state.followed.push(Followed {
                stream: id.stream,
                reader,
                told,
            });
            reader
        };
        let following = Following {
            shared: Arc::clone(shared.streams),
            session: shared.session,
            stream,
            writer,
            reader,
            next: id.number.saturating_add(1),
            told: hears,
            asked: 0,
            _place: place,
        };
        Ok(following.begin(found))
    }

    /// A client reads one of these at another replica, up to before `next`. `false` when it should not.
    pub(crate) fn reads_elsewhere(
        &self,
        stream: u128,
        (replica, reader): (u32, u64),
        next: u64,
        how: Reading,
    ) -> bool {
        let state = self.state();
        let log = state.logs.iter().find(|log| log.id() == stream).cloned();
        drop(state);
        // One that is not here any more is in the store, if anywhere.
        log.is_none_or(|log| log.reads_elsewhere(Elsewhere { replica, reader }, next, how))
    }

    /// What another replica says of a response that is read here.
    pub(crate) fn written_elsewhere(
        &self,
        stream: u128,
        reader: u64,
        next: u64,
        until: Option<u64>,
        over: bool,
    ) {
        let state = self.state();
        let mut followed = state.followed.iter();
        if let Some(one) = followed.find(|one| one.stream == stream && one.reader == reader) {
            one.told.send_modify(|told| {
                told.next = told.next.max(next);
                told.until = until.or(told.until);
                told.over |= over;
            });
        }
    }

    /// Whether the store has all that is kept here.
    pub(crate) fn are_copied(&self) -> bool {
        let state = self.state();
        state.logs.iter().all(|log| !log.is_shared_and_behind())
    }

    /// Names the stream of what belongs to no request as all replicas that serve this session do.
    pub(crate) fn share(&self, session: SharedSession) {
        let mut state = self.state();
        state.unsolicited.get_or_insert_with(|| {
            let SharedSession { owner, nonce } = session;
            hash(&format!("unsolicited {owner}:{nonce:032x}")) >> (128 - REPLICA_SHIFT)
        });
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
        let state = self.state();
        let mut followed = state.followed.iter();
        followed.any(|one| !one.told.is_closed()) || state.logs.iter().any(|log| log.is_busy())
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
        state.followed = Vec::new();
        let logs = std::mem::take(&mut state.logs);
        drop(state);
        logs.iter().for_each(|log| log.close());
    }
}
