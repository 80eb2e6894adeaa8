//! Places that are bounded in all and for each caller.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Caller;
use crate::metrics::Metrics;

/// Of how many parts of something the last one is for callers that hold next to nothing of it.
const LAST: usize = 8;

/// Of how many parts of something one part is next to nothing. One place would be too little where
/// entries outlive calls: a call with two questions uses two states.
const LITTLE: usize = 1024;

/// Whether a caller that has `own` of `in_all`, of which so many are taken, may have another one: it
/// has less than its share, and no more than is still free. The last eighth is for callers that hold
/// next to nothing. So few callers cannot take everything, however much they take.
pub(crate) fn may_have_another(own: usize, each: usize, in_all: usize, taken: usize) -> bool {
    let left = in_all.saturating_sub(taken);
    let shared = left.saturating_sub(in_all / LAST);
    let little = (in_all / LITTLE).max(1);
    own < each && left > 0 && (own < little || own < shared)
}

/// A number of places that callers take and give back.
///
/// One caller can have a fixed share of them, and at most as many as are still free. The last eighth
/// is for callers that hold next to nothing: one place, or a 1,024th of all. So however much a few
/// take, there is room for one who comes later. Callers that have nothing cost nothing.
///
/// ```
/// # use pymcp_kit::{Ctx, Error, Result, limits::Shares};
/// async fn heavy(ctx: Ctx, places: Shares) -> Result<&'static str> {
///     let place = places.of(ctx.caller()).take();
///     let _place = place.map_err(|_| Error::user("Too much at a time; try again later."))?;
///     Ok("done")
/// }
/// ```
#[derive(Clone)]
pub struct Shares(Arc<Ledger>);

struct Ledger {
    in_all: usize,
    each: usize,
    taken: AtomicUsize,
    accounts: Mutex<HashMap<Caller, Weak<Account>>>,
}

/// The places of one caller. Looked up once and kept, taking one costs no lock.
#[derive(Clone)]
pub struct Share(Arc<Account>);

struct Account {
    ledger: Arc<Ledger>,
    caller: Caller,
    taken: AtomicUsize,
}

/// A place that is taken; dropped, it is given back.
pub struct Permit(Share);

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The caller has its whole share; others may find a place.
    Share,
    /// Too few are left for this caller to have another.
    InAll,
}

impl Shares {
    /// So many places, of which one caller can have `each`.
    pub fn new(in_all: usize, each: usize) -> Self {
        Self(Arc::new(Ledger {
            in_all,
            each,
            taken: AtomicUsize::new(0),
            accounts: Mutex::default(),
        }))
    }

    /// The share of a caller.
    pub fn of(&self, caller: &Caller) -> Share {
        let mut accounts = self.0.accounts();
        if let Some(account) = accounts.get(caller).and_then(Weak::upgrade) {
            return Share(account);
        }
        let account = Arc::new(Account {
            ledger: Arc::clone(&self.0),
            caller: caller.clone(),
            taken: AtomicUsize::new(0),
        });
        accounts.insert(caller.clone(), Arc::downgrade(&account));
        Share(account)
    }

    /// Places that are taken.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Places that there are.
    pub fn in_all(&self) -> usize {
        self.0.in_all
    }

    /// Has metrics say how many there are and how many are taken, as places of this kind.
    pub(crate) fn measure(&self, kind: &'static str, metrics: &[Metrics]) {
        for metrics in metrics {
            let shares = self.clone();
            metrics.places(kind, self.in_all(), move || shares.taken());
        }
    }
}

impl Ledger {
    fn accounts(&self) -> MutexGuard<'_, HashMap<Caller, Weak<Account>>> {
        // Nothing that is done under this lock can panic half-way.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes a place.
    ///
    /// # Errors
    /// When the caller has its share, or too few are left.
    pub fn take(&self) -> Result<Permit, Full> {
        let Account { ledger, taken, .. } = &*self.0;
        // Both are counted before they are looked at: of two at the same time one sees the other.
        let own = taken.fetch_add(1, Ordering::Relaxed);
        let all = ledger.taken.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(self.clone());
        match may_have_another(own, ledger.each, ledger.in_all, all) {
            true => Ok(permit),
            false if own >= ledger.each => Err(Full::Share),
            false => Err(Full::InAll),
        }
    }

