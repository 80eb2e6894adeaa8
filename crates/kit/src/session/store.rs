//! All sessions of one endpoint.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::connection::Connection;
use crate::keys::KeyRing;
use crate::limits::{Caller, Shares};
use crate::metrics::Metrics;
use crate::principal::Principal;
use crate::protocol::PeerInfo;
use crate::store::EndedSession;
use crate::streams::{
    EventId, Follower, Resumed, SharedBy, SharedStreams, StreamReader, StreamWriter, Unread,
};

use super::sealed::{self, Claimed, Seal};
use super::table::{Class, Session, Table};
use super::{Refused, SessionId, SessionLimits};

/// All sessions of one endpoint.
///
/// A session over streamable HTTP has a sealed id (`sealed`): what is here of it is a copy that may
/// go when it idles, and is made anew when its client comes back. One of HTTP+SSE lives in its
/// stream and has a random id.
pub struct Sessions {
    limits: SessionLimits,
    keys: Arc<KeyRing>,
    started: Instant,
    /// The time of day at that moment. Not asked again: ids end by one clock that only goes forward.
    started_at: Duration,
    /// One for each stream that can be resumed, in all sessions.
    places: Shares,
    state: RwLock<Table>,
    /// Those that were ended here and that other replicas have not been told of, where they are told.
    untold: Option<Mutex<VecDeque<EndedSession>>>,
    /// Where other replicas find responses that can be resumed.
    streams: Option<Arc<SharedStreams>>,
    /// Is told of each sealed session that comes into memory, with its nonce.
    joins: Option<Box<Joins>>,
}

type Joins = dyn Fn(&Arc<Connection>, u128) + Send + Sync;

/// A session that goes on.
pub struct Found {
    /// Its connection.
    pub connection: Arc<Connection>,
    /// Whether it was made anew from the id: the first request of the session here, or the first
    /// after it was forgotten.
    pub restored: bool,
}

impl Sessions {
    /// An empty store, whose ids are sealed with these keys.
    pub fn new(limits: SessionLimits, keys: Arc<KeyRing>) -> Self {
        Self {
            limits,
            keys,
            started: Instant::now(),
            // Before 1970 it is nothing but a clock that was never set.
            started_at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            places: Shares::new(limits.streams.in_all, limits.streams.per_caller),
            state: RwLock::default(),
            untold: None,
            streams: None,
            joins: None,
        }
    }

    /// Keeps those that are ended here for [`Sessions::untold`].
    pub(crate) fn telling(mut self) -> Self {
        self.untold = Some(Mutex::default());
        self
    }

    /// Has `joins` told of each sealed session that comes into memory, before anything is served in it, with its nonce: a part
    /// of its id that tells it from all others, and of no use without the rest.
    pub(crate) fn joined_by(
        mut self,
        joins: impl Fn(&Arc<Connection>, u128) + Send + Sync + 'static,
    ) -> Self {
        self.joins = Some(Box::new(joins));
        self
    }

    /// Has other replicas find responses that can be resumed, and finds theirs.
    pub(crate) fn sharing_streams(mut self, streams: Arc<SharedStreams>) -> Self {
        self.streams = Some(streams);
        self
    }

    /// Those that were ended here and that others have not been told of, the first first, and how many are to be remembered.
    pub(crate) fn untold(&self) -> (Vec<EndedSession>, usize) {
        let untold = self.untold.as_ref().map(|untold| {
            let untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.iter().copied().collect()
        });
        (untold.unwrap_or_default(), self.limits.ended)
    }

    /// Others have been told of the first of them.
    pub(crate) fn told(&self, count: usize) {
        if let Some(untold) = &self.untold {
            let mut untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
            let count = count.min(untold.len());
            untold.drain(..count);
        }
    }

    fn tell(&self, seal: Seal) {
        if let Some(untold) = &self.untold {
            let Seal { nonce, expires } = seal;
            let mut untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.push_back(EndedSession { nonce, expires });
            if untold.len() > self.limits.ended {
                untold.pop_front();
            }
        }
    }

    /// Ends sessions that were ended at another replica.
    pub(crate) fn ended_elsewhere(&self, ended: &[EndedSession]) {
        let (time, mut state) = (self.time(), self.write());
        let mut new = HashSet::new();
        for EndedSession { nonce, expires } in ended.iter().copied() {
            let seal = Seal { nonce, expires };
            if expires > time && !state.revoked.has(seal) {
                state.revoked.add(seal, self.limits.ended, time);
                new.insert(nonce);
            }
        }
        if new.is_empty() {
            return;
        }
        let is_over =
            |session: &Session| session.seal.is_some_and(|seal| new.contains(&seal.nonce));
        let over = state
            .sessions
            .iter()
            .filter(|(_, session)| is_over(session));
        let over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
        let over: Vec<_> = over
            .iter()
            .filter_map(|id| state.remove(id.as_str()))
            .collect();
        drop(state);
        over.iter().for_each(|session| session.connection.close());
    }

