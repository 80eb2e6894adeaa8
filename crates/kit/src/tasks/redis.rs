//! Tasks on Redis or Valkey: begun by one replica, polled, answered and cancelled at any other.
//!
//! A task is a hash with its record, and its caller has an index of what it has. A change is made here and written if
//! nobody else has changed the task meanwhile; in the same step all replicas are told of it. Who waits for one is woken by
//! that. In case it was not heard, the versions of all that is waited for are asked for in one round trip now and then: twice a
//! second while the bus is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::limits::Caller;
use crate::principal::Principal;
use crate::store::bus::{Owner, Said};
use crate::store::redis::{
    AsRead, CHANGE_TASK, CREATE_TASK, Keys, Redis, millis, read, short, write,
};
use crate::store::{Bus as _, BusListener, StoreError, StoreFuture};
use crate::wire::{Code, RpcError};

use super::TaskLimits;
use super::record::{Change, TaskRecord};
use super::store::{Changed, TaskStore};
use super::worker::failure;

const TASK: &str = "t";
const HELD: &str = "h";

/// How often what others change is looked for while they cannot tell.
const LOOK: Duration = Duration::from_millis(500);

/// Of so many looks only one is made while they can: a replica may have died before it told.
const SELDOM: u32 = 10;

/// How often who waits for a task of another process looks whether that is there.
const OTHERS: Duration = Duration::from_secs(10);

const WORKER_GONE: &str =
    "The server that worked on this task has ended before the task had; make the call again.";

/// Times that a change is made anew because somebody else was faster.
const ATTEMPTS: u32 = 32;

/// Tasks whose versions are asked for in one round trip.
const TOGETHER: usize = 256;

/// Tasks on Redis or Valkey, within [`TaskLimits::tasks_per_caller`] and [`TaskLimits::bytes_per_caller`]; of all callers as
/// many as the store has memory for. Where a caller has no more room, the oldest of its own tasks that have ended goes.
pub struct RedisTasks {
    redis: Redis,
    limits: TaskLimits,
    waiting: Arc<Waiting>,
}

/// A task as it was found.
struct Found {
    record: TaskRecord,
    rest: AsRead,
    /// Milliseconds since 1970, by the store's clock.
    created: u64,
    caller: String,
    /// The process that works on it. Earlier releases do not say.
    worker: Option<String>,
}

/// Who waits for which task, by its key: the last version that is known of it, 0 for one that is gone.
struct Waiting {
    keys: Keys,
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    tasks: HashMap<String, watch::Sender<u64>>,
    /// Whether somebody looks for what others change.
    looks: bool,
    /// Whether that has to be done now.
    now: bool,
}

impl RedisTasks {
    /// Tasks in this store.
    pub fn new(redis: &Redis, limits: TaskLimits) -> Self {
        let waiting = Arc::new(Waiting {
            keys: redis.nodes.keys().clone(),
            waits: Mutex::default(),
        });
        let listener: Weak<Waiting> = Arc::downgrade(&waiting);
        redis.bus.attach(listener);
        Self {
            redis: redis.clone(),
            limits,
            waiting,
        }
    }

    fn key(&self, owner: &Principal, id: &str) -> String {
        self.redis.nodes.keys().of(owner, TASK, id)
    }

    fn held(&self, owner: &Principal, caller: &str) -> String {
        self.redis.nodes.keys().of(owner, HELD, caller)
    }

    async fn find(&self, owner: &Principal, id: &str) -> Result<Option<Found>, StoreError> {
        let key = self.key(owner, id);
        let mut get = ::redis::cmd("HMGET");
        get.arg(&key)
            .arg(&["record", "created", "caller", "worker"]);
        type Fields = (Option<Vec<u8>>, Option<u64>, Option<String>, Option<String>);
        let (record, created, caller, worker): Fields = self.redis.nodes.read(&key, &get).await?;
        let (Some(record), Some(created), Some(caller)) = (record, created, caller) else {
            return Ok(None);
        };
        let Some((record, rest)) = read::<TaskRecord>(&record) else {
            tracing::error!("the store has a task that this release cannot read");
            return Err(StoreError::Unavailable);
        };
        let found = Found {
            record,
            rest,
            created,
            caller,
            worker,
        };
        Ok((found.record.owner == *owner).then_some(found))
    }

