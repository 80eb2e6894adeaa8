//! All sessions of one endpoint, and which of them goes when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;
use crate::limits::{Caller, Shares, may_have_another};
use crate::principal::Principal;

use crate::streams::{EventId, Resumed, StreamReader, StreamWriter};

use super::{Refused, SessionId, SessionLimits};

/// Sessions that are looked at for one to end; what is busy is passed over.
const LOOKS: usize = 16;

/// Milliseconds for which it is taken for granted that no session has ended by itself.
const PAUSE: u64 = 1000;

/// All sessions of one endpoint.
pub struct Sessions {
    limits: SessionLimits,
    started: Instant,
    /// One for each stream that can be resumed, in all sessions.
    places: Shares,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    /// Those that may be ended for a new one, the first first.
    spare: BTreeMap<Rank, SessionId>,
    /// Ranks that were given.
    ranks: u64,
    /// The others, by who opened them.
    kept: HashMap<Caller, usize>,
    kept_in_all: usize,
    /// When a session may expire, if nothing may be ended; before that there is no need to look.
    soonest: u64,
}

struct Session {
    connection: Arc<Connection>,
    /// Whose share it is part of. Not its own caller: that is, on loopback, nobody but itself.
    opener: Caller,
    /// Milliseconds since the store was made.
    last_used: AtomicU64,
    /// `None` when it may not be ended for a new one.
    rank: Option<Rank>,
}

/// In which order sessions are ended for new ones: first those that were never used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    used: bool,
    number: u64,
}

impl State {
    fn rank(&mut self, used: bool) -> Rank {
        self.ranks += 1;
        Rank {
            used,
            number: self.ranks,
        }
    }

    /// Takes note that a session was used which may be ended: from now on it may not, if its opener
    /// has room in its share; if not, all other such sessions go before it.
    fn used(&mut self, id: SessionId, limits: &SessionLimits) {
        let later = self.rank(true);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(rank) = session.rank.take() else {
            return;
        };
        self.spare.remove(&rank);
        let kept = self.kept.get(&session.opener).copied().unwrap_or_default();
        if may_have_another(kept, limits.per_caller, limits.max, self.kept_in_all) {
            self.kept.insert(session.opener.clone(), kept + 1);
            self.kept_in_all += 1;
        } else {
            session.rank = Some(later);
            self.spare.insert(later, id);
        }
    }

    fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        if let Some(rank) = session.rank {
            self.spare.remove(&rank);
        } else if let Some(kept) = self.kept.get_mut(&session.opener) {
            *kept -= 1;
            self.kept_in_all -= 1;
            if *kept == 0 {
                self.kept.remove(&session.opener);
            }
        }
        Some(session)
    }

    /// Takes out a session that may be ended for a new one.
    fn make_room(&mut self) -> Option<Session> {
        for _ in 0..LOOKS {
            let (rank, id) = self.spare.pop_first()?;
            let session = self.sessions.get_mut(&id)?;
            if rank.used && session.connection.is_busy() {
                let later = self.rank(true);
                self.sessions.get_mut(&id)?.rank = Some(later);
                self.spare.insert(later, id);
                continue;
            }
            return self.remove(id);
        }
        None
    }

    /// Takes out a session that has idled for too long, or says when there may be one.
    fn expired(&mut self, now: u64, idle: u64) -> Result<Session, Duration> {
        if self.soonest > now {
            return Err(Duration::from_millis(self.soonest - now));
        }
        let idles = self
            .sessions
            .iter()
            .filter(|(_, session)| !session.connection.is_busy());
        let due = |session: &Session| {
            session
                .last_used
                .load(Ordering::Relaxed)
                .saturating_add(idle)
        };
        let first = idles
            .map(|(id, session)| (due(session), *id))
            .min_by_key(|first| first.0);
        let (due, id) = first.map_or((now.saturating_add(idle), None), |(due, id)| {
            (due, Some(id))
        });
        let gone = id.filter(|_| due <= now).and_then(|id| self.remove(id));
        gone.ok_or_else(|| {
            self.soonest = due.max(now + PAUSE);
            Duration::from_millis(self.soonest - now)
        })
    }
}

