//! What a connection is doing, as far as others have to know it.
//!
//! The task of the connection writes it down, without a lock; whoever looks for a place reads it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, Ordering::Relaxed, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::task::{AbortHandle, yield_now};
use tokio::time::Instant;

use crate::connection::Connection;

/// Bits of the word that hold the phase; the others hold since when, in microseconds.
const PHASE_BITS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accepted, and not looked at yet.
    Fresh,
    /// The head of a request is not complete, or the first one has not begun.
    Head,
    /// Between two requests.
    Idle,
    /// The body of a request is not complete.
    Body,
    /// A request is in flight.
    Busy,
    /// A request is in flight whose client loses no call with this connection: it has to answer a
    /// question first, or can read on with another one.
    Waits,
    /// The answer is written, but not all of it may have left.
    Answered,
    /// A stream is open that answers no request, such as a session's own.
    Stream,
    /// A connection over HTTP/2 has streams, each with a place of its own.
    Carries,
    /// A connection over HTTP/2 has had streams, and none is open.
    Vacant,
    /// Its place belongs to another connection.
    Ended,
}

impl Phase {
    const ALL: [Self; 11] = [
        Self::Fresh,
        Self::Head,
        Self::Idle,
        Self::Body,
        Self::Busy,
        Self::Waits,
        Self::Answered,
        Self::Stream,
        Self::Carries,
        Self::Vacant,
        Self::Ended,
    ];
}

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    leaving: AtomicBool,
}

impl Clock {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            leaving: AtomicBool::new(false),
        })
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The server takes no more connections and lets go of those that it has.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    pub(super) fn leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }
}

/// What one connection is doing, or one stream of a connection over HTTP/2.
#[derive(Debug)]
pub(super) struct Activity {
    clock: Arc<Clock>,
    word: AtomicU64,
    /// Since when what is written does not leave, in microseconds; 0 while it does.
    stalled: AtomicU64,
    /// Whether any byte has ever come.
    spoken: AtomicBool,
    /// When the last byte came, in microseconds. Kept while the server is leaving.
    heard: AtomicU64,
    /// Whether the last look found nothing to read. Kept while the server is leaving.
    silent: AtomicBool,
    /// Whether a request has begun in this turn of its task.
    began: AtomicBool,
    task: OnceLock<AbortHandle>,
    /// The session that ends with the stream, if it is one of legacy SSE.
    session: Mutex<Weak<Connection>>,
}

/// A phase, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    word: u64,
    pub(super) phase: Phase,
    pub(super) since: Duration,
}

