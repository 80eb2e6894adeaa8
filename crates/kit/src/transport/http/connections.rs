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
//! To look at all connections for each that comes would cost more than to serve it, so a look finds
//! the next few that go; whichever of them has gone on by its turn is passed over.
//!
//! A request over HTTP/2 has a place of its own beside that of its connection, as if it had come over a
//! connection of its own: so all of this holds for it as well. A connection goes only while it has none.
//!
//! A session of legacy SSE ends with its stream. So that is not displaced while a call works in the
//! session, and after all other streams while calls there wait for their client; before them where
//! such sessions hold more than half of the places.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::neighbourhood;

use super::activity::{Activity, Clock, Phase, Seen};
use super::legacy_sse::Loss;

/// An answer that has not moved for less than this may just be a large one on its way.
const UNREAD: Duration = Duration::from_millis(250);

/// Times that the search begins anew because all that were found have just gone on.
const TRIES: usize = 8;

/// How many go by one look: one of so many that there may be, and at least one.
const PART: usize = 32;

/// Time for which a look is good.
const LOOK: Duration = Duration::from_millis(50);

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
    addresses: HashMap<IpAddr, Held>,
    leaves: Leaves,
}

/// What the connections of an address come to.
#[derive(Default)]
struct Held {
    places: usize,
    leaves: Leaves,
}

/// Who goes next, the first one last.
#[derive(Default)]
struct Leaves {
    kind: usize,
    at: Duration,
    seen: Vec<(u64, Seen)>,
}

struct Entry {
    activity: Arc<Activity>,
    address: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// All wait for this server, or the address has all that it may have.
    Full,
    /// Nobody can be displaced this very moment, but soon.
    Yet,
}

/// The place of one connection; free again when it is dropped.
pub(super) struct Slot {
    connections: Arc<Connections>,
    id: u64,
    address: IpAddr,
    pub(super) activity: Arc<Activity>,
}

impl Slot {
    /// A place for a stream of the connection that has this one.
    pub(super) fn of_stream(&self) -> Result<Self, NoSlot> {
        self.connections.admit(self.address)
    }
}

impl Drop for Slot {
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
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Slot, NoSlot> {
        let from = address;
        let address = neighbourhood(address);
        let now = self.clock.now();
        let mut open = self.open();
        let held = address.and_then(|address| open.addresses.get(&address));
        if held.is_some_and(|held| held.places >= self.most_per_address) {
            // Others never wait for one that has its share, and nor do they make room for it.
            open.displace(self.most_per_address, address, now)
                .map_err(|_| NoSlot::Full)?;
        } else if open.all.len() >= self.most {
            open.displace(self.most, None, now)?;
        }
        let activity = Activity::new(Arc::clone(&self.clock));
        open.next += 1;
        let id = open.next;
        if let Some(address) = address {
            open.addresses.entry(address).or_default().places += 1;
        }
        let entry = Entry {
            activity: Arc::clone(&activity),
            address,
        };
        open.all.insert(id, entry);
        drop(open);
        Ok(Slot {
            connections: Arc::clone(self),
            id,
            address: from,
            activity,
        })
    }

    /// Ends a connection that can be displaced, if there is one.
    pub(super) fn make_room(&self) -> bool {
        let now = self.clock.now();
        self.open().displace(self.most, None, now).is_ok()
    }
}

