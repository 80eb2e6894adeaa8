//! What a request must be before anyone looks into it: of one length, for this host, and from nowhere
//! or from an origin that is allowed. The latter is what stands between a web page and a server on the same machine
//! (DNS rebinding), so it can be configured but not switched off.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderName, ORIGIN,
    TRANSFER_ENCODING, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper::{Request, Response};

use super::HttpConfig;
use super::allowed::Origins;
use super::body::Body;
use super::reply::{self, Refusal};

/// Lets a request in, with its origin if it has one, or says why not.
pub(super) fn admit<B>(
    request: &Request<B>,
    config: &HttpConfig,
) -> Result<Option<HeaderValue>, Refusal> {
    let headers = request.headers();
    check_framing(headers)?;
    let authority = request.uri().authority().map(Authority::as_str);
    let http2 = request.version() == Version::HTTP_2;
    let host = match headers.contains_key(HOST) {
        // It has `:authority` in its place (RFC 9113 §8.3.1).
        false if http2 => authority,
        _ => only(headers, HOST).and_then(|host| host.to_str().ok()),
    };
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err(reply::refuse(
            StatusCode::BAD_REQUEST,
            "A request needs exactly one Host header.",
        ));
    };
    // With an absolute target its authority counts, not the header (RFC 9112 §3.2.2).
    let target = authority.unwrap_or(host);
    if http2 && !target.eq_ignore_ascii_case(host) {
        let why = "Host must be the same as :authority, or absent.";
        return Err(reply::refuse(StatusCode::BAD_REQUEST, why));
    }
    check_host(host, config)?;
    if authority.is_some() {
        check_host(target, config)?;
    }
    if !headers.contains_key(ORIGIN) {
        return Ok(None);
    }
    match only(headers, ORIGIN).filter(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| config.origins.allow(origin))
    }) {
        Some(origin) => Ok(Some(origin.clone())),
        None => {
            let why = "This Origin may not call; add it to the allowed origins (--cors-origins) if it is yours.";
            Err(reply::refuse(StatusCode::FORBIDDEN, why).because("origin"))
        }
    }
}

/// Whether the server is reached under this name.
pub(super) fn check_host(name: &str, config: &HttpConfig) -> Result<(), Refusal> {
    match config.hosts.allow(name) {
        Some(true) => Ok(()),
        Some(false) => {
            let why = "This Host is not served; add it to the allowed hosts (--allowed-hosts) if it is yours.";
            Err(reply::refuse(StatusCode::FORBIDDEN, why).because("host"))
        }
        None => {
            let why = "The Host header is malformed.";
            Err(reply::refuse(StatusCode::BAD_REQUEST, why))
        }
    }
}

/// A body whose end two readers could see in two places is how requests are smuggled past a proxy
/// (RFC 9112 §11.2), so the connection ends as well: nothing that follows can be trusted.
///
/// Where there is a `Content-Length` as well, hyper has taken it away, and ends the connection after
/// the response.
fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    match !headers.contains_key(TRANSFER_ENCODING)
        || only(headers, TRANSFER_ENCODING).is_some_and(chunked)
    {
        true => Ok(()),
        false => {
            let why = "Transfer-Encoding must be \"chunked\", once, or absent.";
            Err(reply::refuse(StatusCode::BAD_REQUEST, why).closing())
        }
    }
}

/// The value of a header that must not come twice.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Headers that pages may send, whatever is served.
const HEADERS: &str = "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, \
     MCP-Protocol-Version, Mcp-Session-Id";

/// All headers that pages may send: CORS knows no prefixes, so each that a tool declares is named.
pub(super) fn allowed_headers<'a>(
    mirrored: &'a [String],
    named: impl Iterator<Item = &'a str>,
) -> HeaderValue {
    let mut all = vec![HEADERS];
    all.extend(mirrored.iter().map(String::as_str));
    let known = |name: &&str| {
        let mut known = HEADERS.split(", ");
        !known.any(|known| known.eq_ignore_ascii_case(name))
    };
    all.extend(named.filter(known));
    // Header names are always a valid value.
    HeaderValue::try_from(all.join(", ")).unwrap_or(HeaderValue::from_static(HEADERS))
}

/// Methods that pages may use, whatever is served.
const METHODS: &str = "GET, POST, DELETE, OPTIONS";

/// All methods that pages may use, with those of routes.
pub(super) fn allowed_methods(of_routes: &[&Method]) -> HeaderValue {
    let mut all = vec![METHODS];
    let names = of_routes.iter().map(|method| method.as_str());
    all.extend(names.filter(|name| !METHODS.split(", ").any(|known| known == *name)));
    // Names of methods are always a valid value.
    HeaderValue::try_from(all.join(", ")).unwrap_or(HeaderValue::from_static(METHODS))
}

/// The answer to a preflight; [`allow`] adds for whom.
pub(super) fn preflight(methods: &HeaderValue, allowed: &HeaderValue) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets a page of this origin read the response.
pub(super) fn allow(response: &mut Response<Body>, origin: HeaderValue, origins: &Origins) {
    let headers = response.headers_mut();
    if origins.allow_any() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"),
    );
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
