//! Tasks in this process's memory.
//!
//! Each task is a watched value, so waiting costs nothing until it changes. What is due is found at
//! the front of an ordered set: no call looks at more tasks than it ends.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::limits::{Caller, may_have_another};
use crate::metrics::Metrics;
use crate::principal::Principal;
use crate::store::{StoreError, StoreFuture};

use super::TaskLimits;
use super::record::{Change, TaskRecord};
use super::store::{Changed, TaskStore};

/// The longest life of a task here; more would not fit every clock.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Keeps tasks in memory, bounded for all callers and for each ([`Caller`]), who can never
/// have more than are left for others. Where there is no room, the oldest of the caller's own tasks that
/// have ended goes; if there is none, the new one is refused. Nobody's task goes for somebody else's.
/// It knows nothing after a restart, and nothing of other processes.
pub struct MemoryTaskStore(Arc<Shared>);

struct Shared {
    limits: TaskLimits,
    state: Mutex<State>,
    /// Rings when a task is due earlier than all others.
    sooner: Arc<Notify>,
}

#[derive(Default)]
struct State {
    tasks: HashMap<Box<str>, Entry>,
    due: BTreeSet<(Instant, Box<str>)>,
    used: Used,
    used_by: HashMap<Caller, Used>,
    /// Tasks that have ended, by account, the oldest first; some of them may be gone already.
    ended: HashMap<Caller, VecDeque<Box<str>>>,
    sweeper: Option<JoinHandle<()>>,
}

struct Entry {
    record: watch::Sender<Arc<TaskRecord>>,
    /// Whom it is counted for.
    account: Caller,
    created: Instant,
    expires: Instant,
    bytes: usize,
}

#[derive(Default, Clone, Copy)]
struct Used {
    tasks: usize,
    bytes: usize,
}

impl MemoryTaskStore {
    /// An empty store.
    pub fn new(limits: TaskLimits) -> Self {
        Self(Arc::new(Shared {
            limits,
            state: Mutex::default(),
            sooner: Arc::default(),
        }))
    }

    /// Tasks that are kept, ended ones with them.
    pub fn len(&self) -> usize {
        self.0.current().tasks.len()
    }

    /// Has metrics say how many tasks there can be and how many there are.
    pub(crate) fn measure(&self, kind: &'static str, metrics: &[Metrics]) {
        for metrics in metrics {
            let store = Arc::downgrade(&self.0);
            metrics.places(kind, self.0.limits.tasks, move || {
                store
                    .upgrade()
                    .map_or(0, |store| store.current().tasks.len())
            });
        }
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TaskStore for MemoryTaskStore {
    fn create<'a>(&'a self, caller: &'a Caller, record: TaskRecord) -> StoreFuture<'a, ()> {
        // Not before it is awaited: the sweeper needs a runtime.
        Box::pin(async move { self.0.create(caller.clone(), record) })
    }

    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>> {
        let state = self.0.current();
        let found = state.find(owner, id).map(|entry| entry.current());
        Box::pin(ready(Ok(found)))
    }

    fn change<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        change: Change,
    ) -> StoreFuture<'a, Option<Changed>> {
        Box::pin(async move { self.0.change(owner, id, change) })
    }

    fn wait<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        seen: u64,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>> {
        let watched = {
            let state = self.0.current();
            state.find(owner, id).map(|entry| entry.record.subscribe())
        };
        Box::pin(async move {
            let Some(mut watched) = watched else {
                return Ok(None);
            };
            // The sender goes when the task's time is up.
            let changed = watched.wait_for(|record| record.version != seen).await;
            Ok(changed.ok().map(|record| Arc::clone(&record)))
        })
    }

    fn outlives_process(&self) -> bool {
        false
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state without the tasks whose time is up.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.expire(Instant::now());
        state
    }