    /// The same, as it is when nobody works on it any more.
    async fn find_as_is(&self, owner: &Principal, id: &str) -> Result<Option<Found>, StoreError> {
        let Some(found) = self.find(owner, id).await? else {
            return Ok(None);
        };
        let Some(worker) = found.worker.as_deref().filter(|_| found.record.is_open()) else {
            return Ok(Some(found));
        };
        if !self.redis.nodes.is_gone(worker).await {
            return Ok(Some(found));
        }
        let error = RpcError::new(Code::INTERNAL, WORKER_GONE);
        // Whoever was faster has changed it, or let it fail as well. It is told by nobody: this replica hears of it, too.
        self.write(owner, id, found, failure(error), 0).await?;
        self.find(owner, id).await
    }

    /// How long it is still kept, and a moment more.
    fn left(&self, key: &str, found: &Found) -> Duration {
        let lasts = millis(found.record.ttl).saturating_add(found.created);
        let left = self
            .redis
            .nodes
            .now(key)
            .map(|now| lasts.saturating_sub(now));
        left.map_or(LOOK, |left| Duration::from_millis(left.saturating_add(50)))
    }

    /// One attempt to write a change of what was found: `None` when somebody else was faster. `from` is the replica that others
    /// hear it of.
    async fn write(
        &self,
        owner: &Principal,
        id: &str,
        found: Found,
        change: Change,
        from: u32,
    ) -> Result<Option<Option<Changed>>, StoreError> {
        let Found {
            mut record, rest, ..
        } = found;
        let (version, before) = (record.version, record.bytes());
        let may_be_refused = change.may_be_refused();
        let key = self.key(owner, id);
        let now = self.redis.nodes.now(&key);
        let now = now.ok_or(StoreError::Unavailable)?;
        let age = Duration::from_millis(now.saturating_sub(found.created));
        let visible = record.apply(change, age);
        if record.version == version {
            let record = Arc::new(record);
            return Ok(Some(Some(Changed { record, visible })));
        }
        let after = record.bytes();
        let more = match may_be_refused {
            true => after.saturating_sub(before),
            false => 0,
        };
        let text = written(&record, rest)?;
        let told = Said::Task {
            owner: Owner::of(owner),
            id: id.to_owned(),
            version: record.version,
            shown: visible,
        };
        let told = told.write(from);
        let done: i64 = self
            .redis
            .nodes
            .script(&CHANGE_TASK, &key, |call| {
                call.key(self.held(owner, &found.caller))
                    .arg(id)
                    .arg(version)
                    .arg(record.version)
                    .arg(&text)
                    .arg(millis(record.ttl))
                    .arg(after)
                    .arg(more)
                    .arg(self.limits.bytes_per_caller)
                    .arg(u8::from(record.ending.is_some()))
                    .arg(self.key(owner, ""))
                    .arg(self.redis.bus.channel())
                    .arg(&told[..]);
            })
            .await?;
        match done {
            1 => {
                self.waiting.tell(&key, record.version);
                let record = Arc::new(record);
                Ok(Some(Some(Changed { record, visible })))
            }
            0 => Ok(None),
            -1 => Ok(Some(None)),
            _ => Err(StoreError::Full),
        }
    }
}

fn written(record: &TaskRecord, rest: AsRead) -> Result<Vec<u8>, StoreError> {
    write(record, rest).map_err(|error| {
        tracing::error!(%error, "a task cannot be written");
        StoreError::Unavailable
    })
}

