//! The `/mcp` endpoint: streamable HTTP of both eras.
//!
//! What comes back is in `respond`, and what a client that lost its connection does in `resume`.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::{Method, Response};

use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::{Answer, Inbound};
use crate::protocol::{Era, HttpSignals, LEGACY_VERSIONS, MODERN_VERSION, Route};
use crate::session::Refused;
use crate::wire::{self, Malformed, Message};

use super::body::Body;
use super::negotiate::{Forms, check_content, says};
use super::reply::{self, Refusal};
use super::request_body::Incoming;
use super::respond::send;
use super::{App, Client};
use super::{request_body, resume};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

pub(super) async fn serve(
    app: Arc<App>,
    client: &Client,
    permit: &Permit,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    match head.method {
        Method::POST => post(app, client, permit, head, body).await,
        Method::GET => get(&app, client, permit, &head.headers).await,
        Method::DELETE => delete(&app, permit, &head.headers),
        _ => Err(reply::wrong_method(HeaderValue::from_static(
            "GET, POST, DELETE, OPTIONS",
        ))),
    }
}

async fn post(
    app: Arc<App>,
    client: &Client,
    permit: &Permit,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    check_content(&head.headers)?;
    let forms = Forms::accepted(&head.headers);
    if forms.is_none() {
        let why = "Accept must include application/json, text/event-stream, or both.";
        return Err(reply::refuse(StatusCode::NOT_ACCEPTABLE, why));
    }
    let body = request_body::read(&app, client, &head.headers, body).await?;
    let signals = signals(&head.headers, forms);
    let inbound = match reply::parse(&app.server, client, &body) {
        Ok(wire::Body::Single(message)) => app.server.inspect(message, Some(signals)),
        Ok(batch) => {
            let connection = session(&app, client, permit, &head.headers)?;
            if names_modern(signals) {
                return Err(reply::refuse(StatusCode::BAD_REQUEST, NOT_IN_SESSIONS));
            }
            // Its members are of a legacy session, whatever else the headers say.
            let signals = HttpSignals {
                all: signals.all,
                json_only: signals.json_only,
                ..HttpSignals::default()
            };
            let reply = app
                .server
                .receive_from(&connection, permit, batch, Some(signals));
            return Ok(send(&app, client, reply, Some(&connection), forms).await);
        }
        Err(Malformed { id, error }) => {
            let era = if signals.version == Some(MODERN_VERSION) {
                Era::Modern
            } else {
                Era::Legacy
            };
            let answer = Answer::error(id.as_ref(), &error);
            return Ok(reply::answer(answer, era, true, forms));
        }
    };
    match inbound.route() {
        Route::Modern if inbound.is_subscription() && !forms.stream => {
            let why = "subscriptions/listen answers with a stream: Accept must include text/event-stream.";
            let refusal = reply::refuse(StatusCode::NOT_ACCEPTABLE, why);
            Err(refusal.under(inbound.request_id()))
        }
        Route::Modern | Route::Malformed(_) => {
            let reply = app
                .server
                .handle(&client.stateless(permit), permit, inbound);
            Ok(send(&app, client, reply, None, forms).await)
        }
        Route::Legacy if inbound.is_initialize() && !signals.session => {
            initialize(&app, client, permit, inbound, forms).await
        }
        Route::Legacy => {
            let modern = names_modern(signals);
            let connection = match session(&app, client, permit, &head.headers) {
                // The modern revision has no messages from clients that are not requests: none is owed.
                Err(_) if modern && matches!(inbound.message(), Message::Notification(_)) => {
                    return Ok(reply::empty(StatusCode::ACCEPTED));
                }
                Err(_) if inbound.is_initialize() => {
                    let why = "No such session: it has ended or never was; leave Mcp-Session-Id out of \"initialize\", whose answer has a new one.";
                    let refusal = reply::refuse(StatusCode::NOT_FOUND, why);
                    return Err(refusal.under(inbound.request_id()));
                }
                found => found.map_err(|refusal| refusal.under(inbound.request_id()))?,
            };
            if modern {
                let refusal = reply::refuse(StatusCode::BAD_REQUEST, NOT_IN_SESSIONS);
                return Err(refusal.under(inbound.request_id()));
            }
            let reply = app.server.handle(&connection, permit, inbound);
            Ok(send(&app, client, reply, Some(&connection), forms).await)
        }
    }
}

const NOT_IN_SESSIONS: &str = "MCP-Protocol-Version is not a revision served in sessions.";

/// Whether `MCP-Protocol-Version` names a revision that has no sessions.
fn names_modern(signals: HttpSignals<'_>) -> bool {
    signals
        .version
        .is_some_and(|version| !LEGACY_VERSIONS.contains(&version))
}

