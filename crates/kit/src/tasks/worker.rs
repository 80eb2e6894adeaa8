//! A task as the work behind it sees it.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::value::{RawValue, to_raw_value};

use crate::principal::Principal;
use crate::store::StoreError;
use crate::wire::{Code, RpcError};

use super::Tasks;
use super::record::Change;
use super::running::Counted;

/// Questions that one task may ask.
const MAX_QUESTIONS: usize = 256;

/// Bytes of the error that a task fails with; a larger one loses its `data`.
const ERROR_BYTES: usize = 4096;

/// Pause between attempts to reach a store.
const RETRY: Duration = Duration::from_secs(1);

/// Attempts to tell it how a task ended: it may be away for minutes.
const ATTEMPTS: u32 = 300;

/// The one who ends a task. Dropped before that, as in a panic, the task has failed: none is
/// "working" for ever.
pub struct Worker {
    handle: TaskHandle,
    /// Taken when the task has ended.
    running: Option<Counted>,
}

/// What else the work does with its task. Cheap to clone.
#[derive(Clone)]
pub struct TaskHandle(Arc<Job>);

struct Job {
    tasks: Tasks,
    owner: Principal,
    id: Box<str>,
    /// Every key that was ever asked under: none may be used again.
    keys: Mutex<HashSet<Box<str>>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskError {
    /// The task was cancelled, has ended or its time is up.
    Ended,
    /// The task has asked 256 questions.
    TooMany,
    /// The store did not take the question.
    Store(StoreError),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the task has ended"),
            Self::TooMany => write!(f, "a task can make at most {MAX_QUESTIONS} input requests"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AskError {}

impl Worker {
    pub(super) fn new(tasks: Tasks, owner: Principal, id: Box<str>) -> Self {
        let keys = Mutex::default();
        let running = Some(tasks.0.running.another());
        Self {
            handle: TaskHandle(Arc::new(Job {
                tasks,
                owner,
                id,
                keys,
            })),
            running,
        }
    }

    /// The part that may be shared and cloned.
    pub fn handle(&self) -> &TaskHandle {
        &self.handle
    }

    /// Ends the task: `completed` with a result (one JSON object, also one with `isError: true`),
    /// or `failed` with a JSON-RPC error. A task that was cancelled before stays so.
    ///
    /// A result that the store has no room for becomes a failure that says so.
    pub async fn finish(mut self, outcome: Result<Box<RawValue>, RpcError>) {
        let change = match outcome {
            Ok(result) => Change::Complete(result),
            Err(error) => failure(error),
        };
        let mut ended = self.handle.change_surely(change).await;
        if ended == Err(StoreError::Full) {
            let error = RpcError::new(
                Code::INTERNAL,
                "There is no room for the result among those that are kept; try again when some \
                 have expired (\"ttlMs\").",
            );
            ended = self.handle.change_surely(failure(error)).await;
        }
        self.running = None;
        if let Err(error) = ended {
            tracing::error!(%error, "the result of a task is lost");
        }
    }

    /// Ends the task as one whose process ended before it.
    pub(crate) async fn stop(self) {
        let error = RpcError::new(
            Code::INTERNAL,
            "The server was stopped before this task had ended.",
        );
        self.finish(Err(error)).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let failed = failure(RpcError::internal());
            self.handle.change_later(failed, Some(running));
        }
    }
}

impl TaskHandle {
    /// The task's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Tells the client what the work is at; at most 500 characters are kept.
    pub async fn set_message(&self, message: impl Into<String>) {
        if let Err(error) = self.change(Change::Message(message.into())).await {
            tracing::debug!(%error, "a task's message is lost");
        }
    }

    /// Asks the client and waits for its answer, as JSON; several questions may be open at a time.
    /// `request` is an MCP `InputRequest` object. `key` names it for the client; when this task has used
    /// it before, "-2" is appended, or "-3", and so on. Dropped, the question is withdrawn.
    ///
    /// # Errors
    /// See [`AskError`]. There is no time limit but the task's own.
    pub async fn ask(&self, key: &str, request: Box<RawValue>) -> Result<Box<RawValue>, AskError> {
        let key = self.free_key(key)?;
        let question = Question { task: self, key };
        let key = question.key.clone();
        let asked = self.change(Change::Ask { key, request }).await;
        asked.map_err(AskError::Store)?;
        let mut seen = 0;
        loop {
            let job = &*self.0;
            let waited = job.tasks.0.store.wait(&job.owner, &job.id, seen).await;
            let Some(record) = waited.map_err(AskError::Store)? else {
                return Err(AskError::Ended);
            };
            if let Some(answer) = record.answers.get(&question.key) {
                return Ok(answer.clone());
            }
            if record.ending.is_some() {
                return Err(AskError::Ended);
            }
            seen = record.version;
        }
    }

    /// Waits until nobody wants the work any more: the client cancelled it, its time is up, or it has
    /// failed for others because this process was away for too long. Work that goes on after that is for nothing.
    pub async fn cancelled(&self) {
        let job = &*self.0;
        let mut seen = 0;
        loop {
            match job.tasks.0.store.wait(&job.owner, &job.id, seen).await {
                Ok(Some(record)) if record.is_open() => seen = record.version,
                Ok(_) => return,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Waits until the process is about to end without waiting for the work: see [`Worker::stop`].
    pub(crate) async fn stopped(&self) {
        self.0.tasks.0.running.stopped().await;
    }

    fn free_key(&self, wanted: &str) -> Result<Box<str>, AskError> {
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_QUESTIONS {
            return Err(AskError::TooMany);
        }
        let mut key: Box<str> = wanted.into();
        let mut count = 1;
        while !keys.insert(key.clone()) {
            count += 1;
            key = format!("{wanted}-{count}").into();
        }
        Ok(key)
    }

    async fn change(&self, change: Change) -> Result<(), StoreError> {
        let job = &*self.0;
        let changed = job.tasks.change(&job.owner, &job.id, change).await;
        changed.map(drop)
    }

    /// Goes on trying while the store cannot be reached. A change that was made although nobody heard of it is made once:
    /// what has ended stays as it is.
    async fn change_surely(&self, change: Change) -> Result<(), StoreError> {
        for _ in 1..ATTEMPTS {
            match self.change(change.clone()).await {
                Err(StoreError::Unavailable) => tokio::time::sleep(RETRY).await,
                done => return done,
            }
        }
        self.change(change).await
    }

    /// For `drop`: at once where the store can, as the one in memory does, else in the background.
    fn change_later(&self, change: Change, running: Option<Counted>) {
        let task = self.clone();
        let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let _running = running;
            if let Err(error) = task.change_surely(change).await {
                tracing::error!(%error, "the end of a task is lost");
            }
        });
        if work.as_mut().now_or_never().is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

/// A question that may be open.
struct Question<'a> {
    task: &'a TaskHandle,
    key: Box<str>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.task
            .change_later(Change::Close(self.key.clone()), None);
    }
}

/// What a client is told of an error is its message; the error itself must not grow the store.
pub(super) fn failure(mut error: RpcError) -> Change {
    let message = error.message.clone().into_owned();
    let json = to_raw_value(&error)
        .ok()
        .filter(|json| json.get().len() <= ERROR_BYTES)
        .or_else(|| {
            error.data = None;
            error.message = message
                .chars()
                .take(ERROR_BYTES / 8)
                .collect::<String>()
                .into();
            to_raw_value(&error).ok()
        });
    Change::Fail {
        error: json.unwrap_or_default(),
        message,
    }
}
