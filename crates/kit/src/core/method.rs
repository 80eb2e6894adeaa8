//! The methods: one table, and one function each.
//!
//! To add a method, add a row to [`METHODS`] and a function that reads its params and says what is
//! asked for.

use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{
    CallToolRequestParams, DiscoverResult, GetPromptRequestParams, InitializeRequestParams,
    InitializeResult, JsonObject, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, SubscribeRequestParams, UnsubscribeRequestParams,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::component::mirrored::{Mirrored, decode};
use crate::component::{Arguments, CacheHint, has_scheme, normalize};
use crate::context::{Ctx, CtxParts, Level};
use crate::middleware::{
    List, PromptGet, ProtocolCall, ResourceRead, Target, ToolCall, complete_modern,
};
use crate::wire::{Code, Id, Message, Notification, RpcError};

use super::call::Reply;
use super::connection::{Connection, legacy_peer};
use super::era::{Era, HttpSignals, LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION, Route};
use super::inbound::Inbound;
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
    both("tools/list", |_, incoming| incoming.list(List::Tools)),
    both("resources/list", |_, incoming| {
        incoming.list(List::Resources)
    }),
    both("resources/templates/list", |_, incoming| {
        incoming.list(List::Templates)
    }),
    both("prompts/list", |_, incoming| incoming.list(List::Prompts)),
    modern("server/discover", discover),
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
    let method = found.ok_or_else(|| RpcError::new(Code::METHOD_NOT_FOUND, "No such method."))?;
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
    };
    let target = (method.run)(server, &incoming)?;
    server.start(incoming.ctx(server)?, target)
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

/// Acts on a notification; unknown ones are ignored, as JSON-RPC wants.
pub(super) fn notified(connection: &Connection, notification: &Notification<'_>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a serde_json::value::RawValue,
    }
    if notification.method == "notifications/cancelled"
        && let Some(Ok(cancelled)) = notification
            .params
            .map(serde_json::from_str::<Cancelled<'_>>)
        && let Some(id) = Id::from_json(cancelled.request_id.get(), 1 << 10)
    {
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
    fn ctx(&self, server: &Server) -> Result<Ctx, RpcError> {
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

    /// A list method: there is one page, so no cursor was ever handed out.
    fn list(&self, list: List) -> Result<Target, RpcError> {
        if self.params.is_some() {
            let params: PaginatedRequestParams = self.typed()?;
            if params.cursor.is_some() {
                return Err(RpcError::invalid_params(
                    "\"cursor\" is not one that this server handed out.",
                ));
            }
        }
        Ok(Target::List(list))
    }

    /// A method of the protocol itself that answers `{}`.
    fn acknowledge(&self, run: impl FnOnce() -> Result<(), RpcError> + Send + 'static) -> Target {
        self.protocol(move || run().map(|()| Bytes::from_static(b"{}")))
    }

    fn protocol(&self, run: impl FnOnce() -> Result<Bytes, RpcError> + Send + 'static) -> Target {
        Target::Protocol(ProtocolCall {
            method: self.method,
            run: Box::new(run),
        })
    }
}

fn call_tool(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let params: CallToolRequestParams = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let tool = server.inner().registry.tools.get(&params.name).cloned();
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
    let params: ReadResourceRequestParams = incoming.typed()?;
    incoming.check_name(&params.uri)?;
    let uri = resource_uri(&params.uri)?;
    let found = server.inner().registry.find(&uri);
    Ok(Target::Resource(ResourceRead { uri, found }))
}

fn get_prompt(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let params: GetPromptRequestParams = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let prompt = server.inner().registry.prompts.get(&params.name).cloned();
    Ok(Target::Prompt(PromptGet {
        name: params.name,
        arguments: params.arguments.unwrap_or_default(),
        prompt,
    }))
}

fn resource_uri(uri: &str) -> Result<String, RpcError> {
    match has_scheme(uri) {
        true => Ok(normalize(uri).into_owned()),
        false => Err(RpcError::invalid_params(
            "\"uri\" must be an absolute URI with a scheme.",
        )),
    }
}

fn initialize(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
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
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.protocol(move || {
        connection.set_peer(peer);
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
    if let Some(resources) = &mut result.capabilities.resources {
        // Subscriptions of this revision are opened with a method that is not served yet.
        resources.subscribe = Some(false);
    }
    result.instructions = inner.instructions.clone();
    let result = serde_json::to_value(result).map_err(|_| RpcError::internal())?;
    let hint = CacheHint {
        ttl: std::time::Duration::from_secs(60),
        public: false,
    };
    let result = complete_modern(result, hint, &inner.facts);
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
    let uri = resource_uri(&incoming.typed::<SubscribeRequestParams>()?.uri)?;
    let (connection, server) = (Arc::clone(incoming.connection), server.clone());
    Ok(incoming.acknowledge(move || {
        if connection.subscribe(&uri)? {
            server.remember_subscriber(&connection);
        }
        Ok(())
    }))
}

fn unsubscribe(_: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let uri = resource_uri(&incoming.typed::<UnsubscribeRequestParams>()?.uri)?;
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.acknowledge(move || {
        connection.unsubscribe(&uri);
        Ok(())
    }))
}

fn json(value: &impl Serialize) -> Result<Bytes, RpcError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|_| RpcError::internal())
}
