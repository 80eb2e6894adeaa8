//! A context that records what a handler says.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::Permit;
use crate::component::{NoArgs, Tool};
use crate::connection::{AskOutcome, Connection};
use crate::context::{Ctx, CtxFields, Queued};
use crate::core::Server;
use crate::effects::{Effect, Effects};
use crate::error::Error;
use crate::label::Label;
use crate::limits::CallLimits;
use crate::principal::Principal;
use crate::protocol::{ClientCapabilities, Era, Kind, LATEST_LEGACY, PeerInfo};
use crate::wire::Id;

use super::client::Client;
use super::heard::{self, Progress};

type Answer = Arc<Mutex<dyn FnMut(&str, &Value) -> Value + Send>>;

/// A context that records what a handler says, and answers what it asks.
pub struct Probe {
    ctx: Ctx,
    capabilities: Value,
    /// Everything unless it was said.
    effects: Option<Effects>,
    answer: Answer,
    messages: Vec<Value>,
    runs: usize,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// A client that wants to hear everything and can be asked for nothing.
    pub fn new() -> Self {
        Self::with_capabilities(json!({}), |method, _| {
            panic!("the handler asked for {method}")
        })
    }

    /// A client with these capabilities (a `ClientCapabilities` object) that answers the method and
    /// params of a question with the `result` that `answer` gives.
    ///
    /// # Panics
    /// When `capabilities` is no `ClientCapabilities` object.
    pub fn with_capabilities(
        capabilities: Value,
        answer: impl FnMut(&str, &Value) -> Value + Send + 'static,
    ) -> Self {
        let declared = capabilities.clone();
        #[allow(clippy::unwrap_used)] // documented to panic: a mistake in a test
        let capabilities: ClientCapabilities = serde_json::from_value(capabilities).unwrap();
        let limits = CallLimits {
            ask_timeout: Duration::from_secs(5),
            ..CallLimits::default()
        };
        #[allow(clippy::unwrap_used)] // there is nothing in it that could be wrong
        let server = Server::builder("test", "0.0.0")
            .call_limits(limits)
            .build()
            .unwrap();
        let ctx = Ctx::new(CtxFields {
            facts: Arc::clone(&server.inner().facts),
            connection: Connection::new(Principal::OWNER),
            permit: Permit::owner(),
            peer: Arc::new(PeerInfo {
                era: Era::Legacy,
                version: LATEST_LEGACY,
                capabilities,
                client: None,
            }),
            id: Id::number(1),
            manifest: server.manifest_digest(),
            progress_token: Some(Id::number(1)),
            log_level: None,
            trace: None,
            seed: None,
        });
        ctx.is_for(&Label::new(Kind::Tool, "probe"));
        Self {
            ctx,
            capabilities: declared,
            effects: None,
            answer: Arc::new(Mutex::new(answer)),
            messages: Vec::new(),
            runs: 0,
        }
    }

    /// Has the handler do no more than these. A probe knows no component, so unless this is said before it is used,
    /// all doors are open but those to files in hidden folders.
    pub fn effects(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.effects = Some(effects.into_iter().collect());
        self
    }

    /// The context to call a handler with.
    pub fn ctx(&self) -> Ctx {
        if let Some(label) = self.ctx.component() {
            self.declare(label);
        }
        self.ctx.clone()
    }

