//! The server: its components, its limits, and the way in.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rmcp::model::{Implementation, ReadResourceResult, ServerCapabilities};
use serde_json::json;

use crate::component::BoxFuture;
use crate::component::{
    CacheHint, Found, Lists, Prompt, Registry, Resource, ResourceTemplate, Tool,
};
use crate::context::{Ctx, Facts};
use crate::error::{Error, Result};
use crate::middleware::{
    self, CacheConfig, Flow, Invocation, List, Middleware, Next, Outcome, Target, soften,
};
use crate::wire::{self, Body, Id, Malformed, Message, WireLimits};

use super::batch::Batch;
use super::call::{Answer, Call, Reply};
use super::connection::{Connection, Slot};
use super::era::{Era, HttpSignals, Route, classify_meta};
use super::method::{self, Incoming};
use super::peer::RequestMeta;

/// How long modern clients may keep the lists: they do not change while the server runs, and a
/// restart with other components is noticed within this time.
const LIST_HINT: CacheHint = CacheHint {
    ttl: Duration::from_secs(60),
    public: false,
};

/// Bounds of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// Time one request may take, without the time the client takes to answer questions.
    /// Default 30 s; a component can set its own.
    pub timeout: Duration,
    /// Time the client has to answer a question (elicitation, sampling). Default 10 min.
    pub ask_timeout: Duration,
    /// Requests in flight on one connection. Default 256.
    pub in_flight_per_connection: usize,
    /// Requests in flight in all. Default 1,024.
    pub in_flight: usize,
    /// Bytes of one result. Default 1 MiB.
    pub result_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            ask_timeout: Duration::from_secs(600),
            in_flight_per_connection: 256,
            in_flight: 1024,
            result_bytes: 1 << 20,
        }
    }
}

/// A server cannot be built as described; one sentence says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError(String);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Puts a server together.
pub struct ServerBuilder {
    info: Implementation,
    instructions: Option<String>,
    registry: Registry,
    wire: WireLimits,
    calls: CallLimits,
    cache: CacheConfig,
    middleware: Vec<Arc<dyn Middleware>>,
    refused: Option<String>,
}

impl ServerBuilder {
    /// Adds a tool.
    pub fn tool(self, tool: Tool) -> Self {
        self.add(|registry| registry.add_tool(tool))
    }

    /// Adds a resource.
    pub fn resource(self, resource: Resource) -> Self {
        self.add(|registry| registry.add_resource(resource))
    }

    /// Adds a resource template. Where several match, the first one added answers.
    pub fn template(self, template: ResourceTemplate) -> Self {
        self.add(|registry| registry.add_template(template))
    }

    /// Adds a prompt.
    pub fn prompt(self, prompt: Prompt) -> Self {
        self.add(|registry| registry.add_prompt(prompt))
    }

    /// Adds a step to the pipeline, behind those added before it.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Tells clients how to use the server.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Sets the bounds of messages.
    pub fn wire_limits(mut self, limits: WireLimits) -> Self {
        self.wire = limits;
        self
    }

    /// Sets the bounds of calls.
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        self.calls = limits;
        self
    }

    /// Sets the bounds of the response cache.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = cache;
        self
    }

    /// Makes the server: compiles schemas, checks names, writes the lists.
    ///
    /// # Errors
    /// The first component that cannot be served, and why.
    pub fn build(self) -> Result<Server, BuildError> {
        if let Some(why) = self.refused {
            return Err(BuildError(why));
        }
        let facts = Arc::new(Facts {
            server: self.info,
            ask_timeout: self.calls.ask_timeout,
        });
        let internal = |error: serde_json::Error| BuildError(error.to_string());
        let json = |value| Ok::<_, serde_json::Error>(Bytes::from(serde_json::to_vec(&value)?));
        let legacy = Lists::write(&self.registry, Era::Legacy, json).map_err(internal)?;
        let modern = Lists::write(&self.registry, Era::Modern, |list| {
            json(middleware::complete_modern(list, LIST_HINT, &facts))
        })
        .map_err(internal)?;
        let stack = middleware::stack(&self.calls, self.cache, self.middleware);
        Ok(Server(Arc::new(Inner {
            facts,
            capabilities: capabilities(&self.registry),
            instructions: self.instructions,
            registry: self.registry,
            legacy,
            modern,
            wire: self.wire,
            calls: self.calls,
            stack,
            in_flight: Arc::default(),
            subscribers: Mutex::default(),
        })))
    }

    fn add(mut self, add: impl FnOnce(&mut Registry) -> Result<(), String>) -> Self {
        if let Err(why) = add(&mut self.registry) {
            self.refused.get_or_insert(why);
        }
        self
    }
}