/// What can be displaced; see [`Open::look`] for the order.
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
        if let Some(held) = self.addresses.get_mut(&address) {
            held.places -= 1;
            if held.places == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// Who goes next of all, or of an address.
    fn leaves(&mut self, address: Option<IpAddr>) -> Option<&mut Leaves> {
        match address {
            None => Some(&mut self.leaves),
            Some(address) => Some(&mut self.addresses.get_mut(&address)?.leaves),
        }
    }

    /// Ends one of the connections, or of those of an address, of which there may be so many.
    fn displace(
        &mut self,
        most: usize,
        address: Option<IpAddr>,
        now: Duration,
    ) -> Result<(), NoSlot> {
        let mut leaves = self.leaves(address).map(mem::take).unwrap_or_default();
        for _ in 0..TRIES {
            if leaves.seen.is_empty() || now.saturating_sub(leaves.at) > LOOK {
                leaves = self.look(most, address, now)?;
            }
            while let Some((id, seen)) = leaves.seen.pop() {
                let ended = self.all.get(&id).is_some_and(|entry| {
                    // A stall and a session are no part of what was seen.
                    entry.turn(now).is_ok_and(|(kind, _)| kind == leaves.kind)
                        && entry.activity.end(seen)
                });
                if ended {
                    if let Some(kept) = self.leaves(address) {
                        *kept = leaves;
                    }
                    // Its place is free now, whenever its task notices.
                    self.remove(id);
                    return Ok(());
                }
            }
        }
        Err(NoSlot::Yet)
    }

    /// Who goes next: the oldest of the kind whose turn it is.
    fn look(&self, most: usize, address: Option<IpAddr>, now: Duration) -> Result<Leaves, NoSlot> {
        let mut held = [0_usize; KINDS];
        let mut found = Vec::with_capacity(most);
        let mut soon = false;
        for (&id, entry) in &self.all {
            if address.is_some() && entry.address != address {
                continue;
            }
            let seen = entry.activity.seen();
            match entry.turn(now) {
                Ok((kind, since)) => {
                    held[kind] += 1;
                    found.push((kind, since, id, seen));
                }
                Err(NoSlot::Yet) => soon = true,
                Err(NoSlot::Full) => {}
            }
        }
        let spare = held[HEAD].saturating_sub(most / 4);
        let (first, last) = match spare > 0 {
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
        let Some(kind) = order.find(|&kind| held[kind] > 0) else {
            return Err(if soon { NoSlot::Yet } else { NoSlot::Full });
        };
        let mut go = (most / PART).max(1);
        if first == Some(kind) {
            go = go.min(spare);
        }
        found.retain(|&(other, ..)| other == kind);
        if found.len() > go {
            found.select_nth_unstable_by_key(go - 1, |&(_, since, ..)| since);
            found.truncate(go);
        }
        found.sort_unstable_by_key(|&(_, since, ..)| Reverse(since));
        let seen = found.into_iter().map(|(.., id, seen)| (id, seen)).collect();
        Ok(Leaves {
            kind,
            at: now,
            seen,
        })
    }
}

impl Entry {
    /// With which kind it goes, and how long it has been of it. [`NoSlot::Yet`] if it may be of one
    /// soon.
    fn turn(&self, now: Duration) -> Result<(usize, Duration), NoSlot> {
        let seen = self.activity.seen();
        let turn = match (seen.phase, self.activity.stalled(now)) {
            (Phase::Head, _) => (HEAD, seen.since),
            (Phase::Idle | Phase::Vacant, _) => (IDLE, seen.since),
            (Phase::Body, _) => (BODY, seen.since),
            (Phase::Busy | Phase::Waits | Phase::Answered | Phase::Stream, Some(stalled))
                if stalled >= UNREAD =>
            {
                (UNREAD_ANSWER, now.saturating_sub(stalled))
            }
            (Phase::Stream, _) => match self.activity.session() {
                None => (STREAM, seen.since),
                Some(session) => match Loss::of(&session) {
                    Loss::Nothing => (STREAM, seen.since),
                    Loss::Questions => (ASKING_SESSION, seen.since),
                    Loss::Calls => return Err(NoSlot::Full),
                },
            },
            (Phase::Waits, _) => (WAITS, seen.since),
            (Phase::Busy, None) | (Phase::Carries | Phase::Ended, _) => return Err(NoSlot::Full),
            // It idles as soon as the answer has left, which its client may have already.
            (Phase::Fresh, _) | (Phase::Answered, None) | (_, Some(_)) => {
                return Err(NoSlot::Yet);
            }
        };
        Ok(turn)
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