impl TaskStore for RedisTasks {
    fn create<'a>(&'a self, caller: &'a Caller, record: TaskRecord) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let (owner, account) = (caller.principal(), short(&caller.key()));
            let (version, bytes) = (record.version, record.bytes());
            let text = written(&record, AsRead::default())?;
            let created: i64 = self
                .redis
                .nodes
                .script(&CREATE_TASK, &self.key(owner, &record.id), |call| {
                    call.key(self.held(owner, &account))
                        .arg(&*record.id)
                        .arg(version)
                        .arg(&text)
                        .arg(millis(record.ttl))
                        .arg(bytes)
                        .arg(self.limits.tasks_per_caller)
                        .arg(self.key(owner, ""))
                        .arg(&account)
                        .arg(self.redis.nodes.process());
                })
                .await?;
            match created {
                1 => Ok(()),
                0 => Err(StoreError::Unavailable),
                _ => Err(StoreError::Full),
            }
        })
    }

    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>> {
        Box::pin(async move {
            let found = self.find_as_is(owner, id).await?;
            Ok(found.map(|found| Arc::new(found.record)))
        })
    }

    fn change<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        change: Change,
    ) -> StoreFuture<'a, Option<Changed>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let Some(found) = self.find_as_is(owner, id).await? else {
                    return Ok(None);
                };
                let own = self.redis.bus.replica();
                let written = self.write(owner, id, found, change.clone(), own);
                if let Some(done) = written.await? {
                    return Ok(done);
                }
            }
            tracing::error!("a task is changed by too many at the same time");
            Err(StoreError::Unavailable)
        })
    }

    /// Goes on while the store is away: what was asked for before is not lost by that.
    fn wait<'a>(
        &'a self,
        owner: &'a Principal,
        id: &'a str,
        seen: u64,
    ) -> StoreFuture<'a, Option<Arc<TaskRecord>>> {
        Box::pin(async move {
            let key = self.key(owner, id);
            let mut watched = Watched::of(&self.waiting, &key, &self.redis, seen);
            loop {
                match self.find_as_is(owner, id).await {
                    Ok(Some(found)) if found.record.version != seen => {
                        return Ok(Some(Arc::new(found.record)));
                    }
                    Ok(None) => return Ok(None),
                    // Nobody tells that its time is up.
                    Ok(Some(found)) => {
                        let own = self.redis.nodes.process();
                        let left = match found.worker.as_deref() {
                            // Nor that its process is gone.
                            Some(other) if other != own => self.left(&key, &found).min(OTHERS),
                            _ => self.left(&key, &found),
                        };
                        let _ = tokio::time::timeout(left, watched.changed()).await;
                    }
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        })
    }
}

impl Waiting {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        // Nothing that is done under this lock can panic half-way.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, key: &str, version: u64) {
        if let Some(task) = self.waits().tasks.get(key) {
            task.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    }
}

impl BusListener for Waiting {
    fn hear(&self, message: &[u8]) {
        if self.waits().tasks.is_empty() {
            return;
        }
        if let Some((
            _,
            Said::Task {
                owner, id, version, ..
            },
        )) = Said::read(message)
        {
            self.tell(&self.keys.of_owner(owner, TASK, &id), version);
        }
    }

    fn missed(&self) {
        self.waits().now = true;
    }
}

/// Somebody who waits for a task.
struct Watched {
    waiting: Arc<Waiting>,
    key: String,
    news: watch::Receiver<u64>,
}

impl Watched {
    fn of(waiting: &Arc<Waiting>, key: &str, redis: &Redis, seen: u64) -> Self {
        let mut waits = waiting.waits();
        let task = waits.tasks.entry(key.to_owned());
        let news = task.or_insert_with(|| watch::Sender::new(seen)).subscribe();
        if !waits.looks {
            waits.looks = true;
            tokio::spawn(look(Arc::downgrade(waiting), redis.clone()));
        }
        Self {
            waiting: Arc::clone(waiting),
            key: key.to_owned(),
            news,
        }
    }

    async fn changed(&mut self) {
        // The sender is there as long as somebody waits.
        let _ = self.news.changed().await;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut waits = self.waiting.waits();
        let task = waits.tasks.get(&self.key);
        if task.is_some_and(|task| task.receiver_count() <= 1) {
            waits.tasks.remove(&self.key);
        }
    }
}

/// Looks for what others change, as long as somebody waits for it.
async fn look(waiting: Weak<Waiting>, redis: Redis) {
    let mut looks = 0_u32;
    loop {
        tokio::time::sleep(LOOK).await;
        looks = looks.wrapping_add(1);
        let keys: Vec<String> = {
            let Some(waiting) = waiting.upgrade() else {
                return;
            };
            let mut waits = waiting.waits();
            if waits.tasks.is_empty() {
                waits.looks = false;
                return;
            }
            let now = std::mem::take(&mut waits.now) || !redis.bus.is_up();
            if !now && !looks.is_multiple_of(SELDOM) {
                continue;
            }
            waits.tasks.keys().cloned().collect()
        };
        let keys = redis.nodes.by_node(keys);
        for keys in keys.iter().flat_map(|keys| keys.chunks(TOGETHER)) {
            let (Some(first), Some(waiting)) = (keys.first(), waiting.upgrade()) else {
                break;
            };
            let mut versions = ::redis::pipe();
            for key in keys {
                versions.cmd("HGET").arg(key).arg("version");
            }
            let found = redis.nodes.read_all::<Vec<Option<u64>>>(first, &versions);
            // What is at another node may be there all the same.
            for (key, version) in keys.iter().zip(found.await.unwrap_or_default()) {
                waiting.tell(key, version.unwrap_or(0));
            }
        }
    }
}
