//! One client, for as long as it is connected: a stdio process or a legacy HTTP session. The modern
//! requests of one TCP connection share a [`Connection::stateless`] that remembers nothing.
//!
//! The lock is held for map operations only, never over an await, and a session that idles costs
//! a few hundred bytes.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::futures::Notified;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::limits::{Caller, Permit, Share, Shares};
use crate::principal::Principal;
use crate::protocol::{Era, Introduced, Level, PeerInfo};
use crate::store::bus::SharedSession;
use crate::streams::Streams;
use crate::telemetry::Open;
use crate::wire::{Code, Id, Outcome, RpcError};

/// Notifications that may wait for a client that does not read its stream; more are dropped.
const UNSOLICITED_QUEUE: usize = 64;

/// Streams of them that one connection may have open: GET streams of a legacy session.
const MAX_LISTENERS: usize = 8;

/// Resources one connection may subscribe to.
const MAX_SUBSCRIPTIONS: usize = 256;

/// Bits of a question's id that count; above them is the number of the replica that asks, of 31 bits. Together they are what
/// a client that holds numbers as doubles can tell apart.
const QUESTION_BITS: u32 = 22;

/// They count to so many.
const QUESTIONS: u64 = (1 << QUESTION_BITS) - 1;

/// A request in flight, as far as its connection has to do with it.
pub(crate) trait Cancel: Send + Sync {
    /// Stops it: the client wants no answer any more.
    fn cancel(&self);
}

/// The client's answer to a request of ours.
pub(crate) enum AskOutcome {
    /// Its `result`, as JSON text.
    Result(Box<str>),
    /// Its `error`, as JSON text.
    Error(Box<str>),
    /// It is neither.
    Malformed,
}

impl From<&Outcome<'_>> for AskOutcome {
    fn from(outcome: &Outcome<'_>) -> Self {
        match outcome {
            Outcome::Result(result) => Self::Result((*result).into()),
            Outcome::Error(error) => Self::Error((*error).into()),
            Outcome::Malformed(_) | Outcome::Missing(_) => Self::Malformed,
        }
    }
}

/// The replica that asked the question of this id, where replicas serve a session together.
pub(crate) fn asked_by(question: u64) -> Option<u32> {
    u32::try_from(question >> QUESTION_BITS)
        .ok()
        .filter(|replica| *replica != 0)
}

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

impl State {
    /// Adds a listener. `None` when there are too many.
    fn add_listener(&mut self, number: u64) -> Option<(u64, Unsolicited)> {
        self.listeners.retain(|(_, stream)| !stream.is_closed());
        if self.listeners.len() >= MAX_LISTENERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(UNSOLICITED_QUEUE);
        self.listeners.push((number, sender));
        self.next_listener = self.next_listener.max(number.saturating_add(1));
        Some((number, receiver))
    }
}

/// Where answers go when they do not go back the way the request came (legacy SSE).
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) queue: mpsc::Sender<Bytes>,
    /// One for each request that is accepted, until its answer is in the queue.
    pub(crate) places: Arc<Semaphore>,
}

