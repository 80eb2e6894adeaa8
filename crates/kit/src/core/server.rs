//! The server: its components, its limits, and the way in.

use std::sync::Arc;

use arc_swap::Guard;
use rmcp::model::Implementation;

use crate::ask::SealedStates;
use crate::component::{Components, Exposed, Registry, Snapshot};
use crate::context::{Ctx, Facts};
use crate::limits::{CallLimits, Shares};
use crate::middleware::{self, Middleware, Next, Request, RequestKind};
use crate::skills::Skills;
use crate::tasks::Tasks;
use crate::wire::{self, Body, Malformed, Message, Outcome, RpcError, WireLimits};

use super::batch::Batch;
use super::builder::ServerBuilder;
use super::call::{Answer, Call, Reply};
use super::heartbeat::Heartbeat;
use super::inbound::Inbound;
use super::method;
use super::slot::Slot;
use super::subscriptions::Subscriptions;
use crate::connection::Connection;
use crate::protocol::HttpSignals;

/// An MCP server. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Server(pub(super) Arc<Inner>);

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) facts: Arc<Facts>,
    /// The same that `facts` hold, with their type.
    pub(super) components: Arc<Components>,
    pub(crate) instructions: Option<String>,
    pub(super) sealed: SealedStates,
    pub(super) tasks: Tasks,
    pub(super) skills: Option<Skills>,
    pub(crate) wire: WireLimits,
    pub(super) calls: CallLimits,
    pub(crate) stack: Vec<Arc<dyn Middleware>>,
    pub(super) in_flight: Shares,
    pub(super) subscriptions: Arc<Subscriptions>,
}

impl Inner {
    /// What is switched on.
    pub(super) fn components(&self) -> Guard<Arc<Snapshot>> {
        self.components.current()
    }

    /// What it answers to, whether or not something of that is there and switched on.
    pub(super) fn exposed(&self) -> Exposed {
        self.components().exposed
    }
}

impl Server {
    /// Starts the description of a server; `name` and `version` are what clients see.
    pub fn builder(name: impl Into<String>, version: impl Into<String>) -> ServerBuilder {
        ServerBuilder::new(Implementation::new(name, version))
    }

    /// All its components at this moment, whether they are switched on or not.
    pub fn registry(&self) -> Arc<Registry> {
        self.0.components.everything()
    }

    /// Its name and version.
    pub fn info(&self) -> &Implementation {
        &self.0.facts.server
    }

    /// The bounds of messages.
    pub fn wire_limits(&self) -> &WireLimits {
        &self.0.wire
    }

    /// Reads one body or line.
    ///
    /// # Errors
    /// What to answer a body that cannot be served.
    pub fn parse<'a>(&self, body: &'a [u8]) -> Result<Body<'a>, Malformed> {
        wire::parse(body, &self.0.wire)
    }

    /// Finds out where a message goes, without doing anything.
    pub fn inspect<'a>(&self, message: Message<'a>, http: Option<HttpSignals<'a>>) -> Inbound<'a> {
        Inbound::new(message, http)
    }

    /// Serves what one body or line holds.
    pub fn receive(&self, connection: &Arc<Connection>, body: Body<'_>) -> Reply {
        self.receive_from(connection, body, None)
    }

    /// [`Server::receive`], over HTTP with what its headers say.
    pub(crate) fn receive_from(
        &self,
        connection: &Arc<Connection>,
        body: Body<'_>,
        http: Option<HttpSignals<'_>>,
    ) -> Reply {
        match body {
            Body::Single(message) => self.handle(connection, Inbound::new(message, http)),
            Body::Batch(members) => Batch::start(self, connection, members, http),
        }
    }

    /// Serves one message.
    pub fn handle(&self, connection: &Arc<Connection>, inbound: Inbound<'_>) -> Reply {
        match inbound.message {
            Message::Request(ref request) => {
                let id = request.id.clone();
                method::dispatch(self, connection, inbound)
                    .unwrap_or_else(|error| Reply::Answer(Answer::error(Some(&id), &error)))
            }
            Message::Notification(notification) => {
                method::notified(connection, &notification);
                Reply::Accepted
            }
            Message::Response(response) => {
                match &response.id {
                    Some(id) => connection.resolve(id, &response.outcome),
                    None => tracing::debug!("a client could not read a message of ours"),
                }
                match response.outcome {
                    Outcome::Result(_) | Outcome::Error(_) => Reply::Accepted,
                    Outcome::Malformed(error) => Reply::Answer(Answer::error(None, &error)),
                    Outcome::Missing(error) => {
                        let id = response.id.filter(|id| !connection.gave(id));
                        Reply::Answer(Answer::error(id.as_ref(), &error))
                    }
                }
            }
        }
    }

    /// The components, to add and remove them and to switch them on and off while the server runs,
    /// and to say that they have changed.
    pub fn components(&self) -> &Components {
        &self.0.components
    }

    /// Requests that work, without those that wait for their client and without subscriptions.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.taken()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Starts a request on its way through the pipeline.
    pub(crate) fn start(&self, ctx: Ctx, kind: RequestKind) -> Result<Reply, RpcError> {
        let per_connection = self.0.calls.in_flight_per_connection;
        // Subscriptions last for hours; they have places of their own, so that calls find some.
        let slot = match kind.is_lasting() {
            true => Slot::lasting(&ctx)?,
            false => Slot::take(&ctx, &self.0.in_flight, per_connection)?,
        };
        // A subscription's stream carries no progress.
        let heartbeat = match kind.is_lasting() {
            true => None,
            false => Heartbeat::new(&ctx, self.0.calls.heartbeat),
        };
        let (inner, request) = (
            Arc::clone(&self.0),
            Request {
                ctx: ctx.clone(),
                kind,
            },
        );
        let work = async move {
            let (ctx, method) = (request.ctx.clone(), request.kind.method());
            let label = request.kind.label().cloned();
            let label = label.as_deref();
            let is_tool = matches!(request.kind, RequestKind::Tool(_));
            let outcome = Next::start(&inner.stack, &inner).run(request).await;
            // Whoever it comes from: a step of the author's says to the model what a handler says.
            let outcome = match outcome {
                Err(error) if is_tool => middleware::soften(error, &ctx, label),
                Err(error) => Err(error.explained(&ctx.facts().explain)),
                outcome => outcome,
            };
            match outcome.and_then(|outcome| middleware::encode(outcome, &ctx)) {
                Ok(result) => Answer::result(ctx.id(), &result),
                Err(error) => {
                    let error = error.into_rpc(ctx.era(), method, label);
                    Answer::error(Some(ctx.id()), &error)
                }
            }
        };
        Ok(Reply::Call(Call::new(ctx, slot, heartbeat, Box::pin(work))))
    }
}
