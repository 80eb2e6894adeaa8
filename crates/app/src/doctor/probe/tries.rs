//! What is tried over HTTP alone: what a web page, a stranger or a careless client might send.

use ::http::Method;
use serde_json::{Value, json};

use super::Clock;
use super::http::Sent;
use super::web::Web;
use crate::doctor::observed::{HttpSeen, Try};
use pymcp_kit::protocol::LATEST_LEGACY;

/// A host, and the origin of a page on it, that nobody serves (RFC 2606).
const STRANGER: &str = "stranger.example";
const PAGE: &str = "https://stranger.example";

/// Tries all of it; what is not answered is left out.
pub(super) async fn all(web: &mut Web, http: &mut HttpSeen, clock: Clock) {
    let (method, params) = match web.modern {
        true => ("server/discover", Value::Null),
        false => ("initialize", web.client.hello(LATEST_LEGACY)),
    };
    let mut fresh = web.anew();
    fresh.modern = web.modern;
    let first = || fresh.post(method, &params);
    let ping = || {
        web.with_all(Sent::post(
            &json!({ "jsonrpc": "2.0", "id": 0, "method": "ping" }),
        ))
    };
    let preflight = Sent::new(Method::OPTIONS)
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,authorization",
        );
    let get = web.with_all(Sent::new(Method::GET).header("accept", "text/event-stream"));
    let put = web.with_all(Sent::new(Method::PUT).header("content-type", "application/json"));
    let mut tries = vec![
        (Try::ForeignHost, first().header("host", STRANGER)),
        (Try::ForeignOrigin, first().header("origin", PAGE)),
        (Try::Preflight, preflight),
        (Try::Get, get),
        (Try::Put, put.body("{}")),
        (Try::PlainText, first().header("content-type", "text/plain")),
        (Try::AcceptHtml, first().header("accept", "text/html")),
        (Try::Garbage, first().body("{\"jsonrpc\": ")),
    ];
    if !web.modern {
        let version = ping().header("mcp-protocol-version", super::NO_REVISION);
        tries.push((Try::BadVersion, version));
    }
    if web.session.is_some() {
        let made_up = "00000000-0000-4000-8000-000000000000";
        tries.push((
            Try::UnknownSession,
            ping().header("mcp-session-id", made_up),
        ));
        tries.push((Try::Delete, web.with_all(Sent::new(Method::DELETE))));
        tries.push((Try::AfterDelete, ping()));
    }
    for (tried, sent) in tries {
        let Ok(reply) = web.endpoint.send(sent, clock.left()).await else {
            continue;
        };
        // What was opened by it is closed again.
        if tried != Try::AfterDelete
            && let Some(session) = reply.header("mcp-session-id")
            && Some(session) != web.session.as_deref()
        {
            let ends = fresh.with_all(Sent::new(Method::DELETE));
            let ends = ends.header("mcp-session-id", session);
            let _ = web.endpoint.send(ends, clock.left()).await;
        }
        http.tried.insert(tried, reply);
    }
    // It has ended, or cannot be.
    web.session = None;
}
