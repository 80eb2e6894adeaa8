//! Questions of the modern era: one call, made again and again.
//!
//! A server may not ask while it works on a request. So the handler runs until it waits for answers
//! and nothing else; the call then ends with the open questions and with what is known so far,
//! sealed ([`Vault`](super::Vault)). The client makes the same call again with its answers, the handler runs from its
//! start, and every question that was answered is answered at once.

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

use super::Asked;

/// Questions that one round may hold; more wait for the next.
const MAX_OPEN: usize = 16;

/// Bytes of a question's name.
const MAX_NAME: usize = 128;

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
    /// Whether such work is being polled right now.
    in_once: bool,
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

    /// The answer, if it is there; if not, the question is part of this round and the wait never
    /// ends: the call does.
    pub(super) async fn ask(&self, ctx: &Ctx, name: Option<&str>, asked: &Asked) -> Result<Value> {
        if let Some(answer) = self.look_up(name, asked)? {
            return Ok(answer);
        }
        ctx.wake_driver();
        tokio::select! {
            () = self.over.cancelled() => {}
            () = ctx.cancelled() => {}
        }
        Err(Error::user("The call ended before there was an answer."))
    }

    fn look_up(&self, name: Option<&str>, asked: &Asked) -> Result<Option<Value>> {
        let digest = digest(asked);
        let mut state = self.state();
        if state.in_once {
            return Err(Error::internal("a question inside `once`: ask before it"));
        }
        let volunteered = name.and_then(|name| state.volunteered.remove(name));
        let name = state.count(name, asked, &digest)?;
        if let Some(answer) = volunteered {
            let kept = (digest, answer.clone());
            state.carried.answers.insert(name, kept);
            return Ok(Some(answer));
        }
        if let Some((of, answer)) = state.carried.answers.get(&name)
            && *of == digest
        {
            return Ok(Some(answer.clone()));
        }
        // One too many waits for the next round.
        if state.open.len() < MAX_OPEN {
            let request = json!({ "method": asked.method, "params": asked.params });
            state.open.insert(name, (digest, request));
        }
        Ok(None)
    }

    pub(super) async fn once<T, F>(&self, key: &str, work: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        let known = self.state().carried.once.get(key).cloned();
        if let Some(value) = known {
            return Ok(serde_json::from_value(value)?);
        }
        self.state().busy += 1;
        let busy = Busy(self);
        let mut work = pin!(work);
        let value = poll_fn(|cx| {
            self.state().in_once = true;
            let value = work.as_mut().poll(cx);
            self.state().in_once = false;
            value
        })
        .await?;
        self.state()
            .carried
            .once
            .insert(key.to_owned(), serde_json::to_value(&value)?);
        drop(busy);
        Ok(value)
    }

    /// Whether the handler, which is not ready, waits for answers: then the round is over.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state();
        !state.open.is_empty() && state.busy == 0
    }

    /// Ends the round: its questions as the client gets them, and what it carries to the next.
    pub(super) fn close(&self) -> (serde_json::Map<String, Value>, Carried) {
        self.over.cancel();
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

impl State {
    /// The name of a question; one that is asked again in the same run gets a number.
    fn count(&mut self, name: Option<&str>, asked: &Asked, digest: &str) -> Result<String> {
        let name = match name {
            Some(name) if (1..=MAX_NAME).contains(&name.len()) => name.to_owned(),
            Some(_) => {
                return Err(Error::internal(format!(
                    "a question's name has 1 to {MAX_NAME} bytes"
                )));
            }
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
                return Ok(numbered);
            }
        }
    }
}

struct Busy<'a>(&'a Rounds);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
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
