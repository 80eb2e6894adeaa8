//! HTTP+SSE of 2024-11-05: `GET /sse` opens the session and carries every answer, messages are
//! posted to the URI that its first event names. Deprecated; served only when asked for.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};
use hyper::{Method, Response};
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::auth::Permit;
use crate::connection::{Answers, Connection};
use crate::core::{Answer, Event, Exchange, Reply};
use crate::principal::Principal;
use crate::protocol::{Era, HttpSignals, LEGACY_VERSIONS, MODERN_VERSION, Route};
use crate::session::SessionId;
use crate::wire::{self, Code, Malformed, Message, RpcError};

use super::body::{Body, Events, SessionStream, Source};
use super::negotiate::{Forms, check_content};
use super::reply::{self, Refusal};
use super::request_body::Incoming;
use super::{App, Client, request_body, streamable};

/// Messages that may wait for a client that reads slowly; its calls wait behind them.
const QUEUE: usize = 64;

/// Requests of one session whose answers are not in the queue yet.
const PLACES: usize = 64;

pub(super) fn open(
    app: &Arc<App>,
    client: &Client,
    permit: &Permit,
    head: &Parts,
) -> Result<Response<Body>, Refusal> {
    if head.method != Method::GET {
        return Err(reply::wrong_method(HeaderValue::from_static(
            "GET, OPTIONS",
        )));
    }
    app.flood
        .admit_session(&client.caller(permit))
        .map_err(reply::too_many)?;
    let (queue, answers) = mpsc::channel(QUEUE);
    let connection = Connection::from_address(permit.principal().clone(), client.address);
    // A fresh connection has no stream yet.
    let unsolicited = connection.open_stream().ok_or_else(reply::not_found)?;
    connection.set_answers(Answers {
        queue,
        places: Arc::new(Semaphore::new(PLACES)),
    });
    let id = app
        .sessions
        .open(Arc::clone(&connection), &client.caller(permit))
        .map_err(streamable::no_session)?;
    let prefix = &app.config.path_prefix;
    let endpoint = format!("event: endpoint\ndata: {prefix}/messages/?session_id={id}\n\n");
    let source = Source::Session(SessionStream {
        connection,
        answers,
        unsolicited,
        _ends: Box::new(EndsSession {
            app: Arc::clone(app),
            id,
            principal: permit.principal().clone(),
        }),
    });
    let events = Events::new(
        BytesMut::from(endpoint.as_bytes()),
        source,
        app.config.keep_alive,
    )
    .until(app.over(permit));
    Ok(reply::events(events.into_body()))
}

/// What would be lost with the stream of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Nothing,
    /// Calls that only wait for the client.
    Questions,
    /// Calls that work, or answers that are on their way.
    Calls,
}

impl Loss {
    pub(super) fn of(session: &Connection) -> Self {
        let (all, working) = session.requests();
        // A request has its place until its answer is in the queue.
        let answers = session.answers();
        let owed = |answers: &Answers| answers.places.available_permits() < PLACES;
        let queued = |answers: &Answers| answers.queue.capacity() < QUEUE;
        if working > 0 || answers.as_ref().is_some_and(queued) {
            Self::Calls
        } else if all > 0 {
            Self::Questions
        } else if answers.as_ref().is_some_and(owed) {
            Self::Calls
        } else {
            Self::Nothing
        }
    }
}

/// The stream is the session: both end together.
struct EndsSession {
    app: Arc<App>,
    id: SessionId,
    principal: Principal,
}

impl Drop for EndsSession {
    fn drop(&mut self) {
        self.app.sessions.close(self.id.as_str(), &self.principal);
    }
}

pub(super) async fn post(
    app: Arc<App>,
    client: &Client,
    permit: &Permit,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    if head.method != Method::POST {
        return Err(reply::wrong_method(HeaderValue::from_static(
            "POST, OPTIONS",
        )));
    }
    check_content(&head.headers)?;
    // Before the body is read: what was sent in time is answered although the server ends meanwhile.
    let session = session_id(&head.uri).and_then(|id| app.sessions.find(id, permit.principal()));
    let answers = session.as_ref().and_then(|session| session.answers());
    // Its client reads the answer off the stream, so what it accepts here is of no account.
    let body = request_body::read(&app, client, &head.headers, body).await?;
    let received = match reply::parse(&app.server, client, &body) {
        Ok(received) => received,
        Err(Malformed { id, error }) => {
            let answer = Answer::error(id.as_ref(), &error);
            return Ok(reply::answer(answer, Era::Legacy, true, Forms::ALL));
        }
    };
    let id = match &received {
        wire::Body::Single(Message::Request(request)) => Some(request.id.clone()),
        _ => None,
    };
    let gone = || {
        let why = "No such session; open one with GET /sse.";
        reply::refuse(StatusCode::NOT_FOUND, why).under(id.as_ref())
    };
    let unread = || {
        let why = "Too many answers wait to be read; read the stream.";
        reply::refuse(StatusCode::SERVICE_UNAVAILABLE, why).under(id.as_ref())
    };
    let connection = session.ok_or_else(gone)?;
    // Before anything is run: a client that does not read its stream must not pile up answers. What
    // is owed none (the answer to a question of ours, say) always gets through, also when the server
    // ends and takes nothing else.
    let owed = match &received {
        wire::Body::Single(Message::Notification(_) | Message::Response(_)) => None,
        _ => {
            let Answers { queue, places } = answers.ok_or_else(gone)?;
            Some((queue, places.try_acquire_owned().map_err(|_| unread())?))
        }
    };
    let signals = HttpSignals {
        all: Some(&head.headers),
        ..HttpSignals::default()
    };
    let reply = match received {
        wire::Body::Single(message) => {
            let inbound = app.server.inspect(message, Some(signals));
            match inbound.route() {
                Route::Legacy => app.server.handle(&connection, permit, inbound),
                Route::Modern | Route::Malformed(_) => {
                    let error = legacy_only(inbound.meta.version());
                    Reply::Answer(Answer::error(inbound.request_id(), &error))
                }
            }
        }
        batch => app
            .server
            .receive_from(&connection, permit, batch, Some(signals)),
    };
    match (reply.into_exchange(), owed) {
        (Err(None), _) | (_, None) => {}
        (Err(Some(answer)), Some((queue, _place))) => {
            queue.try_send(answer.body).map_err(|error| match error {
                TrySendError::Full(_) => unread(),
                TrySendError::Closed(_) => gone(),
            })?;
        }
        // The answer goes to another connection than this one, so somebody has to carry it.
        (Ok(exchange), Some((queue, place))) => {
            tokio::spawn(carry(exchange, queue, place));
        }
    }
    Ok(reply::accepted())
}

fn session_id(uri: &Uri) -> Option<&str> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("session_id="))
}

fn legacy_only(requested: Option<String>) -> RpcError {
    let requested = requested.as_deref().unwrap_or(MODERN_VERSION);
    RpcError::new(
        Code::UNSUPPORTED_VERSION,
        "This transport serves legacy revisions only.",
    )
    .with_data(json!({ "supported": LEGACY_VERSIONS, "requested": requested }))
}

async fn carry(mut exchange: Exchange, answers: mpsc::Sender<Bytes>, _place: OwnedSemaphorePermit) {
    while let Some(event) = exchange.next_event().await {
        let (Event::Message(message) | Event::Answer(Answer { body: message, .. })) = event else {
            continue;
        };
        if answers.send(message).await.is_err() {
            return;
        }
    }
}
