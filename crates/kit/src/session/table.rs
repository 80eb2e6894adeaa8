//! The sessions in memory, and which of them goes when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::connection::Connection;
use crate::limits::{Caller, may_have_another};

use super::revoked::Revoked;
use super::sealed::Seal;
use super::store::millis;
use super::{Refused, SessionId, SessionLimits};

/// Sessions that are looked at for one to go; what is busy is passed over.
const LOOKS: usize = 16;

/// Milliseconds for which it is taken for granted that no session has ended by itself, and within
/// which a session was used so lately that its request may only just have come.
const PAUSE: u64 = 1000;

#[derive(Default)]
pub(super) struct Table {
    pub(super) sessions: HashMap<SessionId, Session>,
    /// All of them, those that may go for a new one first, the first first.
    order: BTreeMap<Rank, SessionId>,
    /// Ranks that were given.
    ranks: u64,
    /// Those that are safe, by who opened them.
    pub(super) kept: HashMap<Caller, usize>,
    pub(super) kept_in_all: usize,
    /// When a session may expire, if nothing may be ended; before that there is no need to look.
    soonest: u64,
    pub(super) revoked: Revoked,
}

pub(super) struct Session {
    pub(super) connection: Arc<Connection>,
    /// Whose share it is part of. Not its own caller: that is, on loopback, nobody but itself.
    opener: Caller,
    /// Milliseconds since the store was made.
    pub(super) last_used: AtomicU64,
    pub(super) rank: Rank,
    /// `None` when it is over once it is forgotten.
    pub(super) seal: Option<Seal>,
}

impl Session {
    /// Whether forgetting it would be noticed by nobody, but for what is local.
    fn is_idle(&self) -> bool {
        !self.connection.is_busy() && !self.connection.streams().keeps_any()
    }

    fn rests(&self, now: u64) -> bool {
        now.saturating_sub(self.last_used.load(Ordering::Relaxed)) >= PAUSE
    }

    /// When it has idled for too long.
    fn due(&self, idle: u64) -> u64 {
        let idle = match self.seal {
            // Its client does not notice.
            Some(_) => idle.min(PAUSE),
            None => idle,
        };
        self.last_used.load(Ordering::Relaxed).saturating_add(idle)
    }
}

/// In which order sessions go for new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) class: Class,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// It never sent a second message.
    Unused,
    /// It is used, and more than its opener's share.
    Beyond,
    /// It is safe, unless it is sealed and idles.
    Kept,
}

impl Table {
    fn rank(&mut self, class: Class) -> Rank {
        self.ranks += 1;
        Rank {
            class,
            number: self.ranks,
        }
    }

    /// Puts a session at the end of a class, its own or another.
    fn move_to(&mut self, id: &SessionId, class: Class) {
        let rank = self.rank(class);
        if let Some(session) = self.sessions.get_mut(id)
            && let Some(key) = self.order.remove(&session.rank)
        {
            session.rank = rank;
            self.order.insert(rank, key);
        }
    }

    /// Adds one that has never been used.
    pub(super) fn insert(
        &mut self,
        id: SessionId,
        connection: Arc<Connection>,
        seal: Option<Seal>,
        opener: &Caller,
        now: u64,
    ) {
        let rank = self.rank(Class::Unused);
        let session = Session {
            connection,
            opener: opener.clone(),
            last_used: AtomicU64::new(now),
            rank,
            seal,
        };
        self.order.insert(rank, id.clone());
        self.sessions.insert(id, session);
    }

    /// Takes note that a session was used which may be ended: from now on it may not, if its opener
    /// has room in its share; if not, all other such sessions go before it.
    pub(super) fn used(&mut self, id: &SessionId, limits: &SessionLimits) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        if session.rank.class == Class::Kept {
            return;
        }
        let kept = self.kept.get(&session.opener).copied().unwrap_or_default();
        if may_have_another(kept, limits.per_caller, limits.max, self.kept_in_all) {
            self.kept.insert(session.opener.clone(), kept + 1);
            self.kept_in_all += 1;
            self.move_to(id, Class::Kept);
        } else {
            self.move_to(id, Class::Beyond);
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        self.order.remove(&session.rank);
        if session.rank.class == Class::Kept
            && let Some(kept) = self.kept.get_mut(&session.opener)
        {
            *kept -= 1;
            self.kept_in_all -= 1;
            if *kept == 0 {
                self.kept.remove(&session.opener);
            }
        }
        Some(session)
    }

    /// Makes room for another one: takes out one that goes for it.
    ///
    /// # Errors
    /// When there is no room, and none may go.
    pub(super) fn admit(
        &mut self,
        limits: &SessionLimits,
        now: u64,
    ) -> Result<Option<Session>, Refused> {
        let there = self.sessions.len();
        if there < limits.max {
            return Ok(match there < limits.remembered {
                true => None,
                false => self.make_room(false, now),
            });
        }
        match self.make_room(true, now) {
            Some(session) => Ok(Some(session)),
            None => self
                .expired(now, millis(limits.idle))
                .map(Some)
                .map_err(|retry_after| Refused::Full { retry_after }),
        }
    }

    /// Takes out a session that may go for a new one; unless the table is full, only one that is
    /// served all the same when its client comes back.
    pub(super) fn make_room(&mut self, full: bool, now: u64) -> Option<Session> {
        let looks = self.order.iter().take(LOOKS);
        let looks: Vec<_> = looks.map(|(rank, id)| (*rank, id.clone())).collect();
        let mut least: Option<(u64, SessionId)> = None;
        for (rank, id) in looks {
            let Some(session) = self.sessions.get(&id) else {
                continue;
            };
            let sealed = session.seal.is_some();
            let goes = match rank.class {
                Class::Unused => full || (sealed && session.is_idle()),
                Class::Beyond if full => !session.connection.is_busy(),
                Class::Beyond => sealed && session.rests(now) && session.is_idle(),
                Class::Kept => {
                    if sealed && session.rests(now) && session.is_idle() {
                        let used = session.last_used.load(Ordering::Relaxed);
                        if least.as_ref().is_none_or(|(least, _)| used < *least) {
                            least = Some((used, id.clone()));
                        }
                    }
                    false
                }
            };
            if goes {
                return self.remove(id.as_str());
            }
            self.move_to(&id, rank.class);
        }
        least.and_then(|(_, id)| self.remove(id.as_str()))
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
        let first = idles
            .map(|(id, session)| (session.due(idle), id))
            .min_by_key(|first| first.0);
        let (due, id) = first.map_or((now.saturating_add(idle), None), |(due, id)| {
            (due, Some(id.clone()))
        });
        let gone = id
            .filter(|_| due <= now)
            .and_then(|id| self.remove(id.as_str()));
        gone.ok_or_else(|| {
            self.soonest = due.max(now + PAUSE);
            Duration::from_millis(self.soonest - now)
        })
    }
}
