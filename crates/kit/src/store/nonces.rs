//! What may be used only once: the state that a client carries from round to round.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::principal::Principal;

use super::{StoreError, StoreFuture};

/// Remembers what was used, until it would have expired anyway.
pub trait NonceStore: Send + Sync + 'static {
    /// Uses `nonce` up for `owner`: `true` the first time, `false` ever after, atomically. It may
    /// be forgotten after `ttl`.
    ///
    /// # Errors
    /// When that cannot be told; the caller then refuses the nonce.
    fn claim<'a>(
        &'a self,
        owner: &'a Principal,
        nonce: u128,
        ttl: Duration,
    ) -> StoreFuture<'a, bool>;
}

/// Nonces of one process: at most [`MemoryNonces::MAX`], of which one authenticated principal can
/// hold a quarter. All anonymous callers are one, and may use the whole store.
#[derive(Default)]
pub struct MemoryNonces(Mutex<Used>);

#[derive(Default)]
struct Used {
    owners: HashMap<(Principal, u128), Instant>,
    held: HashMap<Principal, usize>,
    /// In the order of their use, which is nearly that of their expiry.
    oldest: VecDeque<(Principal, u128)>,
}

impl MemoryNonces {
    /// Nonces that are remembered at a time.
    pub const MAX: usize = 1 << 19;

    fn claim_now(
        &self,
        owner: &Principal,
        nonce: u128,
        ttl: Duration,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(now);
        let key = (owner.clone(), nonce);
        if used.owners.contains_key(&key) {
            return Ok(false);
        }
        let held = used.held.get(owner).copied().unwrap_or_default();
        let own = match owner.subject() {
            Some(_) => Self::MAX / 4,
            None => Self::MAX,
        };
        if used.owners.len() >= Self::MAX || held >= own {
            return Err(StoreError::Full);
        }
        used.held.insert(owner.clone(), held + 1);
        used.oldest.push_back(key.clone());
        used.owners.insert(key, now + ttl);
        Ok(true)
    }
}

impl Used {
    fn forget(&mut self, now: Instant) {
        while let Some(key) = self.oldest.front()
            && self.owners.get(key).is_none_or(|expiry| *expiry <= now)
        {
            if let Some(key) = self.oldest.pop_front() {
                self.owners.remove(&key);
                if let Some(held) = self.held.get_mut(&key.0) {
                    *held -= 1;
                    if *held == 0 {
                        self.held.remove(&key.0);
                    }
                }
            }
        }
    }
}

impl NonceStore for MemoryNonces {
    fn claim<'a>(
        &'a self,
        owner: &'a Principal,
        nonce: u128,
        ttl: Duration,
    ) -> StoreFuture<'a, bool> {
        let claimed = self.claim_now(owner, nonce, ttl, Instant::now());
        Box::pin(std::future::ready(claimed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    #[test]
    fn a_nonce_counts_once_for_its_owner_until_it_expires() {
        let (nonces, now) = (MemoryNonces::default(), Instant::now());
        let alice = Principal::authenticated("alice");
        assert_eq!(nonces.claim_now(&alice, 1, TTL, now), Ok(true));
        assert_eq!(nonces.claim_now(&alice, 1, TTL, now), Ok(false));
        assert_eq!(nonces.claim_now(&alice, 2, TTL, now), Ok(true));
        assert_eq!(
            nonces.claim_now(&Principal::ANONYMOUS, 1, TTL, now),
            Ok(true)
        );
        assert_eq!(nonces.claim_now(&alice, 3, TTL, now + TTL), Ok(true));
        assert_eq!(nonces.0.lock().unwrap().owners.len(), 1);
    }

    #[test]
    fn one_principal_cannot_use_up_the_room_of_others() {
        let (nonces, now) = (MemoryNonces::default(), Instant::now());
        let alice = Principal::authenticated("alice");
        let fits = MemoryNonces::MAX as u128 / 4;
        for nonce in 0..fits {
            assert_eq!(nonces.claim_now(&alice, nonce, TTL, now), Ok(true));
        }
        assert_eq!(
            nonces.claim_now(&alice, fits, TTL, now),
            Err(StoreError::Full)
        );
        assert_eq!(
            nonces.claim_now(&Principal::ANONYMOUS, 0, TTL, now),
            Ok(true)
        );
        assert_eq!(nonces.claim_now(&alice, fits, TTL, now + TTL), Ok(true));
    }
}
