//! The methods: one table, and one function each.
//!
//! To add a method, add a row to [`METHODS`] and a function that reads its params and says what is
//! asked for.

mod skills;
mod tasks;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{
    CallToolRequestParams, DiscoverResult, ExtensionCapabilities, GetPromptRequestParams,
    InitializeRequestParams, InitializeResult, InputResponses, JsonObject, PaginatedRequestParams,
    ProtocolVersion, ReadResourceRequestParams, SKILLS_EXTENSION_ID, SubscribeRequestParams,
    TASKS_EXTENSION_ID, UnsubscribeRequestParams,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::Seed;
use crate::component::mirrored::{Mirrored, decode};
use crate::component::{
    Arguments, CacheHint, Completers, Completion, Kind, PreparedTemplate, Prompt, Typing, is_uri,
    normalize,
};
use crate::context::{Ctx, CtxParts, Level};
use crate::error::{self, Error};
use crate::middleware::{
    List, PromptGet, ProtocolCall, ResourceRead, SERVER_INFO, Target, ToolCall, complete_modern,
    server_info,
};
use crate::wire::{Code, Id, Message, Notification, RpcError};

use super::call::Reply;
use super::connection::{Connection, legacy_peer};
use super::era::{Era, HttpSignals, LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION, Route};
use super::inbound::Inbound;
use super::listen;
use super::peer::{PeerInfo, RequestMeta};
use super::server::Server;

/// One request, ready for its method.
struct Incoming<'a> {
    connection: &'a Arc<Connection>,
    id: Id,
    method: &'static str,
    params: Option<&'a str>,
    meta: RequestMeta<'a>,
    peer: Arc<PeerInfo>,
    http: Option<HttpSignals<'a>>,
    seed: Cell<Option<Seed>>,
}

