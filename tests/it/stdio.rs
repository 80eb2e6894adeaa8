//! The real binary on stdin and stdout: what ends it, what it survives, and what each era may do there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::message::{
    answer, asks_user, call, error, error_text, modern, notification, request, text,
};
use crate::support::process::signal;
use crate::support::stdio::{PATIENCE, Silence, StdioServer};

/// "At once", with room for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

fn connected(version: &str, capabilities: Value) -> StdioServer {
    let mut server = StdioServer::start(&[], &[]);
    server.initialize(version, &capabilities).unwrap();
    server
}

/// Shows that nothing is owed: the next message is the answer to this ping.
fn assert_silent(server: &mut StdioServer) {
    server.send(&json!({ "jsonrpc": "2.0", "id": "fence", "method": "ping" }));
    assert_eq!(
        server.recv().value,
        json!({ "jsonrpc": "2.0", "id": "fence", "result": {} })
    );
}

fn assert_ends(mut server: StdioServer) {
    server.close_stdin();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    assert!(matches!(server.next(PATIENCE), Err(Silence::Closed)));
}

/// Calls the tool that asks its user; returns the question.
fn ask_user(server: &mut StdioServer, id: Value) -> Value {
    server.send(&call(id, "vonmises_random", json!({ "mu": 1.0 })));
    assert_eq!(server.recv().value["method"], "notifications/message");
    let question = server.recv().value;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    question
}

fn kappa(value: Value) -> Value {
    json!({ "action": "accept", "content": { "value": value } })
}

// ---------------------------------------------------------------------------------------- the end

#[test]
fn no_input_at_all_is_a_clean_end() {
    assert_ends(StdioServer::start(&[], &[]));
}

#[test]
fn the_last_line_needs_no_newline() {
    let mut server = StdioServer::start(&[], &[]);
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

#[cfg(unix)]
#[test]
fn signals_end_it_at_once_while_stdin_is_open() {
    for name in ["TERM", "INT"] {
        for busy in [false, true] {
            let mut server = connected("2025-11-25", asks_user());
            if busy {
                ask_user(&mut server, json!(2));
            }
            let started = Instant::now();
            signal(server.pid(), name);
            assert_eq!(
                server.wait().code(),
                Some(0),
                "SIG{name}: {}",
                server.stderr()
            );
            assert!(
                started.elapsed() < AT_ONCE,
                "SIG{name}: {:?}",
                started.elapsed()
            );
            assert!(
                matches!(server.next(PATIENCE), Err(Silence::Closed)),
                "it said something"
            );
        }
    }
}

// ------------------------------------------------------------------------------- lines of all kinds

#[test]
fn blank_lines_are_no_messages() {
    let mut server = connected("2025-11-25", json!({}));
    server.send_bytes(b"\n  \n\r\n\t \n\n");
    assert_silent(&mut server);
    assert_ends(server);
}

#[test]
fn a_line_beyond_the_limit_is_refused_and_the_next_one_served() {
    let mut server = connected("2025-11-25", json!({}));
    let most = 1 << 20;
    // An argument that nobody knows is taken out, so the answer stays short.
    let padded =
        |padding: String| call(1, "permutations", json!({ "n": 5, "x": padding })).to_string();
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
        assert_silent(&mut server);
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
    assert_silent(&mut server);
    assert_ends(server);
}

// ---------------------------------------------------------------------------------- the handshake

#[test]
fn before_initialize_only_ping_is_served() {
    let mut server = StdioServer::start(&[], &[]);
    assert_silent(&mut server);
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
    server.send(&call(2, "vonmises_random", json!({ "mu": 1.0 })));
    assert_eq!(server.recv().value["method"], "notifications/message");
    let reply = server.recv().value;
    assert!(error_text(&reply).contains("elicitation"), "{reply}");
    assert_ends(server);
}

// ---------------------------------------------------------------------------- requests to the client

#[test]
fn an_id_in_flight_cannot_be_used_twice() {
    let mut server = connected("2025-11-25", asks_user());
    let question = ask_user(&mut server, json!(7));
    for duplicate in [
        call(7, "vonmises_random", json!({ "mu": 1.0 })),
        request(7, "ping", json!({})),
    ] {
        server.send(&duplicate);
        let reply = server.recv().value;
        assert_eq!(
            (&reply["id"], error(&reply).0),
            (&json!(7), -32600),
            "{reply}"
        );
    }
    // The text "7" is another id than the number.
    let other = ask_user(&mut server, json!("7"));
    for (question, id) in [(question, json!(7)), (other, json!("7"))] {
        server.send(&answer(&question, kappa(json!(2.0))));
        assert_eq!(server.recv().value["params"]["level"], "warning");
        let reply = server.recv().value;
        assert_eq!(reply["id"], id);
        assert!(
            reply["result"]["structuredContent"]["result"].is_f64(),
            "{reply}"
        );
    }
    // It is free again.
    ask_user(&mut server, json!(7));
}

#[test]
fn a_cancelled_question_is_never_answered_and_the_server_lives_on() {
    let mut server = connected("2025-11-25", asks_user());
    let question = ask_user(&mut server, json!(2));
    server.send(&notification(
        "notifications/cancelled",
        json!({ "requestId": 2, "reason": "gone" }),
    ));
    assert_silent(&mut server);
    server.send(&answer(&question, kappa(json!(2.0))));
    assert_silent(&mut server);
    // Cancelling what is not there is nothing to talk about.
    for params in [
        json!({ "requestId": 2 }),
        json!({ "requestId": null }),
        json!({}),
    ] {
        server.send(&notification("notifications/cancelled", params));
    }
    assert_silent(&mut server);
    // Another id: that of a request is taken until nothing is left of it.
    ask_user(&mut server, json!(3));
    assert_silent(&mut server);
}

#[test]
fn the_user_and_the_model_can_be_asked() {
    for version in ["2025-06-18", "2025-11-25"] {
        let mut server = connected(version, json!({ "elicitation": {}, "sampling": {} }));
        let question = ask_user(&mut server, json!(2));
        assert_eq!(
            question["params"]["requestedSchema"]["properties"]["value"]["type"],
            "number"
        );
        server.send(&answer(&question, kappa(json!("2.5"))));
        assert_eq!(
            server.recv().value["params"]["data"]["msg"],
            "Received kappa: 2.5"
        );
        let drawn = server.recv().value["result"]["structuredContent"]["result"]
            .as_f64()
            .unwrap();
        assert!((0.0..std::f64::consts::TAU).contains(&drawn));

        let question = ask_user(&mut server, json!(3));
        server.send(&answer(&question, json!({ "action": "cancel" })));
        assert_eq!(server.recv().value["params"]["level"], "warning");
        assert_eq!(
            error_text(&server.recv().value),
            "Operation cancelled by the user."
        );

        server.send(&call(
            4,
            "pirate_summary",
            json!({ "text": "The sea is wide." }),
        ));
        assert_eq!(server.recv().value["method"], "notifications/message");
        let question = server.recv().value;
        assert_eq!(question["method"], "sampling/createMessage");
        assert_eq!(
            question["params"]["messages"][0]["content"]["text"],
            "The sea is wide."
        );
        let said = json!({ "type": "text", "text": "Arr, wide she be!" });
        server.send(&answer(
            &question,
            json!({ "role": "assistant", "model": "m", "content": said }),
        ));
        assert_eq!(text(&server.recv().value), "Arr, wide she be!");

        server.send(&call(
            5,
            "pirate_summary",
            json!({ "text": "The sea is wide." }),
        ));
        server.recv();
        let question = server.recv().value;
        let refusal = json!({ "code": -1, "message": "User rejected sampling request" });
        server.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "error": refusal }));
        assert!(error_text(&server.recv().value).contains("User rejected"));
        assert_ends(server);
    }
}

