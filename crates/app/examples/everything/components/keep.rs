//! Keeps a bounded number of things, for as long as they are used: what a server remembers of its
//! callers must end by itself, because nobody tells it that a caller will not come back.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// At most so many `V`, each under its own key. One that is not used for some time is forgotten, and
/// so is, when there are too many, the one that was not used for longest.
///
/// All callers share the bound: a server that many strangers use also bounds what one of them has.
pub(crate) struct Keep<K, V> {
    most: usize,
    idle: Duration,
    kept: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Hash + Eq + Clone, V> Keep<K, V> {
    pub(crate) fn new(most: usize, idle: Duration) -> Self {
        Self {
            most,
            idle,
            kept: Mutex::default(),
        }
    }

    /// Keeps `value`, in place of what the key had.
    pub(crate) fn insert(&self, key: K, value: V) {
        let mut kept = self.fresh();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, (used, _))| *used);
            // A scan of them all is quick enough for as few as are kept here.
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.remove(&oldest);
            }
        }
        kept.insert(key, (Instant::now(), value));
    }

    /// Uses what is kept under `key`; `None` when nothing is, any more.
    pub(crate) fn with<T>(&self, key: &K, work: impl FnOnce(&mut V) -> T) -> Option<T> {
        let mut kept = self.fresh();
        let (used, value) = kept.get_mut(key)?;
        *used = Instant::now();
        Some(work(value))
    }

    /// Forgets it; `false` when there was nothing.
    pub(crate) fn remove(&self, key: &K) -> bool {
        self.fresh().remove(key).is_some()
    }

    /// What is not too old.
    fn fresh(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        // A panic under this lock leaves whole entries behind.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (used, _)| used.elapsed() < self.idle);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn when_there_are_too_many_the_least_used_goes() {
        let keep = Keep::new(2, HOUR);
        keep.insert("a", 1);
        keep.insert("b", 2);
        assert_eq!(keep.with(&"a", |value| *value), Some(1));
        keep.insert("c", 3);
        assert_eq!(keep.with(&"a", |value| *value), Some(1));
        assert_eq!(keep.with(&"b", |value| *value), None);
        assert_eq!(keep.with(&"c", |value| *value), Some(3));
        keep.insert("c", 4);
        assert_eq!(keep.with(&"a", |value| *value), Some(1));
    }

    #[test]
    fn what_is_not_used_is_forgotten() {
        let keep = Keep::new(2, Duration::ZERO);
        keep.insert("a", 1);
        assert_eq!(keep.with(&"a", |value| *value), None);
        assert!(!keep.remove(&"a"));
    }
}