type Run = fn(&Server, &Incoming<'_>) -> Result<Target, RpcError>;

struct Method {
    name: &'static str,
    legacy: bool,
    modern: bool,
    /// Legacy: whether it is served before `initialize`.
    early: bool,
    run: Run,
}

const fn both(name: &'static str, run: Run) -> Method {
    Method {
        name,
        legacy: true,
        modern: true,
        early: false,
        run,
    }
}

const fn legacy(name: &'static str, early: bool, run: Run) -> Method {
    Method {
        name,
        legacy: true,
        modern: false,
        early,
        run,
    }
}

const fn modern(name: &'static str, run: Run) -> Method {
    Method {
        name,
        legacy: false,
        modern: true,
        early: false,
        run,
    }
}

/// Every method that is answered, the most frequent first.
const METHODS: &[Method] = &[
    both("tools/call", call_tool),
    both("resources/read", read_resource),
    both("prompts/get", get_prompt),
    both("tools/list", |server, incoming| {
        incoming.list(server, List::Tools)
    }),
    both("resources/list", |server, incoming| {
        incoming.list(server, List::Resources)
    }),
    both("resources/templates/list", |server, incoming| {
        incoming.list(server, List::Templates)
    }),
    both("prompts/list", |server, incoming| {
        incoming.list(server, List::Prompts)
    }),
    both("completion/complete", complete),
    modern("server/discover", discover),
    modern("subscriptions/listen", listen),
    modern("tasks/get", tasks::get),
    modern("tasks/update", tasks::update),
    modern("tasks/cancel", tasks::cancel),
    modern("skills/list", skills::list),
    modern("skills/get", skills::get),
    modern("resources/directory/read", skills::directory),
    legacy("initialize", true, initialize),
    legacy("ping", true, |_, incoming| {
        Ok(incoming.acknowledge(|| Ok(())))
    }),
    legacy("logging/setLevel", false, set_level),
    legacy("resources/subscribe", false, subscribe),
    legacy("resources/unsubscribe", false, unsubscribe),
];

/// Sends a request to its method.
pub(super) fn dispatch(
    server: &Server,
    connection: &Arc<Connection>,
    inbound: Inbound<'_>,
) -> Result<Reply, RpcError> {
    let Inbound {
        message: Message::Request(request),
        meta,
        route,
        http,
    } = inbound
    else {
        return Ok(Reply::Accepted);
    };
    let (era, peer) = match route {
        Route::Malformed(error) => return Err(error),
        Route::Legacy => (Era::Legacy, None),
        Route::Modern => {
            // The order of the ladder (`basic/index#_meta`, streamable HTTP `#server-validation`):
            // envelope complete, headers agree, version served; then the method.
            let envelope = meta.modern_peer()?;
            check_headers(&request.method, &envelope.version, http)?;
            (Era::Modern, Some(envelope.into_peer()?))
        }
    };
    let served = |method: &&Method| {
        method.name == request.method
            && if era == Era::Legacy {
                method.legacy
            } else {
                method.modern
            }
    };
    let found = METHODS.iter().find(served);
    let peer = match (peer, found) {
        (Some(peer), _) => peer,
        (None, Some(Method { early: true, .. })) => connection.peer().unwrap_or_else(stranger),
        (None, _) => legacy_peer(connection)?,
    };
    let method = found.ok_or_else(no_such_method)?;
    if let Some(params) = request.params
        && !params.starts_with('{')
    {
        return Err(RpcError::invalid_params("\"params\" must be an object."));
    }
    let incoming = Incoming {
        connection,
        id: request.id,
        method: method.name,
        params: request.params,
        meta,
        peer,
        http,
        seed: Cell::default(),
    };
    let target = (method.run)(server, &incoming)?;
    let seed = incoming.seed.take();
    server.start(incoming.ctx(server, seed)?, target)
}

/// Also for what this server has nothing of: what is not advertised is not answered.
fn no_such_method() -> RpcError {
    RpcError::new(Code::METHOD_NOT_FOUND, "No such method.")
}

/// A client that has not introduced itself.
fn stranger() -> Arc<PeerInfo> {
    Arc::new(PeerInfo {
        era: Era::Legacy,
        version: LATEST_LEGACY,
        capabilities: Default::default(),
        client: None,
    })
}

/// Bytes of what a legacy client says of itself.
const MAX_INTRODUCTION: usize = 16 << 10;

/// Characters that are logged of why a client cancelled a request.
const MAX_REASON: usize = 200;

/// Acts on a notification; unknown ones are ignored, as JSON-RPC wants.
pub(super) fn notified(connection: &Connection, notification: &Notification<'_>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a serde_json::value::RawValue,
        #[serde(default)]
        reason: Option<String>,
    }
    if notification.method == "notifications/cancelled"
        && let Some(Ok(cancelled)) = notification
            .params
            .map(serde_json::from_str::<Cancelled<'_>>)
        && let Some(id) = Id::from_json(cancelled.request_id.get(), 1 << 10)
    {
        let reason: String = cancelled
            .reason
            .into_iter()
            .flat_map(|reason| reason.chars().take(MAX_REASON).collect::<Vec<_>>())
            .collect();
        tracing::debug!(?reason, "a client cancelled a request");
        connection.cancel(&id);
    }
}

/// The mirrored headers of a modern HTTP request (SEP-2243); `Mcp-Name` and `Mcp-Param-*` are checked
/// by the methods that have them.
fn check_headers(
    method: &str,
    version: &str,
    http: Option<HttpSignals<'_>>,
) -> Result<(), RpcError> {
    let Some(http) = http else { return Ok(()) };
    if let Some(broken) = http.broken {
        return Err(mismatch(format!(
            "The header {broken} appears twice or holds characters it must not."
        )));
    }
    expect("MCP-Protocol-Version", http.version, version)?;
    expect("Mcp-Method", http.method, method)
}

fn expect(header: &str, found: Option<&str>, wanted: &str) -> Result<(), RpcError> {
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(mismatch(format!(
            "The header {header} differs from the message's own value."
        ))),
        None => Err(mismatch(format!(
            "The header {header} is missing; it repeats the message's own value."
        ))),
    }
}

fn mismatch(message: String) -> RpcError {
    RpcError::new(Code::HEADER_MISMATCH, message)
}

