//! Requests of clients that mean no good, or know no better: nothing is left of them, and nobody else notices.

use std::time::Instant;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{answer, asks_user, call, error, request};
use pymcp_kit::testing::raw::{Request, Session};
use serde_json::{Value, json};

use crate::support::over_http;

/// A session of 35 kB for each of them would be 50 MB.
#[cfg(target_os = "linux")]
#[test]
fn refused_requests_leave_nothing_behind() {
    use crate::support::memory::peak_memory;

    let server = over_http(&[]);
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
fn an_id_in_flight_cannot_be_used_twice() {
    let server = over_http(&[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let ask = call(7, "measure", json!({ "at": 1.0 }));
    let mut first = session.start(&ask).events();
    let question = first.until("elicitation/create");
    let second = session.post(&ask).message();
    assert_eq!((&second["id"], error(&second).0), (&json!(7), -32600));
    let width = json!({ "action": "accept", "content": { "value": 2.0 } });
    assert_eq!(session.post(&answer(&question, width)).status, 202);
    let drawn = first.answer();
    assert!(
        drawn["result"]["structuredContent"]["result"].is_f64(),
        "{drawn}"
    );
    first.end();
}

#[test]
fn a_huge_argument_holds_up_no_other_session() {
    let server = over_http(&[]);
    let [one, other] = [(); 2].map(|()| Session::plain(server.address()));
    let started = Instant::now();
    let name = "x".repeat(1_000_000);
    let mut slow: Vec<_> = (0..4)
        .map(|id| one.start(&call(id, "hail", json!({ "name": name }))))
        .collect();
    assert_eq!(
        other.ask(&request(1, "ping", json!({})))["result"],
        json!({})
    );
    for (id, client) in slow.iter_mut().enumerate() {
        assert_eq!(client.response().message()["id"], id);
    }
    // More than a body may have.
    let huge = call(9, "hail", json!({ "name": "x".repeat(10_000_000) }));
    assert_eq!(one.post(&huge).status, 413);
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}

#[test]
fn a_last_event_id_is_no_reason_to_fail() {
    let server = over_http(&[]);
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
fn no_page_and_no_name_of_a_stranger_gets_in() {
    let server = over_http(&[]);
    let hello = pymcp_kit::testing::raw::initialize("2025-11-25", json!({}));
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
