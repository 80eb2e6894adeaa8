//! The `/mcp` endpoint: streamable HTTP of both eras.
//!
//! What comes back is in `respond`, and what a client that lost its connection does in `resume`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};

use crate::core::{
    Answer, Connection, Era, HttpSignals, Inbound, LEGACY_VERSIONS, MODERN_VERSION, Route,
};
use crate::principal::Principal;
use crate::session::{Refused, SessionId};
use crate::wire::{self, Malformed, Message};

use super::body::Body;
use super::reply::{self, Refusal};
use super::respond::send;
use super::{App, Client};
use super::{ingress, resume};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

pub(super) async fn serve(
    app: Arc<App>,
    client: Client,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    match *request.method() {
        Method::POST => post(app, client, request).await,
        Method::GET => get(&app, request.headers()),
        Method::DELETE => delete(&app, request.headers()),
        _ => Err(reply::wrong_method("GET, POST, DELETE, OPTIONS")),
    }
}

async fn post(
    app: Arc<App>,
    client: Client,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    check_content(&head.headers)?;
    check_accept(&head.headers)?;
    let body = read(&head.headers, body, &app).await?;
    let signals = signals(&head.headers);
    let inbound = match app.server.parse(&body) {
        Ok(wire::Body::Single(message)) => app.server.inspect(message, Some(signals)),
        Ok(batch) => {
            let connection = session(&app, &head.headers)?;
            let reply = app.server.receive(&connection, batch);
            return Ok(send(&app, reply, Some(&connection)).await);
        }
        Err(Malformed { id, error }) => {
            let era = if signals.version == Some(MODERN_VERSION) {
                Era::Modern
            } else {
                Era::Legacy
            };
            return Ok(reply::answer(Answer::error(id.as_ref(), &error), era, true));
        }
    };
    match inbound.route() {
        Route::Modern | Route::Malformed(_) => {
            Ok(send(&app, app.server.handle(&client.stateless, inbound), None).await)
        }
        Route::Legacy if inbound.is_initialize() && !head.headers.contains_key(SESSION) => {
            initialize(&app, &client, inbound).await
        }
        Route::Legacy => {
            let modern = signals
                .version
                .is_some_and(|version| !LEGACY_VERSIONS.contains(&version));
            let connection = match session(&app, &head.headers) {
                // The modern revision has no messages from clients that are not requests: none is owed.
                Err(_) if modern && matches!(inbound.message(), Message::Notification(_)) => {
                    return Ok(reply::empty(StatusCode::ACCEPTED));
                }
                found => found?,
            };
            if modern {
                let why = "MCP-Protocol-Version is not a revision served in sessions.";
                return Err(reply::refuse(StatusCode::BAD_REQUEST, why));
            }
            let reply = app.server.handle(&connection, inbound);
            Ok(send(&app, reply, Some(&connection)).await)
        }
    }
}

/// Opens a session when, and only when, the handshake succeeds.
async fn initialize(
    app: &App,
    client: &Client,
    inbound: Inbound<'_>,
) -> Result<Response<Body>, Refusal> {
    let connection = Connection::from_address(Principal::ANONYMOUS, client.address);
    let reply = app.server.handle(&connection, inbound);
    let mut response = send(app, reply, Some(&connection)).await;
    if connection.peer().is_some() {
        let id = app.sessions.open(connection).map_err(no_session)?;
        // Hex digits are always a valid header.
        if let Ok(id) = HeaderValue::try_from(id.to_string()) {
            response.headers_mut().insert(SESSION, id);
        }
    }
    Ok(response)
}

pub(super) fn no_session(refused: Refused) -> Refusal {
    match refused {
        Refused::Full => reply::refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "There are too many sessions; try again later.",
        ),
        Refused::NoRandomness => reply::refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "No session id can be made.",
        ),
    }
}

fn get(app: &Arc<App>, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    if !accepts(headers, "text/event-stream") {
        let why = "GET answers text/event-stream only; say so in Accept.";
        return Err(reply::refuse(StatusCode::NOT_ACCEPTABLE, why));
    }
    if !headers.contains_key(SESSION) {
        return Err(reply::wrong_method("POST, OPTIONS"));
    }
    let connection = session(app, headers)?;
    resume::listen(app, &connection, headers)
}

