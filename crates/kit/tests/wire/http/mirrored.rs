//! What a modern request says twice, in its headers and in its message, and what `_meta` may hold.

use pymcp_kit::testing::message::{call, modern, request};
use pymcp_kit::testing::raw::{HttpServer, Request, mirrored};
use serde_json::{Value, json};

use crate::support::over_http;

fn hail() -> Value {
    modern(call(1, "hail", json!({"name": "Ada"})), json!({}))
}

/// The status and the error code; 0 for an answer that is no error.
fn outcome(server: &HttpServer, request: &Request) -> (u16, i64) {
    let response = server.ask(request);
    (
        response.status,
        response.message()["error"]["code"]
            .as_i64()
            .unwrap_or_default(),
    )
}

const FINE: (u16, i64) = (200, 0);
const MISMATCH: (u16, i64) = (400, -32020);
const INVALID: (u16, i64) = (400, -32602);

#[test]
fn headers_have_to_repeat_the_message() {
    let server = over_http(&[]);
    assert_eq!(outcome(&server, &mirrored(&hail())), FINE);
    for header in ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"] {
        assert_eq!(
            outcome(&server, &mirrored(&hail()).without(header)),
            MISMATCH,
            "without {header}"
        );
        for value in [
            "",
            "x",
            "TOOLS/CALL",
            "Hail",
            "háil",
            "2025-11-25",
            &"x".repeat(10_000),
        ] {
            assert_eq!(
                outcome(&server, &mirrored(&hail()).with(header, value)),
                MISMATCH,
                "{header}: {value}"
            );
        }
        // Twice is refused even when both say the same: proxies disagree on which one counts.
        let once = mirrored(&hail());
        let value = match header {
            "MCP-Protocol-Version" => "2026-07-28",
            "Mcp-Method" => "tools/call",
            _ => "hail",
        };
        assert_eq!(
            outcome(&server, &once.and(header, value)),
            MISMATCH,
            "{header} twice"
        );
        // Names are case-insensitive, and space around a value does not belong to it.
        let loose = mirrored(&hail())
            .without(header)
            .with(&header.to_uppercase(), &format!("  {value} \t"));
        assert_eq!(outcome(&server, &loose), FINE, "{header} loosely");
    }
}

#[test]
fn names_are_mirrored_for_every_method_that_has_one() {
    let server = over_http(&[]);
    let read = modern(
        request(1, "resources/read", json!({"uri": "data://square/12"})),
        json!({}),
    );
    let prompt = json!({"name": "review", "arguments": {"task": "sort"}});
    let prompt = modern(request(1, "prompts/get", prompt), json!({}));
    for message in [read, prompt] {
        assert_eq!(outcome(&server, &mirrored(&message)), FINE, "{message}");
        assert_eq!(
            outcome(&server, &mirrored(&message).without("Mcp-Name")),
            MISMATCH,
            "{message}"
        );
        assert_eq!(
            outcome(&server, &mirrored(&message).with("Mcp-Name", "hail")),
            MISMATCH,
            "{message}"
        );
    }
    // A header for an argument that no tool declares means nothing.
    let extra = mirrored(&hail()).with("Mcp-Param-Name", "Grace");
    assert_eq!(outcome(&server, &extra), FINE);
    // Methods without a name do not look at the header.
    let list = mirrored(&modern(request(1, "tools/list", json!({})), json!({})));
    assert_eq!(outcome(&server, &list.with("Mcp-Name", "hail")), FINE);
}

#[test]
fn a_name_may_be_written_in_base64() {
    let server = over_http(&[]);
    // A name beyond ASCII, which a header cannot hold otherwise; no tool has it.
    let beyond = modern(call(1, "grüße", json!({})), json!({}));
    for (message, name, expected) in [
        (&hail(), "=?base64?aGFpbA==?=", FINE),
        (&beyond, "=?base64?Z3LDvMOfZQ==?=", (200, -32602)),
        (&hail(), "=?base64?aGFpbHM=?=", MISMATCH),
        (&hail(), "=?base64?aGFpbA?=", MISMATCH),
        (&hail(), "=?base64?aGFpbB==?=", MISMATCH),
        (&hail(), "=?base64?aGFp*A==?=", MISMATCH),
        (&hail(), "=?base64?//79?=", MISMATCH),
        (&hail(), "=?base64??=", MISMATCH),
        (&hail(), "=?BASE64?aGFpbA==?=", MISMATCH),
        (&hail(), "aGFpbA==", MISMATCH),
    ] {
        assert_eq!(
            outcome(&server, &mirrored(message).with("Mcp-Name", name)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn the_envelope_is_read_strictly() {
    let server = over_http(&[]);
    let with = |key: &str, value: Value| {
        let mut message = hail();
        message["params"]["_meta"][key] = value;
        mirrored(&message).with("MCP-Protocol-Version", "2026-07-28")
    };
    for (key, value, expected) in [
        (
            "io.modelcontextprotocol/protocolVersion",
            json!(20260728),
            INVALID,
        ),
        (
            "io.modelcontextprotocol/protocolVersion",
            json!(null),
            INVALID,
        ),
        (
            "io.modelcontextprotocol/clientCapabilities",
            json!([]),
            INVALID,
        ),
        (
            "io.modelcontextprotocol/clientCapabilities",
            json!("all"),
            INVALID,
        ),
        (
            "io.modelcontextprotocol/clientCapabilities",
            json!(null),
            INVALID,
        ),
        ("io.modelcontextprotocol/clientInfo", json!("me"), INVALID),
        ("io.modelcontextprotocol/logLevel", json!("loud"), INVALID),
        ("io.modelcontextprotocol/unknown", json!({"x": 1}), FINE),
        ("progressToken", json!({}), INVALID),
        ("progressToken", json!("x".repeat(100_000)), INVALID),
        ("progressToken", json!(7), FINE),
        ("traceparent", json!("00-\u{202e}'; DROP TABLE"), FINE),
        ("baggage", json!([{}]), FINE),
    ] {
        assert_eq!(
            outcome(&server, &with(key, value.clone())),
            expected,
            "{key}: {value}"
        );
    }
    for meta in [json!(null), json!([]), json!("x")] {
        let mut message = hail();
        message["params"]["_meta"] = meta.clone();
        assert_eq!(outcome(&server, &mirrored(&message)), INVALID, "{meta}");
    }
    let mut crowded = hail();
    crowded["params"]["_meta"] = (0..60_000).map(|i| (format!("k{i}"), json!(i))).collect();
    assert_eq!(outcome(&server, &mirrored(&crowded)), (400, -32600));
}

#[test]
fn log_messages_come_only_when_the_request_wants_them() {
    let server = over_http(&["--cache-ttl", "0"]);
    let wanting = |level: Option<&str>| {
        let mut message = hail();
        if let Some(level) = level {
            message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        server.ask(&mirrored(&message))
    };
    for (level, kind) in [
        (None, "application/json"),
        (Some("warning"), "application/json"),
        (Some("info"), "text/event-stream"),
        (None, "application/json"),
    ] {
        let response = wanting(level);
        assert_eq!(response.header("content-type"), Some(kind), "{level:?}");
        assert_eq!(
            response.body.contains("notifications/message"),
            kind == "text/event-stream"
        );
        assert!(response.message()["result"].is_object());
    }
}