    /// Takes a place whether there is one or not: for what had one before and was promised it.
    pub(crate) fn take_again(&self) -> Permit {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
        self.0.ledger.taken.fetch_add(1, Ordering::Relaxed);
        Permit(self.clone())
    }

    /// Places that the caller has.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}

impl Permit {
    /// The share that it is part of.
    pub fn share(&self) -> &Share {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Account { ledger, taken, .. } = &*self.0.0;
        taken.fetch_sub(1, Ordering::Relaxed);
        ledger.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut accounts = self.ledger.accounts();
        // The caller may have come back meanwhile, and then it has another account.
        if accounts
            .get(&self.caller)
            .is_some_and(|account| account.strong_count() == 0)
        {
            accounts.remove(&self.caller);
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Permit").field(&self.0.0.caller).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Principal;

    fn caller(n: u8) -> Caller {
        Caller::new(Principal::ANONYMOUS, Some([192, 0, 2, n].into()), 0)
    }

    fn all_of(shares: &Shares, n: u8) -> (Vec<Permit>, Full) {
        let share = shares.of(&caller(n));
        let mut permits = Vec::new();
        loop {
            match share.take() {
                Ok(permit) => permits.push(permit),
                Err(full) => return (permits, full),
            }
        }
    }

    #[test]
    fn a_caller_has_its_share_and_leaves_as_much_as_it_has() {
        let shares = Shares::new(64, 16);
        let mut held = Vec::new();
        for (n, expected, why) in [
            (1, 16, Full::Share),
            (2, 16, Full::Share),
            // Half of the rest, and so on: the last eight are for those who have none.
            (3, 12, Full::InAll),
            (4, 6, Full::InAll),
            (5, 3, Full::InAll),
            (6, 2, Full::InAll),
            (7, 1, Full::InAll),
        ] {
            let (permits, full) = all_of(&shares, n);
            assert_eq!((permits.len(), full), (expected, why), "{n}");
            held.push(permits);
        }
        assert_eq!(shares.taken(), 64 - 8);
        for n in 8..16 {
            let (permits, full) = all_of(&shares, n);
            assert_eq!((permits.len(), full), (1, Full::InAll), "{n}");
            held.push(permits);
        }
        assert!(all_of(&shares, 16).0.is_empty());
        held.remove(0);
        assert_eq!(all_of(&shares, 16).0.len(), 4);
    }

    #[test]
    fn a_newcomer_has_a_little_when_the_last_eighth_is_reached() {
        for (in_all, little) in [
            (1, 1),
            (64, 1),
            (1024, 1),
            (4096, 4),
            (16_384, 16),
            (1 << 19, 512),
        ] {
            let may = |own, taken| may_have_another(own, in_all, in_all, taken);
            let taken = in_all - in_all / LAST;
            if taken < in_all {
                assert!((0..little).all(|own| may(own, taken + own)), "{in_all}");
                assert!(!may(little, taken + little), "{in_all}");
            }
            // There is never more than there is, and never more than a caller's share.
            assert!(!may(0, in_all), "{in_all}");
            assert!(!may_have_another(0, 0, in_all, 0), "{in_all}");
        }
    }

    #[test]
    fn what_is_given_back_leaves_nothing() {
        let shares = Shares::new(4, 2);
        let share = shares.of(&caller(1));
        let (one, two) = (share.take().unwrap(), share.take().unwrap());
        assert_eq!(share.take().unwrap_err(), Full::Share);
        drop(share);
        drop(one);
        // The same account, for as long as somebody has something of it.
        assert_eq!(shares.of(&caller(1)).taken(), 1);
        drop(two);
        assert_eq!(shares.taken(), 0);
        assert!(shares.0.accounts().is_empty());
    }

    #[test]
    fn what_is_taken_again_counts() {
        let shares = Shares::new(1, 1);
        let first = shares.of(&caller(1)).take_again();
        let second = shares.of(&caller(2)).take_again();
        assert_eq!(shares.of(&caller(3)).take().unwrap_err(), Full::InAll);
        drop((first, second));
        assert!(shares.of(&caller(3)).take().is_ok());
    }
}