fn delete(app: &App, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    if !headers.contains_key(SESSION) {
        return Err(reply::wrong_method("POST, OPTIONS"));
    }
    match session_id(headers).is_some_and(|id| app.sessions.close(id, &Principal::ANONYMOUS)) {
        true => Ok(reply::empty(StatusCode::OK)),
        false => Err(unknown_session()),
    }
}

fn session_id(headers: &HeaderMap) -> Option<SessionId> {
    SessionId::parse(ingress::only(headers, SESSION)?.to_str().ok()?)
}

fn session(app: &App, headers: &HeaderMap) -> Result<Arc<Connection>, Refusal> {
    if !headers.contains_key(SESSION) {
        let why = "Mcp-Session-Id is missing: send \"initialize\" first and repeat the header that its answer has.";
        return Err(reply::refuse(StatusCode::BAD_REQUEST, why));
    }
    session_id(headers)
        .and_then(|id| app.sessions.get(id, &Principal::ANONYMOUS))
        .ok_or_else(unknown_session)
}

fn unknown_session() -> Refusal {
    reply::refuse(
        StatusCode::NOT_FOUND,
        "No such session: it has ended or never was; send \"initialize\" again.",
    )
}

fn signals(headers: &HeaderMap) -> HttpSignals<'_> {
    let mut signals = HttpSignals {
        all: Some(headers),
        ..HttpSignals::default()
    };
    for (name, label, slot) in [
        (VERSION, "MCP-Protocol-Version", &mut signals.version),
        (METHOD, "Mcp-Method", &mut signals.method),
        (NAME, "Mcp-Name", &mut signals.name),
    ] {
        if headers.contains_key(&name) {
            *slot = ingress::only(headers, name)
                .and_then(|value| value.to_str().ok())
                .map(str::trim);
            if slot.is_none() {
                signals.broken = Some(label);
            }
        }
    }
    signals
}

fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = |why| Err(reply::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    if !ingress::only(headers, CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(is_json)
    {
        return unsupported("Content-Type must be application/json, in UTF-8.");
    }
    match headers.get(CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => unsupported("Content-Encoding is not supported; send the JSON as it is."),
    }
}

/// JSON is UTF-8 (RFC 8259 §8.1); a client that announces something else is not read as if it were.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is && parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset")
                || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// A client has to be ready for both kinds of answer (streamable HTTP `#sending-messages`); one
/// that does not say what it accepts accepts everything (RFC 9110 §12.5.1).
fn check_accept(headers: &HeaderMap) -> Result<(), Refusal> {
    match accepts(headers, "application/json") && accepts(headers, "text/event-stream") {
        true => Ok(()),
        false => {
            let why = "Accept must include application/json and text/event-stream.";
            Err(reply::refuse(StatusCode::NOT_ACCEPTABLE, why))
        }
    }
}

fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let wanted_type = wanted.split('/').next().unwrap_or_default();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default();
            let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            let matches = essence.eq_ignore_ascii_case(wanted)
                || essence == "*/*"
                || essence
                    .strip_suffix("/*")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case(wanted_type));
            matches && !refused
        })
}

/// Reads the body within its size and time. A body that came in one piece is not copied.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    app: &App,
) -> Result<Bytes, Refusal> {
    let limit = app.server.wire_limits().message_bytes;
    let too_large = || {
        reply::refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than allowed.",
        )
    };
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let read = async {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut total = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(reply::refuse(
                    StatusCode::BAD_REQUEST,
                    "The body broke off.",
                ));
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            total += data.len();
            if total > limit {
                return Err(too_large());
            }
            if first.is_empty() {
                first = data;
            } else {
                if rest.is_empty() {
                    rest.reserve(declared.unwrap_or_default().max(total));
                    rest.extend_from_slice(&first);
                }
                rest.extend_from_slice(&data);
            }
        }
        Ok(if rest.is_empty() {
            first
        } else {
            rest.freeze()
        })
    };
    match tokio::time::timeout(app.config.body_timeout, read).await {
        Ok(read) => read,
        Err(_) => Err(reply::refuse(
            StatusCode::REQUEST_TIMEOUT,
            "The body took too long to arrive.",
        )),
    }
}
