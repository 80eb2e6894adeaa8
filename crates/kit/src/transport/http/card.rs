//! The Server Card at `<endpoint>/server-card`: what a client may know before it connects (SEP-2127, an extension that is
//! still a draft). Like the metadata of RFC 9728 it is for everybody whose `Host` and `Origin` are served, so nothing
//! secret belongs in it.
//!
//! The card has what the schema of the extension has room for (identity, where the endpoint is, which revisions it
//! speaks, whether it wants a token); the digest of the manifest and the capabilities are in `_meta`. What a server has
//! beyond that, its lists say. To say more, add a member to [`write`].

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::Response;
use serde_json::{Value, json};

use crate::core::Server;
use crate::manifest::{self, Digest};
use crate::protocol::{LEGACY_VERSIONS, MODERN_VERSION};

use super::Endpoints;
use super::body::Body;
use super::client::Client;
use super::door::Door;
use super::reply::{self, Refusal};

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json";
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/mcp-server-card+json");

/// As long as modern clients may keep lists: a change at run time is seen within this time.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// Characters of a title or a description in a card.
const MAX_TEXT: usize = 100;

/// The card as it was served last.
#[derive(Default)]
pub(super) struct Card(Mutex<Option<Written>>);

#[derive(Clone)]
struct Written {
    /// What it was written for.
    digest: Digest,
    endpoint: String,
    body: Bytes,
    tag: HeaderValue,
}

impl Card {
    /// The response to a request for the card.
    pub(super) fn serve(
        &self,
        server: &Server,
        endpoints: Endpoints,
        door: &Door,
        client: &Client,
        head: &Parts,
    ) -> Result<Response<Body>, Refusal> {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let allowed = HeaderValue::from_static("GET, HEAD, OPTIONS");
            return Err(reply::wrong_method(allowed));
        }
        let (Some(endpoint), _) = door.endpoint(client, head) else {
            return Err(reply::not_found());
        };
        let written = self.written(server, endpoints, door.asks(), endpoint);
        let mut response = match names(&head.headers, &written.tag) {
            true => reply::empty(StatusCode::NOT_MODIFIED),
            false => {
                let mut response = reply::json(StatusCode::OK, written.body);
                response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, written.tag);
        headers.insert(CACHE_CONTROL, KEEP);
        Ok(response)
    }

    /// The card for this endpoint; the last one if nothing has changed since.
    fn written(
        &self,
        server: &Server,
        endpoints: Endpoints,
        asks: bool,
        endpoint: String,
    ) -> Written {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = server.manifest_digest();
        let kept = lock().clone();
        if let Some(kept) = kept.filter(|kept| kept.digest == digest && kept.endpoint == endpoint) {
            return kept;
        }
        let (digest, card) = write(server, endpoints, asks, &endpoint);
        let body = Bytes::from(card.to_string());
        let tag = format!("\"{:.39}\"", Digest::of_text(&body));
        let written = Written {
            digest,
            endpoint,
            body,
            // It is plain ASCII.
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        };
        *lock() = Some(written.clone());
        written
    }
}

/// The card of a server whose endpoint has this URL, and whose callers have to authenticate or not.
fn write(server: &Server, endpoints: Endpoints, asks: bool, endpoint: &str) -> (Digest, Value) {
    let info = server.info();
    let (digest, capabilities) = server.shown();
    let (transport, revisions) = match endpoints {
        Endpoints::Streamable => {
            let all = std::iter::once(MODERN_VERSION).chain(LEGACY_VERSIONS);
            ("streamable-http", all.collect::<Vec<_>>())
        }
        Endpoints::LegacySse => ("sse", LEGACY_VERSIONS.to_vec()),
    };
    let mut remote = json!({
        "type": transport,
        "url": endpoint,
        "supportedProtocolVersions": revisions,
    });
    if asks {
        remote["headers"] = json!([{
            "name": "Authorization",
            "description": "An access token: Bearer TOKEN.",
            "isRequired": true,
            "isSecret": true,
        }]);
    }
    let title = info.title.as_deref().unwrap_or(&info.name);
    let description = info.description.as_deref().unwrap_or(title);
    let mut card = json!({
        "$schema": SCHEMA,
        "name": qualified(&info.name, endpoint),
        "version": info.version.chars().take(255).collect::<String>(),
        "title": cut(title),
        "description": cut(description),
        "remotes": [remote],
        "_meta": {
            manifest::META: digest,
            "server-kit/capabilities": capabilities,
            "server-kit/authentication": asks,
        },
    });
    if let Some(url) = &info.website_url {
        card["websiteUrl"] = json!(url);
    }
    if let Some(icons) = &info.icons {
        card["icons"] = json!(icons);
    }
    (digest, card)
}

/// A text of 1 to [`MAX_TEXT`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None if text.is_empty() => "-".to_owned(),
        None => text.to_owned(),
        Some((end, _)) => {
            let kept = text[..end].char_indices().next_back();
            format!("{}…", &text[..kept.map_or(0, |(at, _)| at)])
        }
    }
}

/// The name in a card: a namespace, a slash, and a name. A server that is called so is named as it is, any other one
/// below the host that it is reached at, backwards.
fn qualified(name: &str, endpoint: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if let Some((namespace, rest)) = name.split_once('/')
        && !namespace.is_empty()
        && !rest.is_empty()
        && namespace.chars().all(|c| allowed(c) && c != '_')
        && rest.chars().all(allowed)
        && name.len() <= 200
    {
        return name.to_owned();
    }
    let host = endpoint.parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let namespace = match host.parse::<std::net::Ipv4Addr>() {
        Ok(_) => host.to_owned(),
        Err(_) if host.is_empty() || host.starts_with('[') => "localhost".to_owned(),
        Err(_) => host.rsplit('.').collect::<Vec<_>>().join("."),
    };
    let name: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .take(100)
        .collect();
    format!("{namespace:.99}/{name}")
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2: weak ones count).
fn names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        // A comma is in none of ours.
        .flat_map(|list| list.split(',').map(str::trim))
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == *tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_namespace() {
        for (name, endpoint, expected) in [
            ("com.example/a", "https://x/mcp", "com.example/a"),
            (
                "pymcp",
                "https://api.example.com/mcp",
                "com.example.api/pymcp",
            ),
            ("pymcp", "http://127.0.0.1:80/mcp", "127.0.0.1/pymcp"),
            ("pymcp", "http://[::1]:80/mcp", "localhost/pymcp"),
            ("my server", "http://localhost/mcp", "localhost/my-server"),
            ("a/b/c", "http://localhost/mcp", "localhost/a-b-c"),
        ] {
            assert_eq!(qualified(name, endpoint), expected, "{name} at {endpoint}");
        }
    }

    #[test]
    fn texts_are_as_long_as_the_schema_wants() {
        assert_eq!(cut(""), "-");
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"\u{e9}".repeat(100)), "\u{e9}".repeat(100));
        assert_eq!(cut(&"\u{e9}".repeat(101)), "\u{e9}".repeat(99) + "…");
    }
}