// ------------------------------------------------------------------------------------- both eras

#[test]
fn both_eras_are_served_on_one_connection() {
    let mut server = StdioServer::start(&[], &[]);
    let list = || modern(request("new", "tools/list", json!({})), json!({}));
    server.send(&list());
    assert_eq!(server.recv().value["result"]["resultType"], "complete");
    // The modern request was no handshake.
    server.send(&request("old", "tools/list", json!({})));
    assert_eq!(error(&server.recv().value).0, -32600);
    server.initialize("2025-11-25", &json!({})).unwrap();
    server.send(&request("old", "tools/list", json!({})));
    server.send(&list());
    let (old, new) = (server.recv().value, server.recv().value);
    assert_eq!((&old["id"], &new["id"]), (&json!("old"), &json!("new")));
    assert_eq!(old["result"].get("resultType"), None, "{old}");
    assert_eq!(new["result"]["resultType"], "complete");
    server.send(&modern(request(3, "server/discover", json!({})), json!({})));
    let versions = server.recv().value["result"]["supportedVersions"].clone();
    let all = json!([
        "2026-07-28",
        "2025-11-25",
        "2025-06-18",
        "2025-03-26",
        "2024-11-05"
    ]);
    assert_eq!(versions, all);
    assert_ends(server);
}

