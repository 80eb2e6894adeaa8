//! What replicas tell each other of tokens, as one of them knows it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::store::TokenChange;
use crate::store::bus::hash;

use super::{TokenEntry, TokenHash};

/// Tokens that were revoked and are remembered: more than there can be in a list.
pub(super) const MOST: usize = 1 << 14;

/// How long it is remembered that a token was revoked which never ends.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Which tokens were revoked, here or at another replica, and what others have not been told yet.
#[derive(Default)]
pub(super) struct Elsewhere {
    revoked: HashMap<u128, u64>,
    /// In the order of their revocation; those that are accepted again may be among them.
    oldest: VecDeque<u128>,
    untold: VecDeque<TokenChange>,
}

impl Elsewhere {
    /// A list came in the place of another: what is gone was revoked, what is new is accepted.
    pub(super) fn replaced(&mut self, old: &[TokenEntry], new: &[TokenEntry], now: SystemTime) {
        let hashes = |entries: &[TokenEntry]| -> HashSet<TokenHash> {
            entries.iter().map(|entry| entry.hash).collect()
        };
        let (before, after) = (hashes(old), hashes(new));
        let gone = old.iter().filter(|entry| !after.contains(&entry.hash));
        for entry in gone.filter(|entry| !entry.has_expired(now)) {
            let change = change(entry, true, now);
            // Another one may have told it already.
            if !self.revoked.contains_key(&change.id) {
                self.tell(change);
            }
        }
        for entry in new.iter().filter(|entry| !before.contains(&entry.hash)) {
            let change = change(entry, false, now);
            if self.revoked.contains_key(&change.id) {
                self.tell(change);
            }
        }
    }

    /// Something was told.
    pub(super) fn hear(&mut self, changes: &[TokenChange], now: SystemTime) {
        let now = seconds(now);
        for change in changes.iter().filter(|change| change.expires > now) {
            self.note(change);
        }
    }

    /// Those of the entries that were revoked.
    pub(super) fn refused<'a>(
        &self,
        entries: &'a [TokenEntry],
    ) -> impl Iterator<Item = &'a TokenEntry> {
        // Nearly always there are none, and nothing is hashed.
        let entries: &[TokenEntry] = match self.revoked.is_empty() {
            true => &[],
            false => entries,
        };
        entries
            .iter()
            .filter(|entry| self.revoked.contains_key(&id(&entry.hash)))
    }

    pub(super) fn has_news(&self) -> bool {
        !self.untold.is_empty()
    }

    pub(super) fn untold(&self) -> Vec<TokenChange> {
        self.untold.iter().copied().collect()
    }

    /// Others have been told of the first of them.
    pub(super) fn told(&mut self, changes: usize) {
        self.untold.drain(..changes.min(self.untold.len()));
    }

    fn tell(&mut self, change: TokenChange) {
        self.note(&change);
        self.untold.push_back(change);
        if self.untold.len() > MOST {
            self.untold.pop_front();
        }
    }

    fn note(&mut self, change: &TokenChange) {
        let TokenChange { id, expires, .. } = *change;
        if !change.revoked {
            if self.revoked.remove(&id).is_some() {
                self.oldest.retain(|other| *other != id);
            }
        } else if self.revoked.insert(id, expires).is_none() {
            self.oldest.push_back(id);
            if self.oldest.len() > MOST
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.revoked.remove(&oldest);
            }
        }
    }
}

/// What replicas call a token: who has that cannot say which token, nor its hash.
fn id(of: &TokenHash) -> u128 {
    hash(&format!("token {of}"))
}

fn change(entry: &TokenEntry, revoked: bool, now: SystemTime) -> TokenChange {
    TokenChange {
        id: id(&entry.hash),
        expires: entry
            .expires
            .map_or_else(|| seconds(now + LONGEST), |end| seconds(end) + 1),
        revoked,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scopes;

    fn entry(name: &str) -> TokenEntry {
        TokenEntry {
            name: name.into(),
            hash: TokenHash::of(name),
            scopes: Scopes::default(),
            expires: None,
        }
    }

    fn refused(elsewhere: &Elsewhere, entries: &[TokenEntry]) -> Vec<String> {
        let refused = elsewhere.refused(entries);
        refused.map(|entry| entry.name.clone()).collect()
    }

    #[test]
    fn what_is_gone_was_revoked_and_what_is_new_is_accepted_again() {
        let now = SystemTime::now();
        let (both, one) = ([entry("a"), entry("b")], [entry("a")]);
        let mut here = Elsewhere::default();
        let mut there = Elsewhere::default();
        here.replaced(&one, &both, now);
        assert!(!here.has_news(), "nobody has revoked it");
        here.replaced(&both, &one, now);
        let untold = here.untold();
        assert_eq!(untold.len(), 1);
        assert!(untold[0].revoked && untold[0].id != hash(&both[1].hash.to_string()));
        there.hear(&untold, now);
        assert_eq!(refused(&there, &both), ["b"]);
        // Its own list comes later, and is no news.
        there.replaced(&both, &one, now);
        assert!(!there.has_news());
        here.told(1);
        assert!(!here.has_news());
        there.replaced(&one, &both, now);
        assert!(refused(&there, &both).is_empty());
        let untold = there.untold();
        assert_eq!(untold.len(), 1);
        here.hear(&untold, now);
        here.replaced(&one, &both, now);
        assert!(!here.has_news() && refused(&here, &both).is_empty());
    }

    #[test]
    fn what_has_expired_is_nothing_to_tell() {
        let now = SystemTime::now();
        let expired = TokenEntry {
            expires: Some(now - Duration::from_secs(1)),
            ..entry("a")
        };
        let mut here = Elsewhere::default();
        here.replaced(std::slice::from_ref(&expired), &[], now);
        assert!(!here.has_news());
        let late = change(&expired, true, now);
        here.hear(&[late], now + Duration::from_secs(1));
        assert!(here.revoked.is_empty());
    }

    #[test]
    fn so_many_are_remembered_and_the_oldest_goes() {
        let now = SystemTime::now();
        let mut here = Elsewhere::default();
        let told = |id: usize, revoked| TokenChange {
            id: id as u128,
            expires: u64::MAX,
            revoked,
        };
        for id in 0..MOST + 3 {
            here.hear(&[told(id, true), told(id, true)], now);
        }
        assert_eq!((here.revoked.len(), here.oldest.len()), (MOST, MOST));
        assert!(!here.revoked.contains_key(&2) && here.revoked.contains_key(&3));
        here.hear(&[told(3, false), told(3, false)], now);
        assert_eq!(
            (here.revoked.len(), here.oldest.len()),
            (MOST - 1, MOST - 1)
        );
        for id in 0..MOST + 3 {
            here.tell(told(id, true));
        }
        assert_eq!(here.untold().len(), MOST);
    }
}
