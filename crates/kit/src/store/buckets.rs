//! What a server remembers for a principal from one call to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::principal::Principal;

use super::{StoreError, StoreFuture};

/// Bounds of what is remembered between calls: see [`Ctx::bucket`](crate::Ctx::bucket).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketLimits {
    /// Principals that have something remembered at a time. Beyond it nobody else can have something
    /// kept until all of somebody's has expired. Default 1,024.
    pub principals: usize,
    /// Values of one principal. Default 256.
    pub values: usize,
    /// Bytes of all values of one principal, as JSON, and of their names. Default 64 KiB.
    pub bytes: usize,
    /// Bytes of one value, as JSON. Default 16 KiB.
    pub value_bytes: usize,
    /// Time for which a value is kept after it was set last. Default 24 h.
    pub ttl: Duration,
}

impl Default for BucketLimits {
    fn default() -> Self {
        Self {
            principals: 1024,
            values: 256,
            bytes: 64 << 10,
            value_bytes: 16 << 10,
            ttl: Duration::from_secs(24 * 3600),
        }
    }
}

/// Keeps values by principal and name.
///
/// A name is its principal's: the same one of somebody else is another. [`Principal::OWNER`] is of one process: a store that
/// others use as well has to tell the owners of different processes apart. What one principal can keep,
/// and how many can, should be bounded ([`BucketLimits`]), so that nobody fills the store for all
/// others.
pub trait BucketStore: Send + Sync + 'static {
    /// The value with this name; `None` when there is none, or it has expired.
    ///
    /// # Errors
    /// When that cannot be told.
    fn get<'a>(&'a self, owner: &'a Principal, name: &'a str)
    -> StoreFuture<'a, Option<Arc<[u8]>>>;

    /// Sets the value with this name, in place of the one before. It may be forgotten after `ttl`.
    ///
    /// # Errors
    /// When there is no room for it, or that cannot be done; the one before is still there then.
    fn set<'a>(
        &'a self,
        owner: &'a Principal,
        name: &'a str,
        value: Arc<[u8]>,
        ttl: Duration,
    ) -> StoreFuture<'a, ()>;

    /// Removes the value with this name; `false` when there is none.
    ///
    /// # Errors
    /// When that cannot be done.
    fn remove<'a>(&'a self, owner: &'a Principal, name: &'a str) -> StoreFuture<'a, bool>;
}

/// Values of one process, within [`BucketLimits`].
pub struct MemoryBuckets {
    limits: BucketLimits,
    buckets: Mutex<HashMap<Principal, Bucket>>,
}

#[derive(Default)]
struct Bucket {
    values: HashMap<Box<str>, Value>,
    /// Of the names and the values.
    bytes: usize,
}

struct Value {
    bytes: Arc<[u8]>,
    /// `None` for one that is kept for longer than a clock can tell.
    expiry: Option<Instant>,
}

impl Value {
    fn lasts(&self, now: Instant) -> bool {
        self.expiry.is_none_or(|expiry| now < expiry)
    }
}

impl Bucket {
    fn remove(&mut self, name: &str) -> Option<Value> {
        let value = self.values.remove(name)?;
        self.bytes -= name.len() + value.bytes.len();
        Some(value)
    }

    fn forget(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.values.retain(|name, value| {
            let lasts = value.lasts(now);
            if !lasts {
                *bytes -= name.len() + value.bytes.len();
            }
            lasts
        });
    }
}

