//! HTTP+SSE of 2024-11-05: `GET /sse` opens the session and carries every answer, messages are
//! posted to the URI that its first event names. Deprecated; served only when asked for.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde_json::json;
use tokio::sync::mpsc;

use crate::core::{Answer, Connection, Event, LEGACY_VERSIONS, Route};
use crate::principal::Principal;
use crate::session::{Refused, SessionId};
use crate::wire::{Code, Malformed, RpcError};

use super::App;
use super::body::{Body, Events, Source};
use super::{reply, streamable};

/// Answers that may wait for a client that reads slowly; its calls wait behind them.
const ANSWERS: usize = 64;

pub(super) fn open(app: &Arc<App>, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET {
        return reply::wrong_method("GET, OPTIONS");
    }
    let (answers, queue) = mpsc::channel(ANSWERS);
    let connection = Connection::new(Principal::ANONYMOUS);
    // A fresh connection has no stream yet.
    let Some(unsolicited) = connection.open_stream() else { return reply::not_found() };
    connection.set_answers(answers);
    let id = match app.sessions.open(connection) {
        Ok(id) => id,
        Err(Refused::Full) => {
            return reply::refuse(StatusCode::SERVICE_UNAVAILABLE, "There are too many sessions; try again later.");
        }
        Err(Refused::NoRandomness) => {
            return reply::refuse(StatusCode::INTERNAL_SERVER_ERROR, "No session id can be made.");
        }
    };
    let endpoint = format!("event: endpoint\ndata: /messages/?session_id={id}\n\n");
    let ends = Box::new(EndsSession { app: Arc::clone(app), id });
    let source = Source::Session(queue, unsolicited, ends);
    let events = Events::new(BytesMut::from(endpoint.as_bytes()), source, app.config.keep_alive)
        .until(app.closing.clone().cancelled_owned());
    reply::events(events.into_body())
}

/// The stream is the session: both end together.
struct EndsSession {
    app: Arc<App>,
    id: SessionId,
}

impl Drop for EndsSession {
    fn drop(&mut self) {
        self.app.sessions.close(self.id, &Principal::ANONYMOUS);
    }
}

pub(super) async fn post(app: Arc<App>, request: Request<Incoming>) -> Response<Body> {
    if request.method() != Method::POST {
        return reply::wrong_method("POST, OPTIONS");
    }
    let (head, body) = request.into_parts();
    let id = head.uri.query().and_then(|query| {
        query.split('&').find_map(|pair| pair.strip_prefix("session_id=")).and_then(SessionId::parse)
    });
    let Some(connection) = id.and_then(|id| app.sessions.get(id, &Principal::ANONYMOUS)) else {
        return reply::refuse(StatusCode::NOT_FOUND, "No such session; open one with GET /sse.");
    };
    let Some(answers) = connection.answers() else { return reply::not_found() };
    let body = match streamable::read(&head.headers, body, &app).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let reply = match app.server.parse(&body) {
        Ok(crate::wire::Body::Single(message)) => {
            let inbound = app.server.inspect(message, None);
            match inbound.route() {
                Route::Legacy => app.server.handle(&connection, inbound),
                Route::Modern | Route::Malformed(_) => {
                    let error = RpcError::new(Code::UNSUPPORTED_VERSION, "This transport serves legacy revisions only.")
                        .with_data(json!({ "supported": LEGACY_VERSIONS, "requested": crate::core::MODERN_VERSION }));
                    crate::core::Reply::Answer(Answer::error(inbound.request_id(), &error))
                }
            }
        }
        Ok(batch) => app.server.receive(&connection, batch),
        Err(Malformed { id, error }) => {
            return reply::answer(Answer::error(id.as_ref(), &error), crate::core::Era::Legacy, true);
        }
    };
    match reply.into_exchange() {
        Err(None) => {}
        Err(Some(answer)) => {
            if answers.send(answer.body).await.is_err() {
                return reply::refuse(StatusCode::NOT_FOUND, "The session has ended.");
            }
        }
        Ok(mut exchange) => {
            // The answer goes to another connection than this one, so somebody has to carry it.
            tokio::spawn(async move {
                while let Some(event) = exchange.next_event().await {
                    let (Event::Message(message) | Event::Answer(Answer { body: message, .. })) = event;
                    if answers.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
    let mut response = reply::empty(StatusCode::ACCEPTED);
    *response.body_mut() = Body::whole(Bytes::from_static(b"Accepted"));
    response
}
