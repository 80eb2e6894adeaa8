//! One rate, kept for each of many, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
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

/// A rate for each key. Only so many keys are kept: whose bucket is full again is forgotten, since it is as if they had
/// never come, and nobody else is, so that whoever comes with many keys takes nothing from anyone and gains nothing.
/// While the table is full of others, all new keys share one bucket.
pub(crate) struct Rates<K: Hash + Eq + Clone> {
    rate: Rate,
    /// Time in which one token comes back.
    each: Duration,
    limiter: RateLimiter<K, Table<K>, Clock, NoOpMiddleware<Nanos>>,
    table: Table<K>,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// This rate for each of so many keys.
    pub(crate) fn new(rate: Rate, keys: usize) -> Self {
        let clock = Clock(Instant::now());
        let each = (rate.period() / rate.count().get()).max(Duration::from_nanos(1));
        // A rate has no time of zero, the only one that makes no quota.
        let quota = Quota::with_period(each)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(rate.count());
        let table = Table {
            keys,
            clock,
            inner: Arc::new(Mutex::new(Inner {
                cells: HashMap::new(),
                overflow: None,
                look_at: FEW,
                looked: None,
            })),
        };
        Self {
            rate,
            each,
            limiter: RateLimiter::new(quota, table.clone(), clock),
            table,
        }
    }

    /// Takes `cost` tokens, or none. What costs more than the bucket holds takes all that it holds; what costs nothing
    /// is free.
    pub(crate) fn take(&self, key: &K, cost: u32) -> Result<(), Exceeded> {
        let Some(cost) = self.tokens(cost) else {
            return Ok(());
        };
        match self.limiter.check_key_n(key, cost) {
            // More than the bucket holds is never asked for.
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(until)) => {
                let retry_after = until.wait_time_from(self.table.now());
                let rest = self.rate.count().get() - cost.get();
                Err(Exceeded {
                    rate: self.rate,
                    retry_after,
                    full_after: retry_after + self.each * rest,
                })
            }
        }
    }

    /// Gives back what was just taken.
    pub(crate) fn give_back(&self, key: &K, cost: u32) {
        if let Some(cost) = self.tokens(cost) {
            self.table
                .give_back(key, Nanos::from(self.each * cost.get()));
        }
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

/// Tokio's clock: monotonic, and that of a test where it is paused.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl clock::Clock for Clock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

/// The limiter has one handle, and its [`Rates`] the other.
#[derive(Clone)]
struct Table<K> {
    keys: usize,
    clock: Clock,
    inner: Arc<Mutex<Inner<K>>>,
}

struct Inner<K> {
    /// When the bucket of each is full again.
    cells: HashMap<K, Nanos>,
    /// The same of the one that new keys share while there is no room.
    overflow: Option<Nanos>,
    /// As many cells make it worth while to look for those that are full again.
    look_at: usize,
    looked: Option<Nanos>,
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn inner(&self) -> MutexGuard<'_, Inner<K>> {
        // Nothing that is done under this lock can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Nanos {
        clock::Clock::now(&self.clock)
    }

    fn give_back(&self, key: &K, time: Nanos) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        if let Some(full) = inner.cells.get_mut(key).or(inner.overflow.as_mut()) {
            *full = full.saturating_sub(time);
        }
    }

    /// Makes room: whenever the cells have doubled, so that a new one costs next to nothing, and now and then when it is
    /// full.
    fn make_room(&self, inner: &mut Inner<K>) {
        if inner.cells.len() < inner.look_at.min(self.keys) {
            return;
        }
        let now = self.now();
        let is_full = inner.cells.len() >= self.keys;
        if is_full && inner.looked.is_some_and(|looked| now < looked + PAUSE) {
            return;
        }
        inner.looked = Some(now);
        inner.cells.retain(|_, full| *full > now);
        inner.look_at = (2 * inner.cells.len()).max(FEW);
        inner.cells.shrink_to(inner.look_at);
    }
}

impl<K: Hash + Eq + Clone> StateStore for Table<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut inner = self.inner();
        if let Some(full) = inner.cells.get_mut(key) {
            let (allowed, next) = decide(Some(*full))?;
            *full = next;
            return Ok(allowed);
        }
        self.make_room(&mut inner);
        if inner.cells.len() < self.keys {
            let (allowed, next) = decide(None)?;
            inner.cells.insert(key.clone(), next);
            return Ok(allowed);
        }
        let (allowed, next) = decide(inner.overflow)?;
        inner.overflow = Some(next);
        Ok(allowed)
    }
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