    // Nothing that is done under these locks can panic half-way.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session that ends with this process, under a random id. `opener` is whose share it is
    /// part of: who sent that request.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open(&self, connection: Arc<Connection>, opener: &Caller) -> Result<SessionId, Refused> {
        let id = SessionId::random().map_err(|_| Refused::NoRandomness)?;
        self.add(id, connection, None, opener)
    }

    /// Opens a session for a client that has just initialized, under a sealed id.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open_sealed(
        &self,
        connection: Arc<Connection>,
        peer: &PeerInfo,
        opener: &Caller,
    ) -> Result<SessionId, Refused> {
        let lifetime = self.limits.lifetime.as_secs();
        let lifetime = lifetime.try_into().unwrap_or(u32::MAX);
        let principal = connection.principal();
        let (id, seal) = sealed::seal(&self.keys, principal, peer, self.time(), lifetime)
            .map_err(|_| Refused::NoRandomness)?;
        self.add(SessionId(id.into()), connection, Some(seal), opener)
    }

    fn add(
        &self,
        id: SessionId,
        connection: Arc<Connection>,
        seal: Option<Seal>,
        opener: &Caller,
    ) -> Result<SessionId, Refused> {
        let now = self.now();
        let mut state = self.write();
        let gone = state.admit(&self.limits, now)?;
        self.join(&connection, seal);
        state.insert(id.clone(), connection, seal, opener, now);
        drop(state);
        if let Some(session) = gone {
            session.connection.close();
        }
        Ok(id)
    }

    fn join(&self, connection: &Arc<Connection>, seal: Option<Seal>) {
        if let (Some(joins), Some(seal)) = (&self.joins, seal) {
            joins(connection, seal.nonce);
        }
    }

    /// The connection of a session that is in memory, which is used by that. Somebody else's session
    /// does not exist.
    pub fn find(&self, id: &str, principal: &Principal) -> Option<Arc<Connection>> {
        let state = self.read();
        let (key, session) = state.sessions.get_key_value(id)?;
        let since = self.started.elapsed();
        if !is_of(session, principal, (self.started_at + since).as_secs()) {
            return None;
        }
        session.last_used.store(millis(since), Ordering::Relaxed);
        let connection = Arc::clone(&session.connection);
        let moves = (session.rank.class != Class::Kept).then(|| key.clone());
        drop(state);
        if let Some(key) = moves {
            self.write().used(&key, &self.limits);
        }
        Some(connection)
    }

    /// The connection of a session: as [`Sessions::find`], and one that is not in memory is made anew
    /// from its id. `None` for an id of others, of other keys, of a session that is over, and for
    /// anything else: which of these it is takes no time to tell apart. One that is made anew counts
    /// as part of the share of `opener`, who sent that request from `address`.
    ///
    /// # Errors
    /// It would have to be made anew, and there are too many.
    pub fn get(
        &self,
        id: &str,
        principal: &Principal,
        opener: &Caller,
        address: IpAddr,
    ) -> Result<Option<Found>, Refused> {
        if let Some(connection) = self.find(id, principal) {
            let restored = false;
            return Ok(Some(Found {
                connection,
                restored,
            }));
        }
        let Some(claimed) = self.valid(id, principal) else {
            return Ok(None);
        };
        let now = self.now();
        let mut state = self.write();
        // It may have been taken up, or ended, a moment ago.
        if let Some(session) = state.sessions.get(id) {
            let connection = Arc::clone(&session.connection);
            let restored = false;
            return Ok(Some(Found {
                connection,
                restored,
            }));
        }
        let seal = claimed.seal;
        if state.revoked.has(seal) {
            return Ok(None);
        }
        let gone = state.admit(&self.limits, now)?;
        let connection = Connection::from_address(principal.clone(), address);
        connection.set_peer(Arc::new(claimed.peer));
        let key = SessionId(id.into());
        let added = Arc::clone(&connection);
        self.join(&connection, Some(seal));
        state.insert(key.clone(), added, Some(seal), opener, now);
        state.used(&key, &self.limits);
        drop(state);
        if let Some(session) = gone {
            session.connection.close();
        }
        let restored = true;
        Ok(Some(Found {
            connection,
            restored,
        }))
    }

    /// What a sealed id says, if it is this principal's and good. All is looked at, whatever is wrong.
    fn valid(&self, id: &str, principal: &Principal) -> Option<Claimed> {
        let claimed = sealed::read(id)?;
        let signed = claimed.is_signed(&self.keys, principal);
        let lasts = self.time() < claimed.seal.expires;
        let revoked = self.read().revoked.has(claimed.seal);
        (signed & lasts & !revoked).then_some(claimed)
    }

    /// Ends a session and everything in flight in it; `false` when it does not exist. A sealed one is
    /// not made anew after that.
    pub fn close(&self, id: &str, principal: &Principal) -> bool {
        let valid = self.valid(id, principal).map(|claimed| claimed.seal);
        let mut state = self.write();
        let session = state.sessions.get(id);
        let there = session.is_some_and(|session| is_of(session, principal, self.time()));
        let closed = there.then(|| state.remove(id)).flatten();
        if let Some(seal) = valid {
            state.revoked.add(seal, self.limits.ended, self.time());
        }
        drop(state);
        if let Some(seal) = valid {
            self.tell(seal);
        }
        if let Some(session) = &closed {
            session.connection.close();
        }
        closed.is_some() || valid.is_some()
    }

    /// Ends all waiting for clients: the server is leaving, and nobody can answer any more.
    pub(crate) fn hang_up(&self) {
        let state = self.read();
        let all = state.sessions.values();
        let all: Vec<_> = all.map(|session| Arc::clone(&session.connection)).collect();
        drop(state);
        all.iter().for_each(|connection| connection.hang_up());
    }

    /// Opens the log of a response in a session. `None` when there is no room for another: the
    /// response cannot be resumed then.
    pub(crate) fn keep_stream(
        &self,
        connection: &Connection,
    ) -> Option<(StreamWriter, StreamReader)> {
        let places = self.places.of(connection.caller());
        let shared = self.shared_by(connection);
        let streams = connection.streams();
        streams.open(&self.limits.streams, &places, shared.as_ref())
    }

    fn shared_by<'a>(&'a self, connection: &'a Connection) -> Option<SharedBy<'a>> {
        Some(SharedBy {
            streams: self.streams.as_ref()?,
            session: connection.shared()?,
            owner: connection.principal(),
        })
    }

    /// Reads a response that another replica writes.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub(crate) async fn follow_stream(
        &self,
        connection: &Connection,
        id: EventId,
    ) -> Result<Follower, Unread> {
        let shared = self.shared_by(connection).ok_or(Unread::Gone)?;
        let places = self.places.of(connection.caller());
        connection.streams().follow(id, &places, &shared).await
    }

    /// Whether other replicas find all that is kept here to be resumed.
    pub(crate) fn streams_are_copied(&self) -> bool {
        let state = self.read();
        let mut all = state.sessions.values();
        all.all(|session| session.connection.streams().are_copied())
    }

    /// What an event belongs to. Those of other sessions, and those that are not kept any more, do
    /// not exist.
    pub(crate) fn resume_stream(&self, connection: &Connection, id: EventId) -> Option<Resumed> {
        connection.streams().resume(id, self.limits.streams.keep)
    }

    /// Ends the sessions that have idled for too long, were never used, or are over; of those that
    /// are sealed only memory is freed.
    pub fn sweep(&self) {
        let (now, time, instant) = (self.now(), self.time(), std::time::Instant::now());
        let (idle, unused) = (millis(self.limits.idle), millis(self.limits.unused));
        let mut state = self.write();
        state.revoked.forget(time);
        let expired: Vec<SessionId> = state
            .sessions
            .iter()
            .filter(|(_, session)| {
                let streams = session.connection.streams();
                streams.sweep(self.limits.streams.keep, instant);
                let never_used = session.rank.class == Class::Unused;
                let busy = !never_used && session.connection.is_busy();
                if busy {
                    session.last_used.store(now, Ordering::Relaxed);
                }
                let life = if never_used { idle.min(unused) } else { idle };
                let last_used = session.last_used.load(Ordering::Relaxed);
                let over = session.seal.is_some_and(|seal| seal.expires <= time);
                over || (!busy && now.saturating_sub(last_used) >= life)
            })
            .map(|(id, _)| id.clone())
            .collect();
        let mut gone: Vec<Session> = expired
            .iter()
            .filter_map(|id| state.remove(id.as_str()))
            .collect();
        while state.sessions.len() > self.limits.remembered
            && let Some(session) = state.make_room(false, now)
        {
            gone.push(session);
        }
        // What a crowd took is given back.
        let there = state.sessions.len();
        if state.sessions.capacity() > 4 * there + 64 {
            state.sessions.shrink_to(2 * there);
            state.kept.shrink_to(2 * there);
        }
        drop(state);
        gone.iter().for_each(|session| session.connection.close());
    }

    /// How often [`Sessions::sweep`] should run.
    pub fn sweep_interval(&self) -> Duration {
        let limits = &self.limits;
        let shortest = limits.idle.min(limits.unused).min(limits.streams.keep);
        (shortest / 4).clamp(Duration::from_millis(100), Duration::from_secs(60))
    }

    /// Has metrics say how many streams that can be resumed there can be and how many there are.
    pub(crate) fn measure_streams(&self, kind: &'static str, metrics: &[Metrics]) {
        self.places.measure(kind, metrics);
    }

    /// Sessions that are in memory.
    pub fn len(&self) -> usize {
        self.read().sessions.len()
    }

    /// Whether none is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Milliseconds since it was made.
    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }

    /// Seconds since 1970.
    fn time(&self) -> u64 {
        (self.started_at + self.started.elapsed()).as_secs()
    }
}

/// Whether a session that is in memory is this principal's, and not over at this time: what is, stays there until it is swept.
fn is_of(session: &Session, principal: &Principal, time: u64) -> bool {
    let lasts = |seal: Seal| time < seal.expires;
    session.connection.principal() == principal && session.seal.is_none_or(lasts)
}

pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