/// What legacy clients are told; nothing is advertised that would not be answered.
fn capabilities(registry: &Registry) -> ServerCapabilities {
    let mut capabilities = ServerCapabilities::default();
    capabilities.logging = Some(Default::default());
    let unchanging = json!({ "listChanged": false });
    // `from_value` of a literal cannot fail; an absent capability would be the honest fallback.
    if registry.tools().next().is_some() {
        capabilities.tools = serde_json::from_value(unchanging.clone()).ok();
    }
    if registry.prompts().next().is_some() {
        capabilities.prompts = serde_json::from_value(unchanging).ok();
    }
    if registry.resources().next().is_some() || registry.templates().next().is_some() {
        capabilities.resources =
            serde_json::from_value(json!({ "subscribe": true, "listChanged": false })).ok();
    }
    capabilities
}

/// An MCP server. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) facts: Arc<Facts>,
    pub(crate) capabilities: ServerCapabilities,
    pub(crate) instructions: Option<String>,
    pub(crate) registry: Registry,
    legacy: Lists,
    modern: Lists,
    pub(crate) wire: WireLimits,
    calls: CallLimits,
    pub(crate) stack: Vec<Arc<dyn Middleware>>,
    in_flight: Arc<AtomicUsize>,
    subscribers: Mutex<Vec<Weak<Connection>>>,
}

