//! How much a client may send, and how long it may take for it.

use std::time::Duration;

use pymcp_kit::testing::message::{call, modern, request};
use pymcp_kit::testing::raw::{Client, LocalServer, Request, Session, mirrored};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::wire::WireLimits;
use pymcp_kit::{CallLimits, Ctx, Error, NoArgs, Server, Tool};
use serde_json::json;

use crate::support::gate::{Fate, Gate};
use crate::support::over_http;

/// Time that the servers below give a client; what is tested is that it ends, not when.
const BRIEF: Duration = Duration::from_millis(100);

fn list() -> Request {
    mirrored(&modern(request(1, "tools/list", json!({})), json!({})))
}

fn quiet() -> Server {
    let tool = Tool::new("nothing", async |_: Ctx, _: NoArgs| Ok::<_, Error>(()));
    let server = Server::builder("test", "1.0.0").tool(tool);
    server.build().unwrap()
}

#[test]
fn a_body_has_at_most_so_many_bytes_however_it_comes() {
    let limits = WireLimits::default();
    let server = over_http(&[]);
    let message = modern(request(1, "tools/list", json!({})), json!({})).to_string();
    let padded = |length: usize| format!("{message}{}", " ".repeat(length - message.len()));
    let chunked = |body: &str| {
        let mut bytes = list()
            .without("Content-Length")
            .and("Transfer-Encoding", "chunked")
            .bytes();
        bytes.truncate(bytes.len() - message.len());
        for chunk in body.as_bytes().chunks(60_000) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        [bytes, b"0\r\n\r\n".to_vec()].concat()
    };
    let most = padded(limits.message_bytes);
    let more = padded(limits.message_bytes + 1);
    for (what, bytes, status) in [
        (
            "the limit, declared",
            list().body(most.clone()).bytes(),
            200,
        ),
        ("the limit, in chunks", chunked(&most), 200),
        ("more, declared", list().body(more.clone()).bytes(), 413),
        ("more, in chunks", chunked(&more), 413),
    ] {
        let response = server.connect().send(bytes).response();
        assert_eq!(response.status, status, "{what}");
        assert_eq!(
            response.message()["error"]["code"].as_i64(),
            (status == 413).then_some(-32600),
            "{what}"
        );
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let server = over_http(&[]);
    let huge = list()
        .with("Content-Length", "1073741824")
        .with("Expect", "100-continue")
        .bytes();
    let head = huge
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let response = server.connect().send(&huge[..head]).response();
    assert_eq!(response.refusal(), (413, -32600));
}

#[test]
fn a_head_has_at_most_so_many_bytes_and_headers() {
    let server = over_http(&[]);
    let long = list().with("X-Long", &"x".repeat(17 << 10));
    let many = (0..65).fold(list(), |request, i| request.and(&format!("X-{i}"), "y"));
    let target = list().at(&format!("/mcp?{}", "x".repeat(17 << 10)));
    for (what, request) in [
        ("a long header", long),
        ("65 headers", many),
        ("a long target", target),
    ] {
        let mut client = server.connect();
        let response = client.ask(&request);
        assert!(
            [431, 414].contains(&response.status),
            "{what}: {response:?}"
        );
        assert!(client.try_response().is_none(), "{what}");
    }
    assert_eq!(
        server
            .ask(&list().with("X-Long", &"x".repeat(8 << 10)))
            .status,
        200
    );
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let config = HttpConfig {
        header_timeout: BRIEF,
        ..HttpConfig::default()
    };
    let server = LocalServer::start(quiet(), config);
    let whole = list().bytes();
    for sent in [
        0,
        1,
        20,
        whole.iter().position(|&byte| byte == b'{').unwrap() - 1,
    ] {
        let mut client = Client::connect(server.address());
        let response = client.send(&whole[..sent]).try_response();
        assert!(
            response.is_none_or(|response| response.status == 408),
            "after {sent} bytes"
        );
    }
    // Nor may a connection idle after an answer.
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask(&list()).status, 200);
    assert!(client.try_response().is_none());
}

#[test]
fn a_body_that_does_not_come_is_answered() {
    let config = HttpConfig {
        body_timeout: BRIEF,
        ..HttpConfig::default()
    };
    let server = LocalServer::start(quiet(), config);
    let whole = list().bytes();
    let mut client = Client::connect(server.address());
    let response = client.send(&whole[..whole.len() - 1]).response();
    assert_eq!(response.refusal(), (408, -32600));
    // The rest of it could be taken for a request.
    assert!(client.try_response().is_none());
}

#[test]
fn one_connection_more_than_allowed_takes_the_place_of_one_that_idles() {
    let server = LocalServer::start(
        quiet(),
        HttpConfig {
            connections: 1,
            ..HttpConfig::default()
        },
    );
    let mut first = Client::connect(server.address());
    assert_eq!(first.ask(&list()).status, 200);
    assert_eq!(Client::connect(server.address()).ask(&list()).status, 200);
    assert!(first.try_response().is_none());
}

/// A server with the tool `gate`, and these limits.
fn gated(limits: CallLimits) -> (Gate, LocalServer) {
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0").tool(tool);
    let server = server.call_limits(limits).build().unwrap();
    (gate, LocalServer::start(server, HttpConfig::default()))
}

#[test]
fn a_busy_server_says_so_and_runs_nothing() {
    let (gate, server) = gated(CallLimits {
        in_flight: 1,
        ..CallLimits::default()
    });
    let session = Session::plain(server.address());
    let stateless = modern(call(2, "gate", json!({})), json!({}));
    let mut waiting = session.start(&call(1, "gate", json!({})));
    gate.started();
    for refused in [
        session.post(&call(2, "gate", json!({}))),
        Client::connect(server.address()).ask(&mirrored(&stateless)),
    ] {
        assert_eq!(refused.refusal(), (503, -31001));
        assert_eq!(refused.header("Retry-After"), Some("1"));
        assert_eq!(refused.message()["id"], 2);
    }
    gate.open();
    assert_eq!(
        waiting.response().message()["result"]["structuredContent"]["result"],
        "through"
    );
    assert_eq!(gate.fate(), Fate::Finished);
    // Its place is free again, and the refused calls have never begun.
    gate.open();
    assert_eq!(
        Client::connect(server.address())
            .ask(&mirrored(&stateless))
            .status,
        200
    );
    gate.started();
}

#[test]
fn a_session_has_no_more_than_its_share() {
    let (gate, server) = gated(CallLimits {
        in_flight_per_connection: 1,
        ..CallLimits::default()
    });
    let (greedy, modest) = (
        Session::plain(server.address()),
        Session::plain(server.address()),
    );
    let _waiting = greedy.start(&call(1, "gate", json!({})));
    gate.started();
    assert_eq!(
        greedy.post(&call(2, "gate", json!({}))).refusal(),
        (503, -31001)
    );
    let _other = modest.start(&call(1, "gate", json!({})));
    gate.started();
}
