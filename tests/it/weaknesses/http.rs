//! The rows about HTTP.

use std::time::Instant;

use serde_json::json;

use super::{SOON, assert_answered, marked_up};
use crate::support::http::{HttpServer, Request, Session};
use crate::support::message::{call, request};

/// In the original one such request ends every session there is, and lets nobody in any more.
#[test]
fn row_01_markup_in_a_callers_text_kills_nobody() {
    let server = HttpServer::start(&[], &[("PYMCP_LOG_LEVEL", "NOTSET")]);
    let session = Session::plain(server.address());
    for (request, expected) in marked_up() {
        assert_answered(&session.post(&request).message(), expected);
    }
    for silent in [
        json!({ "jsonrpc": "2.0", "method": "[/x]" }),
        json!({ "jsonrpc": "2.0", "id": "[/x]", "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 0, "message": "[/x]" } }),
    ] {
        assert_eq!(session.post(&silent).status, 202);
    }
    assert_eq!(
        server.ask(&session.sign(Request::post("[/red]"))).refusal(),
        (400, -32700)
    );
    assert_eq!(
        session.ask(&request(1, "ping", json!({})))["result"],
        json!({})
    );
    Session::plain(server.address());
}

#[test]
fn row_06_a_huge_name_holds_up_no_other_session() {
    let server = HttpServer::start(&[], &[]);
    let (one, other) = (
        Session::plain(server.address()),
        Session::plain(server.address()),
    );
    let started = Instant::now();
    let name = "x".repeat(1_000_000);
    let mut slow: Vec<_> = (0..4)
        .map(|id| one.start(&call(id, "greet", json!({ "name": name }))))
        .collect();
    assert_eq!(
        other.ask(&request(1, "ping", json!({})))["result"],
        json!({})
    );
    for (id, client) in slow.iter_mut().enumerate() {
        assert_eq!(client.response().message()["id"], id);
    }
    // More than a body may have.
    let huge = call(9, "greet", json!({ "name": "x".repeat(10_000_000) }));
    assert_eq!(one.post(&huge).status, 413);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}
