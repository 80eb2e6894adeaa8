//! The server: its components, its limits, and the way in.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rmcp::model::{Implementation, ServerCapabilities};
use serde_json::json;

use crate::component::{Lists, Registry};
use crate::context::{Ctx, Facts};
use crate::middleware::{self, Invocation, Middleware, Next, Target};
use crate::wire::{self, Body, Malformed, Message, RpcError, WireLimits};

use super::batch::Batch;
use super::builder::{CallLimits, ServerBuilder};
use super::call::{Answer, Call, Reply};
use super::connection::{Connection, Slot};
use super::era::HttpSignals;
use super::inbound::Inbound;
use super::method;

/// An MCP server. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Server(pub(super) Arc<Inner>);

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) facts: Arc<Facts>,
    pub(crate) capabilities: ServerCapabilities,
    pub(crate) instructions: Option<String>,
    pub(crate) registry: Registry,
    pub(super) legacy: Lists,
    pub(super) modern: Lists,
    pub(crate) wire: WireLimits,
    pub(super) calls: CallLimits,
    pub(crate) stack: Vec<Arc<dyn Middleware>>,
    pub(super) in_flight: Arc<AtomicUsize>,
    pub(super) subscribers: Mutex<Vec<Weak<Connection>>>,
}

impl Server {
    /// Starts the description of a server; `name` and `version` are what clients see.
    pub fn builder(name: impl Into<String>, version: impl Into<String>) -> ServerBuilder {
        ServerBuilder::new(Implementation::new(name, version))
    }

    /// Its components.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
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
        match body {
            Body::Single(message) => self.handle(connection, Inbound::new(message, None)),
            Body::Batch(members) => Batch::start(self, connection, members),
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
                connection.resolve(&response.id, response.outcome);
                Reply::Accepted
            }
        }
    }

    /// Tells every legacy client that subscribed to `uri` that it changed.
    pub fn resource_updated(&self, uri: &str) {
        let message = wire::notification("notifications/resources/updated", &json!({ "uri": uri }));
        let mut subscribers = self
            .0
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| match subscriber.upgrade() {
            Some(connection) => {
                if connection.is_subscribed(uri) {
                    connection.push(message.clone());
                }
                true
            }
            None => false,
        });
    }

    /// Remembers a connection that has subscribed for the first time.
    pub(crate) fn remember_subscriber(&self, connection: &Arc<Connection>) {
        let mut subscribers = self
            .0
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Those that are gone are swept out each time the list has doubled.
        if subscribers.len().is_power_of_two() {
            subscribers.retain(|weak| weak.strong_count() > 0);
        }
        subscribers.push(Arc::downgrade(connection));
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Starts a request on its way through the pipeline.
    pub(crate) fn start(&self, ctx: Ctx, target: Target) -> Result<Reply, RpcError> {
        let limits = &self.0.calls;
        let slot = Slot::take(
            &ctx,
            &self.0.in_flight,
            limits.in_flight_per_connection,
            limits.in_flight,
        )?;
        let (inner, call) = (
            Arc::clone(&self.0),
            Invocation {
                ctx: ctx.clone(),
                target,
            },
        );
        let work = async move {
            let (ctx, method) = (call.ctx.clone(), call.target.method());
            let outcome = Next::start(&inner).run(call).await;
            match outcome.and_then(|outcome| middleware::encode(outcome, &ctx)) {
                Ok(result) => Answer::result(ctx.id(), &result),
                Err(error) => Answer::error(Some(ctx.id()), &error.into_rpc(ctx.era(), method)),
            }
        };
        Ok(Reply::Call(Call::new(ctx, slot, Box::pin(work))))
    }
}