impl Sessions {
    /// An empty store.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            places: Shares::new(limits.streams.in_all, limits.streams.per_caller),
            state: RwLock::default(),
        }
    }

    // Nothing that is done under these locks can panic half-way.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session for a client that has just initialized. `opener` is whose share it is part
    /// of: who sent that request.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open(&self, connection: Arc<Connection>, opener: &Caller) -> Result<SessionId, Refused> {
        let id = SessionId::random().map_err(|_| Refused::NoRandomness)?;
        let now = self.now();
        let mut state = self.write();
        let mut ended = None;
        if state.sessions.len() >= self.limits.max {
            let room = state
                .make_room()
                .map_or_else(|| state.expired(now, millis(self.limits.idle)), Ok);
            ended = Some(room.map_err(|retry_after| Refused::Full { retry_after })?);
        }
        let rank = state.rank(false);
        let session = Session {
            connection,
            opener: opener.clone(),
            last_used: AtomicU64::new(now),
            rank: Some(rank),
        };
        state.sessions.insert(id, session);
        state.spare.insert(rank, id);
        drop(state);
        if let Some(session) = ended {
            session.connection.close();
        }
        Ok(id)
    }

    /// The connection of a session, which is used by that. Somebody else's session does not exist.
    pub fn get(&self, id: SessionId, principal: &Principal) -> Option<Arc<Connection>> {
        let state = self.read();
        let session = state
            .sessions
            .get(&id)
            .filter(|session| session.connection.principal() == principal)?;
        session.last_used.store(self.now(), Ordering::Relaxed);
        let connection = Arc::clone(&session.connection);
        let may_be_ended = session.rank.is_some();
        drop(state);
        if may_be_ended {
            self.write().used(id, &self.limits);
        }
        Some(connection)
    }

    /// Ends a session and everything in flight in it; `false` when it does not exist.
    pub fn close(&self, id: SessionId, principal: &Principal) -> bool {
        let mut state = self.write();
        let ours = state
            .sessions
            .get(&id)
            .is_some_and(|session| session.connection.principal() == principal);
        let closed = ours.then(|| state.remove(id)).flatten();
        drop(state);
        if let Some(session) = &closed {
            session.connection.close();
        }
        closed.is_some()
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
        connection.streams().open(&self.limits.streams, &places)
    }

    /// What an event belongs to. Those of other sessions, and those that are not kept any more, do
    /// not exist.
    pub(crate) fn resume_stream(&self, connection: &Connection, id: EventId) -> Option<Resumed> {
        connection.streams().resume(id, self.limits.streams.keep)
    }

    /// Ends the sessions that have idled for too long, or were never used.
    pub fn sweep(&self) {
        let (now, instant) = (self.now(), std::time::Instant::now());
        let (idle, unused) = (millis(self.limits.idle), millis(self.limits.unused));
        let mut state = self.write();
        let expired: Vec<SessionId> = state
            .sessions
            .iter()
            .filter(|(_, session)| {
                let streams = session.connection.streams();
                streams.sweep(self.limits.streams.keep, instant);
                let never_used = session.rank.is_some_and(|rank| !rank.used);
                let busy = !never_used && session.connection.is_busy();
                if busy {
                    session.last_used.store(now, Ordering::Relaxed);
                }
                let life = if never_used { idle.min(unused) } else { idle };
                let last_used = session.last_used.load(Ordering::Relaxed);
                !busy && now.saturating_sub(last_used) >= life
            })
            .map(|(id, _)| *id)
            .collect();
        let expired: Vec<Session> = expired.iter().filter_map(|id| state.remove(*id)).collect();
        drop(state);
        expired
            .iter()
            .for_each(|session| session.connection.close());
    }

    /// How often [`Sessions::sweep`] should run.
    pub fn sweep_interval(&self) -> Duration {
        let limits = &self.limits;
        let shortest = limits.idle.min(limits.unused).min(limits.streams.keep);
        (shortest / 4).clamp(Duration::from_millis(100), Duration::from_secs(60))
    }

    /// Sessions that are open.
    pub fn len(&self) -> usize {
        self.read().sessions.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
