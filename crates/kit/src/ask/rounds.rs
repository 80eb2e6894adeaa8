//! Questions of the modern era: one call, made again and again.
//!
//! A server may not ask while it works on a request. So the handler runs until it waits, and one of
//! the things that it waits for is an answer; the call then ends with the open questions and with what is known so far,
//! sealed ([`Vault`](super::Vault)). The client makes the same call again with its answers, the handler runs from its
//! start, and every question that was answered is answered at once.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::tasks::TaskHandle;

use super::Asked;

/// Questions that one round may hold; more wait for the next.
const MAX_OPEN: usize = 16;

/// What the client sent with the call.
#[derive(Debug)]
pub(crate) struct Seed {
    /// The method on the wire.
    pub(crate) method: &'static str,
    /// The params of the call: what the state is bound to.
    pub(crate) params: Box<str>,
    /// `requestState`: whatever the client wants us to believe.
    pub(crate) state: Option<String>,
    /// `inputResponses`: its answers to the last round.
    pub(crate) responses: BTreeMap<String, Value>,
}

/// What the client carries from round to round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Carried {
    /// Rounds so far.
    #[serde(rename = "r")]
    pub(super) round: usize,
    /// Answered questions: the digest of their text, and the answer.
    #[serde(rename = "a")]
    answers: BTreeMap<String, (String, Value)>,
    /// Results of `once`.
    #[serde(rename = "o")]
    once: BTreeMap<String, Value>,
    /// Questions of the last round, by the digest of their text.
    #[serde(rename = "q")]
    questions: BTreeMap<String, String>,
}

/// The questions of one request.
pub(crate) struct Rounds {
    pub(super) seed: Mutex<Seed>,
    state: Mutex<State>,
    /// Cancelled when the round is over: what still waits for an answer, in a task that the handler
    /// spawned, waits for nothing.
    over: CancellationToken,
}

#[derive(Default)]
struct State {
    carried: Carried,
    /// Answers that came without a state: to the names of questions, before they were asked.
    volunteered: BTreeMap<String, Value>,
    open: BTreeMap<String, (String, Value)>,
    /// How often each name was asked in this run.
    asked: HashMap<String, usize>,
    /// The names that were given to questions in this run.
    named: HashSet<String>,
    /// Work that must not be broken off.
    busy: usize,
    /// Whether the round is over: nothing is added any more.
    closed: bool,
}

thread_local! {
    /// Whether the work of a `once` is being polled on this thread.
    static IN_ONCE: Cell<bool> = const { Cell::new(false) };
}

impl Rounds {
    pub(crate) fn new(mut seed: Seed) -> Self {
        let mut state = State::default();
        if seed.state.is_none() {
            state.volunteered = std::mem::take(&mut seed.responses);
        }
        Self {
            seed: Mutex::new(seed),
            state: Mutex::new(state),
            over: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seed(&self) -> MutexGuard<'_, Seed> {
        self.seed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what earlier rounds left, with the answers to the last one. Answers to what was not
    /// asked are ignored, as the specification wants.
    pub(super) fn resume(&self, mut carried: Carried) {
        let mut responses = std::mem::take(&mut self.seed().responses);
        for (name, digest) in std::mem::take(&mut carried.questions) {
            if let Some(answer) = responses.remove(&name) {
                carried.answers.insert(name, (digest, answer));
            }
        }
        self.state().carried = carried;
    }

    /// The answer, if it is there; if not, the question is part of this round, and the wait ends
    /// with the call; unless that becomes a task, which then has to ask it.
    pub(super) async fn ask<'a>(
        &self,
        ctx: &'a Ctx,
        name: Option<&str>,
        asked: &Asked,
    ) -> Result<Given<'a>> {
        let key = match self.look_up(name, asked)? {
            Known::Answer(answer) => return Ok(Given::Answer(answer)),
            Known::Open(key) => key,
        };
        let _open = Open { rounds: self, key };
        ctx.wake_driver();
        tokio::select! {
            () = self.over.cancelled() => {}
            () = ctx.cancelled() => {}
            task = ctx.becoming_task() => return Ok(Given::Task(task)),
        }
        Err(ended())
    }

