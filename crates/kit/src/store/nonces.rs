//! What may be used only once: the state that a client carries from round to round.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{Caller, may_have_another};
use crate::principal::Principal;

use super::{StoreError, StoreFuture};

/// More than any state lasts.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Remembers what was used, until it would have expired anyway.
///
/// A nonce is its principal's: the same number of somebody else is another one. What a caller makes a
/// store remember should be bounded, so that nobody fills it for all others: it is
/// counted for the caller, whose [`Caller::key`] is its name in a store that several processes share.
pub trait NonceStore: Send + Sync + 'static {
    /// Uses `nonce` up for the principal of `caller`: `true` the first time, `false` ever after,
    /// atomically. It may be forgotten after `ttl`.
    ///
    /// # Errors
    /// When that cannot be told, or there is no room to remember it; the caller then refuses the
    /// nonce, which is still unused.
    fn claim<'a>(&'a self, caller: &'a Caller, nonce: u128, ttl: Duration)
    -> StoreFuture<'a, bool>;

    /// Whether `nonce` was used up. This uses nothing up and keeps nothing: it is asked where a
    /// second use would give nothing that the first one did not.
    ///
    /// # Errors
    /// When that cannot be told.
    fn is_used<'a>(&'a self, owner: &'a Principal, nonce: u128) -> StoreFuture<'a, bool>;
}

/// Nonces of one process: at most [`MemoryNonces::MAX`], of which one caller (an authenticated
/// principal; an anonymous one at its address, or on its connection) can hold a quarter, and at most
/// as many as are still free. The last eighth is for callers that hold fewer than 512.
#[derive(Default)]
pub struct MemoryNonces(Mutex<Used>);

#[derive(Default)]
struct Used {
    nonces: HashSet<(Principal, u128)>,
    /// How many of them each account has.
    held: HashMap<Caller, Held>,
    /// In the order of their use, which is nearly that of their expiry.
    oldest: VecDeque<Nonce>,
}

struct Held {
    account: Arc<Caller>,
    nonces: usize,
}

struct Nonce {
    nonce: u128,
    expiry: Instant,
    account: Arc<Caller>,
}

impl MemoryNonces {
    /// Nonces that are remembered at a time.
    pub const MAX: usize = 1 << 19;

    fn used(&self, now: Instant) -> MutexGuard<'_, Used> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(now);
        used
    }

    fn claim_now(
        &self,
        caller: &Caller,
        nonce: u128,
        ttl: Duration,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut used = self.used(now);
        let key = (caller.principal().clone(), nonce);
        if used.nonces.contains(&key) {
            return Ok(false);
        }
        let account = caller.clone();
        let held = used.held.get(&account).map_or(0, |held| held.nonces);
        if !may_have_another(held, Self::MAX / 4, Self::MAX, used.nonces.len()) {
            return Err(StoreError::Full);
        }
        let held = used.held.entry(account).or_insert_with_key(|account| Held {
            account: Arc::new(account.clone()),
            nonces: 0,
        });
        held.nonces += 1;
        let account = Arc::clone(&held.account);
        used.nonces.insert(key);
        used.oldest.push_back(Nonce {
            nonce,
            expiry: now + ttl.min(LONGEST),
            account,
        });
        Ok(true)
    }
}

impl Used {
    fn forget(&mut self, now: Instant) {
        while let Some(Nonce { nonce, account, .. }) =
            self.oldest.pop_front_if(|nonce| nonce.expiry <= now)
        {
            self.nonces.remove(&(account.principal().clone(), nonce));
            if let Some(held) = self.held.get_mut(&*account) {
                held.nonces -= 1;
                if held.nonces == 0 {
                    self.held.remove(&*account);
                }
            }
        }
    }
}