impl Server {
    /// Starts the description of a server; `name` and `version` are what clients see.
    pub fn builder(name: impl Into<String>, version: impl Into<String>) -> ServerBuilder {
        ServerBuilder {
            info: Implementation::new(name, version),
            instructions: None,
            registry: Registry::default(),
            wire: WireLimits::default(),
            calls: CallLimits::default(),
            cache: CacheConfig::default(),
            middleware: Vec::new(),
            refused: None,
        }
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

    pub(crate) fn remember_subscriber(&self, connection: &Arc<Connection>) {
        let mut subscribers = self
            .0
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = |weak: &Weak<Connection>| std::ptr::eq(weak.as_ptr(), Arc::as_ptr(connection));
        subscribers.retain(|weak| weak.strong_count() > 0);
        if !subscribers.iter().any(known) {
            subscribers.push(Arc::downgrade(connection));
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Starts a request on its way through the pipeline.
    pub(crate) fn start(&self, ctx: Ctx, target: Target) -> Result<Reply, crate::wire::RpcError> {
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

impl Inner {
    /// The end of the pipeline: the component itself.
    pub(crate) fn run(&self, call: Invocation) -> Flow<'_> {
        let Invocation { ctx, target } = call;
        match target {
            Target::Tool(call) => {
                let Some(prepared) = call.tool else {
                    return refuse(Error::invalid_params(
                        "No such tool; tools/list names them.",
                    ));
                };
                let era = ctx.era();
                let work = (prepared.tool.handler)(ctx, call.arguments);
                Box::pin(async move {
                    let result = match work.await {
                        Ok(result) => result,
                        Err(error) => return soften(error, era),
                    };
                    #[cfg(debug_assertions)]
                    check_output(&prepared, result.structured.as_ref())?;
                    Ok(Outcome::Tool(result.into_wire()))
                })
            }
            Target::Resource(read) => {
                let place = |mime: &Option<String>, uri: String| crate::component::Place {
                    uri,
                    mime_type: mime.clone(),
                };
                let (work, hint): (BoxFuture<'static, _>, _) = match read.found {
                    None => return refuse(Error::resource_not_found(read.uri)),
                    Some(Found::Resource(resource)) => {
                        let place = place(&resource.definition.mime_type, read.uri);
                        ((resource.handler)(ctx, place), resource.settings.hint)
                    }
                    Some(Found::Template(prepared, variables)) => {
                        let template = &prepared.template;
                        let place = place(&template.definition.mime_type, read.uri);
                        match prepared.check(variables) {
                            Ok(variables) => (
                                (template.handler)(ctx, (place, variables)),
                                template.settings.hint,
                            ),
                            Err(error) => return refuse(error),
                        }
                    }
                };
                Box::pin(async move {
                    Ok(Outcome::Resource(
                        ReadResourceResult::new(work.await?),
                        hint,
                    ))
                })
            }
            Target::Prompt(get) => {
                let Some(prompt) = get.prompt else {
                    return refuse(Error::invalid_params(
                        "No such prompt; prompts/list names them.",
                    ));
                };
                if let Err(error) = prompt.check(&get.arguments) {
                    return refuse(error);
                }
                let work = (prompt.handler)(ctx, get.arguments);
                let description = prompt.definition.description.clone();
                Box::pin(async move {
                    let mut result = work.await?;
                    result.description = result.description.or(description);
                    Ok(Outcome::Prompt(result))
                })
            }
            Target::List(list) => {
                let lists = match ctx.era() {
                    Era::Legacy => &self.legacy,
                    Era::Modern => &self.modern,
                };
                let json = match list {
                    List::Tools => &lists.tools,
                    List::Resources => &lists.resources,
                    List::Templates => &lists.templates,
                    List::Prompts => &lists.prompts,
                };
                ready(Ok(Outcome::Encoded {
                    json: json.clone(),
                    is_error: false,
                }))
            }
            Target::Protocol(call) => ready(
                (call.run)()
                    .map(|json| Outcome::Encoded {
                        json,
                        is_error: false,
                    })
                    .map_err(Error::from),
            ),
        }
    }
}

fn ready<'a>(outcome: Result<Outcome>) -> Flow<'a> {
    Box::pin(std::future::ready(outcome))
}

fn refuse<'a>(error: Error) -> Flow<'a> {
    ready(Err(error))
}

#[cfg(debug_assertions)]
fn check_output(
    prepared: &crate::component::PreparedTool,
    structured: Option<&serde_json::Value>,
) -> Result<()> {
    let Some(schema) = &prepared.output else {
        return Ok(());
    };
    let complaint = match structured {
        Some(value) => schema.complain(value),
        None => Some("structured content is missing".into()),
    };
    match complaint {
        Some(complaint) => Err(Error::internal(format!(
            "the tool '{}' breaks its output schema: {complaint}",
            prepared.tool.name()
        ))),
        None => Ok(()),
    }
}

/// A message with its era found out.
pub struct Inbound<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) meta: RequestMeta<'a>,
    pub(crate) route: Route,
    pub(crate) http: Option<HttpSignals<'a>>,
}

impl<'a> Inbound<'a> {
    pub(super) fn new(message: Message<'a>, http: Option<HttpSignals<'a>>) -> Self {
        let (method, params) = match &message {
            Message::Request(request) => (&*request.method, request.params),
            Message::Notification(notification) => (&*notification.method, notification.params),
            Message::Response(_) => ("", None),
        };
        let meta = RequestMeta::peek(params);
        let initialize = method == "initialize" && super::era::names_protocol_version(params);
        let route = match message {
            // Only requests carry the envelope; what else is modern about them only HTTP can tell.
            Message::Request(_) => classify_meta(method, initialize, &meta, http),
            _ => Route::Legacy,
        };
        Self {
            message,
            meta,
            route,
            http,
        }
    }

    /// Where it goes.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The message.
    pub fn message(&self) -> &Message<'a> {
        &self.message
    }

    /// The id, when it is a request.
    pub fn request_id(&self) -> Option<&Id> {
        match &self.message {
            Message::Request(request) => Some(&request.id),
            _ => None,
        }
    }

    /// Whether it is the request that opens a legacy session.
    pub fn is_initialize(&self) -> bool {
        matches!(&self.message, Message::Request(request) if request.method == "initialize")
    }
}

impl Incoming<'_> {
    /// The context of this request.
    pub(super) fn ctx(&self, server: &Server) -> Result<Ctx, crate::wire::RpcError> {
        Ok(Ctx::new(crate::context::CtxParts {
            facts: Arc::clone(&server.0.facts),
            connection: Arc::clone(self.connection),
            peer: Arc::clone(&self.peer),
            id: self.id.clone(),
            progress_token: self.meta.progress_token(&server.0.wire)?,
            log_level: match self.peer.era {
                Era::Legacy => None,
                Era::Modern => self.meta.log_level()?,
            },
        }))
    }
}
