//! Responses: the one place where JSON-RPC errors become statuses.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::Response;

use crate::core::{Answer, Server};
use crate::limits::Exceeded;
use crate::protocol::Era;
use crate::telemetry::{Refused, Transport};
use crate::wire::{self, Code, Id, Malformed, RpcError};

use super::body::{self, Body};
use super::client::Client;
use super::negotiate::Forms;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// A response without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    response(status, Body::empty())
}

/// `202` with the word that clients of legacy SSE expect.
pub(super) fn accepted() -> Response<Body> {
    response(
        StatusCode::ACCEPTED,
        Body::whole(Bytes::from_static(b"Accepted")),
    )
}

/// A response of JSON.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = response(status, Body::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A JSON document.
pub(super) fn document(json: String) -> Response<Body> {
    self::json(StatusCode::OK, json.into())
}

/// Ends the connection after the response.
pub(super) fn close(response: &mut Response<Body>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}

/// Server-sent events that proxies neither keep nor hold back.
pub(super) fn events(body: Body) -> Response<Body> {
    let mut response = response(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// An answer that needs no stream, and is one only where its client takes nothing else; what has a
/// status of its own is JSON in any case. `before_call` tells an answer that was given without
/// running anything from a handler's own: `-32602` is a bad request only in the first case.
pub(super) fn answer(answer: Answer, era: Era, before_call: bool, forms: Forms) -> Response<Body> {
    let status = match answer.error {
        None => StatusCode::OK,
        Some(code) => status(code, era, before_call),
    };
    if status == StatusCode::OK && !forms.json {
        return events(Body::whole(body::written(&[answer.body]).freeze()));
    }
    let mut response = json(status, answer.body);
    if let Some(needed) = answer.scopes {
        // The door knows the rest of the challenge.
        response.extensions_mut().insert(Lacking(needed));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // A call may have ended by then.
        let after = answer.retry_after.map_or(1, NonZeroU32::get);
        response.headers_mut().insert(RETRY_AFTER, after.into());
    }
    response
}

/// Reads a body. One that cannot be served is told to whoever listens.
pub(super) fn parse<'a>(
    server: &Server,
    client: &Client,
    body: &'a [u8],
) -> Result<wire::Body<'a>, Malformed> {
    wire::parse(body, server.wire_limits()).inspect_err(|Malformed { error, .. }| {
        let status = status(error.code, Era::Legacy, true);
        server.inner().observers.refused(&Refused {
            status: Some(status.as_u16()),
            address: Some(client.address),
            ..Refused::malformed(&error.message, Transport::Http)
        });
    })
}

/// The scopes that an answer says are lacking, with spaces between.
#[derive(Clone)]
pub(super) struct Lacking(pub(super) Box<str>);

fn status(code: Code, era: Era, before_call: bool) -> StatusCode {
    match code {
        Code::PARSE | Code::INVALID_REQUEST => StatusCode::BAD_REQUEST,
        Code::HEADER_MISMATCH | Code::MISSING_CAPABILITY | Code::UNSUPPORTED_VERSION => {
            StatusCode::BAD_REQUEST
        }
        Code::INVALID_PARAMS if before_call && era == Era::Modern => StatusCode::BAD_REQUEST,
        Code::METHOD_NOT_FOUND if era == Era::Modern => StatusCode::NOT_FOUND,
        Code::BUSY => StatusCode::SERVICE_UNAVAILABLE,
        Code::FORBIDDEN => StatusCode::FORBIDDEN,
        _ => StatusCode::OK,
    }
}

/// A refusal of the HTTP request itself. It has a JSON-RPC body all the same: a client that sees
/// none takes the server for one of another era.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
    reason: Option<&'static str>,
    allowed: Option<Box<HeaderValue>>,
    id: Option<Id>,
    closes: bool,
    retry_after: Duration,
    challenge: Option<Box<HeaderValue>>,
    exceeded: Option<Box<Exceeded>>,
}

