//! Responses: the one place where JSON-RPC errors become statuses.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::Response;

use crate::core::Answer;
use crate::protocol::Era;
use crate::wire::{self, Code, Id, RpcError};

use super::body::{self, Body};
use super::negotiate::Forms;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

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

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = response(status, Body::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
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
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // A call may have ended by then.
        let after = answer.retry_after.map_or(1, NonZeroU32::get);
        response.headers_mut().insert(RETRY_AFTER, after.into());
    }
    response
}

fn status(code: Code, era: Era, before_call: bool) -> StatusCode {
    match code {
        Code::PARSE | Code::INVALID_REQUEST => StatusCode::BAD_REQUEST,
        Code::HEADER_MISMATCH | Code::MISSING_CAPABILITY | Code::UNSUPPORTED_VERSION => {
            StatusCode::BAD_REQUEST
        }
        Code::INVALID_PARAMS if before_call && era == Era::Modern => StatusCode::BAD_REQUEST,
        Code::METHOD_NOT_FOUND if era == Era::Modern => StatusCode::NOT_FOUND,
        Code::BUSY => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// A refusal of the HTTP request itself. It has a JSON-RPC body all the same: a client that sees
/// none takes the server for one of another era.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
    allowed: Option<HeaderValue>,
    id: Option<Id>,
    closes: bool,
    retry_after: Duration,
}

impl Refusal {
    /// The same, as the answer to the request with this id, where it could be read.
    pub(super) fn under(mut self, id: Option<&Id>) -> Self {
        self.id = id.cloned();
        self
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
        allowed: None,
        id: None,
        closes: false,
        retry_after: Duration::ZERO,
    }
}

/// A method that the path does not have.
pub(super) fn wrong_method(allowed: HeaderValue) -> Refusal {
    let why = "This path does not have that HTTP method.";
    Refusal {
        allowed: Some(allowed),
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
            _ => Code::INVALID_REQUEST,
        };
        let mut response = json(
            refusal.status,
            wire::error(refusal.id.as_ref(), &RpcError::new(code, refusal.why)),
        );
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            let after = refusal.retry_after.as_millis().div_ceil(1000);
            let after = u64::try_from(after).unwrap_or(u64::MAX).max(1);
            response.headers_mut().insert(RETRY_AFTER, after.into());
        }
        if let Some(allowed) = refusal.allowed {
            response.headers_mut().insert(ALLOW, allowed);
        }
        if refusal.closes {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
