//! Questions of the modern era: one call, made again and again.
//!
//! A server may not ask while it works on a request. So the handler runs until it waits, and one of
//! the things that it waits for is an answer; the call then ends with the open questions and with what is known so far,
//! sealed (`ask::SealedStates`). The client makes the same call again with its answers, the handler runs from its
//! start, and every question that was answered is answered at once.
//!
//! Where this stands in the life of a call is drawn in `docs/architecture.md`.

mod run;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::protocol::Text;
use crate::tasks::TaskHandle;

pub(crate) use self::run::Run;

/// Questions that one round may hold; more wait for the next.
const MAX_OPEN: usize = 16;

/// A question, as it is put to the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`: what clients understand.
    pub method: &'static str,
    /// Its params: an object.
    pub params: Value,
}

/// What the client sent with the call. It stays text: a question looks up the answer that it waits
/// for, and nothing is made of what nobody asked for.
#[derive(Debug)]
pub(crate) struct Seed {
    /// The method on the wire.
    pub(crate) method: &'static str,
    /// The params of the call.
    pub(crate) params: Box<str>,
}

/// The members of the params that a round is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) uri: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
    /// Whatever the client wants us to believe.
    #[serde(borrow)]
    pub(crate) request_state: Option<&'a RawValue>,
    /// Its answers to the last round.
    #[serde(borrow)]
    input_responses: Option<&'a RawValue>,
}

impl Seed {
    pub(crate) fn params(&self) -> Result<Params<'_>> {
        Ok(serde_json::from_str(&self.params)?)
    }

    /// Hands each answer whose name is `wanted` to `found`.
    fn answers(&self, wanted: impl Fn(&str) -> bool, found: impl FnMut(&str, &RawValue)) {
        if let Ok(params) = self.params()
            && let Some(responses) = params.input_responses
        {
            let mut json = serde_json::Deserializer::from_str(responses.get());
            // They were found to be an object when the params were read.
            let _ = json.deserialize_map(Chosen { wanted, found });
        }
    }

    fn answer(&self, name: &str) -> Option<Box<RawValue>> {
        let mut answer = None;
        self.answers(
            |held| held == name,
            |_, held| answer = Some(held.to_owned()),
        );
        answer
    }
}

struct Chosen<W, F> {
    wanted: W,
    found: F,
}

impl<'de, W: Fn(&str) -> bool, F: FnMut(&str, &RawValue)> Visitor<'de> for Chosen<W, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of answers")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let answer: &RawValue = map.next_value()?;
            if (self.wanted)(&name) {
                (self.found)(&name, answer);
            }
        }
        Ok(())
    }
}

/// What the client carries from round to round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// Says that a state is used once.
    #[serde(rename = "n")]
    pub(crate) nonce: String,
    /// Rounds so far.
    #[serde(rename = "r")]
    pub(crate) round: usize,
    /// Answered questions: the digest of their text, and the answer.
    #[serde(rename = "a")]
    answers: BTreeMap<String, (String, Box<RawValue>)>,
    /// Results of `once`.
    #[serde(rename = "o")]
    once: BTreeMap<String, Box<RawValue>>,
    /// Questions of the last round, by the digest of their text.
    #[serde(rename = "q")]
    questions: BTreeMap<String, String>,
}

impl Carried {
    /// Whether nothing was answered or done so far: questions were asked, and that is all.
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.once.is_empty()
    }
}

/// The questions of one request.
pub(crate) struct Rounds {
    seed: Seed,
    state: Mutex<State>,
    /// Cancelled when the round is over: what still waits for an answer, in a task that the handler
    /// spawned, waits for nothing.
    over: CancellationToken,
}

#[derive(Default)]
struct State {
    carried: Carried,
    /// Whether this call continues another. If not, its answers are to the names of questions, before
    /// they were asked.
    continues: bool,
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
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            state: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Whether the request answers a question of the last round.
    pub(crate) fn answers_any(&self, carried: &Carried) -> bool {
        let mut any = false;
        let asked = |name: &str| carried.questions.contains_key(name);
        self.seed.answers(asked, |_, _| any = true);
        any
    }

    /// Takes up what earlier rounds left, with the answers to the last one. Answers to what was not
    /// asked are ignored, as the specification wants.
    pub(crate) fn resume(&self, mut carried: Carried) {
        let questions = std::mem::take(&mut carried.questions);
        let wanted = |name: &str| questions.contains_key(name);
        self.seed.answers(wanted, |name, answer| {
            if let Some(digest) = questions.get(name) {
                let kept = (digest.clone(), answer.to_owned());
                carried.answers.insert(name.to_owned(), kept);
            }
        });
        let mut state = self.state();
        state.continues = true;
        state.carried = carried;
    }

    /// The answer, if it is there; if not, the question is part of this round, and the wait ends
    /// with the call; unless that becomes a task, which then has to ask it.
    pub(crate) async fn ask<'a>(
        &self,
        run: &'a Run,
        name: Option<&str>,
        asked: &Asked,
    ) -> Result<Given<'a>> {
        let key = match self.look_up(name, asked)? {
            Known::Answer(answer) => return Ok(Given::Answer(answer)),
            Known::Open(key) => key,
        };
        let _open = Open { rounds: self, key };
        run.wake_driver();
        tokio::select! {
            () = self.over.cancelled() => {}
            () = run.cancelled() => {}
            task = run.becoming_task() => return Ok(Given::Task(task)),
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
        let volunteered = name
            // Once: what is asked again under the same name was not answered yet.
            .filter(|name| !state.continues && !state.asked.contains_key(*name))
            .and_then(|name| self.seed.answer(name));
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

    pub(crate) async fn once<T, F>(&self, run: &Run, key: &str, work: F) -> Result<T>
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
            return serde_json::from_str(value.get()).map_err(|_| {
                Error::internal(format!(
                    "what is kept of `once` under {key:?} has another type"
                ))
            });
        }
        let busy = Busy { rounds: self, run };
        let mut work = pin!(work);
        let value = poll_fn(|cx| {
            let _inside = Inside(IN_ONCE.replace(true));
            work.as_mut().poll(cx)
        })
        .await?;
        let kept = to_raw_value(&value)?;
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
    pub(crate) fn close(&self) -> (serde_json::Map<String, Value>, Carried) {
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
pub(crate) enum Given<'a> {
    Answer(Box<RawValue>),
    /// The call has become a task: whoever looks at it is to be asked.
    Task(&'a TaskHandle),
}

/// What is known of a question.
enum Known {
    Answer(Box<RawValue>),
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
    run: &'a Run,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.rounds.state().busy -= 1;
        // Whoever drives the handler may have waited for this.
        self.run.wake_driver();
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
