//! Used states: claimed once among all replicas.

use std::time::Duration;

use crate::limits::Caller;
use crate::principal::Principal;
use crate::store::{NonceStore, StoreError, StoreFuture};

use super::keys::short;
use super::{Redis, millis, script};

/// Claims of one caller within the life of a state; twice as long at most. As many as one caller can have in memory.
const PER_CALLER: usize = 1 << 17;

const NONCE: &str = "n";
const CLAIMED: &str = "c";

/// At most 131,072 claims of one caller within their time to live; of all callers as many as the store has memory for.
impl NonceStore for Redis {
    fn claim<'a>(
        &'a self,
        caller: &'a Caller,
        nonce: u128,
        ttl: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let owner = caller.principal();
            let (keys, ttl) = (self.nodes.keys(), millis(ttl));
            let nonce = keys.of(owner, NONCE, &format!("{nonce:032x}"));
            let span = self.nodes.now(&nonce).ok_or(StoreError::Unavailable)? / ttl;
            let caller = short(&caller.key());
            let used_in = |span: u64| keys.of(owner, CLAIMED, &format!("{caller}:{ttl}:{span}"));
            let claimed: i64 = self
                .nodes
                .script(&script::CLAIM, &nonce, |call| {
                    call.key(used_in(span))
                        .key(used_in(span.saturating_sub(1)))
                        .arg(ttl)
                        .arg(PER_CALLER);
                })
                .await?;
            match claimed {
                1 => Ok(true),
                0 => Ok(false),
                _ => Err(StoreError::Full),
            }
        })
    }

    fn is_used<'a>(&'a self, owner: &'a Principal, nonce: u128) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let key = self.nodes.keys().of(owner, NONCE, &format!("{nonce:032x}"));
            let exists = ::redis::cmd("EXISTS").arg(&key).to_owned();
            self.nodes.read(&key, &exists).await
        })
    }
}
