//! The rows about HTTP.

use std::time::Instant;

use serde_json::{Value, json};

use super::{SOON, assert_answered, marked_up};
use crate::support::http::{HttpServer, Request, Session};
use crate::support::message::{answer, asks_user, call, error, request};

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

/// In the original each of them leaves a session of 35 kB behind: these would be 50 MB.
#[cfg(target_os = "linux")]
#[test]
fn row_07_refused_requests_leave_nothing_behind() {
    use crate::support::process::peak_memory;

    let server = HttpServer::start(&[], &[]);
    let ping = || Request::post(request(1, "ping", json!({})).to_string());
    let bad_hello = request(1, "initialize", json!({ "protocolVersion": 5 })).to_string();
    let refused = [
        ping(),
        ping().with("Mcp-Session-Id", "00000000000000000000000000000000"),
        Request::post(bad_hello),
        Request::new("GET", "/mcp").with("Accept", "text/event-stream"),
        Request::new("PUT", "/mcp"),
        Request::new("DELETE", "/mcp"),
        Request::new("OPTIONS", "/mcp").with("Origin", "http://evil.example"),
    ];
    let round = || {
        for request in &refused {
            let response = server.ask(request);
            assert!(
                response.status >= 400 || response.body.contains("-326"),
                "{response:?}"
            );
            assert_eq!(response.header("Mcp-Session-Id"), None);
        }
    };
    (0..20).for_each(|_| round());
    let before = peak_memory(server.pid());
    (0..200).for_each(|_| round());
    let rise = peak_memory(server.pid()) - before;
    assert!(rise < 4 << 10, "{rise} KiB more than before");
}

#[test]
fn row_08_an_id_in_flight_cannot_be_used_twice() {
    let server = HttpServer::start(&[], &[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let ask = call(7, "vonmises_random", json!({ "mu": 1.0 }));
    let mut first = session.start(&ask).events();
    let question = first.until("elicitation/create");
    let second = session.post(&ask).message();
    assert_eq!((&second["id"], error(&second).0), (&json!(7), -32600));
    let kappa = json!({ "action": "accept", "content": { "value": 2.0 } });
    assert_eq!(session.post(&answer(&question, kappa)).status, 202);
    let drawn = first.answer();
    assert!(
        drawn["result"]["structuredContent"]["result"].is_f64(),
        "{drawn}"
    );
    first.end();
}

#[test]
fn row_08_a_last_event_id_is_no_reason_to_fail() {
    let server = HttpServer::start(&[], &[]);
    for id in ["1", "", "[/x]", "00000000-0000-0000-0000-000000000000_1"] {
        // A session of its own for each: it has one stream, and is told late that that is gone.
        let session = Session::plain(server.address());
        let mut client = server.connect();
        client.send(session.listening().with("Last-Event-ID", id).bytes());
        // Panics unless it is a stream of events.
        drop(client.events());
        assert_eq!(session.post(&request(1, "ping", json!({}))).status, 200);
    }
}

#[test]
fn row_13_no_page_and_no_name_of_a_stranger_gets_in() {
    let server = HttpServer::start(&[], &[]);
    let hello = crate::support::http::initialize("2025-11-25", json!({}));
    let mallory: [&[(&str, &str)]; 4] = [
        &[("Host", "evil.example")],
        &[("Origin", "http://evil.example")],
        &[("Host", "evil.example"), ("Origin", "http://evil.example")],
        &[("Origin", "null")],
    ];
    for headers in mallory {
        let usual = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        let response = server.send("POST", &[&usual, headers].concat(), &hello.to_string());
        assert_eq!(response.status, 403, "{headers:?}: {response:?}");
        assert_eq!(response.message()["result"], Value::Null, "{headers:?}");
        for header in ["Mcp-Session-Id", "Access-Control-Allow-Origin"] {
            assert_eq!(response.header(header), None, "{headers:?}");
        }
    }
    assert_eq!(server.post(&[], &hello).status, 200);
}
