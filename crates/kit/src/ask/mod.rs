//! Asking the user, the client's model or the client itself, from inside a handler.
//!
//! A handler awaits an answer and never sees how it came: legacy clients get a request; since
//! 2026-07-28 the call ends with the question and is made again with the answer (`rounds`); a task
//! shows the question to whoever polls it.
//!
//! [`Ctx::elicit`], [`Ctx::elicit_url`], [`Ctx::sample`] and [`Ctx::roots`] are short for
//! [`Ctx::ask`] with one of the questions here. To add a kind of question, implement [`Question`].
//!
//! ```
//! use pymcp_kit::{Ctx, Elicited, Result};
//!
//! async fn order(ctx: Ctx) -> Result<String> {
//!     let Elicited::Accepted(number) = ctx.elicit::<u8>("How many?").await? else {
//!         return Ok("Nothing was ordered.".into());
//!     };
//!     // With a modern client this function runs again from its start once the number is there, so
//!     // what must happen only once goes through `once`.
//!     let receipt = ctx.once("receipt", async { Ok(format!("{number} ordered")) }).await?;
//!     match ctx.elicit::<bool>("Gift wrap?").await? {
//!         Elicited::Accepted(true) => Ok(format!("{receipt}, wrapped")),
//!         _ => Ok(receipt),
//!     }
//! }
//! ```

mod elicit;
mod roots;
mod sample;
mod sealed;
mod tasks;
mod url;

pub use elicit::{Elicited, Form};
pub use roots::{Root, Roots};
pub use sample::{Sample, Sampled};
pub use url::Url;

pub use crate::rounds::Asked;
pub(crate) use sealed::{SealedLimits, SealedStates};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::connection::AskOutcome;
use crate::context::Ctx;
use crate::effects::Effect;
use crate::error::{Error, Result};
use crate::protocol::{Era, PeerInfo};
use crate::rounds::Given;
use crate::tasks::TaskHandle;
use crate::telemetry::TraceContext;
use crate::wire::{self, Id};

/// Bytes of a question's name.
const MAX_NAME: usize = 128;

/// Something to ask.
pub trait Question: Send + Sized {
    /// The result of the client's answer, as the protocol has it.
    type Reply: DeserializeOwned;
    /// What the handler gets of it.
    type Answer: Send;

    /// How it is put to this client.
    ///
    /// # Errors
    /// [`Error::missing_capability`] when the client did not say that it can be asked this.
    fn asked(&self, client: &PeerInfo) -> Result<Asked>;

    /// Reads the answer.
    ///
    /// # Errors
    /// When it does not fit the question.
    fn read(self, reply: Self::Reply) -> Result<Self::Answer>;

    /// The name under which modern clients and tasks see it; made from its text when it has none.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Gives it a name. Answers are kept by name and text: a question whose text is not the same
    /// when the handler runs again is asked anew. A client may answer a question that has a name
    /// before it is shown.
    fn named(self, name: impl Into<String>) -> Named<Self> {
        Named {
            question: self,
            name: name.into(),
        }
    }
}

/// A question with a name; see [`Question::named`].
#[derive(Debug, Clone)]
pub struct Named<Q> {
    question: Q,
    name: String,
}