    fn look_up(&self, name: Option<&str>, asked: &Asked) -> Result<Known> {
        if IN_ONCE.get() {
            return Err(Error::internal("a question inside `once`: ask before it"));
        }
        let digest = digest(asked);
        let mut state = self.state();
        if state.closed {
            return Err(ended());
        }
        let volunteered = name.and_then(|name| state.volunteered.remove(name));
        let name = state.count(name, asked, &digest);
        if let Some(answer) = volunteered {
            let kept = (digest, answer.clone());
            state.carried.answers.insert(name, kept);
            return Ok(Known::Answer(answer));
        }
        if let Some((of, answer)) = state.carried.answers.get(&name)
            && *of == digest
        {
            return Ok(Known::Answer(answer.clone()));
        }
        // One too many waits for the next round.
        if state.open.len() < MAX_OPEN {
            let request = json!({ "method": asked.method, "params": asked.params });
            state.open.insert(name.clone(), (digest, request));
        }
        Ok(Known::Open(name))
    }

    pub(super) async fn once<T, F>(&self, ctx: &Ctx, key: &str, work: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        let known = {
            let mut state = self.state();
            let known = state.carried.once.get(key).cloned();
            if known.is_none() {
                if state.closed {
                    return Err(ended());
                }
                state.busy += 1;
            }
            known
        };
        if let Some(value) = known {
            // The words of the error might quote what is kept.
            return serde_json::from_value(value).map_err(|_| {
                Error::internal(format!(
                    "what is kept of `once` under {key:?} has another type"
                ))
            });
        }
        let busy = Busy { rounds: self, ctx };
        let mut work = pin!(work);
        let value = poll_fn(|cx| {
            let _inside = Inside(IN_ONCE.replace(true));
            work.as_mut().poll(cx)
        })
        .await?;
        let kept = serde_json::to_value(&value)?;
        self.state().carried.once.insert(key.to_owned(), kept);
        drop(busy);
        Ok(value)
    }

    /// Ends the round if the handler, which is not ready, waits for answers; says whether it did.
    pub(crate) fn end_if_waiting(&self) -> bool {
        let mut state = self.state();
        state.closed = !state.open.is_empty() && state.busy == 0;
        state.closed
    }

    /// Lets go of whatever still waits for an answer: the handler has ended.
    pub(crate) fn end(&self) {
        self.state().closed = true;
        self.over.cancel();
    }

    /// The questions of a round that is over as the client gets them, and what it carries to the
    /// next.
    pub(super) fn close(&self) -> (serde_json::Map<String, Value>, Carried) {
        let mut state = self.state();
        let mut carried = std::mem::take(&mut state.carried);
        carried.round += 1;
        let mut requests = serde_json::Map::new();
        for (name, (digest, request)) in std::mem::take(&mut state.open) {
            carried.questions.insert(name.clone(), digest);
            requests.insert(name, request);
        }
        (requests, carried)
    }
}

fn ended() -> Error {
    Error::user("The call ended before there was an answer.")
}

/// What comes of a question in a round.
pub(super) enum Given<'a> {
    Answer(Value),
    /// The call has become a task: whoever looks at it is to be asked.
    Task(&'a TaskHandle),
}

/// What is known of a question.
enum Known {
    Answer(Value),
    /// Nothing yet; this is its name.
    Open(String),
}

/// A question that somebody waits for.
struct Open<'a> {
    rounds: &'a Rounds,
    key: String,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.rounds.state();
        // What nobody waits for any more is not asked.
        if !state.closed {
            state.open.remove(&self.key);
        }
    }
}

/// Restores what was the case before.
struct Inside(bool);

impl Drop for Inside {
    fn drop(&mut self) {
        IN_ONCE.set(self.0);
    }
}

impl State {
    /// The name of a question; one that is asked again in the same run gets a number.
    fn count(&mut self, name: Option<&str>, asked: &Asked, digest: &str) -> String {
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let kind = asked.method.split('/').next().unwrap_or_default();
                format!("{kind}-{}", &digest[..8])
            }
        };
        let count = self.asked.entry(name.clone()).or_default();
        loop {
            *count += 1;
            let numbered = match *count {
                1 => name.clone(),
                several => format!("{name}-{several}"),
            };
            if self.named.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

struct Busy<'a> {
    rounds: &'a Rounds,
    ctx: &'a Ctx,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.rounds.state().busy -= 1;
        // Whoever drives the handler may have waited for this.
        self.ctx.wake_driver();
    }
}

/// What a question says, in 128 bits: an answer counts only for the very question that was shown.
fn digest(asked: &Asked) -> String {
    let mut text = asked.method.as_bytes().to_vec();
    crate::canonical::value(&asked.params, &mut text);
    Sha256::digest(&text)[..16]
        .iter()
        .fold(String::with_capacity(32), |mut hex, byte| {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