/// Opens a session when, and only when, the handshake succeeds.
async fn initialize(
    app: &App,
    client: &Client,
    permit: &Permit,
    inbound: Inbound<'_>,
    forms: Forms,
) -> Result<Response<Body>, Refusal> {
    let id = inbound.request_id().cloned();
    if let Err(exceeded) = app.flood.admit_session(&client.caller(permit)) {
        return Err(reply::too_many(exceeded).under(id.as_ref()));
    }
    let connection = Connection::from_address(permit.principal().clone(), client.address);
    let reply = app.server.handle(&connection, permit, inbound);
    let mut response = send(app, client, reply, Some(&connection), forms).await;
    if let Some(peer) = connection.peer() {
        let opener = client.caller(permit);
        let opened = app.sessions.open_sealed(connection, &peer, &opener);
        let id = opened.map_err(|refused| no_session(refused).under(id.as_ref()))?;
        // Base64 is always a valid header.
        if let Ok(id) = HeaderValue::try_from(id.as_str()) {
            response.headers_mut().insert(SESSION, id);
        }
    }
    Ok(response)
}

pub(super) fn no_session(refused: Refused) -> Refusal {
    match refused {
        Refused::Full { retry_after } => reply::refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "There are too many sessions; try again after the time in Retry-After, when one may have ended.",
        )
        .retry_after(retry_after),
        Refused::NoRandomness => reply::refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "No session id can be made.",
        ),
    }
}

async fn get(
    app: &Arc<App>,
    client: &Client,
    permit: &Permit,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    if !Forms::accepted(headers).stream {
        let why = "GET answers text/event-stream only; say so in Accept.";
        return Err(reply::refuse(StatusCode::NOT_ACCEPTABLE, why));
    }
    if !says(headers, &SESSION) {
        return Err(reply::wrong_method(HeaderValue::from_static(
            "POST, OPTIONS",
        )));
    }
    let connection = session(app, client, permit, headers)?;
    resume::listen(app, &connection, permit, headers).await
}

fn delete(app: &App, permit: &Permit, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    if !says(headers, &SESSION) {
        return Err(reply::wrong_method(HeaderValue::from_static(
            "POST, OPTIONS",
        )));
    }
    match session_id(headers).is_some_and(|id| app.sessions.close(id, permit.principal())) {
        true => Ok(reply::empty(StatusCode::OK)),
        false => Err(unknown_session()),
    }
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    // An empty one is none.
    let mut values = headers.get_all(SESSION).iter();
    let id = values.find(|value| !value.is_empty())?;
    let only = values.all(HeaderValue::is_empty);
    only.then(|| id.to_str().ok()).flatten()
}

fn session(
    app: &App,
    client: &Client,
    permit: &Permit,
    headers: &HeaderMap,
) -> Result<Arc<Connection>, Refusal> {
    if !says(headers, &SESSION) {
        let why = "Mcp-Session-Id is missing: send \"initialize\" first and repeat the header that its answer has.";
        return Err(reply::refuse(StatusCode::BAD_REQUEST, why));
    }
    let id = session_id(headers).ok_or_else(unknown_session)?;
    let opener = client.caller(permit);
    let found = app
        .sessions
        .get(id, permit.principal(), &opener, client.address);
    let found = found.map_err(no_session)?.ok_or_else(unknown_session)?;
    if found.restored {
        app.server.remember(&found.connection);
    }
    Ok(found.connection)
}

fn unknown_session() -> Refusal {
    reply::refuse(
        StatusCode::NOT_FOUND,
        "No such session: it has ended or never was; send \"initialize\" again.",
    )
}

fn signals(headers: &HeaderMap, forms: Forms) -> HttpSignals<'_> {
    let mut signals = HttpSignals {
        session: says(headers, &SESSION),
        all: Some(headers),
        json_only: !forms.stream,
        ..HttpSignals::default()
    };
    for (name, label, slot) in [
        (VERSION, "MCP-Protocol-Version", &mut signals.version),
        (METHOD, "Mcp-Method", &mut signals.method),
        (NAME, "Mcp-Name", &mut signals.name),
    ] {
        let mut values = headers.get_all(&name).iter();
        let Some(value) = values.next() else { continue };
        let only = values.next().is_none();
        *slot = value.to_str().ok().map(str::trim).filter(|_| only);
        match *slot {
            // An empty one is none.
            Some("") => *slot = None,
            None if says(headers, &name) => signals.broken = Some(label),
            _ => {}
        }
    }
    signals
}