impl MemoryBuckets {
    /// An empty store.
    pub fn new(limits: BucketLimits) -> Self {
        Self {
            limits,
            buckets: Mutex::default(),
        }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<Principal, Bucket>> {
        // Nothing that is done under this lock can panic half-way.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_at(&self, owner: &Principal, name: &str, now: Instant) -> Option<Arc<[u8]>> {
        let buckets = self.buckets();
        let value = buckets.get(owner)?.values.get(name)?;
        value.lasts(now).then(|| Arc::clone(&value.bytes))
    }

    fn set_at(
        &self,
        owner: &Principal,
        name: &str,
        bytes: Arc<[u8]>,
        ttl: Duration,
        now: Instant,
    ) -> Result<(), StoreError> {
        let limits = &self.limits;
        let mut buckets = self.buckets();
        if buckets.len() >= limits.principals && !buckets.contains_key(owner) {
            buckets.retain(|_, bucket| {
                bucket.forget(now);
                !bucket.values.is_empty()
            });
        }
        let room = buckets.len() < limits.principals;
        let empty = Bucket::default();
        let bucket = match buckets.get_mut(owner) {
            Some(bucket) => {
                bucket.forget(now);
                &*bucket
            }
            None if room => &empty,
            None => return Err(StoreError::Full),
        };
        let before = bucket.values.get(name);
        let freed = before.map_or(0, |value| name.len() + value.bytes.len());
        let values = bucket.values.len() + usize::from(before.is_none());
        let all = bucket.bytes - freed + name.len() + bytes.len();
        if values > limits.values || all > limits.bytes || bytes.len() > limits.value_bytes {
            return Err(StoreError::Full);
        }
        let bucket = buckets.entry(owner.clone()).or_default();
        bucket.bytes = all;
        let expiry = now.checked_add(ttl);
        bucket.values.insert(name.into(), Value { bytes, expiry });
        Ok(())
    }

    fn remove_at(&self, owner: &Principal, name: &str, now: Instant) -> bool {
        let mut buckets = self.buckets();
        let Some(bucket) = buckets.get_mut(owner) else {
            return false;
        };
        let removed = bucket.remove(name).is_some_and(|value| value.lasts(now));
        if bucket.values.is_empty() {
            buckets.remove(owner);
        }
        removed
    }
}

impl BucketStore for MemoryBuckets {
    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        name: &'a str,
    ) -> StoreFuture<'a, Option<Arc<[u8]>>> {
        let found = self.get_at(owner, name, Instant::now());
        Box::pin(std::future::ready(Ok(found)))
    }

    fn set<'a>(
        &'a self,
        owner: &'a Principal,
        name: &'a str,
        value: Arc<[u8]>,
        ttl: Duration,
    ) -> StoreFuture<'a, ()> {
        let set = self.set_at(owner, name, value, ttl, Instant::now());
        Box::pin(std::future::ready(set))
    }

    fn remove<'a>(&'a self, owner: &'a Principal, name: &'a str) -> StoreFuture<'a, bool> {
        let removed = self.remove_at(owner, name, Instant::now());
        Box::pin(std::future::ready(Ok(removed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn who(name: &str) -> Principal {
        Principal::authenticated(name)
    }

    fn few() -> MemoryBuckets {
        MemoryBuckets::new(BucketLimits {
            principals: 2,
            values: 2,
            bytes: 20,
            value_bytes: 12,
            ttl: TTL,
        })
    }

    fn set(store: &MemoryBuckets, owner: &str, name: &str, bytes: usize, now: Instant) -> bool {
        let value = vec![7; bytes].into();
        store.set_at(&who(owner), name, value, TTL, now).is_ok()
    }

    #[test]
    fn values_are_their_principals_and_expire() {
        let (store, now) = (few(), Instant::now());
        assert!(set(&store, "a", "x", 1, now));
        let has = |owner: &str, now| store.get_at(&who(owner), "x", now).is_some();
        assert!(has("a", now) && !has("b", now));
        assert!(!store.remove_at(&who("b"), "x", now));
        assert!(!has("a", now + TTL) && has("a", now));
        assert!(store.remove_at(&who("a"), "x", now) && !has("a", now));
        assert!(!store.remove_at(&who("a"), "x", now));
        assert!(store.buckets().is_empty());
        let for_ever = store.set_at(&who("a"), "x", Arc::from([1]), Duration::MAX, now);
        assert!(for_ever.is_ok() && has("a", now + TTL));
    }

    #[test]
    fn every_bound_holds_and_what_was_there_stays() {
        let (store, now) = (few(), Instant::now());
        assert!(set(&store, "a", "x", 12, now));
        assert!(!set(&store, "a", "x", 13, now), "one value");
        assert!(!set(&store, "a", "y", 7, now), "all values");
        assert_eq!(store.get_at(&who("a"), "x", now).unwrap().len(), 12);
        assert!(set(&store, "a", "x", 1, now) && set(&store, "a", "y", 1, now));
        assert!(!set(&store, "a", "z", 1, now), "the number of values");
        assert!(set(&store, "b", "x", 1, now));
        assert!(!set(&store, "c", "x", 1, now), "the number of principals");
        assert!(set(&store, "a", "x", 2, now));
        // All of it is free again with time.
        let late = now + TTL;
        assert!(set(&store, "c", "x", 12, late));
        assert_eq!(store.buckets().len(), 1);
        assert!(set(&store, "a", "z", 12, late));
        assert_eq!(store.buckets()[&who("a")].bytes, 13);
    }
}
