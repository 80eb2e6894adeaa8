//! One task as it is kept: what may change about it, and how it looks on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rmcp::model::{MetaObject, Task, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::principal::Principal;

/// Characters of a status message; more are cut off.
const MESSAGE_CHARS: usize = 500;

/// Time for which a result or an error can be fetched at least: the life of a task that ends
/// shortly before its time is lengthened by this much (`ttlMs` may change over a task's life).
const KEEP_ENDED: Duration = Duration::from_secs(60);

/// What is kept of one task. Its status is not a field: it follows from the others.
///
/// Everything in it may hold what a caller sent, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Whose it is; for everybody else it does not exist.
    #[serde(with = "owner")]
    pub owner: Principal,
    /// 128 random bits as 32 hex digits.
    pub id: Box<str>,
    /// Counts changes, from 1.
    pub version: u64,
    /// What it is at, or why it ended: at most 500 characters for a person.
    pub status_message: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed in a way that its client can see.
    pub last_updated_at: DateTime<Utc>,
    /// How long it is kept, from its creation.
    pub ttl: Duration,
    /// How often a client should look.
    pub poll_interval: Duration,
    /// Questions to the client that have no answer yet: MCP `InputRequest` objects.
    pub requests: BTreeMap<Box<str>, Box<RawValue>>,
    /// Answers that the work has not taken yet.
    pub answers: BTreeMap<Box<str>, Box<RawValue>>,
    /// How it ended, once it has.
    pub ending: Option<Ending>,
}

/// How a task ended. Nothing changes after that.
#[derive(Clone, Serialize, Deserialize)]
pub enum Ending {
    /// With a result, also one with `isError: true`; the JSON of that result.
    Completed(Box<RawValue>),
    /// With a JSON-RPC error; the JSON of that error.
    Failed(Box<RawValue>),
    /// Its client wanted it no more.
    Cancelled,
}

/// All that can happen to a task after it was created.
#[derive(Clone)]
pub enum Change {
    /// The work says what it is at.
    Message(String),
    /// The work asks its client. A key is never used twice in a task (the caller sees to it).
    Ask {
        /// Names the question.
        key: Box<str>,
        /// An MCP `InputRequest` object.
        request: Box<RawValue>,
    },
    /// The client answers. Keys that are unknown or answered are ignored.
    Answer(BTreeMap<Box<str>, Box<RawValue>>),
    /// The work is done with this question: it took the answer, or wants none any more.
    Close(Box<str>),
    /// The work is done.
    Complete(Box<RawValue>),
    /// The work broke off with a JSON-RPC error.
    Fail {
        /// The JSON of that error.
        error: Box<RawValue>,
        /// What a person is told.
        message: String,
    },
    /// The client wants it no more.
    Cancel,
}

impl Change {
    /// Whether a store may answer [`StoreError::Full`](super::StoreError::Full) to it. What ends a
    /// task or makes it smaller is never refused.
    pub fn may_be_refused(&self) -> bool {
        matches!(self, Self::Ask { .. } | Self::Answer(_) | Self::Complete(_))
    }
}

impl TaskRecord {
    /// A task that has just begun.
    pub fn new(owner: Principal, id: Box<str>, ttl: Duration, poll_interval: Duration) -> Self {
        let now = Utc::now();
        Self {
            owner,
            id,
            version: 1,
            status_message: None,
            created_at: now,
            last_updated_at: now,
            ttl,
            poll_interval,
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            ending: None,
        }
    }

    /// Where it stands.
    pub fn status(&self) -> TaskStatus {
        match self.ending {
            Some(Ending::Completed(_)) => TaskStatus::Completed,
            Some(Ending::Failed(_)) => TaskStatus::Failed,
            Some(Ending::Cancelled) => TaskStatus::Cancelled,
            None if self.requests.is_empty() => TaskStatus::Working,
            None => TaskStatus::InputRequired,
        }
    }