fn phase_of(word: u64) -> Phase {
    Phase::ALL[(word & ((1 << PHASE_BITS) - 1)) as usize]
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Activity {
    pub(super) fn new(clock: Arc<Clock>) -> Arc<Self> {
        let new = Self {
            clock,
            word: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            spoken: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            silent: AtomicBool::new(false),
            began: AtomicBool::new(false),
            task: OnceLock::new(),
            session: Mutex::default(),
        };
        new.word.store(new.word(Phase::Fresh), Relaxed);
        Arc::new(new)
    }

    fn word(&self, phase: Phase) -> u64 {
        micros(self.clock.now()) << PHASE_BITS | phase as u64
    }

    /// Goes on to a phase, if it is in one of those `from` which it may. What has ended stays so:
    /// its place belongs to another.
    fn go(&self, to: Phase, from: impl Fn(Phase) -> bool) -> bool {
        let goes = |word| {
            let phase = phase_of(word);
            (phase != Phase::Ended && from(phase)).then(|| self.word(to))
        };
        self.word.fetch_update(Relaxed, Relaxed, goes).is_ok()
    }

    /// What it is doing now.
    pub(super) fn seen(&self) -> Seen {
        let word = self.word.load(Relaxed);
        Seen {
            word,
            phase: phase_of(word),
            since: Duration::from_micros(word >> PHASE_BITS),
        }
    }

    /// For how long what is written does not leave, as of `now`; `None` while it does.
    pub(super) fn stalled(&self, now: Duration) -> Option<Duration> {
        let since = Duration::from_micros(self.stalled.load(Relaxed));
        (!since.is_zero()).then(|| now.saturating_sub(since))
    }

    pub(super) fn leaving(&self) -> bool {
        self.clock.leaving()
    }

    // ------------------------------------------------------------- what its own task says

    /// The task that is the connection.
    pub(super) fn is(&self, task: AbortHandle) {
        // Set once, by whoever made both.
        let task = self.task.get_or_init(|| task);
        // It may have been ended a moment ago, by somebody who did not know the task.
        fence(Ordering::SeqCst);
        if self.seen().phase == Phase::Ended {
            task.abort();
        }
    }

    /// Its task is polled.
    pub(super) fn takes_turn(&self) {
        self.began.store(false, Relaxed);
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        self.spoken.store(true, Relaxed);
        self.go(Phase::Head, |phase| phase == Phase::Idle);
        if self.leaving() {
            self.heard.store(micros(self.clock.now()), Relaxed);
            self.silent.store(false, Relaxed);
        }
    }

    /// There is nothing to read now.
    pub(super) fn heard_nothing(&self) {
        let seen = self.seen();
        if seen.phase == Phase::Fresh {
            // It has waited since it was accepted.
            let word = seen.word & !((1 << PHASE_BITS) - 1) | Phase::Head as u64;
            let _ = self
                .word
                .compare_exchange(seen.word, word, Relaxed, Relaxed);
        }
        if self.leaving() {
            self.silent.store(true, Relaxed);
        }
    }

    /// A request is in flight from now on. Not if its place was given away a moment ago: then
    /// nothing is begun.
    ///
    /// One request a turn: what a client has pipelined waits for the others that are ready.
    pub(super) async fn begin_in_turn(&self) {
        if self.began.swap(true, Relaxed) {
            yield_now().await;
            self.began.store(true, Relaxed);
        }
        self.begin().await;
    }

    /// [`Activity::begin_in_turn`], in the turn that it has.
    pub(super) async fn begin(&self) {
        let begun = self.go(Phase::Busy, |_| true);
        if !begun {
            std::future::pending::<()>().await;
        }
    }

    /// The body of the request has to be waited for.
    pub(super) fn awaits_body(&self) {
        self.go(Phase::Body, |_| true);
    }

    /// Whether the request in flight is one that waits ([`Phase::Waits`]).
    pub(super) fn waits(&self, waits: bool) {
        match waits {
            true => self.go(Phase::Waits, |phase| phase == Phase::Busy),
            false => self.go(Phase::Busy, |phase| phase == Phase::Waits),
        };
    }

    /// A stream that answers no request has begun; `session` ends with it.
    pub(super) fn streams(&self, session: Option<&Arc<Connection>>) {
        let session = session.map_or_else(Weak::new, Arc::downgrade);
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        self.go(Phase::Stream, |_| true);
    }

    /// All of the answer is written.
    pub(super) fn answered(&self) {
        self.go(Phase::Answered, |_| true);
    }

    /// All that was written has left.
    pub(super) fn flushed(&self) {
        self.go(Phase::Idle, |phase| phase == Phase::Answered);
    }

    /// Streams are open from now on; `false` if its place was given away a moment ago.
    pub(super) fn carries(&self) -> bool {
        self.go(Phase::Carries, |_| true)
    }

    /// No stream is open any more.
    pub(super) fn vacant(&self) {
        self.go(Phase::Vacant, |phase| phase == Phase::Carries);
    }

    /// What is written does not leave.
    pub(super) fn stalls(&self) {
        self.stalled.store(micros(self.clock.now()).max(1), Relaxed);
    }

    /// It leaves again.
    pub(super) fn flows(&self) {
        self.stalled.store(0, Relaxed);
    }

    // -------------------------------------------------------------------- what others do

    /// The session that ends with the stream.
    pub(super) fn session(&self) -> Option<Arc<Connection>> {
        let session = self.session.lock();
        session.unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Ends the connection, unless it has gone on since it was `seen`.
    pub(super) fn end(&self, seen: Seen) -> bool {
        let ended = self.word(Phase::Ended);
        let is = self
            .word
            .compare_exchange(seen.word, ended, Relaxed, Relaxed)
            .is_ok();
        fence(Ordering::SeqCst);
        if is && let Some(task) = self.task.get() {
            task.abort();
        }
        is
    }

    /// Whether a server that is leaving need not wait for it: it is silent and nothing is owed.
    pub(super) fn may_leave(&self, patience: &Patience, leaving_since: Duration) -> bool {
        let now = self.clock.now();
        let seen = self.seen();
        let heard = Duration::from_micros(self.heard.load(Relaxed)).max(leaving_since);
        let incomplete = || now.saturating_sub(heard) >= patience.incomplete;
        match seen.phase {
            Phase::Ended => true,
            Phase::Fresh => false,
            // A request that follows at once is answered, and with it told that it was the last.
            Phase::Head if self.spoken.load(Relaxed) => incomplete(),
            Phase::Head | Phase::Idle => {
                self.silent.load(Relaxed) && now.saturating_sub(seen.since) >= patience.next
            }
            // One that carries nothing any more ends by itself, when its client has heard of the end.
            Phase::Body | Phase::Vacant => incomplete(),
            Phase::Busy | Phase::Waits | Phase::Answered | Phase::Stream | Phase::Carries => self
                .stalled(now)
                .is_some_and(|stalled| stalled >= patience.unread),
        }
    }

    /// Time since the start, by the clock of all connections.
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }
}

/// How long a server that is leaving waits for a client that is silent.
pub(super) struct Patience {
    /// For the first byte of a request, since it was accepted or had its last answer.
    pub(super) next: Duration,
    /// For the next byte of a head or a body that has begun.
    pub(super) incomplete: Duration,
    /// For it to read on.
    pub(super) unread: Duration,
}
