//! Legacy HTTP sessions: lean, capped, gone when idle, and bound to whom they were opened for.
//! `stream` and `streams` keep what a client can resume in them.

mod stream;
mod streams;
#[cfg(test)]
mod streams_tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::core::Connection;
use crate::principal::Principal;

pub(crate) use stream::{StreamReader, StreamWriter};
pub use streams::StreamLimits;
pub(crate) use streams::{EventId, Resumed, Streams};

/// Bounds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Sessions at a time; beyond it new ones are refused, never old ones dropped, so that nobody
    /// can push others out. Default 16,384.
    pub max: usize,
    /// Time after which a session ends in which nothing was sent, nothing is in flight and no
    /// stream is open. Default 30 min.
    pub idle: Duration,
    /// Bounds of the streams that clients can resume.
    pub streams: StreamLimits,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max: 16_384,
            idle: Duration::from_secs(30 * 60),
            streams: StreamLimits::default(),
        }
    }
}

fn random_bits() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}

/// Reads 32 hex digits in lower case, and nothing else.
fn parse_bits(text: &str) -> Option<u128> {
    let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// A session id: 128 random bits, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u128);

impl SessionId {
    fn random() -> Result<Self, getrandom::Error> {
        random_bits().map(Self)
    }

    /// Reads an id as it was handed out; anything else is no id.
    pub fn parse(text: &str) -> Option<Self> {
        parse_bits(text).map(Self)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

struct Session {
    connection: Arc<Connection>,
    /// Milliseconds since the store was made.
    last_used: AtomicU64,
}

/// All sessions of one endpoint.
pub struct Sessions {
    limits: SessionLimits,
    started: Instant,
    /// One for each stream that can be resumed, in all sessions.
    places: Arc<Semaphore>,
    open: RwLock<HashMap<SessionId, Session>>,
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are as many as allowed.
    Full,
    /// The operating system has no randomness to give.
    NoRandomness,
}

impl Sessions {
    /// An empty store.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            places: Arc::new(Semaphore::new(
                limits.streams.in_all.min(Semaphore::MAX_PERMITS),
            )),
            open: RwLock::default(),
        }
    }

    /// Opens a session for a client that has just initialized.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open(&self, connection: Arc<Connection>) -> Result<SessionId, Refused> {
        let id = SessionId::random().map_err(|_| Refused::NoRandomness)?;
        let session = Session {
            connection,
            last_used: AtomicU64::new(self.now()),
        };
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.limits.max {
            return Err(Refused::Full);
        }
        open.insert(id, session);
        Ok(id)
    }

    /// The connection of a session. Somebody else's session does not exist.
    pub fn get(&self, id: SessionId, principal: &Principal) -> Option<Arc<Connection>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let session = open
            .get(&id)
            .filter(|session| session.connection.principal() == principal)?;
        session.last_used.store(self.now(), Ordering::Relaxed);
        Some(Arc::clone(&session.connection))
    }

    /// Ends a session and everything in flight in it; `false` when it does not exist.
    pub fn close(&self, id: SessionId, principal: &Principal) -> bool {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let ours = open
            .get(&id)
            .is_some_and(|session| session.connection.principal() == principal);
        let closed = ours.then(|| open.remove(&id)).flatten();
        drop(open);
        if let Some(session) = &closed {
            session.connection.close();
        }
        closed.is_some()
    }

    /// Opens the log of a response in a session. `None` when there is no room for another: the
    /// response cannot be resumed then.
    pub(crate) fn keep_stream(
        &self,
        connection: &Connection,
    ) -> Option<(StreamWriter, StreamReader)> {
        connection
            .streams()
            .open(&self.limits.streams, &self.places)
    }

    /// What an event belongs to. Those of other sessions, and those that are not kept any more, do
    /// not exist.
    pub(crate) fn resume_stream(&self, connection: &Connection, id: EventId) -> Option<Resumed> {
        connection.streams().resume(id, self.limits.streams.keep)
    }

    /// Ends the sessions that have idled for too long.
    pub fn sweep(&self) {
        let (now, instant) = (self.now(), Instant::now());
        let idle = millis(self.limits.idle);
        let mut expired = Vec::new();
        self.open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, session| {
                let streams = session.connection.streams();
                streams.sweep(self.limits.streams.keep, instant);
                let busy = session.connection.is_busy();
                if busy {
                    session.last_used.store(now, Ordering::Relaxed);
                }
                let last_used = session.last_used.load(Ordering::Relaxed);
                let keep = busy || now.saturating_sub(last_used) < idle;
                if !keep {
                    expired.push(Arc::clone(&session.connection));
                }
                keep
            });
        expired.iter().for_each(|connection| connection.close());
    }

    /// How often [`Sessions::sweep`] should run.
    pub fn sweep_interval(&self) -> Duration {
        let shortest = self.limits.idle.min(self.limits.streams.keep);
        (shortest / 4).clamp(Duration::from_millis(100), Duration::from_secs(60))
    }

    /// Sessions that are open.
    pub fn len(&self) -> usize {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
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
mod tests {
    use super::*;

    fn connection() -> Arc<Connection> {
        Connection::new(Principal::ANONYMOUS)
    }

    #[test]
    fn a_session_is_its_principals_alone() {
        let sessions = Sessions::new(SessionLimits::default());
        let alice = Principal::authenticated("alice");
        let id = sessions.open(Connection::new(alice.clone())).unwrap();
        assert!(sessions.get(id, &alice).is_some());
        for other in [Principal::ANONYMOUS, Principal::authenticated("bob")] {
            assert!(sessions.get(id, &other).is_none());
            assert!(!sessions.close(id, &other));
        }
        assert!(sessions.close(id, &alice));
        assert!(sessions.get(id, &alice).is_none());
    }

    #[test]
    fn there_are_never_more_than_allowed() {
        let sessions = Sessions::new(SessionLimits {
            max: 2,
            ..SessionLimits::default()
        });
        let first = sessions.open(connection()).unwrap();
        sessions.open(connection()).unwrap();
        assert!(matches!(sessions.open(connection()), Err(Refused::Full)));
        sessions.close(first, &Principal::ANONYMOUS);
        assert!(sessions.open(connection()).is_ok());
    }

    #[test]
    fn idle_sessions_end_and_busy_ones_stay() {
        let sessions = Sessions::new(SessionLimits {
            idle: Duration::ZERO,
            ..SessionLimits::default()
        });
        sessions.open(connection()).unwrap();
        let busy = connection();
        let stream = busy.open_stream().unwrap();
        sessions.open(busy).unwrap();
        sessions.sweep();
        assert_eq!(sessions.len(), 1);
        drop(stream);
        sessions.sweep();
        assert!(sessions.is_empty());
    }

    #[test]
    fn ids_are_long_and_read_strictly() {
        let id = SessionId::random().unwrap();
        assert!(SessionId::parse(&id.to_string()) == Some(id));
        for text in [
            "",
            "0",
            "+0000000000000000000000000000000",
            "0000000000000000000000000000000G",
            "ABCDEF00000000000000000000000000",
        ] {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
    }
}
