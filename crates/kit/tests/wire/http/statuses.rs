//! Which request gets which status and which error, and how the two eras are told apart.

use pymcp_kit::testing::message::{call, modern, notification, request};
use pymcp_kit::testing::raw::{Client, HttpServer, Request, Session, initialize, mirrored};
use serde_json::{Value, json};

use crate::support::over_http;

fn list() -> Value {
    request(1, "tools/list", json!({}))
}

fn bare(message: &Value) -> Request {
    Request::post(message.to_string())
}

/// Sends each request; all of them have to be refused this way, and as JSON-RPC: a modern client that
/// reads anything else takes the server for a legacy one.
fn refuses(server: &HttpServer, rows: Vec<(&str, Request, (u16, i64))>) {
    for (what, request, expected) in rows {
        assert_eq!(server.ask(&request).refusal(), expected, "{what}");
    }
}

#[test]
fn modern_requests_are_refused_in_the_order_of_the_ladder() {
    let server = over_http(&[]);
    let list = || modern(list(), json!({}));
    let with = |key: &str, value: Value| {
        let mut message = list();
        message["params"]["_meta"][format!("io.modelcontextprotocol/{key}")] = value;
        message
    };
    let without = |key: &str| {
        let mut message = list();
        let meta = message["params"]["_meta"].as_object_mut().unwrap();
        meta.remove(&format!("io.modelcontextprotocol/{key}"));
        message
    };
    let bad_origin = |request: Request| request.with("Origin", "http://evil.test");
    let future = with("protocolVersion", json!("2030-01-01"));
    refuses(
        &server,
        vec![
            (
                "origin before anything",
                bad_origin(bare(&list())),
                (403, -32600),
            ),
            (
                "host before anything",
                mirrored(&list()).with("Host", "evil.test"),
                (403, -32600),
            ),
            (
                "no _meta",
                mirrored(&request(1, "tools/list", json!({}))),
                (400, -32602),
            ),
            (
                "no params at all",
                mirrored(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})),
                (400, -32602),
            ),
            (
                "no version in _meta",
                mirrored(&without("protocolVersion")),
                (400, -32602),
            ),
            (
                "no capabilities in _meta",
                mirrored(&without("clientCapabilities")),
                (400, -32602),
            ),
            (
                "incomplete before mismatch",
                mirrored(&without("clientCapabilities")).without("Mcp-Method"),
                (400, -32602),
            ),
            (
                "a header is missing",
                mirrored(&list()).without("MCP-Protocol-Version"),
                (400, -32020),
            ),
            (
                "mismatch before version",
                mirrored(&future).with("MCP-Protocol-Version", "2026-07-28"),
                (400, -32020),
            ),
            (
                "version before method",
                mirrored(&with("protocolVersion", json!("1999-01-01"))),
                (400, -32022),
            ),
            (
                "no such method",
                mirrored(&modern(request(1, "tools/dance", json!({})), json!({}))),
                (404, -32601),
            ),
            (
                "a client's method",
                mirrored(&modern(request(1, "roots/list", json!({})), json!({}))),
                (404, -32601),
            ),
            (
                "params of another shape",
                mirrored(&modern(request(1, "tools/call", json!({})), json!({}))),
                (400, -32602),
            ),
            (
                "capability last",
                mirrored(&modern(
                    call(1, "summarize", json!({"text": "Ahoy"})),
                    json!({}),
                )),
                (400, -32021),
            ),
        ],
    );
    let refused = server.ask(&mirrored(&future)).message();
    assert_eq!(
        refused["error"]["data"],
        json!({"supported": ["2026-07-28"], "requested": "2030-01-01"})
    );
    assert_eq!(refused["id"], 1);
}