    /// Whether it has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.ending.is_none()
    }

    /// Makes a change, `age` after the task was created. This is the whole life of a task: a store
    /// calls it on its copy and keeps that copy if nobody else has changed the task meanwhile.
    ///
    /// [`TaskRecord::version`] grows when anything changed; the answer is whether the client can
    /// see a difference.
    pub fn apply(&mut self, change: Change, age: Duration) -> bool {
        if self.ending.is_some() {
            return false;
        }
        let (changed, visible) = match change {
            Change::Message(message) => {
                let message = Some(shortened(message));
                let differs = self.status_message != message;
                self.status_message = message;
                (differs, differs)
            }
            Change::Ask { key, request } => {
                self.requests.insert(key, request);
                (true, true)
            }
            Change::Answer(answers) => {
                let before = self.answers.len();
                for (key, answer) in answers {
                    if self.requests.remove(&key).is_some() {
                        self.answers.insert(key, answer);
                    }
                }
                let accepted = self.answers.len() > before;
                (accepted, accepted)
            }
            Change::Close(key) => {
                let withdrawn = self.requests.remove(&key).is_some();
                let taken = self.answers.remove(&key).is_some();
                (withdrawn || taken, withdrawn)
            }
            Change::Complete(result) => {
                self.end(Ending::Completed(result), None);
                self.ttl = self.ttl.max(age.saturating_add(KEEP_ENDED));
                (true, true)
            }
            Change::Fail { error, message } => {
                self.end(Ending::Failed(error), Some(shortened(message)));
                self.ttl = self.ttl.max(age.saturating_add(KEEP_ENDED));
                (true, true)
            }
            Change::Cancel => {
                self.end(
                    Ending::Cancelled,
                    Some("Cancelled by its client.".to_owned()),
                );
                (true, true)
            }
        };
        self.version += u64::from(changed);
        if visible {
            // Counted from the creation, so that a clock which is set back does not matter.
            self.last_updated_at = TimeDelta::from_std(age)
                .ok()
                .and_then(|age| self.created_at.checked_add_signed(age))
                .unwrap_or(self.last_updated_at);
        }
        visible
    }

    fn end(&mut self, ending: Ending, message: Option<String>) {
        self.ending = Some(ending);
        self.status_message = message;
        self.requests.clear();
        self.answers.clear();
    }

    /// Bytes of what grows in it, for a store that counts them.
    pub fn bytes(&self) -> usize {
        let questions: usize = self
            .requests
            .iter()
            .chain(&self.answers)
            .map(|(key, json)| key.len() + json.get().len())
            .sum();
        let ending = match &self.ending {
            Some(Ending::Completed(json) | Ending::Failed(json)) => json.get().len(),
            Some(Ending::Cancelled) | None => 0,
        };
        let message = self.status_message.as_ref().map_or(0, String::len);
        questions + ending + message
    }

    /// The `Task` object, as a `CreateTaskResult` carries it.
    pub fn task(&self) -> Task {
        let mut task = Task::new(
            &*self.id,
            self.status(),
            timestamp(self.created_at),
            timestamp(self.last_updated_at),
        )
        .with_ttl_ms(millis(self.ttl))
        .with_poll_interval_ms(millis(self.poll_interval));
        task.status_message.clone_from(&self.status_message);
        task
    }

    /// The `DetailedTask` object: the params of `notifications/tasks`.
    pub fn detailed(&self) -> Detailed<'_> {
        let (result, error) = match &self.ending {
            Some(Ending::Completed(result)) => (Some(&**result), None),
            Some(Ending::Failed(error)) => (None, Some(&**error)),
            Some(Ending::Cancelled) | None => (None, None),
        };
        Detailed {
            result_type: None,
            task: self.task(),
            input_requests: (!self.requests.is_empty()).then_some(&self.requests),
            result,
            error,
            meta: None,
        }
    }
}

/// A `DetailedTask`: with its outstanding questions, its result or its error.
///
/// rmcp's own type would read every result and every question back into a tree for each poll, and
/// lose what its typed requests do not know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detailed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(flatten)]
    task: Task,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_requests: Option<&'a BTreeMap<Box<str>, Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a MetaObject>,
}

impl<'a> Detailed<'a> {
    /// The same as the result of `tasks/get`: `resultType` is `"complete"`, never `"task"`.
    pub fn into_result(self, meta: Option<&'a MetaObject>) -> Self {
        Self {
            result_type: Some("complete"),
            meta,
            ..self
        }
    }
}

fn timestamp(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Never zero: clients take neither "no life" nor "no pause".
fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX).max(1)
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
        message.truncate(end);
    }
    message
}

mod owner {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    use crate::principal::Principal;

    /// Who is authenticated has a text, nobody in particular `null`, and the owner of a process `true`.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Subject(Option<String>),
        Owner(bool),
    }

    pub(super) fn serialize<S: Serializer>(owner: &Principal, to: S) -> Result<S::Ok, S::Error> {
        match owner {
            &Principal::OWNER => true.serialize(to),
            other => other.subject().serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Principal, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Subject(Some(subject)) => Principal::authenticated(subject),
            Written::Owner(true) => Principal::OWNER,
            Written::Subject(None) | Written::Owner(false) => Principal::ANONYMOUS,
        })
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
