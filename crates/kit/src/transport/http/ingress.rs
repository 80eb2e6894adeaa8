//! What a request must be before anyone looks into it: for this host, and from nowhere or from an
//! origin that is allowed. This is what stands between a web page and a server on the same machine
//! (DNS rebinding), so it can be configured but not switched off.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::{Request, Response};

use super::HttpConfig;
use super::body::Body;
use super::reply::{self, Refusal};

/// Origins (RFC 6454) that may call: the CORS list and the Origin check are the same list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    any: bool,
    loopback: bool,
    exact: Vec<String>,
}

impl Origins {
    /// Pages served from this machine, on any port.
    pub fn loopback() -> Self {
        Self {
            loopback: true,
            ..Self::default()
        }
    }

    /// Reads a comma-separated list: `loopback`, `*`, and origins such as `https://app.example`.
    ///
    /// # Errors
    /// The first entry that is none of these.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut origins = Self::default();
        for entry in list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            match entry {
                "*" => origins.any = true,
                "loopback" => origins.loopback = true,
                _ if is_origin(entry) => origins.exact.push(entry.to_ascii_lowercase()),
                _ => return Err(entry.to_owned()),
            }
        }
        Ok(origins)
    }

    /// Whether every page on the web may call.
    pub fn allow_any(&self) -> bool {
        self.any
    }

    fn allow(&self, origin: &str) -> bool {
        self.any
            || (self.loopback && is_loopback(origin))
            || self
                .exact
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && authority.parse::<http::uri::Authority>().is_ok()
        && !authority.contains('@')
}

fn is_loopback(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let Ok(authority) = authority.parse::<http::uri::Authority>() else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && !authority.as_str().contains('@')
        && ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|host| authority.host().eq_ignore_ascii_case(host))
}

/// Lets a request in, with its origin if it has one, or says why not.
pub(super) fn admit<B>(
    request: &Request<B>,
    config: &HttpConfig,
) -> Result<Option<HeaderValue>, Refusal> {
    let headers = request.headers();
    let host = only(headers, HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err(reply::refuse(
            StatusCode::BAD_REQUEST,
            "A request needs exactly one Host header.",
        ));
    };
    // With an absolute target its authority counts, not the header (RFC 9112 §3.2.2).
    let target = request
        .uri()
        .authority()
        .map_or(host, |authority| authority.as_str());
    for name in [host, target] {
        match allows_host(name, &config.hosts) {
            Some(true) => {}
            Some(false) => {
                let why = "This Host is not served; add it to the allowed hosts (--allowed-hosts) if it is yours.";
                return Err(reply::refuse(StatusCode::FORBIDDEN, why));
            }
            None => {
                return Err(reply::refuse(
                    StatusCode::BAD_REQUEST,
                    "The Host header is malformed.",
                ));
            }
        }
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
            Err(reply::refuse(StatusCode::FORBIDDEN, why))
        }
    }
}

/// `None` when it is no host at all.
fn allows_host(host: &str, allowed: &[String]) -> Option<bool> {
    let authority: http::uri::Authority = host.parse().ok()?;
    // A port that is no number reads as none.
    let broken_port =
        authority.port().is_none() && authority.as_str().len() > authority.host().len();
    if host.contains('@') || broken_port {
        return None;
    }
    let is = |entry: &String| {
        entry.eq_ignore_ascii_case(authority.host()) || entry.eq_ignore_ascii_case(host)
    };
    Some(allowed.iter().any(is))
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
pub(super) fn allowed_headers(mirrored: &[String]) -> HeaderValue {
    let mut all = vec![HEADERS];
    all.extend(mirrored.iter().map(String::as_str));
    // Header names are always a valid value.
    HeaderValue::try_from(all.join(", ")).unwrap_or(HeaderValue::from_static(HEADERS))
}

/// The answer to a preflight; [`allow`] adds for whom.
pub(super) fn preflight(allowed: &HeaderValue) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE, OPTIONS"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets a page of this origin read the response.
pub(super) fn allow(response: &mut Response<Body>, origin: HeaderValue, origins: &Origins) {
    let headers = response.headers_mut();
    if origins.any {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"),
    );
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