    fn create(self: &Arc<Self>, account: Caller, record: TaskRecord) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut state = self.current();
        let fits = |state: &State| {
            let own = state.used_by(&account).tasks;
            let limits = &self.limits;
            may_have_another(own, limits.tasks_per_caller, limits.tasks, state.used.tasks)
        };
        while !fits(&state) {
            if !state.drop_ended(&account) {
                return Err(StoreError::Full);
            }
        }
        if state.tasks.contains_key(&record.id) {
            return Err(StoreError::Unavailable);
        }
        let expires = now + record.ttl.min(LONGEST);
        let bytes = record.bytes();
        state.count(&account, |used| {
            used.tasks += 1;
            used.bytes += bytes;
        });
        let first = state.due.first().is_none_or(|(first, _)| expires < *first);
        state.due.insert((expires, record.id.clone()));
        let entry = Entry {
            account,
            created: now,
            expires,
            bytes,
            record: watch::Sender::new(Arc::new(record)),
        };
        let id = entry.current().id.clone();
        state.tasks.insert(id, entry);
        // One that was begun on a runtime which is gone has ended with it.
        if state.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            let sweeper = sweep(Arc::downgrade(self), Arc::clone(&self.sooner));
            state.sweeper = Some(tokio::spawn(sweeper));
        } else if first {
            self.sooner.notify_one();
        }
        Ok(())
    }

    fn change(
        &self,
        owner: &Principal,
        id: &str,
        change: Change,
    ) -> Result<Option<Changed>, StoreError> {
        let mut state = self.current();
        let Some(entry) = state.find(owner, id) else {
            return Ok(None);
        };
        let current = entry.current();
        let (before, expires, account) = (entry.bytes, entry.expires, entry.account.clone());
        if current.ending.is_some() {
            return Ok(Some(Changed {
                record: current,
                visible: false,
            }));
        }
        let may_be_refused = change.may_be_refused();
        let mut record = TaskRecord::clone(&current);
        let visible = record.apply(change, entry.created.elapsed());
        let after = record.bytes();
        if may_be_refused && after > before {
            let more = after - before;
            let fits = |state: &State| {
                // Without what the caller has itself: nobody has more than is left for others.
                let own = state.used_by(&account).bytes;
                let left = self.limits.bytes.saturating_sub(state.used.bytes);
                own.saturating_add(more) <= self.limits.bytes_per_caller.min(left)
            };
            while !fits(&state) {
                if !state.drop_ended(&account) {
                    return Err(StoreError::Full);
                }
            }
        }
        let later = expires + record.ttl.min(LONGEST).saturating_sub(current.ttl);
        if later != expires {
            state.due.remove(&(expires, record.id.clone()));
            state.due.insert((later, record.id.clone()));
        }
        state.count(&account, |used| used.bytes = used.bytes + after - before);
        let record = Arc::new(record);
        if record.ending.is_some() {
            let ended = state.ended.entry(account).or_default();
            ended.push_back(record.id.clone());
        }
        if let Some(entry) = state.tasks.get_mut(id) {
            entry.bytes = after;
            entry.expires = later;
            entry.record.send_replace(Arc::clone(&record));
        }
        Ok(Some(Changed { record, visible }))
    }
}

impl State {
    fn find(&self, owner: &Principal, id: &str) -> Option<&Entry> {
        self.tasks
            .get(id)
            .filter(|entry| entry.record.borrow().owner == *owner)
    }

    fn used_by(&self, account: &Caller) -> Used {
        self.used_by.get(account).copied().unwrap_or_default()
    }

    fn expire(&mut self, now: Instant) {
        while self.due.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, id)) = self.due.pop_first() else {
                return;
            };
            self.remove(&id);
        }
    }

    /// Drops the oldest of the account's tasks that have ended; `false` when none has.
    fn drop_ended(&mut self, account: &Caller) -> bool {
        while let Some(id) = self.ended.get_mut(account).and_then(VecDeque::pop_front) {
            if self.remove(&id) {
                return true;
            }
        }
        false
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(entry) = self.tasks.remove(id) else {
            return false;
        };
        let account = &entry.account;
        self.due.remove(&(entry.expires, id.into()));
        self.count(account, |used| {
            used.tasks -= 1;
            used.bytes -= entry.bytes;
        });
        // Those of its account that are gone are in front, nearly always.
        if let Some(ended) = self.ended.get_mut(account) {
            while ended.front().is_some_and(|id| !self.tasks.contains_key(id)) {
                ended.pop_front();
            }
            if ended.is_empty() {
                self.ended.remove(account);
            }
        }
        true
    }

    fn count(&mut self, account: &Caller, change: impl Fn(&mut Used)) {
        change(&mut self.used);
        let used = self.used_by.entry(account.clone()).or_default();
        change(used);
        if used.tasks == 0 {
            self.used_by.remove(account);
        }
    }
}

impl Entry {
    fn current(&self) -> Arc<TaskRecord> {
        Arc::clone(&self.record.borrow())
    }
}

/// Drops each task when its time is up; ends when there is none, or no store.
async fn sweep(store: Weak<Shared>, sooner: Arc<Notify>) {
    loop {
        let next = {
            let Some(store) = store.upgrade() else { return };
            let mut state = store.current();
            let Some((next, _)) = state.due.first() else {
                state.sweeper = None;
                return;
            };
            *next
        };
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = sooner.notified() => {}
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