impl Refusal {
    /// The same, with what a client needs to get a token.
    pub(super) fn challenging(mut self, challenge: HeaderValue) -> Self {
        self.challenge = Some(challenge.into());
        self
    }

    /// The same, as the answer to the request with this id, where it could be read.
    pub(super) fn under(mut self, id: Option<&Id>) -> Self {
        self.id = id.cloned();
        self
    }

    /// The same, for this reason: a word for logs and metrics where the status says too little.
    pub(super) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// What is told of it, of a client at this address.
    pub(super) fn told(&self, address: IpAddr) -> Refused<'static> {
        let by_status = match self.status {
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "http_method",
            StatusCode::NOT_ACCEPTABLE => "accept",
            StatusCode::REQUEST_TIMEOUT => "body_timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "body_size",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "content_type",
            StatusCode::TOO_MANY_REQUESTS => "rate",
            StatusCode::SERVICE_UNAVAILABLE => "busy",
            StatusCode::INTERNAL_SERVER_ERROR => "internal",
            _ => "bad_request",
        };
        Refused {
            reason: self.reason.unwrap_or(by_status),
            why: self.why,
            status: Some(self.status.as_u16()),
            address: Some(address),
            transport: Transport::Http,
        }
    }

    /// The same, and the end of the connection.
    pub(super) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Says when trying again may help; after a second otherwise.
    pub(super) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = after;
        self
    }
}

/// Refuses a request; `why` is one sentence that names the way out.
pub(super) fn refuse(status: StatusCode, why: &'static str) -> Refusal {
    Refusal {
        status,
        why,
        reason: None,
        allowed: None,
        id: None,
        closes: false,
        retry_after: Duration::ZERO,
        challenge: None,
        exceeded: None,
    }
}

/// More requests than a rate allows. `RateLimit-*` are the headers of draft-ietf-httpapi-ratelimit-headers-03, the form
/// that clients know.
pub(super) fn too_many(exceeded: Exceeded) -> Refusal {
    let why = "Too many requests; try again after the time in Retry-After.";
    Refusal {
        exceeded: Some(exceeded.into()),
        ..refuse(StatusCode::TOO_MANY_REQUESTS, why)
    }
}

/// A method that the path does not have.
pub(super) fn wrong_method(allowed: HeaderValue) -> Refusal {
    let why = "This path does not have that HTTP method.";
    Refusal {
        allowed: Some(allowed.into()),
        ..refuse(StatusCode::METHOD_NOT_ALLOWED, why)
    }
}

/// No such path.
pub(super) fn not_found() -> Refusal {
    refuse(StatusCode::NOT_FOUND, "There is nothing at this path.")
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.status {
            StatusCode::SERVICE_UNAVAILABLE => Code::BUSY,
            StatusCode::INTERNAL_SERVER_ERROR => Code::INTERNAL,
            StatusCode::FORBIDDEN if refusal.challenge.is_some() => Code::FORBIDDEN,
            _ => Code::INVALID_REQUEST,
        };
        let error = match &refusal.exceeded {
            Some(exceeded) => RpcError::rate_limited(refusal.why, exceeded.retry_after_seconds()),
            None => RpcError::new(code, refusal.why),
        };
        let mut response = json(refusal.status, wire::error(refusal.id.as_ref(), &error));
        if let Some(exceeded) = refusal.exceeded {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, exceeded.retry_after_seconds().into());
            headers.insert(RATE_LIMIT, exceeded.rate.count().get().into());
            headers.insert(RATE_REMAINING, HeaderValue::from_static("0"));
            headers.insert(RATE_RESET, exceeded.full_after_seconds().into());
        }
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            let after = refusal.retry_after.as_millis().div_ceil(1000);
            let after = u64::try_from(after).unwrap_or(u64::MAX).max(1);
            response.headers_mut().insert(RETRY_AFTER, after.into());
        }
        if let Some(allowed) = refusal.allowed {
            response.headers_mut().insert(ALLOW, *allowed);
        }
        if let Some(challenge) = refusal.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, *challenge);
        }
        if refusal.closes {
            close(&mut response);
        }
        response
    }
}