impl NonceStore for MemoryNonces {
    fn claim<'a>(
        &'a self,
        caller: &'a Caller,
        nonce: u128,
        ttl: Duration,
    ) -> StoreFuture<'a, bool> {
        let claimed = self.claim_now(caller, nonce, ttl, Instant::now());
        Box::pin(std::future::ready(claimed))
    }

    fn is_used<'a>(&'a self, owner: &'a Principal, nonce: u128) -> StoreFuture<'a, bool> {
        let used = self.used(Instant::now());
        let is_used = used.nonces.contains(&(owner.clone(), nonce));
        Box::pin(std::future::ready(Ok(is_used)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn alice() -> Caller {
        Caller::new(Principal::authenticated("alice"), None, 1)
    }

    /// Somebody anonymous at an address of their own.
    fn caller(n: u8) -> Caller {
        Caller::new(Principal::ANONYMOUS, Some([192, 0, 2, n].into()), 1)
    }

    /// Uses up as many as it gets.
    fn all_of(nonces: &MemoryNonces, caller: &Caller, first: u128, now: Instant) -> usize {
        let claims = (first..).map(|nonce| nonces.claim_now(caller, nonce, TTL, now));
        let claims = claims.take_while(|claim| *claim != Err(StoreError::Full));
        claims.inspect(|claim| assert_eq!(*claim, Ok(true))).count()
    }

    #[test]
    fn a_nonce_counts_once_for_its_owner_until_it_expires() {
        let (nonces, now) = (MemoryNonces::default(), Instant::now());
        assert_eq!(nonces.claim_now(&alice(), 1, TTL, now), Ok(true));
        assert_eq!(nonces.claim_now(&alice(), 1, TTL, now), Ok(false));
        assert_eq!(nonces.claim_now(&alice(), 2, TTL, now), Ok(true));
        assert_eq!(nonces.claim_now(&caller(1), 1, TTL, now), Ok(true));
        // Whoever is anonymous is the same principal, wherever they are.
        assert_eq!(nonces.claim_now(&caller(2), 1, TTL, now), Ok(false));
        assert_eq!(nonces.claim_now(&alice(), 3, TTL, now + TTL), Ok(true));
        assert_eq!(nonces.0.lock().unwrap().nonces.len(), 1);
    }

    #[test]
    fn a_nonce_can_be_remembered_for_ever() {
        let (nonces, now) = (MemoryNonces::default(), Instant::now());
        assert_eq!(nonces.claim_now(&alice(), 1, Duration::MAX, now), Ok(true));
        assert_eq!(nonces.claim_now(&alice(), 1, Duration::MAX, now), Ok(false));
    }

    #[tokio::test]
    async fn looking_uses_nothing_up() {
        let nonces = MemoryNonces::default();
        let (owner, other) = (alice(), caller(1));
        for _ in 0..2 {
            assert_eq!(nonces.is_used(owner.principal(), 1).await, Ok(false));
        }
        assert_eq!(nonces.claim(&owner, 1, TTL).await, Ok(true));
        assert_eq!(nonces.is_used(owner.principal(), 1).await, Ok(true));
        assert_eq!(nonces.is_used(other.principal(), 1).await, Ok(false));
    }

    #[test]
    fn one_caller_cannot_use_up_the_room_of_others() {
        let (nonces, now) = (MemoryNonces::default(), Instant::now());
        let quarter = MemoryNonces::MAX / 4;
        assert_eq!(all_of(&nonces, &alice(), 0, now), quarter);
        let elsewhere = Caller::new(Principal::authenticated("alice"), None, 2);
        assert_eq!(all_of(&nonces, &elsewhere, 1 << 100, now), 0);
        // Half of what is left without the last eighth, which is for those who hold next to nothing.
        for (n, sixteenths) in [(1, 16), (2, 12), (3, 6), (4, 3)] {
            let expected = quarter / 16 * sixteenths;
            let first = u128::from(n) << 64;
            assert_eq!(all_of(&nonces, &caller(n), first, now), expected, "{n}");
        }
        for n in 5..24 {
            all_of(&nonces, &caller(n), u128::from(n) << 64, now);
        }
        // Whoever comes then has more than the first of its questions.
        let last = all_of(&nonces, &caller(24), 24 << 64, now);
        assert_eq!(last, MemoryNonces::MAX / 1024);
        // All of it comes back with time.
        assert_eq!(all_of(&nonces, &alice(), 0, now + TTL), quarter);
        assert_eq!(nonces.0.lock().unwrap().held.len(), 1);
    }
}
