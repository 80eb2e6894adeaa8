//! The methods: one table, and one function each.
//!
//! To add a method, add a row to [`METHODS`] and a function that reads its params and says what is
//! asked for.

mod complete;
mod handshake;
mod headers;
mod incoming;
mod shape;
mod skills;
mod subscribe;
mod tasks;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rmcp::model::JsonObject;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::auth::Permit;
use crate::component::{Arguments, is_uri, lower_scheme, normalize};
use crate::context::Ctx;
use crate::error;
use crate::middleware::{PromptGet, RequestKind, ResourceRead, ToolCall, server_info};
use crate::protocol::{Era, Level, List, Members, Route, SERVER_INFO};
use crate::wire::{Code, Id, Message, Notification, RpcError};

use super::audited::Audited;
use super::call::Reply;
use super::inbound::Inbound;
use super::server::Server;
use super::watch::{Watch, transport};
use crate::connection::{Connection, legacy_peer};

use incoming::Incoming;

type Run = fn(&Server, &Incoming<'_>) -> Result<RequestKind, RpcError>;

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
    both("completion/complete", complete::complete),
    modern("server/discover", handshake::discover),
    modern("subscriptions/listen", subscribe::listen),
    modern("tasks/get", tasks::get),
    modern("tasks/update", tasks::update),
    modern("tasks/cancel", tasks::cancel),
    modern("skills/list", skills::list),
    modern("skills/get", skills::get),
    modern("resources/directory/read", skills::directory),
    legacy("initialize", true, handshake::initialize),
    legacy("ping", true, |_, incoming| {
        Ok(incoming.acknowledge(|| Ok(())))
    }),
    legacy("logging/setLevel", false, set_level),
    legacy("resources/subscribe", false, subscribe::subscribe),
    legacy("resources/unsubscribe", false, subscribe::unsubscribe),
];

/// The method of this name, if there is one.
pub(super) fn known(name: &str) -> Option<&'static str> {
    let mut names = METHODS.iter().map(|method| method.name);
    names.find(|known| *known == name)
}

/// Whether this is a method that no legacy revision has.
pub(super) fn is_modern(name: &str) -> bool {
    METHODS
        .iter()
        .any(|method| method.name == name && !method.legacy)
}

/// Sends a request to its method.
pub(super) fn dispatch(
    server: &Server,
    connection: &Arc<Connection>,
    permit: &Permit,
    inbound: Inbound<'_>,
    began: Option<Instant>,
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
            let peer = match connection.introduced().recall(&meta) {
                Some(peer) => {
                    headers::check(&request.method, peer.version, http)?;
                    peer
                }
                None => {
                    let envelope = meta.modern_peer()?;
                    headers::check(&request.method, &envelope.version, http)?;
                    let peer = envelope.into_peer()?;
                    connection.introduced().remember(&meta, &peer);
                    peer
                }
            };
            (Era::Modern, Some(peer))
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
        (None, Some(Method { early: true, .. })) => {
            connection.peer().unwrap_or_else(handshake::stranger)
        }
        (None, _) => legacy_peer(connection)?,
    };
    let method = found.ok_or_else(no_such_method)?;
    // A legacy client hears questions before the answer; a modern one has them as the answer.
    let peer = match http.is_some_and(|http| http.json_only) && era == Era::Legacy {
        true => peer.deaf(),
        false => peer,
    };
    if let Some(params) = request.params
        && !params.starts_with('{')
    {
        return Err(RpcError::invalid_params("\"params\" must be an object."));
    }
    let incoming = Incoming {
        connection,
        permit,
        id: request.id,
        method: method.name,
        params: request.params,
        meta,
        peer,
        http,
        seed: Cell::default(),
        manifest: Cell::default(),
    };
    let target = (method.run)(server, &incoming)?;
    let seed = incoming.seed.take();
    let ctx = incoming.ctx(server, seed)?;
    let transport = transport(http.is_some());
    let audited = Audited::begin(server.inner(), &ctx, &target, transport)?;
    let watch = began.map(|began| {
        let observers = &server.inner().observers;
        Watch::new(observers, began, &target, transport)
    });
    server.start(ctx, target, watch, audited)
}

/// Also for what this server has nothing of: what is not advertised is not answered.
fn no_such_method() -> RpcError {
    RpcError::new(Code::METHOD_NOT_FOUND, "No such method.")
}

/// Bytes of the id of a request that is cancelled.
pub(super) const MAX_REQUEST_ID: usize = 1 << 10;

/// Characters that are logged of why a client cancelled a request.
const MAX_REASON: usize = 200;

/// Acts on a notification; unknown ones are ignored, as JSON-RPC wants.
pub(super) fn notified(server: &Server, connection: &Connection, notification: &Notification<'_>) {
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
        && let Some(id) = Id::from_json(cancelled.request_id.get(), MAX_REQUEST_ID)
    {
        let reason: String = cancelled
            .reason
            .into_iter()
            .flat_map(|reason| reason.chars().take(MAX_REASON).collect::<Vec<_>>())
            .collect();
        tracing::debug!(?reason, "a client cancelled a request");
        if !connection.cancel(&id)
            && let Some(replicas) = &server.inner().replicas
        {
            replicas.cancelled(connection, &id);
        }
    }
}

/// The params of `tools/call` and `prompts/get`. What is an object here is not read: whoever needs
/// more of it looks into the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name: String,
    arguments: Option<JsonObject>,
    request_state: Option<String>,
    #[serde(rename = "inputResponses")]
    _responses: Option<Members>,
    #[serde(rename = "_meta")]
    _meta: Option<Members>,
}

/// The params of `resources/read`, in the same way.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Located {
    uri: String,
    request_state: Option<String>,
    #[serde(rename = "inputResponses")]
    _responses: Option<Members>,
    #[serde(rename = "_meta")]
    _meta: Option<Members>,
}

fn call_tool(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let components = incoming.components(server);
    if !components.exposed.tools {
        return Err(no_such_method());
    }
    let params: Named = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let tool = components.tool(&params.name, incoming.permit)?;
    incoming.may_ask(params.request_state.is_some());
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
    Ok(RequestKind::Tool(ToolCall {
        name: params.name,
        arguments,
        tool,
    }))
}

fn read_resource(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let components = incoming.components(server);
    if !components.exposed.resources {
        return Err(no_such_method());
    }
    let params: Located = incoming.typed()?;
    incoming.check_name(&params.uri)?;
    let normal = resource_uri(&params.uri)?;
    let found = components.resource(&normal, incoming.permit)?;
    // As the client wrote it: that is what it knows the contents by.
    let uri = lower_scheme(&params.uri).into_owned();
    incoming.may_ask(params.request_state.is_some());
    Ok(RequestKind::Resource(ResourceRead { uri, found }))
}

fn get_prompt(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let components = incoming.components(server);
    if !components.exposed.prompts {
        return Err(no_such_method());
    }
    let params: Named = incoming.typed()?;
    incoming.check_name(&params.name)?;
    let prompt = components.prompt(&params.name, incoming.permit)?;
    incoming.may_ask(params.request_state.is_some());
    Ok(RequestKind::Prompt(PromptGet {
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

fn set_level(_: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(deserialize_with = "level")]
        level: Level,
    }
    fn level<'de, D: Deserializer<'de>>(json: D) -> Result<Level, D::Error> {
        shape::one_of(json, Level::NAMES, Level::named)
    }
    let Params { level } = incoming.typed()?;
    let connection = Arc::clone(incoming.connection);
    Ok(incoming.acknowledge(move || {
        connection.set_log_floor(level);
        Ok(())
    }))
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
