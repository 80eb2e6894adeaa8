//! The Tasks extension `io.modelcontextprotocol/tasks` (2026-07-28): a call that takes long is
//! answered with a handle at once, and its client looks for the result.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Tasks`] | begins tasks; `tasks/get`, `tasks/update`, `tasks/cancel` |
//! | [`Worker`], [`TaskHandle`] | a task as the work behind it sees it |
//! | [`TaskRecord`], [`Change`] | what is kept of a task, and all that can happen to it |
//! | [`TaskStore`], [`MemoryTaskStore`] | where it is kept; `RedisTasks` with the feature `redis` |
//!
//! Every look-up names its caller: somebody else's task does not exist.

mod memory;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod running;
mod store;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::Task;
use serde_json::value::RawValue;

use crate::limits::Caller;
use crate::principal::Principal;
use crate::store::StoreError;
use crate::wire::{Code, RpcError};

pub use memory::MemoryTaskStore;
pub use record::{Change, Detailed, Ending, TaskRecord};
#[cfg(feature = "redis")]
pub use redis::RedisTasks;
pub use store::{Changed, TaskStore};
pub use worker::{AskError, TaskHandle, Worker};

use running::Running;

/// The shortest life of a task: it must be there to be found.
const MIN_TTL: Duration = Duration::from_secs(1);

/// When to come back to a store that cannot be reached.
const AWAY: Duration = Duration::from_secs(2);

/// Bounds of tasks. Those on numbers and bytes are for [`MemoryTaskStore`]; those of one caller also for `RedisTasks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimits {
    /// Tasks in all, with those that have ended; those that run count here, and not among the calls in
    /// flight. Default 4,096.
    pub tasks: usize,
    /// Tasks of one caller: of an authenticated principal, or of an anonymous one at its address or
    /// on its connection; never more than are left for others. Default 256.
    pub tasks_per_caller: usize,
    /// Bytes of the questions, answers and results of all tasks. Default 64 MiB.
    pub bytes: usize,
    /// The same for one caller, and never more than are left for others. Default 16 MiB.
    pub bytes_per_caller: usize,
    /// How long a task is kept, from its creation; one that is not done by then is cancelled.
    /// What ends later than a minute before is kept for a minute. Default 5 min.
    pub ttl: Duration,
    /// The longest that a tool may want its tasks kept. Default 1 h.
    pub max_ttl: Duration,
    /// How often clients should look. Default 1 s.
    pub poll_interval: Duration,
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            tasks: 4096,
            tasks_per_caller: 256,
            bytes: 64 << 20,
            bytes_per_caller: 16 << 20,
            ttl: Duration::from_secs(300),
            max_ttl: Duration::from_secs(3600),
            poll_interval: Duration::from_secs(1),
        }
    }
}

/// The tasks of one server. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    store: Arc<dyn TaskStore>,
    limits: TaskLimits,
    listener: Option<Box<Listener>>,
    running: Running,
}

type Listener = dyn Fn(&Arc<TaskRecord>) + Send + Sync;

impl Tasks {
    /// Tasks that are kept in `store`.
    pub fn new(store: Arc<dyn TaskStore>, limits: TaskLimits) -> Self {
        Self(Arc::new(Inner {
            store,
            limits,
            listener: None,
            running: Running::default(),
        }))
    }

    /// Tasks that are kept in memory.
    pub fn in_memory(limits: TaskLimits) -> Self {
        Self::new(Arc::new(MemoryTaskStore::new(limits)), limits)
    }