#[test]
fn errors_of_the_call_itself_are_answers() {
    let server = over_http(&[]);
    let unknown = server.ask(&mirrored(&modern(call(1, "dance", json!({})), json!({}))));
    assert_eq!(unknown.refusal(), (200, -32602));
    let wrong = server.ask(&mirrored(&modern(
        call(2, "factorial", json!({"n": 21})),
        json!({}),
    )));
    assert_eq!(
        (wrong.status, wrong.message()["result"]["isError"].clone()),
        (200, json!(true))
    );
    let uri = json!({"uri": "data://nothing"});
    let unread = server.ask(&mirrored(&modern(
        request(3, "resources/read", uri),
        json!({}),
    )));
    assert_eq!(unread.refusal(), (200, -32602));
}

#[test]
fn legacy_methods_do_not_exist_for_modern_requests() {
    let server = over_http(&[]);
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
    ] {
        let response = server.ask(&mirrored(&modern(request(1, method, json!({})), json!({}))));
        assert_eq!(response.refusal(), (404, -32601), "{method}");
    }
}

#[test]
fn what_is_no_request_is_accepted_without_a_body_or_refused() {
    let server = over_http(&[]);
    let noted = notification("notifications/initialized", json!({}));
    let accepted = server.ask(&bare(&noted).with("MCP-Protocol-Version", "2026-07-28"));
    assert_eq!((accepted.status, &*accepted.body), (202, ""));
    let response = json!({"jsonrpc": "2.0", "id": 0, "result": {}});
    refuses(
        &server,
        vec![
            ("a notification of no session", bare(&noted), (400, -32600)),
            ("a response to no session", bare(&response), (400, -32600)),
            (
                "a response, modern",
                bare(&response).with("MCP-Protocol-Version", "2026-07-28"),
                (400, -32600),
            ),
        ],
    );
}

#[test]
fn the_era_is_read_off_the_request() {
    let server = over_http(&[]);
    // `initialize` as legacy clients send it is legacy, whatever version it names.
    for version in ["2025-11-25", "2026-07-28", "1999-01-01"] {
        let hello = bare(&initialize(version, json!({}))).with("MCP-Protocol-Version", version);
        let response = server.ask(&hello);
        assert_eq!(response.status, 200, "{response:?}");
        let settled = if version == "2025-11-25" {
            version
        } else {
            "2025-11-25"
        };
        assert_eq!(response.message()["result"]["protocolVersion"], settled);
        assert!(response.header("Mcp-Session-Id").is_some());
    }
    let session = Session::plain(server.address());
    let mut old = modern(list(), json!({}));
    old["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2025-11-25");
    let discover = request(1, "server/discover", json!({}));
    let in_session = |message: &Value, version: &str| {
        session
            .request(message)
            .with("MCP-Protocol-Version", version)
    };
    refuses(
        &server,
        vec![
            (
                "an envelope of an old version",
                mirrored(&old),
                (400, -32022),
            ),
            (
                "a modern header without envelope",
                in_session(&list(), "2026-07-28"),
                (400, -32602),
            ),
            (
                "an unknown version",
                in_session(&list(), "1999-01-01"),
                (400, -32602),
            ),
            ("a modern method", session.request(&discover), (400, -32602)),
            (
                "a mirrored header, and nothing of a session",
                bare(&list()).with("Mcp-Method", "tools/list"),
                (400, -32602),
            ),
            (
                "no session",
                bare(&list()).with("MCP-Protocol-Version", "2025-11-25"),
                (400, -32600),
            ),
            ("no session, no header", bare(&list()), (400, -32600)),
        ],
    );
    // Bridges repeat the method and the name in headers of a session, and not always rightly.
    let bridged = session
        .request(&list())
        .with("Mcp-Method", "tools/call")
        .with("Mcp-Name", "hail");
    assert_eq!(server.ask(&bridged).status, 200);
    // A session does not make a modern request legacy, and is not needed for it.
    let both = session
        .sign(mirrored(&modern(list(), json!({}))))
        .with("MCP-Protocol-Version", "2026-07-28");
    let response = server.ask(&both);
    assert_eq!(response.message()["result"]["resultType"], "complete");
    assert_eq!(response.header("Mcp-Session-Id"), None);
}

