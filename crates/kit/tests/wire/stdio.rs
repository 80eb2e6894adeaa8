//! A program on stdin and stdout: what ends it, what it survives, and how it begins. Below: what it asks
//! the client for, and what each era may do there.

mod asking;
mod eras;
#[cfg(unix)]
mod nonblocking;

use std::time::Instant;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{asks_user, call, error, error_text, request, text};
use pymcp_kit::testing::raw::{Silence, StdioServer};
use serde_json::{Value, json};

use crate::support::over_stdio;

fn connected(version: &str, capabilities: Value) -> StdioServer {
    let mut server = over_stdio();
    server.initialize(version, &capabilities).unwrap();
    server
}

fn assert_ends(mut server: StdioServer) {
    server.close_stdin();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    assert!(matches!(server.next(PATIENCE), Err(Silence::Closed)));
}

/// Calls the tool that asks its user; returns the question.
fn ask_user(server: &mut StdioServer, id: Value) -> Value {
    server.send(&call(id, "measure", json!({ "at": 1.0 })));
    assert_eq!(server.recv().value["method"], "notifications/message");
    let question = server.recv().value;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    question
}

// ---------------------------------------------------------------------------------------- the end

#[test]
fn no_input_at_all_is_a_clean_end() {
    assert_ends(over_stdio());
}

#[test]
fn the_last_line_needs_no_newline() {
    let mut server = over_stdio();
    server.send_bytes(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    server.close_stdin();
    assert_eq!(
        server.recv().value,
        json!({ "jsonrpc": "2.0", "id": 1, "result": {} })
    );
    assert_ends(server);
}

#[test]
fn what_is_in_flight_at_the_end_is_answered() {
    let mut server = connected("2025-11-25", asks_user());
    ask_user(&mut server, json!(2));
    server.close_stdin();
    let last = server.recv().value;
    assert_eq!(last["id"], 2);
    assert_eq!(error_text(&last), "The client left before it answered.");
    assert_ends(server);
}

// ------------------------------------------------------------------------------- lines of all kinds

#[test]
fn blank_lines_are_no_messages() {
    let mut server = connected("2025-11-25", json!({}));
    server.send_bytes(b"\n  \n\r\n\t \n\n");
    server.assert_silent();
    assert_ends(server);
}

#[test]
fn a_line_beyond_the_limit_is_refused_and_the_next_one_served() {
    let mut server = connected("2025-11-25", json!({}));
    let most = 1 << 20;
    // An argument that nobody knows is taken out, so the answer stays short.
    let padded =
        |padding: String| call(1, "factorial", json!({ "n": 5, "x": padding })).to_string();
    let empty = padded(String::new()).len();
    for length in [most - 1, most, most + 1, most + 2, 5 * most] {
        server.send_line(padded("x".repeat(length - empty)).as_bytes());
        let reply = server.recv().value;
        match length <= most {
            true => assert_eq!((&reply["id"], text(&reply)), (&json!(1), "120"), "{length}"),
            false => assert_eq!(
                (&reply["id"], error(&reply).0),
                (&Value::Null, -32600),
                "{length}"
            ),
        }
        server.assert_silent();
    }
    assert_ends(server);
}

/// What is in it twice makes a result larger than results may be.
#[test]
fn a_huge_argument_holds_up_nobody() {
    let mut server = connected("2025-11-25", json!({}));
    let started = Instant::now();
    for (length, fits) in [(3_000, true), (400_000, true), (1_000_000, false)] {
        server.send(&call(length, "hail", json!({ "name": "x".repeat(length) })));
        server.send(&request("meanwhile", "ping", json!({})));
        assert_eq!(server.recv().value["method"], "notifications/message");
        let reply = server.recv().value;
        match fits {
            true => assert!(text(&reply).len() > length),
            false => assert!(error_text(&reply).contains("larger than"), "{reply}"),
        }
        assert_eq!(server.recv().value["id"], "meanwhile");
    }
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert_ends(server);
}

#[test]
fn errors_have_the_codes_of_the_protocol_and_name_no_internals() {
    let mut server = connected("2025-11-25", json!({}));
    for (request, code) in [
        (request(1, "no/such", json!({})), -32601),
        (call(2, "no_such", json!({})), -32602),
        (
            request(3, "prompts/get", json!({ "name": "no_such" })),
            -32602,
        ),
        (
            request(4, "prompts/get", json!({ "name": "review" })),
            -32602,
        ),
        (
            request(5, "resources/read", json!({ "uri": "data://no_such" })),
            -32002,
        ),
        (
            request(6, "resources/read", json!({ "uri": "data://square/0" })),
            -32602,
        ),
        (
            request(7, "resources/read", json!({ "uri": "data://square/x" })),
            -32602,
        ),
        (request(8, "resources/read", json!({})), -32602),
    ] {
        server.send(&request);
        let reply = server.recv().value;
        assert_eq!(error(&reply).0, code, "{reply}");
        let said = error(&reply).1.to_lowercase();
        for internal in ["rust", "serde", "pymcp", "::", "src/", "panic", "http"] {
            assert!(!said.contains(internal), "{said}");
        }
    }
    assert_ends(server);
}

#[test]
fn lines_that_are_no_json_are_answered_and_the_next_one_served() {
    let mut server = connected("2025-11-25", json!({}));
    let garbage: [&[u8]; 8] = [
        b"hello",
        b"{",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}",
        b"\xff\xfe\x00\x01",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}",
        b"\0\0\0",
        b"[1, 2",
    ];
    for line in garbage {
        server.send_line(line);
        let reply = server.recv().value;
        assert_eq!(error(&reply).0, -32700, "{reply}");
        assert!(reply["id"].is_null(), "{reply}");
    }
    server.assert_silent();
    assert_ends(server);
}

// ---------------------------------------------------------------------------------- the handshake

#[test]
fn before_initialize_only_ping_is_served() {
    let mut server = over_stdio();
    server.assert_silent();
    for (id, method) in [
        (1, "tools/list"),
        (2, "tools/call"),
        (3, "logging/setLevel"),
        (4, "no/such"),
    ] {
        server.send(&request(id, method, json!({})));
        let reply = server.recv().value;
        assert_eq!(
            (&reply["id"], error(&reply).0),
            (&json!(id), -32600),
            "{method}"
        );
        assert!(error(&reply).1.contains("initialize"), "{reply}");
    }
    server.initialize("2025-11-25", &json!({})).unwrap();
    server.send(&request(5, "tools/list", json!({})));
    assert!(server.recv().value["result"]["tools"].is_array());
    assert_ends(server);
}

/// A client that was restarted behind a proxy shakes hands again; it is served, with what it can do now.
#[test]
fn a_second_initialize_starts_over() {
    let mut server = connected("2025-11-25", asks_user());
    server.initialize("2025-06-18", &json!({})).unwrap();
    server.send(&call(2, "measure", json!({ "at": 1.0 })));
    assert_eq!(server.recv().value["method"], "notifications/message");
    let reply = server.recv().value;
    assert!(error_text(&reply).contains("elicitation"), "{reply}");
    assert_ends(server);
}