/// Notifications that belong to no request: what a GET stream or stdout carries besides answers.
pub type Unsolicited = mpsc::Receiver<Bytes>;

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

    /// From here on other replicas may know of it, by this name. This one is `replica`, which the ids of its questions say.
    pub(crate) fn share(&self, session: SharedSession, replica: u32) {
        // It has one name for good.
        let _ = self.shared.set(Box::new((session, replica)));
    }

    /// What replicas call it.
    pub(crate) fn shared(&self) -> Option<SharedSession> {
        self.shared.get().map(|shared| shared.0)
    }

    /// The id of a question: where replicas serve the session together, it says which of them asks, so that a client never
    /// sees one twice and an answer finds its way.
    fn question(&self, number: u64) -> u64 {
        match self.shared.get() {
            Some(shared) => u64::from(shared.1) << QUESTION_BITS | number & QUESTIONS,
            None => number,
        }
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

    /// Opens a stream for notifications that belong to no request. `None` when there are too many.
    ///
    /// There may be several, and each notification goes to one of them: to the newest that is read.
    pub fn open_stream(&self) -> Option<Unsolicited> {
        self.listen().map(|(_, stream)| stream)
    }

    /// [`Connection::open_stream`], with the number of the stream.
    pub(crate) fn listen(&self) -> Option<(u64, Unsolicited)> {
        let mut state = self.state();
        let number = state.next_listener;
        state.add_listener(number)
    }

    /// [`Connection::listen`], in place of the stream with this number: that one ends.
    pub(crate) fn take_over_stream(&self, number: u64) -> Option<(u64, Unsolicited)> {
        let mut state = self.state();
        // One that was never opened is a new one.
        let number = number.min(state.next_listener);
        state.listeners.retain(|(held, _)| *held != number);
        state.add_listener(number)
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

    /// The places of the questions that its client is asked, of which there are so many.
    pub(crate) fn questions(&self, max: usize) -> &Semaphore {
        self.questions
            .get_or_init(|| Semaphore::new(max.min(Semaphore::MAX_PERMITS)))
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

    /// Sends a notification that belongs to no request; dropped when nobody listens or the client
    /// does not read, because one slow client must never hold up another.
    pub(crate) fn push(&self, mut message: Bytes) {
        let state = self.state();
        if state.listeners.is_empty() {
            return;
        }
        for (_, stream) in state.listeners.iter().rev() {
            match stream.try_send(message) {
                Ok(()) => return,
                Err(TrySendError::Full(unsent) | TrySendError::Closed(unsent)) => message = unsent,
            }
        }
        drop(state);
        tracing::debug!("dropped a notification for a client that does not read");
    }

    /// Whether a stream for such notifications is open.
    pub(crate) fn is_heard(&self) -> bool {
        let state = self.state();
        state
            .listeners
            .iter()
            .any(|(_, stream)| !stream.is_closed())
    }

    /// Stops the request, if it is in flight here.
    pub(crate) fn cancel(&self, id: &Id) -> bool {
        let request = self.state().in_flight.get(id).cloned();
        if let Some(request) = &request {
            request.cancel();
        }
        request.is_some()
    }

    /// Whether a handler waits for the client: holding back its messages now would be a deadlock.
    pub fn awaits_client(&self) -> bool {
        !self.state().asks.is_empty()
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

    /// Its requests in flight, and how many of these work: the others wait for the client.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let state = self.state();
        (state.in_flight.len(), state.working)
    }

    /// Its caller's places among these calls.
    pub(crate) fn share_of(&self, calls: &Shares) -> &Share {
        self.calls.get_or_init(|| calls.of(&self.caller))
    }

    /// A place among the calls for one that had its own before.
    pub(crate) fn take_again(&self) -> Option<Permit> {
        self.calls.get().map(Share::take_again)
    }

    /// Adds a request to those in flight, of which at most `max` work.
    ///
    /// # Errors
    /// When its id is in flight already, or there are too many.
    pub(crate) fn register(
        &self,
        id: &Id,
        request: impl FnOnce() -> Arc<dyn Cancel>,
        works: bool,
        max: usize,
    ) -> Result<(), RpcError> {
        if !self.remembers {
            return Ok(());
        }
        let mut state = self.state();
        if state.in_flight.contains_key(id) {
            // Answering the second one leaves the first its own, single answer.
            return Err(RpcError::invalid_request(
                "A request with this id is already in flight.",
            ));
        }
        if state.working >= max {
            return Err(busy(max, "on this connection"));
        }
        state.working += usize::from(works);
        state.in_flight.insert(id.clone(), request());
        Ok(())
    }

    /// Says that a request in flight begins or ceases to work: that it waits for the client.
    pub(crate) fn set_working(&self, works: bool) {
        if self.remembers {
            let mut state = self.state();
            match works {
                true => state.working += 1,
                false => state.working -= 1,
            }
        }
    }

    /// Removes a request from those in flight.
    pub(crate) fn unregister(&self, id: &Id, works: bool) {
        if self.remembers {
            let mut state = self.state();
            state.in_flight.remove(id);
            state.working -= usize::from(works);
        }
    }

    /// Registers a request of ours; the answer arrives at the receiver. There is none from a client
    /// that has left.
    pub(crate) fn open_ask(&self) -> (u64, oneshot::Receiver<AskOutcome>) {
        let id = self.question(self.next_ask.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if !self.leaving.is_cancelled() {
            state.asks.insert(id, sender);
        }
        drop(state);
        (id, receiver)
    }

    /// Whether a request of ours has, or had, this id.
    pub(crate) fn gave(&self, id: &Id) -> bool {
        let next = self.next_ask.load(Ordering::Relaxed);
        id.as_number().is_some_and(|id| {
            let number = match self.shared.get() {
                Some(_) => id & QUESTIONS,
                None => id,
            };
            number < next && self.question(number) == id
        })
    }

    pub(crate) fn close_ask(&self, id: u64) {
        self.state().asks.remove(&id);
    }

    /// Hands the client's answer to whoever asked here, if somebody did.
    pub(crate) fn resolve(&self, id: u64, answer: impl FnOnce() -> AskOutcome) -> bool {
        let ask = self.state().asks.remove(&id);
        ask.map(|ask| {
            // The asker may have given up meanwhile.
            let _ = ask.send(answer());
        })
        .is_some()
    }

    pub(crate) fn subscribe(&self, uri: &str) -> Result<(), RpcError> {
        let mut state = self.state();
        if state.subscriptions.len() >= MAX_SUBSCRIPTIONS && !state.subscriptions.contains(uri) {
            return Err(RpcError::new(
                Code::BUSY,
                format!(
                    "At most {MAX_SUBSCRIPTIONS} resources can be subscribed to; unsubscribe from one first."
                ),
            ));
        }
        state.subscriptions.insert(uri.into());
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        self.state().subscriptions.remove(uri);
    }

    /// The URIs that it is subscribed to.
    pub(crate) fn subscribed(&self) -> Vec<String> {
        let state = self.state();
        state
            .subscriptions
            .iter()
            .map(|uri| uri.to_string())
            .collect()
    }

    pub(crate) fn is_subscribed(&self, uri: &str) -> bool {
        self.state().subscriptions.contains(uri)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// All places are taken.
pub(crate) fn busy(limit: usize, scope: &str) -> RpcError {
    RpcError::new(
        Code::BUSY,
        format!("The server is busy: {limit} requests are in flight {scope}; try again later."),
    )
}

/// What a method of one era may assume of its connection.
pub(crate) fn legacy_peer(connection: &Connection) -> Result<Arc<PeerInfo>, RpcError> {
    connection
        .peer()
        .filter(|peer| peer.era == Era::Legacy)
        .ok_or_else(|| RpcError::invalid_request("Not initialized: send \"initialize\" first."))
}