    /// Runs a handler to its end, once: its questions are answered where it waits for them, as in the
    /// legacy era.
    pub async fn run<F: Future>(&mut self, handler: F) -> F::Output {
        self.runs = 1;
        let mut handler = pin!(handler);
        poll_fn(|cx| {
            loop {
                let outcome = handler.as_mut().poll(cx);
                let mut heard = false;
                while let Some(said) = self.ctx.outbox().poll_next(cx) {
                    heard = true;
                    let Queued::Message(message) = said else {
                        continue;
                    };
                    self.hear(serde_json::from_slice(&message).unwrap_or_default());
                }
                match outcome {
                    Poll::Ready(output) => return Poll::Ready(output),
                    // What was heard may have been a question, which is answered by now.
                    Poll::Pending if heard => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Runs a handler as the modern era does: each round of questions ends the run, and the next run
    /// starts from the handler's beginning with the answers so far. A handler that does something
    /// before a question does it [`Probe::runs`] times, so a test that looks at what was done finds out.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// use pymcp_kit::testing::Probe;
    /// use pymcp_kit::{Ctx, Elicited, Result};
    /// use serde_json::json;
    ///
    /// async fn take(ctx: Ctx, stock: Arc<AtomicU32>) -> Result<bool> {
    ///     stock.fetch_sub(1, Ordering::Relaxed); // a mistake: nobody has said yes yet
    ///     Ok(matches!(ctx.elicit::<bool>("Sure?").await?, Elicited::Accepted(true)))
    /// }
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let stock = Arc::new(AtomicU32::new(9));
    /// let says_yes = |_: &str, _: &_| json!({ "action": "accept", "content": { "value": true } });
    /// let mut probe = Probe::with_capabilities(json!({ "elicitation": {} }), says_yes);
    /// let held = Arc::clone(&stock);
    /// assert!(probe.replay(move |ctx| take(ctx, Arc::clone(&held))).await.unwrap());
    /// assert_eq!(probe.runs(), 2);
    /// assert_eq!(stock.load(Ordering::Relaxed), 7); // 8 would be right
    /// # });
    /// ```
    ///
    /// # Panics
    /// When the handler does not come to an end.
    pub async fn replay<H, F>(&mut self, handler: H) -> F::Output
    where
        H: Fn(Ctx) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        const NAME: &str = "replay";
        let (runs, end) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let (count, slot) = (Arc::clone(&runs), Arc::clone(&end));
        let run = move |ctx: Ctx, _: NoArgs| {
            count.fetch_add(1, Ordering::Relaxed);
            let (work, slot) = (handler(ctx), Arc::clone(&slot));
            async move {
                let output = work.await;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
                Ok::<_, Error>("")
            }
        };
        let tool = Tool::new(NAME, run).description("Runs the handler.");
        self.declare(&tool.label);
        #[allow(clippy::unwrap_used)] // there is nothing in it that could be wrong
        let server = Server::builder("test", "0.0.0").tool(tool).build().unwrap();
        let answer = Arc::clone(&self.answer);
        let mut client = Client::modern(&server)
            .capabilities(self.capabilities.clone())
            .answer_with(move |method, params| Some(decide(&answer, method, params)));
        let reply = client.call(NAME, json!({})).await;
        self.messages.extend_from_slice(client.notifications());
        self.runs = runs.load(Ordering::Relaxed);
        let output = end.lock().unwrap_or_else(PoisonError::into_inner).take();
        output.unwrap_or_else(|| panic!("the handler came to no end: {}", reply.message()))
    }

    /// How often the last run or replay started the handler.
    pub fn runs(&self) -> usize {
        self.runs
    }

    fn declare(&self, label: &Label) {
        match &self.effects {
            Some(effects) => label.declare(effects),
            None => label.declare_anything(),
        }
    }

    fn hear(&mut self, message: Value) {
        if let (Some(id), Some(method)) = (message["id"].as_u64(), message["method"].as_str()) {
            let answer = decide(&self.answer, method, &message["params"]).to_string();
            self.ctx
                .connection()
                .resolve(id, || AskOutcome::Result(answer.into()));
        }
        self.messages.push(message);
    }

    /// All messages that the handler sent, in order.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// The log messages that the handler sent: level and text.
    pub fn logs(&self) -> Vec<(String, Value)> {
        heard::logs(&self.messages)
    }

    /// The progress that the handler told, in order.
    pub fn progress(&self) -> Vec<Progress> {
        heard::progress(&self.messages)
    }
}

fn decide(answer: &Answer, method: &str, params: &Value) -> Value {
    let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
    (*answer)(method, params)
}
