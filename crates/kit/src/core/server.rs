//! The server: its components, its limits, and the way in.

use std::sync::Arc;

use arc_swap::Guard;
use rmcp::model::Implementation;

use crate::ask::SealedStates;
use crate::audit::Audit;
use crate::auth::Permit;
use crate::component::{Components, Exposed, Registry, Snapshot};
use crate::context::{Ctx, Facts, Note};
use crate::keys::KeyRing;
use crate::limits::{CallLimits, Shares};
use crate::metrics::Metrics;
use crate::middleware::{self, Middleware, Next, Request, RequestKind, Response};
use crate::skills::Skills;
use crate::store::{EndedSessionStore, TokenChangeStore};
use crate::streams::SharedStreams;
use crate::tasks::Tasks;
use crate::telemetry::{Observers, Refused, Transport};
use crate::wire::{self, Body, Id, Malformed, Message, Outcome, RpcError, WireLimits};

use super::audited::{self, Audited, Denials};
use super::batch::Batch;
use super::builder::ServerBuilder;
use super::call::{Answer, Call, Reply};
use super::heartbeat::Heartbeat;
use super::inbound::Inbound;
use super::method;
use super::replicas::Replicas;
use super::slot::Slot;
use super::subscriptions::Subscriptions;
use super::watch::{Begun, Watch, transport};
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
    pub(crate) tasks: Tasks,
    pub(super) skills: Option<Skills>,
    pub(crate) wire: WireLimits,
    pub(super) calls: CallLimits,
    pub(crate) stack: Vec<Arc<dyn Middleware>>,
    pub(super) in_flight: Shares,
    pub(super) subscriptions: Arc<Subscriptions>,
    /// Where replicas tell each other which sessions were ended.
    pub(crate) ended_sessions: Option<Arc<dyn EndedSessionStore>>,
    /// Where they tell each other which tokens were revoked.
    pub(crate) token_changes: Option<Arc<dyn TokenChangeStore>>,
    /// Where replicas find each other's responses that can be resumed.
    pub(crate) streams: Option<Arc<SharedStreams>>,
    /// The other replicas, where they can be told something at once.
    pub(crate) replicas: Option<Arc<Replicas>>,
    pub(super) denials: Denials,
    /// Who hears of what happens.
    pub(crate) observers: Observers,
    /// Where what it keeps is measured.
    pub(crate) metrics: Vec<Metrics>,
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

    /// The keys that sign what its clients carry.
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.0.sealed.keys
    }

    /// Tells a legacy client that has introduced itself before, to another replica or before a
    /// restart, of what changes from now on.
    pub(crate) fn remember(&self, connection: &Arc<Connection>) {
        self.0.components.bus.remember(connection);
    }

    /// Gives back what it keeps of legacy clients that are gone. Whoever serves many of them calls it
    /// now and then, as the HTTP transport does.
    pub fn sweep(&self) {
        self.0.components.bus.sweep();
        if let Some(replicas) = &self.0.replicas {
            replicas.sweep();
        }
    }

    /// What it tells clients of how to use it.
    pub fn instructions(&self) -> Option<&str> {
        self.0.instructions.as_deref()
    }

    /// The bounds of calls.
    pub fn call_limits(&self) -> &CallLimits {
        &self.0.calls
    }

    /// The bounds of messages.
    pub fn wire_limits(&self) -> &WireLimits {
        &self.0.wire
    }

    /// Reads one line of a pair of streams.
    ///
    /// # Errors
    /// What to answer one that cannot be served.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Body<'a>, Malformed> {
        wire::parse(line, &self.0.wire).inspect_err(|malformed| {
            let refused = Refused::malformed(&malformed.error.message, Transport::Stdio);
            self.0.observers.refused(&refused);
        })
    }

    /// Finds out where a message goes, without doing anything.
    pub fn inspect<'a>(&self, message: Message<'a>, http: Option<HttpSignals<'a>>) -> Inbound<'a> {
        Inbound::new(message, http)
    }

    /// Serves what one body or line holds.
    pub fn receive(&self, connection: &Arc<Connection>, permit: &Permit, body: Body<'_>) -> Reply {
        self.receive_from(connection, permit, body, None)
    }

    /// [`Server::receive`], over HTTP with what its headers say.
    pub(crate) fn receive_from(
        &self,
        connection: &Arc<Connection>,
        permit: &Permit,
        body: Body<'_>,
        http: Option<HttpSignals<'_>>,
    ) -> Reply {
        match body {
            Body::Single(message) => self.handle(connection, permit, Inbound::new(message, http)),
            Body::Batch(members) => Batch::start(self, connection, permit, members, http),
        }
    }

    /// Serves one message, for whoever has this permit. The connection is one of the same principal: on another's nothing
    /// is served.
    pub fn handle(
        &self,
        connection: &Arc<Connection>,
        permit: &Permit,
        inbound: Inbound<'_>,
    ) -> Reply {
        if connection.principal() != permit.principal() {
            tracing::error!("a message came on the connection of another principal");
            let error = RpcError::internal();
            return Reply::Answer(Answer::error(inbound.request_id(), &error));
        }
        match inbound.message {
            Message::Request(ref request) => {
                let id = request.id.clone();
                let begun = self.0.observers.begin().map(|began| {
                    Begun::new(began, request, inbound.meta, &inbound.route, inbound.http)
                });
                let began = begun.as_ref().map(|begun| begun.began);
                let asked = self.audit().and_then(|_| method::known(&request.method));
                let transport = transport(inbound.http.is_some());
                method::dispatch(self, connection, permit, inbound, began).unwrap_or_else(|error| {
                    let answer = Answer::error(Some(&id), &error);
                    if let Some(begun) = begun {
                        begun.failed(&self.0, connection, &id, &error, answer.body.len());
                    }
                    if let Some(method) = asked {
                        audited::denied(&self.0, connection, method, &error, transport);
                    }
                    Reply::Answer(answer)
                })
            }
            Message::Notification(notification) => {
                method::notified(self, connection, &notification);
                Reply::Accepted
            }
            Message::Response(response) => {
                let asked = match &response.id {
                    Some(id) => match self.answered(connection, id, &response.outcome) {
                        Ok(asked) => asked,
                        Err(error) => return Reply::Answer(Answer::error(None, &error)),
                    },
                    None => {
                        tracing::debug!("a client could not read a message of ours");
                        false
                    }
                };
                match response.outcome {
                    Outcome::Result(_) | Outcome::Error(_) => Reply::Accepted,
                    Outcome::Malformed(error) => Reply::Answer(Answer::error(None, &error)),
                    Outcome::Missing(error) => {
                        let id = response.id.filter(|id| !asked && !connection.gave(id));
                        Reply::Answer(Answer::error(id.as_ref(), &error))
                    }
                }
            }
        }
    }

    /// Hands a client's answer to whoever asked, here or at another replica; `false` when nobody did. Answers to nothing are
    /// ignored.
    fn answered(
        &self,
        connection: &Connection,
        id: &Id,
        outcome: &Outcome<'_>,
    ) -> Result<bool, RpcError> {
        let Some(question) = id.as_number() else {
            return Ok(false);
        };
        match &self.0.replicas {
            _ if connection.resolve(question, || outcome.into()) => Ok(true),
            Some(replicas) => replicas.answered(connection, question, outcome),
            None => Ok(false),
        }
    }

    /// The components, to add and remove them and to switch them on and off while the server runs,
    /// and to say that they have changed.
    pub fn components(&self) -> &Components {
        &self.0.components
    }

    /// Its audit log, if it has one.
    pub fn audit(&self) -> Option<&Audit> {
        self.0.facts.audit.as_ref()
    }

    /// Requests that work, without those that wait for their client and without subscriptions.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.taken()
    }

    /// Tasks that a shutdown waits for: those that are worked on here, where they are kept beyond this process.
    pub fn running_tasks(&self) -> usize {
        self.0.tasks.running()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Starts a request on its way through the pipeline.
    pub(super) fn start(
        &self,
        ctx: Ctx,
        kind: RequestKind,
        watch: Option<Watch>,
        audited: Option<Audited>,
    ) -> Result<Reply, RpcError> {
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
        if let Some(label) = kind.label() {
            ctx.is_for(label);
        }
        let (inner, request) = (
            Arc::clone(&self.0),
            Request {
                ctx: ctx.clone(),
                kind,
            },
        );
        let work = async move {
            let (ctx, method) = (request.ctx.clone(), request.kind.method());
            let label = ctx.component().map(|label| &**label);
            let is_tool = matches!(request.kind, RequestKind::Tool(_));
            let outcome = Next::start(&inner.stack, &inner).run(request).await;
            // Whoever it comes from: a step of the author's says to the model what a handler says.
            let outcome = match outcome {
                Err(error) if is_tool => middleware::soften(error, &ctx, label),
                Err(error) => Err(error.explained(&ctx.facts().explain)),
                outcome => outcome,
            };
            if outcome.as_ref().is_ok_and(Response::is_error) {
                ctx.note(Note::ToolError);
            }
            let answer = match outcome.and_then(|outcome| middleware::encode(outcome, &ctx)) {
                Ok(result) => Answer::result(ctx.id(), &result),
                Err(error) => {
                    let error = error.into_rpc(ctx.era(), method, label);
                    Answer::error(Some(ctx.id()), &error)
                }
            };
            match audited {
                Some(audited) => audited.answered(answer).await,
                None => answer,
            }
        };
        let call = Call::new(ctx, slot, heartbeat, watch, Box::pin(work));
        Ok(Reply::Call(call))
    }
}