impl Incoming<'_> {
    /// The context of this request.
    fn ctx(&self, server: &Server, seed: Option<Seed>) -> Result<Ctx, RpcError> {
        let inner = server.inner();
        Ok(Ctx::new(CtxParts {
            facts: Arc::clone(&inner.facts),
            connection: Arc::clone(self.connection),
            peer: Arc::clone(&self.peer),
            id: self.id.clone(),
            progress_token: self.meta.progress_token(&inner.wire)?,
            log_level: match self.peer.era {
                Era::Legacy => None,
                Era::Modern => self.meta.log_level()?,
            },
            seed,
        }))
    }

    /// The params as their type.
    fn typed<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        serde_json::from_str(self.params.unwrap_or("{}")).map_err(|error| {
            // serde's words may quote a value; the caller knows its own, but logs and models do not
            // need it. "missing field" names a member of the protocol only.
            let text = error.to_string();
            let detail = match text.split_once(" at line") {
                Some((what, _)) if what.starts_with("missing field") => what.replace('`', "\""),
                _ => "a member has the wrong type".to_owned(),
            };
            RpcError::invalid_params(format!("Invalid params for {}: {detail}.", self.method))
        })
    }

    /// Checks `Mcp-Name` against the name in the message.
    fn check_name(&self, name: &str) -> Result<(), RpcError> {
        let (Era::Modern, Some(http)) = (self.peer.era, self.http) else {
            return Ok(());
        };
        let decoded = http.name.map(|value| {
            decode(value)
                .ok_or_else(|| mismatch("The header Mcp-Name is not valid base64 text.".into()))
        });
        expect("Mcp-Name", decoded.transpose()?.as_deref(), name)
    }

    /// Checks `Mcp-Param-*` against the arguments in the message.
    fn check_params(&self, mirrored: &Mirrored, arguments: &JsonObject) -> Result<(), RpcError> {
        match (self.peer.era, self.http.and_then(|http| http.all)) {
            (Era::Modern, Some(headers)) => mirrored.check(arguments, headers).map_err(mismatch),
            _ => Ok(()),
        }
    }

    /// A list method.
    fn list(&self, server: &Server, list: List) -> Result<Target, RpcError> {
        let served = match list {
            List::Tools => server.inner().exposes(Kind::Tool),
            List::Prompts => server.inner().exposes(Kind::Prompt),
            List::Resources | List::Templates => server.inner().exposes_resources(),
        };
        if !served {
            return Err(no_such_method());
        }
        Ok(Target::List(list, self.cursor()?))
    }

    /// Which page is wanted; `None` for the first.
    fn cursor(&self) -> Result<Option<String>, RpcError> {
        match self.params {
            Some(_) => Ok(self.typed::<PaginatedRequestParams>()?.cursor),
            None => Ok(None),
        }
    }

    /// Keeps what questions of this call would start from. A client that cannot be asked anything,
    /// and carries no state, costs nothing.
    fn may_ask(&self, state: Option<String>, responses: Option<InputResponses>) {
        if self.peer.era == Era::Modern && (self.peer.can_be_asked() || state.is_some()) {
            self.seed.set(Some(Seed {
                method: self.method,
                params: self.params.unwrap_or("{}").into(),
                state,
                responses: responses.unwrap_or_default(),
            }));
        }
    }

    /// A method of the protocol itself that answers `{}`.
    fn acknowledge(&self, run: impl FnOnce() -> Result<(), RpcError> + Send + 'static) -> Target {
        self.protocol(move || run().map(|()| Bytes::from_static(b"{}")))
    }

    fn protocol(&self, run: impl FnOnce() -> Result<Bytes, RpcError> + Send + 'static) -> Target {
        self.served(move |_| std::future::ready(run().map_err(Error::from)))
    }

    /// A method of the protocol itself that needs its context, or time.
    fn served<F, Fut>(&self, run: F) -> Target
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = error::Result<Bytes>> + Send + 'static,
    {
        Target::Protocol(ProtocolCall {
            method: self.method,
            lasting: false,
            run: Box::new(move |ctx| Box::pin(run(ctx))),
        })
    }
}

