//! One client, for as long as it is connected: a stdio process or a legacy HTTP session. The modern
//! requests of one TCP connection share a [`Connection::stateless`] that remembers nothing.
//!
//! The lock is held for map operations only, never over an await, and a session that idles costs
//! a few hundred bytes.

mod asks;
mod requests;
mod unsolicited;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::limits::{Caller, Share};
use crate::principal::Principal;
use crate::protocol::{Era, Introduced, Level, PeerInfo};
use crate::store::bus::SharedSession;
use crate::streams::Streams;
use crate::telemetry::Open;
use crate::wire::{Id, RpcError};

pub(crate) use asks::{AskOutcome, asked_by};
pub(crate) use requests::{Cancel, busy};
pub use unsolicited::Unsolicited;

/// What one legacy session or stdio process can be told from another by; see
/// [`Ctx::session`](crate::Ctx::session).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(u64);

impl SessionKey {
    /// Its number within this process, which the log has: no secret.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The state the server keeps for one client.
pub struct Connection {
    caller: Caller,
    remembers: bool,
    log_floor: AtomicU8,
    key: u64,
    next_ask: AtomicU64,
    /// The client will hear nothing more: what only talks to it ends.
    leaving: CancellationToken,
    state: Mutex<State>,
    streams: Streams,
    /// Its caller's places among the calls of the server that it is a connection of.
    calls: OnceLock<Share>,
    /// One for each question that its client is asked at a time.
    questions: OnceLock<Semaphore>,
    /// Its last client of the modern era.
    introduced: Introduced,
    /// Rings when somebody begins to read a response, or nobody does any more.
    readers: Notify,
    /// What replicas call it, where they can tell each other of it, and this replica.
    shared: OnceLock<Box<(SharedSession, u32)>>,
}

#[derive(Default)]
struct State {
    peer: Option<Arc<PeerInfo>>,
    in_flight: HashMap<Id, Arc<dyn Cancel>>,
    /// Those in flight that neither wait for the client nor are subscriptions.
    working: usize,
    asks: HashMap<u64, oneshot::Sender<AskOutcome>>,
    subscriptions: HashSet<Box<str>>,
    /// Where [`Unsolicited`] messages go, by number, the newest last.
    listeners: Vec<(u64, mpsc::Sender<Bytes>)>,
    next_listener: u64,
    /// Says that it is open, as a session.
    session: Option<Open>,
    answers: Option<Answers>,
}

/// Where answers go when they do not go back the way the request came (legacy SSE).
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) queue: mpsc::Sender<Bytes>,
    /// One for each request that is accepted, until its answer is in the queue.
    pub(crate) places: Arc<Semaphore>,
}

impl Connection {
    /// A client that stays: a stdio process, or a legacy session.
    pub fn new(principal: Principal) -> Arc<Self> {
        Arc::new(Self::with_memory(principal, None, true))
    }

    /// [`Connection::new`], for a client that calls from this address.
    pub(crate) fn from_address(principal: Principal, address: IpAddr) -> Arc<Self> {
        Arc::new(Self::with_memory(principal, Some(address), true))
    }

    /// The connection of requests that stand alone. Cancelling is done by dropping the call.
    pub fn stateless(principal: Principal) -> Arc<Self> {
        Arc::new(Self::with_memory(principal, None, false))
    }

    /// [`Connection::stateless`], for a client that calls from this address; `leaving` ends what
    /// only talks to it.
    pub(crate) fn stateless_from_address(
        principal: Principal,
        address: IpAddr,
        leaving: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            leaving,
            ..Self::with_memory(principal, Some(address), false)
        })
    }

    fn with_memory(principal: Principal, address: Option<IpAddr>, remembers: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            caller: Caller::new(principal, address, key),
            remembers,
            key,
            leaving: CancellationToken::new(),
            log_floor: AtomicU8::new(0),
            next_ask: AtomicU64::new(0),
            state: Mutex::default(),
            streams: Streams::default(),
            calls: OnceLock::new(),
            questions: OnceLock::new(),
            introduced: Introduced::default(),
            readers: Notify::new(),
            shared: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom it belongs to.
    pub fn principal(&self) -> &Principal {
        self.caller.principal()
    }

    /// Whose shares its requests use up.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Its key; `None` when its requests stand alone.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        self.remembers.then_some(SessionKey(self.key))
    }

    /// Cancelled when the client leaves or the server ends.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// The client as it introduced itself with `initialize`; `None` before that.
    pub fn peer(&self) -> Option<Arc<PeerInfo>> {
        self.state().peer.clone()
    }

    /// Its last client of the modern era, which introduces itself in each request.
    pub(crate) fn introduced(&self) -> &Introduced {
        &self.introduced
    }

    /// Remembers the client; `true` when it introduces itself for the first time.
    pub(crate) fn set_peer(&self, peer: Arc<PeerInfo>) -> bool {
        self.state().peer.replace(peer).is_none()
    }

    /// Keeps what says that the session is open, until it is not.
    pub(crate) fn keep_open(&self, session: Option<Open>) {
        self.state().session = session;
    }

    pub(crate) fn log_floor(&self) -> u8 {
        self.log_floor.load(Ordering::Relaxed)
    }

    pub(crate) fn set_log_floor(&self, level: Level) {
        self.log_floor.store(level as u8, Ordering::Relaxed);
    }

    /// The streams that the client can resume (legacy sessions over streamable HTTP).
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Completes when somebody begins or ceases to read a response of it.
    pub(crate) fn readers_change(&self) -> Notified<'_> {
        self.readers.notified()
    }

    pub(crate) fn readers_changed(&self) {
        self.readers.notify_waiters();
    }

    pub(crate) fn set_answers(&self, answers: Answers) {
        self.state().answers = Some(answers);
    }

    pub(crate) fn answers(&self) -> Option<Answers> {
        self.state().answers.clone()
    }

    /// Takes no more answers than those that are on their way.
    pub(crate) fn end_answers(&self) {
        self.state().answers = None;
    }

    /// Ends all waiting for the client and all subscriptions: it will not answer any more.
    pub fn hang_up(&self) {
        self.leaving.cancel();
        self.state().asks.clear();
    }

    /// Ends everything: the client is gone.
    pub fn close(&self) {
        self.leaving.cancel();
        let mut state = self.state();
        state.asks.clear();
        state.listeners = Vec::new();
        state.answers = None;
        let session = state.session.take();
        let all: Vec<_> = state.in_flight.values().cloned().collect();
        drop(state);
        drop(session);
        all.iter().for_each(|request| request.cancel());
        self.streams.close();
    }

    /// Whether something is in flight, a stream is open, or one that can be resumed goes on.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.state();
        let mut listeners = state.listeners.iter();
        if !state.in_flight.is_empty() || listeners.any(|(_, stream)| !stream.is_closed()) {
            return true;
        }
        drop(state);
        self.streams.is_busy()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// What a method of one era may assume of its connection.
pub(crate) fn legacy_peer(connection: &Connection) -> Result<Arc<PeerInfo>, RpcError> {
    connection
        .peer()
        .filter(|peer| peer.era == Era::Legacy)
        .ok_or_else(|| RpcError::invalid_request("Not initialized: send \"initialize\" first."))
}