#[test]
fn stateless_requests_ignore_what_only_sessions_have() {
    let server = over_http(&[]);
    let stale = mirrored(&modern(list(), json!({})))
        .with("Mcp-Session-Id", "00000000000000000000000000000000")
        .with("Last-Event-ID", "1");
    let response = server.ask(&stale);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Mcp-Session-Id"), None);
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn one_connection_serves_both_eras_by_turns() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let mut client = Client::connect(server.address());
    for _ in 0..3 {
        let legacy = client.ask(&session.request(&list())).message();
        let stateless = client.ask(&mirrored(&modern(list(), json!({})))).message();
        assert_eq!(legacy["result"]["resultType"], Value::Null);
        assert_eq!(stateless["result"]["resultType"], "complete");
        assert_eq!(legacy["result"]["tools"], stateless["result"]["tools"]);
    }
}

#[test]
fn every_refusal_has_a_json_rpc_body() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let stateless = || mirrored(&modern(list(), json!({})));
    let stranger = "0".repeat(32);
    let elsewhere = |request: Request| request.with("Mcp-Session-Id", &stranger);
    let ended = |method: &str| elsewhere(Request::new(method, "/mcp"));
    // Held open, so that the session can have no other.
    let _streams = [(); 8].map(|()| session.listen());
    let mut rows = vec![
        ("no host", stateless().without("Host"), 400),
        ("two hosts", stateless().and("Host", "localhost"), 400),
        (
            "no host name",
            stateless().with("Host", "me@localhost"),
            400,
        ),
        ("another host", stateless().with("Host", "evil.test"), 403),
        ("another origin", stateless().with("Origin", "null"), 403),
        (
            "two origins",
            stateless()
                .and("Origin", "http://localhost")
                .and("Origin", "http://localhost"),
            403,
        ),
        ("another path", stateless().at("/"), 404),
        ("another method", Request::new("PUT", "/mcp"), 405),
        ("nothing to listen to", Request::new("GET", "/mcp"), 405),
        ("nothing to end", Request::new("DELETE", "/mcp"), 405),
        (
            "no form of an answer",
            stateless().with("Accept", "text/html"),
            406,
        ),
        (
            "no stream",
            session.listening().with("Accept", "application/json"),
            406,
        ),
        ("a ninth stream", session.listening(), 409),
        (
            "too much",
            stateless().with("Content-Length", "1073741824"),
            413,
        ),
        (
            "no JSON",
            stateless().with("Content-Type", "text/plain"),
            415,
        ),
        (
            "packed JSON",
            stateless().with("Content-Encoding", "gzip"),
            415,
        ),
        ("no session", bare(&list()), 400),
        ("a session that ended", elsewhere(bare(&list())), 404),
        (
            "its stream",
            ended("GET").with("Accept", "text/event-stream"),
            404,
        ),
        ("its end", ended("DELETE"), 404),
        (
            "two sessions",
            session.request(&list()).and("Mcp-Session-Id", &stranger),
            404,
        ),
        (
            "an event that is not kept",
            session
                .listening()
                .with("Last-Event-ID", &format!("{stranger}-1")),
            400,
        ),
    ];
    for (what, body) in [
        ("an empty body", ""),
        ("half a message", "{"),
        ("no JSON at all", "<html>"),
        ("no object", "1"),
        ("no message", "{}"),
        ("an empty batch", "[]"),
        ("a batch", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#),
    ] {
        rows.push((what, stateless().body(body), 400));
        rows.push((what, session.sign(Request::post(body)), 400));
    }
    for (what, request, status) in rows {
        let response = server.ask(&request);
        assert_eq!(response.status, status, "{what}");
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{what}"
        );
        let message = response.message();
        assert_eq!(message["jsonrpc"], "2.0", "{what}");
        // What is about the session is found out when the request has been read.
        let read = matches!(what, "no session" | "a session that ended" | "two sessions");
        let id = if read { json!(1) } else { Value::Null };
        assert_eq!(message["id"], id, "{what}");
        assert!(message["error"]["code"].is_i64(), "{what}: {message}");
        let sentence = message["error"]["message"].as_str().unwrap_or_default();
        assert!(sentence.ends_with('.'), "{what}: {message}");
    }
}
