//! What callers write is text and nothing else: it harms no log, no terminal and nobody else, and is in none of them.

use pymcp_kit::testing::message::{call, error, notification, request, text};
use pymcp_kit::testing::raw::{Request, Session, StdioServer};
use serde_json::{Value, json};

use super::zebra;

/// Markup of terminals: a server whose log reads it dies of an end without a beginning.
const MARKUP: &str = "[/x]";

fn connected(level: &str) -> StdioServer {
    let mut server = zebra(&["--log-level", level], &[]).raw_stdio();
    server.initialize("2025-11-25", &json!({})).unwrap();
    server
}

/// Requests with the markup wherever a caller's text can be, and what is answered: an error's code, or a text.
fn marked_up() -> Vec<(Value, Result<&'static str, i64>)> {
    vec![
        (request(1, MARKUP, json!({})), Err(-32601)),
        (call(2, MARKUP, json!({})), Err(-32602)),
        (
            request(3, "tools/call", json!({ "name": [MARKUP] })),
            Err(-32602),
        ),
        (
            call(4, "hail", json!({ "name": "Ada", MARKUP: 1 })),
            Ok("Hello, Ada!"),
        ),
        (
            call(5, "feed", json!({ "zebras": MARKUP })),
            Ok("Invalid arguments for 'feed': "),
        ),
        (
            call(6, "hail", json!({ "name": MARKUP })),
            Ok("Hello, [/x]!"),
        ),
        (
            request(7, "prompts/get", json!({ "name": MARKUP })),
            Err(-32602),
        ),
        (
            request(
                8,
                "prompts/get",
                json!({ "name": "describe", "arguments": { MARKUP: "" } }),
            ),
            Err(-32602),
        ),
        (
            request(9, "resources/read", json!({ "uri": "data://[/x]" })),
            Err(-32002),
        ),
        (
            request(10, "resources/read", json!({ "uri": MARKUP })),
            Err(-32602),
        ),
        (
            request(11, "logging/setLevel", json!({ "level": MARKUP })),
            Err(-32602),
        ),
    ]
}

fn assert_answered(reply: &Value, expected: Result<&str, i64>) {
    match expected {
        Ok(start) => assert!(text(reply).starts_with(start), "{reply}"),
        Err(code) => assert_eq!(error(reply).0, code, "{reply}"),
    }
}

#[test]
fn markup_in_a_caller_s_text_harms_nobody_on_stdio() {
    // Whatever comes on stdout that is not JSON-RPC fails in `recv`.
    for level in ["NOTSET", "DEBUG", "INFO"] {
        let mut server = connected(level);
        for (request, expected) in marked_up() {
            assert_answered(&server.ask(&request), expected);
        }
        for silent in [
            notification(MARKUP, json!({})),
            notification("notifications/cancelled", json!({ "requestId": MARKUP })),
            json!({ "jsonrpc": "2.0", "id": MARKUP, "result": MARKUP }),
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 0, "message": MARKUP } }),
        ] {
            server.send(&silent);
            server.assert_silent();
        }
        for line in [&b"[/red]"[..], b"\xff"] {
            server.send_line(line);
            assert_eq!(error(&server.recv().value).0, -32700);
            server.assert_silent();
        }
        server.close_stdin();
        assert!(server.wait().success());
    }
}

#[test]
fn markup_in_a_caller_s_text_harms_nobody_over_http() {
    let server = zebra(&["--log-level", "NOTSET"], &[]).raw_http("http");
    let session = Session::plain(server.address());
    for (request, expected) in marked_up() {
        assert_answered(&session.post(&request).message(), expected);
    }
    for silent in [
        json!({ "jsonrpc": "2.0", "method": MARKUP }),
        json!({ "jsonrpc": "2.0", "id": MARKUP, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 0, "message": MARKUP } }),
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
fn logs_are_bounded_and_hold_no_values() {
    const SECRET: &str = "hunter2";
    for (level, most) in [("INFO", 400_000), ("NOTSET", 500_000)] {
        let mut server = connected(level);
        for _ in 0..100 {
            for request in [
                call(1, "hail", json!({ "name": SECRET })),
                call(2, "feed", json!({ "zebras": SECRET })),
                call(3, "feed", json!({ "zebras": 101, "unknown": SECRET })),
                call(4, SECRET, json!({ SECRET: SECRET })),
                request(
                    5,
                    "resources/read",
                    json!({ "uri": format!("data://{SECRET}") }),
                ),
                request(6, "prompts/get", json!({ "name": SECRET })),
                request(7, SECRET, json!({ SECRET: SECRET })),
            ] {
                server.ask(&request);
            }
            server.send_line(format!("{{{SECRET}").as_bytes());
            assert_eq!(error(&server.recv().value).0, -32700);
        }
        server.close_stdin();
        assert!(server.wait().success());
        let log = server.stderr();
        assert!(!log.contains(SECRET), "{log}");
        assert!(log.len() < most, "{level}: {} bytes", log.len());
    }
}
