//! Batches: only 2025-03-26 has them, and there a server must take them.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::telemetry::{Refused, Transport};
use crate::wire::{Malformed, Message, RpcError};

use super::call::{Answer, Call, Event, Reply};
use super::inbound::Inbound;
use super::method;
use super::server::Server;
use crate::auth::Permit;
use crate::connection::Connection;
use crate::protocol::{HttpSignals, Route};

/// The only revision with batches.
const BATCH_VERSION: &str = "2025-03-26";

/// The requests of one batch on their way to one array of answers.
pub struct Batch {
    calls: Vec<Call>,
    answers: Vec<Bytes>,
}

impl Batch {
    /// Serves the members of a batch; all of them are started before any is waited for.
    pub(super) fn start(
        server: &Server,
        connection: &Arc<Connection>,
        permit: &Permit,
        members: Vec<Result<Message<'_>, Malformed>>,
        http: Option<HttpSignals<'_>>,
    ) -> Reply {
        if connection
            .peer()
            .is_none_or(|peer| peer.version != BATCH_VERSION)
        {
            let error = RpcError::invalid_request(
                "Batches exist only in protocol revision 2025-03-26; send one message.",
            );
            return Reply::Answer(Answer::error(None, &error));
        }
        let mut batch = Self {
            calls: Vec::new(),
            answers: Vec::new(),
        };
        for member in members {
            let inbound = match member {
                Ok(message) => Inbound::new(message, http),
                Err(Malformed { id, error }) => {
                    let transport = match http {
                        Some(_) => Transport::Http,
                        None => Transport::Stdio,
                    };
                    let refused = Refused::malformed(&error.message, transport);
                    server.inner().observers.refused(&refused);
                    batch.answers.push(Answer::error(id.as_ref(), &error).body);
                    continue;
                }
            };
            if inbound.is_initialize() {
                let error = RpcError::invalid_request("\"initialize\" cannot be part of a batch.");
                batch
                    .answers
                    .push(Answer::error(inbound.request_id(), &error).body);
                continue;
            }
            if inbound.route != Route::Legacy || inbound.method().is_some_and(method::is_modern) {
                let error = RpcError::invalid_request(
                    "A batch holds messages of protocol revision 2025-03-26 only; send this one by itself.",
                );
                batch
                    .answers
                    .push(Answer::error(inbound.request_id(), &error).body);
                continue;
            }
            match server.handle(connection, permit, inbound) {
                Reply::Accepted | Reply::Batch(_) => {}
                Reply::Answer(answer) => batch.answers.push(answer.body),
                Reply::Call(call) => batch.calls.push(call),
            }
        }
        match batch.calls.is_empty() && batch.answers.is_empty() {
            true => Reply::Accepted,
            false => Reply::Batch(batch),
        }
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// As [`Call::poll_event`]; the answer is the array of all answers.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut i = 0;
        while let Some(call) = self.calls.get_mut(i) {
            match call.poll_event(cx) {
                Poll::Pending => i += 1,
                Poll::Ready(Some(Event::Message(message))) => {
                    return Poll::Ready(Some(Event::Message(message)));
                }
                // Never of the whole batch, and its revision knows nothing of it.
                Poll::Ready(Some(Event::Release)) => {}
                Poll::Ready(Some(Event::Answer(answer))) => {
                    self.answers.push(answer.body);
                    self.calls.swap_remove(i);
                }
                Poll::Ready(None) => drop(self.calls.swap_remove(i)),
            }
        }
        if !self.calls.is_empty() {
            return Poll::Pending;
        }
        if self.answers.is_empty() {
            return Poll::Ready(None);
        }
        let answers = std::mem::take(&mut self.answers);
        let body = [b"[", answers.join(&b","[..]).as_slice(), b"]"].concat();
        Poll::Ready(Some(Event::Answer(Answer {
            body: body.into(),
            error: None,
            retry_after: None,
            scopes: None,
        })))
    }
}
