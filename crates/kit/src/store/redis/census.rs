//! Which replicas are there: each says so every four seconds, in one list.
//!
//! One that says nothing for ten seconds is not counted, and one that says nothing for [`GONE`] is gone for good: what it
//! worked on has failed. That is longer than a replica takes that was cut off from the store and comes back. Whoever judges
//! must have been there all that time: a store that comes back may have forgotten everybody, and others may need longer
//! to find it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, RedisError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::keys::Keys;
use super::link::{ALIVE, micros};
use super::script;

/// Time in which a replica that says nothing does not count any more.
const SILENT: Duration = Duration::from_secs(10);

/// Time in which one that says nothing is gone for good.
const GONE: Duration = Duration::from_secs(30);

/// Time for which one that was there is taken to be there.
const THERE: Duration = Duration::from_secs(4);

/// Replicas of which that is kept in mind.
const MOST: usize = 1024;

/// Key of the list.
const REPLICAS: &str = "replicas";

/// The replicas, as far as this one knows.
pub(super) struct Census {
    key: String,
    /// What tells this process from others in the list.
    process: String,
    replicas: AtomicU32,
    /// Rings when one went silent, or there are fewer than before.
    silent: Notify,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Since when this one has said that it is there without a break.
    since: Instant,
    /// Others, and when they were known to be there.
    others: HashMap<String, Instant>,
    /// Those that were silent when they were last counted.
    silent: HashSet<String>,
}

impl Census {
    /// Knows of this one alone.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(keys: &Keys) -> Result<Self, RedisError> {
        let mut process = [0; 8];
        getrandom::fill(&mut process)
            .map_err(|_| RedisError::from((ErrorKind::Client, "there is no randomness")))?;
        Ok(Self {
            key: keys.shared(REPLICAS),
            process: format!("{:016x}", u64::from_ne_bytes(process)),
            replicas: AtomicU32::new(1),
            silent: Notify::new(),
            seen: Mutex::new(Seen {
                since: Instant::now(),
                others: HashMap::new(),
                silent: HashSet::new(),
            }),
        })
    }

    /// Where the list is.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What this process is called in it.
    pub(super) fn process(&self) -> &str {
        &self.process
    }

    /// How many there are, this one among them.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// Says that this one is there, and counts the others: so many at `least`. What fails changes nothing.
    pub(super) async fn count(&self, mut connection: MultiplexedConnection, least: u32) {
        let mut call = script::REPLICAS.prepare_invoke();
        let until = i64::MAX >> 10;
        call.key(&self.key)
            .arg(until)
            .arg(&self.process)
            .arg(micros(SILENT))
            .arg(micros(GONE))
            .arg(MOST);
        let call = call.invoke_async::<(u32, u32, HashSet<String>)>(&mut connection);
        match timeout(ALIVE, call).await {
            Ok(Ok((replicas, added, silent))) => {
                // Who has forgotten this one may have forgotten others.
                if added > 0 {
                    self.broken();
                }
                let replicas = replicas.max(least);
                // One that was replaced leaves the number as it was; one that a store has forgotten is not silent.
                let fewer = self.replicas.swap(replicas, Ordering::Relaxed) > replicas;
                let before = std::mem::replace(&mut self.seen().silent, silent);
                if fewer || !self.seen().silent.is_subset(&before) {
                    self.silent.notify_one();
                }
            }
            _ => self.broken(),
        }
    }

    /// The list was not at hand for a while, or has lost what was in it.
    pub(super) fn broken(&self) {
        self.seen().since = Instant::now();
    }

    /// Completes when another one is gone for good, or may be.
    pub(super) async fn left(&self) {
        self.silent.notified().await;
        // It has been silent for as long, and was last heard of up to four seconds before that.
        sleep(GONE - SILENT + THERE).await;
    }

    /// Whether it may be found out that this one is gone: neither is it this one nor was it just there, and this one has been
    /// there long enough.
    pub(super) fn may_be_gone(&self, process: &str) -> bool {
        let seen = self.seen();
        let there = seen.others.get(process);
        process != self.process
            && seen.since.elapsed() > GONE
            && there.is_none_or(|there| there.elapsed() > THERE)
    }

    /// Whether one is gone that last said that it is there `ago`; never, as far as is known, if that is none.
    pub(super) fn is_gone(&self, process: &str, ago: Option<Duration>) -> bool {
        if ago.is_none_or(|ago| ago > GONE) {
            return true;
        }
        let mut seen = self.seen();
        if seen.others.len() >= MOST {
            seen.others.clear();
        }
        seen.others.insert(process.to_owned(), Instant::now());
        false
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing that is done under this lock can panic half-way.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