fn call_tool(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if !server.inner().exposes(Kind::Tool) {
        return Err(no_such_method());
    }
    let params: CallToolRequestParams = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let tool = server
        .inner()
        .components()
        .registry
        .tools
        .get(&params.name)
        .cloned();
    incoming.may_ask(params.request_state, params.input_responses);
    let values = params.arguments.unwrap_or_default();
    if let Some(prepared) = &tool {
        incoming.check_params(&prepared.mirrored, &values)?;
    }
    let arguments = match &tool {
        Some(prepared) => Arguments::read(
            values,
            &prepared.input.plan,
            incoming.params.unwrap_or_default(),
        ),
        None => values.into(),
    };
    Ok(Target::Tool(ToolCall {
        name: params.name.into_owned(),
        arguments,
        tool,
    }))
}

fn read_resource(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if !server.inner().exposes_resources() {
        return Err(no_such_method());
    }
    let params: ReadResourceRequestParams = incoming.typed()?;
    incoming.check_name(&params.uri)?;
    let uri = resource_uri(&params.uri)?;
    let found = server.inner().components().registry.find(&uri);
    incoming.may_ask(params.request_state, params.input_responses);
    Ok(Target::Resource(ResourceRead { uri, found }))
}

fn get_prompt(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if !server.inner().exposes(Kind::Prompt) {
        return Err(no_such_method());
    }
    let params: GetPromptRequestParams = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let prompt = server
        .inner()
        .components()
        .registry
        .prompts
        .get(&params.name)
        .cloned();
    incoming.may_ask(params.request_state, params.input_responses);
    Ok(Target::Prompt(PromptGet {
        name: params.name,
        arguments: params.arguments.unwrap_or_default(),
        prompt,
    }))
}

fn resource_uri(uri: &str) -> Result<String, RpcError> {
    match is_uri(uri) {
        true => Ok(normalize(uri).into_owned()),
        false => Err(RpcError::invalid_params(
            "\"uri\" must be an absolute URI with a scheme, without blanks and control characters.",
        )),
    }
}

fn initialize(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if incoming
        .params
        .is_some_and(|params| params.len() > MAX_INTRODUCTION)
    {
        return Err(RpcError::invalid_params(format!(
            "The params of \"initialize\" can have {MAX_INTRODUCTION} bytes: they are kept for as long as the session lasts."
        )));
    }
    let params: InitializeRequestParams = incoming.typed()?;
    let proposed = params.protocol_version.as_str();
    let version = LEGACY_VERSIONS
        .into_iter()
        .find(|known| *known == proposed)
        .unwrap_or(LATEST_LEGACY);
    let peer = Arc::new(PeerInfo {
        era: Era::Legacy,
        version,
        capabilities: params.capabilities,
        client: Some(params.client_info),
    });
    let inner = server.inner();
    let mut result = InitializeResult::new(inner.capabilities.clone());
    result.protocol_version = protocol_version(version);
    result.server_info = inner.facts.server.clone();
    result.instructions = inner.instructions.clone();
    let (connection, server) = (Arc::clone(incoming.connection), server.clone());
    Ok(incoming.protocol(move || {
        if connection.set_peer(peer) {
            server.components().bus.remember(&connection);
        }
        json(&result)
    }))
}

fn discover(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let inner = server.inner();
    let versions = std::iter::once(MODERN_VERSION)
        .chain(LEGACY_VERSIONS)
        .map(protocol_version)
        .collect();
    let mut result = DiscoverResult::new(versions, inner.capabilities.clone());
    let mut extensions = ExtensionCapabilities::new();
    if server.registry().has_tasks() {
        extensions.insert(TASKS_EXTENSION_ID.into(), JsonObject::new());
    }
    if inner.skills.is_some() {
        extensions.insert(SKILLS_EXTENSION_ID.into(), skills::settings());
    }
    if !extensions.is_empty() {
        result.capabilities.extensions = Some(extensions);
    }
    result.instructions = inner.instructions.clone();
    let result = serde_json::to_value(result).map_err(|_| RpcError::internal())?;
    let hint = CacheHint {
        ttl: std::time::Duration::from_secs(60),
        public: false,
    };
    let result = complete_modern(result, hint, &server_info(&inner.facts));
    Ok(incoming.protocol(move || json(&result)))
}

fn protocol_version(version: &str) -> ProtocolVersion {
    ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .find(|known| known.as_str() == version)
        .cloned()
        .unwrap_or_default()
}