/// A modern server sends no requests: what needs an answer says so, by capability or in words.
#[test]
fn a_modern_request_that_needs_an_answer_ends_with_its_question() {
    let mut server = StdioServer::start(&[], &[]);
    for (tool, arguments, capability) in [
        ("vonmises_random", json!({ "mu": 1.0 }), "elicitation"),
        ("pirate_summary", json!({ "text": "x" }), "sampling"),
    ] {
        let with = |capabilities| modern(call(1, tool, arguments.clone()), capabilities);
        server.send(&with(json!({})));
        let reply = server.recv().value;
        assert_eq!(error(&reply).0, -32021, "{reply}");
        assert!(
            reply["error"]["data"]["requiredCapabilities"][capability].is_object(),
            "{reply}"
        );
        server.send(&with(json!({ capability: {} })));
        let reply = server.recv().value;
        let result = &reply["result"];
        assert_eq!(result["resultType"], "input_required", "{reply}");
        assert!(result["requestState"].is_string(), "{reply}");
        let asked = result["inputRequests"].as_object().unwrap();
        assert_eq!(asked.len(), 1, "{reply}");
        assert!(
            asked.values().all(|question| question["method"]
                .as_str()
                .is_some_and(|method| method.starts_with(capability))),
            "{reply}"
        );
    }
    assert_silent(&mut server);
    assert_ends(server);
}

#[test]
fn a_legacy_client_chooses_the_level_of_its_logs() {
    let mut server = connected("2025-11-25", json!({}));
    // Names of one's own, because a cached answer logs nothing.
    let greet = |server: &mut StdioServer, name: &str| {
        server.send(&call(2, "greet", json!({ "name": name })));
        let first = server.recv().value;
        match first["method"].as_str() {
            Some(_) => {
                assert_eq!(server.recv().value["id"], 2);
                first["params"]["level"].as_str().map(str::to_owned)
            }
            None => None,
        }
    };
    assert_eq!(greet(&mut server, "one").as_deref(), Some("info"));
    for (level, name, heard) in [
        ("warning", "two", None),
        ("warning", "", Some("warning")),
        ("emergency", " ", None),
        ("debug", "three", Some("info")),
    ] {
        server.send(&request(3, "logging/setLevel", json!({ "level": level })));
        assert_eq!(server.recv().value["result"], json!({}));
        assert_eq!(
            greet(&mut server, name).as_deref(),
            heard,
            "{level} {name:?}"
        );
    }
    server.send(&request(4, "logging/setLevel", json!({ "level": "loud" })));
    assert_eq!(error(&server.recv().value).0, -32602);
    assert_ends(server);
}

#[test]
fn a_modern_client_hears_logs_only_as_each_request_asks() {
    let mut server = StdioServer::start(&[], &[]);
    for (level, name, heard) in [
        (None, "one", false),
        (Some("info"), "two", true),
        (Some("warning"), "three", false),
        (Some("warning"), "", true),
        (None, " ", false),
    ] {
        let mut greet = modern(call(name, "greet", json!({ "name": name })), json!({}));
        if let Some(level) = level {
            greet["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        server.send(&greet);
        let mut reply = server.recv().value;
        assert_eq!(
            reply["method"] == "notifications/message",
            heard,
            "{level:?} {name:?}"
        );
        if heard {
            reply = server.recv().value;
        }
        assert_eq!(reply["id"], name);
    }
    assert_ends(server);
}

#[test]
fn batches_are_served_in_the_one_revision_that_has_them() {
    let batch = json!([
        request(1, "ping", json!({})),
        notification("notifications/cancelled", json!({ "requestId": 99 })),
        call("two", "permutations", json!({ "n": 5 })),
        request(3, "no/such", json!({})),
        { "jsonrpc": "2.0", "id": 4 },
        call(5, "greet", json!({ "name": "Ada" })),
    ]);
    let mut server = connected("2025-03-26", json!({}));
    server.send(&batch);
    let mut notified = 0;
    let answers = loop {
        match server.recv().value {
            Value::Array(answers) => break answers,
            _ => notified += 1,
        }
    };
    assert_eq!(notified, 1, "the greeting logs");
    let by_id = |id: Value| {
        let mut found = answers.iter().filter(|answer| answer["id"] == id);
        (
            found.next().unwrap_or_else(|| panic!("{id}: {answers:?}")),
            assert!(found.next().is_none()),
        )
            .0
    };
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(by_id(json!(1))["result"], json!({}));
    assert_eq!(text(by_id(json!("two"))), "120");
    assert_eq!(error(by_id(json!(3))).0, -32601);
    assert_eq!(error(by_id(json!(4))).0, -32600);
    assert!(text(by_id(json!(5))).starts_with("Hello, Ada!"));
    // Of notifications alone nothing comes back.
    server.send(&json!([notification(
        "notifications/initialized",
        json!({})
    )]));
    assert_silent(&mut server);
    assert_ends(server);

    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut server = connected(version, json!({}));
        server.send(&batch);
        let reply = server.recv().value;
        assert_eq!(
            (error(&reply).0, &reply["id"]),
            (-32600, &Value::Null),
            "{version}"
        );
        assert_silent(&mut server);
    }
}
