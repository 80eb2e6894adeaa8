//! The connections that are open, and which of them has to go when there is no place for another.
//!
//! One that waits for its client can be displaced, one whose request is worked on cannot, unless
//! its client has read nothing of what is written for 250 ms. Heads that are not complete come first
//! while they hold more than a quarter of the places, and last while they do not: a client that has
//! just connected needs one of these for a moment, so other connections cannot take them all.
//! Between them come connections that idle, bodies under way, answers that nobody reads, streams that
//! answer no request, and last responses whose call goes on without them: those that can be resumed,
//! and in a legacy session those that wait for the answer to a question. Of a kind, the one that has
//! waited longest goes.
//!
//! A session of legacy SSE ends with its stream. So that is not displaced while a call works in the
//! session, and after all other streams while calls there wait for their client; before them where
//! such sessions hold more than half of the places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::neighbourhood;

use super::activity::{Activity, Clock, Phase, Seen};
use super::legacy_sse::Loss;

/// An answer that has not moved for less than this may just be a large one on its way.
const UNREAD: Duration = Duration::from_millis(250);

/// Times that the search begins anew because the one that was found has just gone on.
const TRIES: usize = 8;

/// The open connections of a server.
pub(super) struct Connections {
    pub(super) clock: Arc<Clock>,
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Entry>,
    /// Only of addresses that have a share.
    addresses: HashMap<IpAddr, usize>,
}

struct Entry {
    activity: Arc<Activity>,
    address: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// All wait for this server, or the address has all that it may have.
    Full,
    /// Nobody can be displaced this very moment, but soon.
    Yet,
}

/// The place of one connection; free again when it is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(self.id);
    }
}

impl Connections {
    pub(super) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::start(),
            most,
            most_per_address,
            open: Mutex::default(),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.open().all.len()
    }

    /// A place for a connection from this address, if need be that of another.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, NoPlace> {
        let address = neighbourhood(address);
        let mut open = self.open();
        let taken = address.and_then(|address| open.addresses.get(&address));
        if taken.is_some_and(|&taken| taken >= self.most_per_address) {
            // Others never wait for one that has its share, and nor do they make room for it.
            open.displace(self.most_per_address, address)
                .map_err(|_| NoPlace::Full)?;
        } else if open.all.len() >= self.most {
            open.displace(self.most, None)?;
        }
        let activity = Activity::new(Arc::clone(&self.clock));
        open.next += 1;
        let id = open.next;
        if let Some(address) = address {
            *open.addresses.entry(address).or_default() += 1;
        }
        let entry = Entry {
            activity: Arc::clone(&activity),
            address,
        };
        open.all.insert(id, entry);
        drop(open);
        Ok(Place {
            connections: Arc::clone(self),
            id,
            activity,
        })
    }

    /// Ends a connection that can be displaced, if there is one.
    pub(super) fn make_room(&self) -> bool {
        self.open().displace(self.most, None).is_ok()
    }
}

/// What can be displaced; see [`Open::victim`] for the order.
const KINDS: usize = 7;
const HEAD: usize = 0;
const IDLE: usize = 1;
const BODY: usize = 2;
const UNREAD_ANSWER: usize = 3;
const STREAM: usize = 4;
const WAITS: usize = 5;
const ASKING_SESSION: usize = 6;

impl Open {
    fn remove(&mut self, id: u64) {
        let Some(Entry {
            address: Some(address),
            ..
        }) = self.all.remove(&id)
        else {
            return;
        };
        if let Some(taken) = self.addresses.get_mut(&address) {
            *taken -= 1;
            if *taken == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// Ends one of the connections, or of those of an address, of which there may be so many.
    fn displace(&mut self, most: usize, address: Option<IpAddr>) -> Result<(), NoPlace> {
        for _ in 0..TRIES {
            let (id, seen) = self.victim(most, address)?;
            if self
                .all
                .get(&id)
                .is_some_and(|entry| entry.activity.end(seen))
            {
                // Its place is free now, whenever its task notices.
                self.remove(id);
                return Ok(());
            }
        }
        Err(NoPlace::Yet)
    }

    /// Who goes next. Looking at 1,024 connections takes some microseconds, and only when all
    /// places are taken; to keep them in order would cost every request something.
    fn victim(&self, most: usize, address: Option<IpAddr>) -> Result<(u64, Seen), NoPlace> {
        let mut oldest: [Option<(Duration, u64, Seen)>; KINDS] = [None; KINDS];
        let mut held = [0; KINDS];
        let mut soon = false;
        let of_address = |entry: &&Entry| address.is_none() || entry.address == address;
        for (&id, entry) in &self.all {
            if !of_address(&entry) {
                continue;
            }
            let seen = entry.activity.seen();
            let stalled = entry.activity.stalled();
            let (kind, since) = match (seen.phase, stalled) {
                (Phase::Head, _) => (HEAD, seen.since),
                (Phase::Idle, _) => (IDLE, seen.since),
                (Phase::Body, _) => (BODY, seen.since),
                (Phase::Busy | Phase::Waits | Phase::Answered | Phase::Stream, Some(stalled))
                    if stalled >= UNREAD =>
                {
                    (UNREAD_ANSWER, entry.activity.now().saturating_sub(stalled))
                }
                (Phase::Stream, _) => match entry.activity.session() {
                    None => (STREAM, seen.since),
                    Some(session) => match Loss::of(&session) {
                        Loss::Nothing => (STREAM, seen.since),
                        Loss::Questions => (ASKING_SESSION, seen.since),
                        Loss::Calls => continue,
                    },
                },
                (Phase::Waits, _) => (WAITS, seen.since),
                (Phase::Busy, None) | (Phase::Ended, _) => continue,
                // It idles as soon as the answer has left, which its client may have already.
                (Phase::Fresh, _) | (Phase::Answered, None) | (_, Some(_)) => {
                    soon = true;
                    continue;
                }
            };
            held[kind] += 1;
            let older = oldest[kind].is_none_or(|(other, ..)| since < other);
            if older {
                oldest[kind] = Some((since, id, seen));
            }
        }
        let (first, last) = match held[HEAD] > most / 4 {
            true => (Some(HEAD), None),
            false => (None, Some(HEAD)),
        };
        // A session is opened by its stream and used by other connections, for which it has to stay.
        let streams = match held[ASKING_SESSION] > most / 2 {
            true => [ASKING_SESSION, STREAM, WAITS],
            false => [STREAM, WAITS, ASKING_SESSION],
        };
        let order = [IDLE, BODY, UNREAD_ANSWER].into_iter().chain(streams);
        let mut order = first.into_iter().chain(order).chain(last);
        let found = order.find_map(|kind| oldest[kind]);
        match found {
            Some((_, id, seen)) => Ok((id, seen)),
            None if soon => Err(NoPlace::Yet),
            None => Err(NoPlace::Full),
        }
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
