//! One client, for as long as it is connected: a stdio process or a legacy HTTP session. The modern
//! requests of one TCP connection share a [`Connection::stateless`] that remembers nothing.
//!
//! The lock is held for map operations only, never over an await, and a session that idles costs
//! a few hundred bytes.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::context::{Ctx, Level};
use crate::limits::Caller;
use crate::principal::Principal;
use crate::session::Streams;
use crate::wire::{Code, Id, RpcError};

use super::era::Era;
use super::peer::PeerInfo;

/// Notifications that may wait for a client that does not read its stream; more are dropped.
const UNSOLICITED_QUEUE: usize = 64;

/// Resources one connection may subscribe to.
const MAX_SUBSCRIPTIONS: usize = 256;

/// The client's answer to a request of ours: its `result` or its `error`, as JSON text.
pub(crate) type AskOutcome = Result<Box<str>, Box<str>>;

/// What one legacy session or stdio process can be told from another by; see
/// [`Ctx::session`](crate::Ctx::session).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(u64);

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
}

#[derive(Default)]
struct State {
    peer: Option<Arc<PeerInfo>>,
    in_flight: HashMap<Id, Ctx>,
    asks: HashMap<u64, oneshot::Sender<AskOutcome>>,
    subscriptions: HashSet<Box<str>>,
    stream: Option<mpsc::Sender<Bytes>>,
    answers: Option<Answers>,
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

    /// Remembers the client; `true` when it introduces itself for the first time.
    pub(crate) fn set_peer(&self, peer: Arc<PeerInfo>) -> bool {
        self.state().peer.replace(peer).is_none()
    }

    pub(crate) fn log_floor(&self) -> u8 {
        self.log_floor.load(Ordering::Relaxed)
    }

    pub(crate) fn set_log_floor(&self, level: Level) {
        self.log_floor.store(level as u8, Ordering::Relaxed);
    }

    /// Opens the stream for notifications that belong to no request. `None` when one is open.
    pub fn open_stream(&self) -> Option<Unsolicited> {
        let mut state = self.state();
        if state
            .stream
            .as_ref()
            .is_some_and(|stream| !stream.is_closed())
        {
            return None;
        }
        let (sender, receiver) = mpsc::channel(UNSOLICITED_QUEUE);
        state.stream = Some(sender);
        Some(receiver)
    }

    /// [`Connection::open_stream`], in place of one that is open: that one ends.
    pub(crate) fn take_over_stream(&self) -> Unsolicited {
        let (sender, receiver) = mpsc::channel(UNSOLICITED_QUEUE);
        self.state().stream = Some(sender);
        receiver
    }

    /// The streams that the client can resume (legacy sessions over streamable HTTP).
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
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
    pub(crate) fn push(&self, message: Bytes) {
        let stream = self.state().stream.clone();
        if let Some(Err(_)) = stream.map(|stream| stream.try_send(message)) {
            tracing::debug!("dropped a notification for a client that does not read");
        }
    }

    /// Stops the request, if it is in flight here.
    pub(crate) fn cancel(&self, id: &Id) {
        let ctx = self.state().in_flight.get(id).cloned();
        if let Some(ctx) = ctx {
            ctx.cancel();
        }
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
        state.stream = None;
        state.answers = None;
        let all: Vec<Ctx> = state.in_flight.values().cloned().collect();
        drop(state);
        all.iter().for_each(Ctx::cancel);
        self.streams.close();
    }

    /// Whether something is in flight, a stream is open, or one that can be resumed goes on.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.state();
        let open = state.stream.as_ref();
        if !state.in_flight.is_empty() || open.is_some_and(|stream| !stream.is_closed()) {
            return true;
        }
        drop(state);
        self.streams.is_busy()
    }

    /// Registers a request of ours; the answer arrives at the receiver.
    pub(crate) fn open_ask(&self) -> (u64, oneshot::Receiver<AskOutcome>) {
        let id = self.next_ask.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.state().asks.insert(id, sender);
        (id, receiver)
    }

    pub(crate) fn close_ask(&self, id: u64) {
        self.state().asks.remove(&id);
    }

    /// Hands the client's answer to whoever asked. Answers to nothing are ignored.
    pub(crate) fn resolve(&self, id: &Id, outcome: Result<&str, &str>) {
        let ask = id.as_number().and_then(|id| self.state().asks.remove(&id));
        if let Some(ask) = ask {
            // The asker may have given up meanwhile.
            let _ = ask.send(outcome.map(Into::into).map_err(Into::into));
        }
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

/// The place of one call among those in flight; frees it when dropped.
pub(crate) struct Slot {
    ctx: Ctx,
    in_all: Arc<AtomicUsize>,
}

impl Slot {
    /// Takes a place, or says why there is none.
    pub(crate) fn take(
        ctx: &Ctx,
        in_all: &Arc<AtomicUsize>,
        max_per_connection: usize,
        max_in_all: usize,
    ) -> Result<Self, RpcError> {
        if in_all.fetch_add(1, Ordering::Relaxed) >= max_in_all {
            in_all.fetch_sub(1, Ordering::Relaxed);
            return Err(busy(max_in_all, "in all"));
        }
        // From here on dropping it gives the place back.
        let slot = Self {
            ctx: ctx.clone(),
            in_all: Arc::clone(in_all),
        };
        let connection = ctx.connection();
        if connection.remembers {
            let mut state = connection.state();
            let refusal = if state.in_flight.contains_key(ctx.id()) {
                // Answering the second one leaves the first its own, single answer.
                Some(RpcError::invalid_request(
                    "A request with this id is already in flight.",
                ))
            } else if state.in_flight.len() >= max_per_connection {
                Some(busy(max_per_connection, "on this connection"))
            } else {
                state.in_flight.insert(ctx.id().clone(), ctx.clone());
                None
            };
            drop(state);
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.in_all.fetch_sub(1, Ordering::Relaxed);
        let connection = self.ctx.connection();
        if connection.remembers {
            let mut state = connection.state();
            // A refused duplicate must not free the place of the call it duplicates.
            if state
                .in_flight
                .get(self.ctx.id())
                .is_some_and(|held| held.is(&self.ctx))
            {
                state.in_flight.remove(self.ctx.id());
            }
        }
    }
}

fn busy(limit: usize, scope: &str) -> RpcError {
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
