//! Asking the user or the client's model, from inside a handler.
//!
//! [`Ctx::elicit`] and [`Ctx::sample`] read the same in both protocol eras: a handler awaits the
//! answer. For legacy clients that is a request to the client; since 2026-07-28 a server sends
//! none, and until such questions are replayed a handler gets an error that says so.

mod elicit;
mod sample;

pub use elicit::Elicited;
pub use sample::{Sample, Sampled};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Ctx;
use crate::core::Era;
use crate::error::{Error, Result};
use crate::wire::{self, Id};

impl Ctx {
    /// One question to the client and its answer. The capability was checked before.
    async fn ask<R: DeserializeOwned>(&self, method: &str, params: &impl Serialize) -> Result<R> {
        if self.era() == Era::Modern {
            return Err(Error::user(
                "This needs an answer from the client, which is served only after \"initialize\" \
                 (protocol revisions up to 2025-11-25) for now; connect with one of those.",
            ));
        }
        let (id, answer) = self.connection().open_ask();
        let _open = OpenAsk { ctx: self, id };
        let _asking = self.start_asking();
        self.outbox()
            .send(wire::request(&Id::number(id), method, params))
            .await;
        let limit = self.facts().ask_timeout;
        let outcome = match tokio::time::timeout(limit, answer).await {
            Err(_) => {
                return Err(Error::user(format!(
                    "The client did not answer within {} s.",
                    limit.as_secs()
                )));
            }
            Ok(Err(_)) => return Err(Error::user("The client left before it answered.")),
            Ok(Ok(outcome)) => outcome,
        };
        match outcome {
            Ok(result) => serde_json::from_str(&result)
                .map_err(|_| Error::user(format!("The client's answer to {method} is malformed."))),
            Err(error) => Err(Error::user(client_error(&error))),
        }
    }
}

/// The client's own words are what the user should see: it declined, or it cannot.
fn client_error(error: &str) -> String {
    const MAX: usize = 500;
    let message = serde_json::from_str::<Value>(error)
        .ok()
        .and_then(|error| Some(error.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| "The client refused without a reason.".to_owned());
    message.chars().take(MAX).collect()
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
