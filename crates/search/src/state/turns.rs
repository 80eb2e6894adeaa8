//! Whose turn it is: an engine is asked at its pace, and callers take turns.

use std::collections::HashSet;

use tokio::time::Instant;

use super::Denied;
use crate::config::Pace;
use crate::outcome::Status;

/// So many may wait for one engine, whatever its pace.
pub(super) const WAITING: usize = 256;
/// So many of them are one caller's.
pub(super) const CALLER_WAITING: usize = WAITING / 8;
/// So many callers have a turn in one round; later ones have theirs in the next.
pub(super) const CALLERS: usize = WAITING;

#[derive(Debug, Default)]
pub(super) struct Now {
    /// When the engine would next be asked if it were asked at even intervals (the theoretical arrival time of the
    /// generic cell rate algorithm).
    next: Option<Instant>,
    /// Those whose turn it is not yet, in no order.
    pub(super) waiting: Vec<Waiter>,
    /// Counts those who ever waited.
    pub(super) arrived: u64,
    /// The round that is served: in each round, every caller that waits has one turn.
    round: u64,
    /// Those who had their turn in this round. They may be back, but their next turn is in the next round.
    pub(super) served: HashSet<u64>,
    pub(super) rests_until: Option<Instant>,
    /// Blocks in a row.
    pub(super) blocks: u32,
    /// Failures in a row.
    pub(super) failures: u32,
    /// After a rest one request at a time tries whether all is well again.
    pub(super) trying: bool,
    /// What it rests for.
    pub(super) cause: Option<Status>,
}

/// One that waits. Those of a round are served in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    round: u64,
    number: u64,
    caller: u64,
}

/// What becomes of one that wants to ask.
pub(super) enum Arrived {
    /// It has its turn, perhaps as the one that tries whether all is well again.
    Now(bool),
    Waits(Waiter),
    Denied(Denied),
}

/// What becomes of one that waits.
pub(super) enum Looked {
    /// It has its turn, perhaps as the one that tries whether all is well again.
    Now(bool),
    /// That is when its turn comes, if nobody comes before it or goes away.
    At(Instant),
    Denied(Denied),
}

impl Now {
    pub(super) fn rests(&self, at: Instant) -> bool {
        self.rests_until.is_some_and(|until| at < until)
    }

    /// Whether it is not to be asked, by anybody.
    fn is_left_alone(&self, at: Instant) -> Option<Denied> {
        (self.rests(at) || self.trying).then_some(Denied::Resting(self.cause))
    }

    /// When it may be asked next.
    fn free(&self, pace: Pace, at: Instant) -> Instant {
        let ahead = pace.every.saturating_mul(pace.burst.saturating_sub(1));
        let next = self.next.unwrap_or(at);
        next.checked_sub(ahead).unwrap_or(at).max(at)
    }

    /// It is asked now. Says whether that is to try if all is well again.
    fn take(&mut self, pace: Pace, at: Instant) -> bool {
        self.next = self.next.unwrap_or(at).max(at).checked_add(pace.every);
        self.trying = self.rests_until.is_some();
        self.trying
    }

    pub(super) fn arrive(&mut self, caller: u64, pace: Pace) -> Arrived {
        let at = Instant::now();
        if let Some(denied) = self.is_left_alone(at) {
            return Arrived::Denied(denied);
        }
        if self.waiting.is_empty() {
            self.served.clear();
            if self.free(pace, at) <= at {
                return Arrived::Now(self.take(pace, at));
            }
        }
        let own = self.waiting.iter().filter(|waiter| waiter.caller == caller);
        if self.waiting.len() >= WAITING || own.clone().count() >= CALLER_WAITING {
            return Arrived::Denied(Denied::Busy);
        }
        // One round after the last one that it waits for; otherwise this one, if it has a turn left in it.
        let next = self.served.contains(&caller) || self.served.len() >= CALLERS;
        let first = self.round + u64::from(next);
        let round = own.map(|waiter| waiter.round + 1).max();
        self.arrived += 1;
        let waiter = Waiter {
            round: round.unwrap_or_default().max(first),
            number: self.arrived,
            caller,
        };
        self.waiting.push(waiter);
        Arrived::Waits(waiter)
    }

    pub(super) fn look(&mut self, waiter: Waiter, pace: Pace) -> Looked {
        let at = Instant::now();
        if let Some(denied) = self.is_left_alone(at) {
            return Looked::Denied(denied);
        }
        let place = |waiter: &Waiter| (waiter.round, waiter.number);
        let before = self
            .waiting
            .iter()
            .filter(|other| place(other) < place(&waiter));
        let before = u32::try_from(before.count()).unwrap_or(u32::MAX);
        let free = self.free(pace, at);
        if before > 0 || free > at {
            let others = pace.every.saturating_mul(before);
            return Looked::At(free.checked_add(others).unwrap_or(free));
        }
        self.waiting.retain(|other| *other != waiter);
        if waiter.round != self.round {
            self.round = waiter.round;
            self.served.clear();
        }
        self.served.insert(waiter.caller);
        Looked::Now(self.take(pace, at))
    }
}