    /// Tasks in `store` whose changes, as far as a client can see them, are told to `listener`.
    ///
    /// It is called where the change was made and must not block. Two changes at the same time may
    /// be told in either order: the higher [`TaskRecord::version`] is the later one. What another
    /// process changes in a shared store, and that a task's time is up, is not told.
    pub fn with_listener(
        store: Arc<dyn TaskStore>,
        limits: TaskLimits,
        listener: impl Fn(&Arc<TaskRecord>) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            limits,
            listener: Some(Box::new(listener)),
            running: Running::default(),
        }))
    }

    /// Begins a task: when this returns, [`Tasks::get`] finds it. `ttl` is how long it should be
    /// kept, at most [`TaskLimits::max_ttl`]; `None` is the default.
    ///
    /// # Errors
    /// [`Code::BUSY`] when there are too many or the store cannot be reached, [`Code::INTERNAL`] when the operating system
    /// has no randomness.
    pub async fn create(
        &self,
        caller: &Caller,
        ttl: Option<Duration>,
    ) -> Result<(Worker, Task), RpcError> {
        let limits = &self.0.limits;
        let ttl = ttl.unwrap_or(limits.ttl).min(limits.max_ttl).max(MIN_TTL);
        let id = random_id().map_err(|error| {
            tracing::error!(%error, "no randomness for a task's id");
            RpcError::internal()
        })?;
        let owner = caller.principal();
        let record = TaskRecord::new(owner.clone(), id.clone(), ttl, limits.poll_interval);
        let task = record.task();
        self.0.store.create(caller, record).await.map_err(refusal)?;
        Ok((Worker::new(self.clone(), owner.clone(), id), task))
    }

    /// `tasks/get`: the result is [`TaskRecord::detailed`].
    ///
    /// # Errors
    /// [`Code::INVALID_PARAMS`] when the caller has no such task.
    pub async fn get(&self, owner: &Principal, id: &str) -> Result<Arc<TaskRecord>, RpcError> {
        let found = self.0.store.get(owner, id).await.map_err(refusal)?;
        found.ok_or_else(unknown)
    }

    /// `tasks/update`: hands answers to the work. Keys that are unknown or answered are ignored.
    ///
    /// # Errors
    /// [`Code::INVALID_PARAMS`] when the caller has no such task, [`Code::BUSY`] when there is no
    /// room for the answers; then none is taken.
    pub async fn update(
        &self,
        owner: &Principal,
        id: &str,
        answers: BTreeMap<Box<str>, Box<RawValue>>,
    ) -> Result<(), RpcError> {
        let changed = self.change(owner, id, Change::Answer(answers)).await;
        changed.map_err(refusal)?.map(drop).ok_or_else(unknown)
    }

    /// `tasks/cancel`: the task is cancelled at once, and what its work may still bring is dropped.
    /// A task that has ended stays as it is.
    ///
    /// # Errors
    /// [`Code::INVALID_PARAMS`] when the caller has no such task.
    pub async fn cancel(&self, owner: &Principal, id: &str) -> Result<(), RpcError> {
        let changed = self.change(owner, id, Change::Cancel).await;
        changed.map_err(refusal)?.map(drop).ok_or_else(unknown)
    }

    async fn change(
        &self,
        owner: &Principal,
        id: &str,
        change: Change,
    ) -> Result<Option<Changed>, StoreError> {
        let changed = self.0.store.change(owner, id, change).await?;
        if let (Some(changed), Some(listener)) = (&changed, &self.0.listener)
            && changed.visible
        {
            listener(&changed.record);
        }
        Ok(changed)
    }
}

fn unknown() -> RpcError {
    RpcError::invalid_params(
        "No such task: \"taskId\" names none of yours, or its time (\"ttlMs\") is up.",
    )
}

fn refusal(error: StoreError) -> RpcError {
    match error {
        StoreError::Full => RpcError::new(
            Code::BUSY,
            "There is no room for this among the tasks that are kept; try again when some have \
             expired (\"ttlMs\").",
        ),
        StoreError::Unavailable => RpcError::new(
            Code::BUSY,
            "The store of tasks cannot be reached at the moment; make the same request again later.",
        )
        .with_retry_after(AWAY),
    }
}

fn random_id() -> Result<Box<str>, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)).into())
}

#[cfg(test)]
mod tests;
