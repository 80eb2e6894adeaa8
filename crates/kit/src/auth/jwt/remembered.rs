//! Tokens that were verified already, by a keyed hash of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use ring::hmac;

use crate::auth::Identity;
use crate::build_error::BuildError;

use super::key::Key;

/// Tokens that are remembered, and bytes of what they say; the oldest make room.
const MAX_TOKENS: usize = 10_000;
const MAX_BYTES: usize = 8 << 20;

/// The keyed hash of a token. Without the key, which only this process has, it says nothing of the token, and nobody can
/// find two tokens that have the same.
pub(super) type Hash = [u8; 32];

/// A token that was verified.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) identity: Identity,
    /// What it was verified with.
    pub(super) key: Arc<Key>,
}

/// What verified tokens said. Nothing of the tokens themselves is kept.
pub(super) struct Remembered {
    key: hmac::Key,
    tokens: RwLock<Tokens>,
}

#[derive(Default)]
struct Tokens {
    by_hash: HashMap<Hash, Verified>,
    /// The oldest first.
    order: VecDeque<Hash>,
    bytes: usize,
}

impl Remembered {
    pub(super) fn new() -> Result<Self, BuildError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| {
            BuildError("The operating system's random number generator failed.".into())
        })?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            tokens: RwLock::default(),
        })
    }

    pub(super) fn hash(&self, token: &str) -> Hash {
        let mut hash = Hash::default();
        hash.copy_from_slice(hmac::sign(&self.key, token.as_bytes()).as_ref());
        hash
    }

    /// Who sends the token with this hash, if it is still good.
    pub(super) fn get(&self, hash: &Hash, now: SystemTime) -> Option<Identity> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.by_hash.get(hash)?;
        let is_good = found.identity.expires.is_some_and(|expires| now < expires)
            && !found.key.is_withdrawn();
        is_good.then(|| found.identity.clone())
    }

    pub(super) fn put(&self, hash: Hash, verified: Verified) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.put(hash, verified);
    }
}

impl Tokens {
    fn put(&mut self, hash: Hash, verified: Verified) {
        self.bytes += bytes(&verified);
        match self.by_hash.insert(hash, verified) {
            Some(old) => self.bytes -= bytes(&old),
            None => self.order.push_back(hash),
        }
        while self.order.len() > MAX_TOKENS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let old = self.by_hash.remove(&oldest);
            self.bytes -= old.as_ref().map_or(0, bytes);
        }
    }
}

/// Bytes that one takes, about.
fn bytes(verified: &Verified) -> usize {
    let identity = &verified.identity;
    let scopes: usize = identity.scopes.iter().map(|scope| scope.len() + 16).sum();
    4 * size_of::<Hash>() + size_of::<Verified>() + identity.subject.len() + scopes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::Scopes;

    fn verified(scopes: &str, key: &Arc<Key>) -> Verified {
        let mut identity = Identity::new("https://login.example#ali");
        identity.scopes = Scopes::parse(scopes).unwrap();
        identity.expires = Some(at(100));
        Verified {
            identity,
            key: Arc::clone(key),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_remembered_until_it_expires_or_its_key_is_withdrawn() {
        let (remembered, key) = (Remembered::new().unwrap(), Arc::new(Key::any()));
        let hash = remembered.hash("a.b.c");
        assert!(remembered.get(&hash, at(0)).is_none());
        remembered.put(hash, verified("stock:read", &key));
        let found = remembered.get(&hash, at(99)).unwrap();
        assert_eq!(found.scopes.to_string(), "stock:read");
        assert!(remembered.get(&hash, at(100)).is_none());
        key.withdraw();
        assert!(remembered.get(&hash, at(0)).is_none());
    }

    #[test]
    fn a_token_with_another_byte_is_another_token_and_so_is_the_same_one_in_another_process() {
        let remembered = Remembered::new().unwrap();
        let (token, other) = ("a".repeat(2000), Remembered::new().unwrap());
        assert_eq!(remembered.hash(&token), remembered.hash(&token));
        assert_ne!(remembered.hash(&token), other.hash(&token));
        for at in [0, 1, 999, 1999] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, "b");
            assert_ne!(remembered.hash(&token), remembered.hash(&changed), "{at}");
        }
        assert_ne!(remembered.hash(&token), remembered.hash(&token[1..]));
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes() {
        let key = Arc::new(Key::any());
        let mut tokens = Tokens::default();
        let hash = |n: usize| {
            let mut hash = Hash::default();
            hash[..8].copy_from_slice(&n.to_le_bytes());
            hash
        };
        for n in 0..MAX_TOKENS + 5 {
            tokens.put(hash(n), verified("a", &key));
            // The same one again takes no more room.
            tokens.put(hash(n), verified("a", &key));
        }
        assert_eq!(
            (tokens.by_hash.len(), tokens.order.len()),
            (MAX_TOKENS, MAX_TOKENS)
        );
        assert!(!tokens.by_hash.contains_key(&hash(4)) && tokens.by_hash.contains_key(&hash(5)));

        let mut tokens = Tokens::default();
        for n in 0..MAX_BYTES / 8000 + 5 {
            tokens.put(hash(n), verified(&"a".repeat(8000), &key));
        }
        assert!(tokens.bytes <= MAX_BYTES && tokens.bytes > MAX_BYTES - 9000);
        let counted: usize = tokens.by_hash.values().map(bytes).sum();
        assert_eq!(tokens.bytes, counted);
        assert!(!tokens.by_hash.contains_key(&hash(0)));
    }
}
