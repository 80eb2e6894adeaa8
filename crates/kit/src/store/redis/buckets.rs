//! What a server remembers for a principal, the same on all replicas.

use std::sync::Arc;
use std::time::Duration;

use crate::principal::Principal;
use crate::store::{BucketLimits, BucketStore, StoreError, StoreFuture};

use super::{Redis, millis, script};

const VALUE: &str = "b";
const INDEX: &str = "i";

/// What a stored value begins with: its format, and whatever else a later release says in that line.
const HEAD: &[u8] = b"1\n";

/// Values on Redis or Valkey, within the [`BucketLimits`] of one principal; of all principals as many as the store has
/// memory for.
#[derive(Debug, Clone)]
pub struct RedisBuckets {
    redis: Redis,
    limits: BucketLimits,
}

impl RedisBuckets {
    /// Buckets in this store.
    pub fn new(redis: &Redis, limits: BucketLimits) -> Self {
        let redis = redis.clone();
        Self { redis, limits }
    }

    fn key(&self, owner: &Principal, name: &str) -> String {
        self.redis.nodes.keys().of_person(owner, VALUE, name)
    }

    fn index(&self, owner: &Principal) -> String {
        self.redis.nodes.keys().of_person(owner, INDEX, "")
    }
}

impl BucketStore for RedisBuckets {
    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        name: &'a str,
    ) -> StoreFuture<'a, Option<Arc<[u8]>>> {
        Box::pin(async move {
            let key = self.key(owner, name);
            let mut get = ::redis::cmd("GET");
            get.arg(&key);
            let found: Option<Vec<u8>> = self.redis.nodes.read(&key, &get).await?;
            found.map(|stored| value(&stored)).transpose()
        })
    }

    fn set<'a>(
        &'a self,
        owner: &'a Principal,
        name: &'a str,
        value: Arc<[u8]>,
        ttl: Duration,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let limits = &self.limits;
            if value.len() > limits.value_bytes {
                return Err(StoreError::Full);
            }
            let size = name.len() + value.len();
            let set: i64 = self
                .redis
                .nodes
                .script(&script::SET, &self.key(owner, name), |call| {
                    call.key(self.index(owner))
                        .arg(name)
                        .arg([HEAD, &value].concat())
                        .arg(millis(ttl))
                        .arg(size)
                        .arg(limits.values)
                        .arg(limits.bytes);
                })
                .await?;
            match set {
                1 => Ok(()),
                _ => Err(StoreError::Full),
            }
        })
    }

    fn remove<'a>(&'a self, owner: &'a Principal, name: &'a str) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let removed: i64 = self
                .redis
                .nodes
                .script(&script::REMOVE, &self.key(owner, name), |call| {
                    call.key(self.index(owner)).arg(name);
                })
                .await?;
            Ok(removed > 0)
        })
    }
}

/// What was stored, without its first line, which a later release may have written more into.
fn value(stored: &[u8]) -> Result<Arc<[u8]>, StoreError> {
    let end = stored.iter().position(|byte| *byte == b'\n');
    match (end, stored.first()) {
        (Some(end), Some(b'1'..=b'9')) => Ok(stored[end + 1..].into()),
        _ => {
            tracing::error!("the store has a value that is none of this server's");
            Err(StoreError::Unavailable)
        }
    }
}
