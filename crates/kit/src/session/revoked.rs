//! Sealed sessions that their clients have ended.

use std::collections::{HashSet, VecDeque};

use super::sealed::Seal;

/// Remembers them until they would be over anyway, within a bound: beyond it those that were ended
/// first are forgotten.
#[derive(Default)]
pub(super) struct Revoked {
    nonces: HashSet<u128>,
    /// In the order of their end, which is nearly that of their expiry.
    oldest: VecDeque<Seal>,
}

impl Revoked {
    /// Adds one, of at most `max`. `now` is in seconds since 1970.
    pub(super) fn add(&mut self, seal: Seal, max: usize, now: u64) {
        self.forget(now);
        // Only what a key signed gets here, so the number is nobody else's.
        if max == 0 || !self.nonces.insert(seal.nonce) {
            return;
        }
        if self.oldest.len() >= max {
            self.pop();
        }
        self.oldest.push_back(seal);
    }

    pub(super) fn has(&self, seal: Seal) -> bool {
        self.nonces.contains(&seal.nonce)
    }

    /// Drops those that are over.
    pub(super) fn forget(&mut self, now: u64) {
        while self.oldest.front().is_some_and(|seal| seal.expires <= now) {
            self.pop();
        }
        // What a burst took is given back.
        if self.oldest.capacity() > 4 * self.oldest.len() + 64 {
            self.oldest.shrink_to(2 * self.oldest.len());
            self.nonces.shrink_to(2 * self.oldest.len());
        }
    }

    fn pop(&mut self) {
        if let Some(seal) = self.oldest.pop_front() {
            self.nonces.remove(&seal.nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(nonce: u128, expires: u64) -> Seal {
        Seal { nonce, expires }
    }

    #[test]
    fn they_are_remembered_until_they_are_over_within_a_bound() {
        let mut revoked = Revoked::default();
        for nonce in 0..4 {
            revoked.add(seal(nonce, 100 + nonce as u64), 3, 0);
            revoked.add(seal(nonce, 100 + nonce as u64), 3, 0);
        }
        let there = |revoked: &Revoked| (0..4).filter(|n| revoked.has(seal(*n, 0))).count();
        assert!(!revoked.has(seal(0, 100)), "the oldest goes");
        assert_eq!(there(&revoked), 3);
        revoked.forget(102);
        assert_eq!(there(&revoked), 1);
        revoked.forget(103);
        assert!(revoked.oldest.is_empty() && revoked.nonces.is_empty());
        revoked.add(seal(9, 200), 0, 0);
        assert!(!revoked.has(seal(9, 200)));
    }
}