impl<Q: Question> Question for Named<Q> {
    type Reply = Q::Reply;
    type Answer = Q::Answer;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        self.question.asked(client)
    }

    fn read(self, reply: Q::Reply) -> Result<Q::Answer> {
        self.question.read(reply)
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

/// Questions that are asked together: tuples of two to four.
pub trait Questions {
    /// The answers, in the same order.
    type Answers;

    /// Asks all of them at once.
    fn ask(self, ctx: &Ctx) -> impl Future<Output = Result<Self::Answers>> + Send;
}

macro_rules! questions {
    ($($question:ident $value:ident),*) => {
        impl<$($question: Question),*> Questions for ($($question,)*)
        where
            $($question::Reply: Send),*
        {
            type Answers = ($($question::Answer,)*);

            async fn ask(self, ctx: &Ctx) -> Result<Self::Answers> {
                let ($($value,)*) = self;
                tokio::try_join!($(ctx.ask($value)),*)
            }
        }
    };
}
questions!(A a, B b);
questions!(A a, B b, C c);
questions!(A a, B b, C c, D d);

impl Ctx {
    /// Asks and waits for the answer.
    ///
    /// Modern clients get all questions that are open at the same time in one round; the handler
    /// then runs again from its start, and what was answered is answered at once. Whatever runs
    /// beside a question (in a `join!`) is broken off with the round, unless it is in [`Ctx::once`].
    ///
    /// The component declares it: [`Effect::UsesModel`] for the client's model, [`Effect::AsksUser`] for all others.
    ///
    /// # Errors
    /// The client cannot be asked this, does not answer in time, or answers something else; all of
    /// them are errors that the caller can read. That the component did not declare it is ours, and logged.
    pub async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer> {
        // Before anything else: also what a handler does without an answer is for this client only.
        self.was_asked();
        if question
            .name()
            .is_some_and(|name| !(1..=MAX_NAME).contains(&name.len()))
        {
            return Err(Error::internal(format!(
                "a question's name has 1 to {MAX_NAME} bytes"
            )));
        }
        let asked = question.asked(self.peer())?;
        self.require(match asked.method {
            "sampling/createMessage" => &Effect::UsesModel,
            _ => &Effect::AsksUser,
        })?;
        let answer: Box<str> = if let Some(task) = self.task() {
            return self.ask_task(task, question, &asked).await;
        } else if let Some(rounds) = self.rounds() {
            match rounds.ask(self.run(), question.name(), &asked).await? {
                Given::Answer(answer) => answer.into(),
                Given::Task(task) => return self.ask_task(task, question, &asked).await,
            }
        } else if self.era() == Era::Legacy {
            self.request(&asked).await?
        } else {
            return Err(Error::internal(
                "a question where a modern client cannot be asked: only tools, prompts and resources can ask",
            ));
        };
        let reply = serde_json::from_str(&answer).map_err(|_| match self.era() {
            Era::Modern => Error::invalid_params(format!(
                "\"inputResponses\" holds an answer to {} that is malformed.",
                asked.method
            )),
            Era::Legacy => malformed(&asked),
        })?;
        drop(answer);
        question.read(reply)
    }

    /// Asks whoever looks at the task. What is no answer is not taken for one: the question is asked
    /// again, under another name, as a task must not use one twice.
    async fn ask_task<Q: Question>(
        &self,
        task: &TaskHandle,
        question: Q,
        asked: &Asked,
    ) -> Result<Q::Answer> {
        let _asking = self.start_asking();
        loop {
            let answer = tasks::ask(task, question.name(), asked).await?;
            if let Ok(reply) = serde_json::from_str(answer.get()) {
                return question.read(reply);
            }
        }
    }

    /// Asks several questions at once: `ctx.ask_all((a, b)).await?` gives both answers.
    ///
    /// # Errors
    /// As [`Ctx::ask`]; the first error ends all of them.
    pub async fn ask_all<Q: Questions>(&self, questions: Q) -> Result<Q::Answers> {
        questions.ask(self).await
    }

    /// Does `work` once, however often a question makes the handler run again: its result is kept
    /// under `key` in the state that the client carries, signed but readable, so nothing secret
    /// belongs in it. Without a question after it, and for legacy clients, it simply runs. It must
    /// ask nothing itself (ask before it), and a key is for one piece of work at a time.
    ///
    /// # Errors
    /// Those of `work`, which are not kept; and when the result cannot be kept.
    pub async fn once<T, F>(&self, key: &str, work: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        match self.rounds().filter(|_| self.task().is_none()) {
            Some(rounds) => rounds.once(self.run(), key, work).await,
            None => work.await,
        }
    }

    /// A request to a legacy client. The capability was checked before.
    async fn request(&self, asked: &Asked) -> Result<Box<str>> {
        let facts = self.facts();
        let another = self.is_asking();
        // From here on the call waits, and takes no place among those that work.
        let _asking = self.start_asking();
        tokio::select! {
            biased;
            answer = timeout(facts.ask_timeout, self.answered(asked, another)) => answer.unwrap_or_else(|_| {
                Err(Error::user(format!(
                    "The client did not answer within {} s.",
                    facts.ask_timeout.as_secs()
                )))
            }),
            // Also what still waits for its turn would be asked for nothing.
            () = self.connection().leaving().cancelled() => Err(left()),
            () = self.unheard(facts.ask_unread) => Err(Error::user(format!(
                "The client did not read the response stream for {} s, so the server's request to it was withdrawn.",
                facts.ask_unread.as_secs()
            ))),
        }
    }

    /// The answer of a legacy client, once it is this question's turn. `another`: the request has
    /// asked something already.
    async fn answered(&self, asked: &Asked, another: bool) -> Result<Box<str>> {
        let facts = self.facts();
        let of_session = self.connection().questions(facts.questions_per_session);
        let _place = match of_session.try_acquire() {
            Ok(place) => place,
            // As in the modern era: what one call asks too many at a time waits for the others.
            Err(_) if another => of_session.acquire().await.map_err(Error::internal)?,
            Err(_) => {
                return Err(Error::user(format!(
                    "The client has {} pending elicitations or other requests of the server; it has to \
                     answer one of them first.",
                    facts.questions_per_session
                )));
            }
        };
        let in_all = facts.questions.of(self.caller()).take();
        let _in_all = in_all.map_err(|_| {
            Error::user("The server has too many pending elicitations and other requests to clients; try again later.")
        })?;
        let (id, answer) = self.connection().open_ask();
        let _open = OpenAsk { ctx: self, id };
        let id = Id::number(id);
        let request = match self.trace() {
            Some(trace) => wire::request(&id, asked.method, &traced(&asked.params, trace)),
            None => wire::request(&id, asked.method, &asked.params),
        };
        self.outbox().send(request).await;
        match answer.await {
            Ok(AskOutcome::Result(result)) => Ok(result),
            Ok(AskOutcome::Error(error)) => Err(Error::user(client_error(&error))),
            Ok(AskOutcome::Malformed) => Err(malformed(asked)),
            Err(_) => Err(left()),
        }
    }
}

/// The params of a question that belongs to a trace (SEP-414).
fn traced(params: &Value, trace: &TraceContext) -> Value {
    let mut params = params.clone();
    if let Some(members) = params.as_object_mut()
        && let Some(meta) = members
            .entry("_meta")
            .or_insert_with(|| json!({}))
            .as_object_mut()
    {
        meta.insert("traceparent".into(), trace.traceparent().into());
        if let Some(state) = trace.tracestate() {
            meta.insert("tracestate".into(), state.into());
        }
    }
    params
}

fn left() -> Error {
    Error::user("The client left before it answered.")
}

fn malformed(asked: &Asked) -> Error {
    Error::user(format!(
        "The client's answer to {} is malformed.",
        asked.method
    ))
}

/// The client's own words are what the user should see: it declined, or it cannot.
fn client_error(error: &str) -> String {
    const MAX: usize = 500;
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    match serde_json::from_str::<Told>(error) {
        Ok(told) => told.message.chars().take(MAX).collect(),
        Err(_) => "The client refused without a reason.".to_owned(),
    }
}

struct OpenAsk<'a> {
    ctx: &'a Ctx,
    id: u64,
}

impl Drop for OpenAsk<'_> {
    fn drop(&mut self) {
        self.ctx.connection().close_ask(self.id);
    }
}