fn set_level(_: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    #[derive(Deserialize)]
    struct Params {
        level: Level,
    }
    let Params { level } = incoming.typed()?;
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.acknowledge(move || {
        connection.set_log_floor(level);
        Ok(())
    }))
}

fn subscribe(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if !server.inner().exposes_resources() {
        return Err(no_such_method());
    }
    let uri = resource_uri(&incoming.typed::<SubscribeRequestParams>()?.uri)?;
    if uri.len() > listen::MAX_URI {
        return Err(RpcError::invalid_params(format!(
            "\"uri\" can have {} bytes in a subscription.",
            listen::MAX_URI
        )));
    }
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.acknowledge(move || connection.subscribe(&uri)))
}

fn unsubscribe(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    if !server.inner().exposes_resources() {
        return Err(no_such_method());
    }
    let uri = resource_uri(&incoming.typed::<UnsubscribeRequestParams>()?.uri)?;
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.acknowledge(move || {
        connection.unsubscribe(&uri);
        Ok(())
    }))
}

fn listen(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let (params, server) = (incoming.typed::<listen::Params>()?, server.clone());
    Ok(Target::Protocol(ProtocolCall {
        method: incoming.method,
        lasting: true,
        run: Box::new(move |ctx| {
            Box::pin(async move { listen::serve(server.inner(), ctx, params).await })
        }),
    }))
}

fn complete(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    #[derive(Deserialize)]
    struct Argument {
        name: String,
        value: String,
    }
    #[derive(Default, Deserialize)]
    struct Context {
        #[serde(default)]
        arguments: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Params {
        r#ref: Reference,
        argument: Argument,
        #[serde(default)]
        context: Context,
    }
    if server.inner().capabilities.completions.is_none() {
        return Err(no_such_method());
    }
    let params: Params = incoming.typed()?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let subject = Completed::find(&server, params.r#ref)?;
        let argument = params.argument;
        if !subject.has(&argument.name) {
            return Err(Error::invalid_params(
                "\"argument.name\" is none of those that \"ref\" has.",
            ));
        }
        let typing = Typing {
            value: argument.value,
            arguments: params.context.arguments,
        };
        let work = subject
            .completers()
            .complete(ctx.clone(), &argument.name, typing);
        let completion = match work {
            Some(work) => work.await?,
            None => Completion::default(),
        };
        result(&ctx, serde_json::json!({ "completion": completion }))
    }))
}

/// How a client names what it completes.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Resource { uri: String },
}

/// What a completion is for.
enum Completed {
    Prompt(Arc<Prompt>),
    Template(Arc<PreparedTemplate>),
}

impl Completed {
    fn find(server: &Server, reference: Reference) -> Result<Self, RpcError> {
        let components = server.inner().components();
        match reference {
            Reference::Prompt { name } => {
                let prompt = components.registry.prompts.get(&name).cloned();
                prompt.map(Self::Prompt).ok_or_else(|| {
                    RpcError::invalid_params("No such prompt; prompts/list names them.")
                })
            }
            Reference::Resource { uri } => {
                let template = components.registry.find_template(&uri);
                template.map(Self::Template).ok_or_else(|| {
                    RpcError::invalid_params(
                        "\"ref.uri\" is no resource template; resources/templates/list names them.",
                    )
                })
            }
        }
    }

    fn has(&self, argument: &str) -> bool {
        match self {
            Self::Prompt(prompt) => prompt.has_argument(argument),
            Self::Template(prepared) => prepared.template.has_variable(argument),
        }
    }

    fn completers(&self) -> &Completers {
        match self {
            Self::Prompt(prompt) => &prompt.completers,
            Self::Template(prepared) => &prepared.template.completers,
        }
    }
}

/// A result with what its era wants in every one.
fn result(ctx: &Ctx, mut result: Value) -> error::Result<Bytes> {
    if ctx.era() == Era::Modern {
        result["resultType"] = "complete".into();
        result["_meta"] = serde_json::json!({ SERVER_INFO: server_info(ctx.facts()) });
    }
    Ok(serde_json::to_vec(&result)?.into())
}

fn json(value: &impl Serialize) -> Result<Bytes, RpcError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|_| RpcError::internal())
}
