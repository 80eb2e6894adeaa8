//! One rate, kept for each of many, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

/// Those for whom a rate is kept at a time. One takes some 100 bytes.
pub(crate) const KEYS: usize = 100_000;

/// Fewer than these are never looked through.
const FEW: usize = 1024;

/// The least time between two looks at a full table.
const PAUSE: Duration = Duration::from_secs(1);

/// Why somebody has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The rate that is used up.
    pub rate: Rate,
    /// Time after which the same is allowed, if nothing else is taken meanwhile.
    pub retry_after: Duration,
    /// Time after which the whole bucket is there again.
    pub full_after: Duration,
}

impl Exceeded {
    /// [`Exceeded::retry_after`] in whole seconds, at least 1: who waits so long is not refused.
    pub fn retry_after_seconds(&self) -> u64 {
        seconds(self.retry_after)
    }

    /// [`Exceeded::full_after`] in whole seconds, at least 1.
    pub fn full_after_seconds(&self) -> u64 {
        seconds(self.full_after)
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    whole.max(1)
}

/// Nanoseconds since there is the table; they last 584 years.
type Nanos = u64;

/// A rate for each key (GCRA: the state of a bucket is one number, the time at which it is full again). Only so many keys are kept: whose bucket is full again is forgotten, since it is as if they had
/// never come, and nobody else is, so that whoever comes with many keys takes nothing from anyone and gains nothing.
/// While the table is full of others, all new keys share one bucket.
pub(crate) struct Rates<K: Hash + Eq + Clone> {
    rate: Rate,
    /// Time in which one token comes back.
    each: Nanos,
    keys: usize,
    /// Tokio's clock: monotonic, and that of a test where it is paused.
    start: Instant,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    /// When the bucket of each is full again.
    cells: HashMap<K, Nanos>,
    /// The same of the one that new keys share while there is no room.
    overflow: Nanos,
    /// As many cells make it worth while to look for those that are full again.
    look_at: usize,
    looked: Option<Nanos>,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// This rate for each of so many keys.
    pub(crate) fn new(rate: Rate, keys: usize) -> Self {
        Self {
            rate,
            each: nanos(rate.period() / rate.count().get()).max(1),
            keys,
            start: Instant::now(),
            table: Mutex::new(Table {
                cells: HashMap::new(),
                overflow: 0,
                look_at: FEW,
                looked: None,
            }),
        }
    }

    /// Takes `cost` tokens, or none. What costs more than the bucket holds takes all that it holds; what costs nothing
    /// is free.
    pub(crate) fn take(&self, key: &K, cost: u32) -> Result<(), Exceeded> {
        let Some(cost) = self.tokens(cost) else {
            return Ok(());
        };
        let now = self.now();
        let mut table = self.table();
        if let Some(full) = table.cells.get_mut(key) {
            return self.take_of(full, cost, now);
        }
        table.make_room(self.keys, now);
        if table.cells.len() >= self.keys {
            return self.take_of(&mut table.overflow, cost, now);
        }
        // It holds what anything costs.
        let mut full = now;
        let taken = self.take_of(&mut full, cost, now);
        table.cells.insert(key.clone(), full);
        taken
    }

    /// The same of the bucket that is full again at this time.
    fn take_of(&self, full: &mut Nanos, cost: NonZeroU32, now: Nanos) -> Result<(), Exceeded> {
        let tokens = |count: u32| self.each.saturating_mul(count.into());
        let then = (*full).max(now).saturating_add(tokens(cost.get()));
        let late = then.saturating_sub(now.saturating_add(tokens(self.rate.count().get())));
        if late == 0 {
            *full = then;
            return Ok(());
        }
        let rest = tokens(self.rate.count().get() - cost.get());
        Err(Exceeded {
            rate: self.rate,
            retry_after: Duration::from_nanos(late),
            full_after: Duration::from_nanos(late.saturating_add(rest)),
        })
    }

    /// Gives back what was just taken.
    pub(crate) fn give_back(&self, key: &K, cost: u32) {
        let Some(cost) = self.tokens(cost) else {
            return;
        };
        let time = self.each.saturating_mul(cost.get().into());
        let mut table = self.table();
        let table = &mut *table;
        let full = table.cells.get_mut(key).unwrap_or(&mut table.overflow);
        *full = full.saturating_sub(time);
    }

    fn now(&self) -> Nanos {
        nanos(self.start.elapsed())
    }

    fn table(&self) -> MutexGuard<'_, Table<K>> {
        // Nothing that is done under this lock can panic half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What something costs; `None` for nothing.
    fn tokens(&self, cost: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(cost.min(self.rate.count().get()))
    }
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Rates<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rates").field(&self.rate).finish()
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// Makes room: whenever the cells have doubled, so that a new one costs next to nothing, and now and then when it is
    /// full.
    fn make_room(&mut self, keys: usize, now: Nanos) {
        if self.cells.len() < self.look_at.min(keys) {
            return;
        }
        let is_full = self.cells.len() >= keys;
        let waits = |looked: Nanos| now < looked.saturating_add(nanos(PAUSE));
        if is_full && self.looked.is_some_and(waits) {
            return;
        }
        self.looked = Some(now);
        self.cells.retain(|_, full| *full > now);
        self.look_at = (2 * self.cells.len()).max(FEW);
        self.cells.shrink_to(self.look_at);
    }
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
