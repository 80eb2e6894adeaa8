//! Handlers and servers in memory, for the tests of a server's author.
//!
//! ```
//! use pymcp_kit::testing::Probe;
//! use pymcp_kit::{Ctx, Result};
//! use serde_json::json;
//!
//! async fn shout(ctx: Ctx, text: &'static str) -> Result<String> {
//!     ctx.info("Shouting.").await;
//!     Ok(text.to_uppercase())
//! }
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! runtime.block_on(async {
//!     let mut probe = Probe::new();
//!     assert_eq!(probe.run(shout(probe.ctx(), "ahoy")).await.unwrap(), "AHOY");
//!     assert_eq!(probe.logs(), [("info".to_owned(), json!("Shouting."))]);
//! });
//! ```

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::context::{Ctx, CtxParts};
use crate::core::{
    CallLimits, ClientCapabilities, Connection, Era, LATEST_LEGACY, PeerInfo, Said, Server,
};
use crate::principal::Principal;
use crate::transport::stdio;
use crate::wire::{Id, Outcome};

type Answer = Box<dyn FnMut(&str, &Value) -> Value + Send>;

/// A context that records what a handler says, and answers what it asks.
pub struct Probe {
    ctx: Ctx,
    answer: Answer,
    messages: Vec<Value>,
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
        let ctx = Ctx::new(CtxParts {
            facts: Arc::clone(&server.inner().facts),
            connection: Connection::new(Principal::ANONYMOUS),
            peer: Arc::new(PeerInfo {
                era: Era::Legacy,
                version: LATEST_LEGACY,
                capabilities,
                client: None,
            }),
            id: Id::number(1),
            progress_token: Some(Id::number(1)),
            log_level: None,
            seed: None,
        });
        Self {
            ctx,
            answer: Box::new(answer),
            messages: Vec::new(),
        }
    }

    /// The context to call a handler with.
    pub fn ctx(&self) -> Ctx {
        self.ctx.clone()
    }

    /// Runs a handler to its end.
    pub async fn run<F: Future>(&mut self, handler: F) -> F::Output {
        let mut handler = pin!(handler);
        poll_fn(|cx| {
            loop {
                let outcome = handler.as_mut().poll(cx);
                let mut heard = false;
                while let Some(said) = self.ctx.outbox().poll_next(cx) {
                    heard = true;
                    let Said::Message(message) = said else {
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

    fn hear(&mut self, message: Value) {
        if let (Some(id), Some(method)) = (message["id"].as_u64(), message["method"].as_str()) {
            let answer = (self.answer)(method, &message["params"]).to_string();
            self.ctx
                .connection()
                .resolve(&Id::number(id), &Outcome::Result(&answer));
        }
        self.messages.push(message);
    }

    /// All messages that the handler sent, in order.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// The log messages that the handler sent: level and text.
    pub fn logs(&self) -> Vec<(String, Value)> {
        let logs = self
            .messages
            .iter()
            .filter(|message| message["method"] == "notifications/message");
        logs.map(|log| {
            let params = &log["params"];
            (
                params["level"].as_str().unwrap_or_default().to_owned(),
                params["data"].clone(),
            )
        })
        .collect()
    }
}

/// Serves one client over a pipe in memory; the other end is for the client. Needs a tokio runtime.
pub fn connect(server: &Server) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let server = server.clone();
    let (reader, writer) = tokio::io::split(ours);
    tokio::spawn(async move { stdio::serve(server, reader, writer).await });
    theirs
}
