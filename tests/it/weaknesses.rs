//! The weaknesses that were found in the Python original, each tried here: a test a row of the list that they were
//! recorded in, `row_<number>_…`. Rows that are not here are about tools that are not here either, or about the kit, whose tests
//! have them (`crates/kit/tests/wire/http/strangers.rs`).
//!
//! What takes time or memory is in `weaknesses/starvation.rs`, what happens over HTTP in `weaknesses/http.rs`.

mod http;
mod starvation;

use std::time::{Duration, Instant};

use pymcp_kit::Principal;
use pymcp_kit::core::{Connection, Event};
use serde_json::{Value, json};

use crate::support::message::{
    answer, asks_user, call, error, error_text, modern, notification, request, text,
};
use crate::support::process::run;
use crate::support::stdio::StdioServer;

/// What the original took minutes for takes no longer than this here, on a busy machine and without optimisation.
const SOON: Duration = Duration::from_secs(15);

const MARKUP: &str = "[/x]";

fn connected(capabilities: Value, env: &[(&str, &str)]) -> StdioServer {
    let mut server = StdioServer::start(&[], env);
    server.initialize("2025-11-25", &capabilities).unwrap();
    server
}

/// Sends a request and returns its answer; notifications before it are skipped.
fn ask(server: &mut StdioServer, request: &Value) -> Value {
    server.send(request);
    let reply = recv_until(server, |message| message.get("method").is_none());
    assert_eq!(reply["id"], request["id"], "{reply}");
    reply
}

/// The next message that is wanted; only logs may come before it.
fn recv_until(server: &mut StdioServer, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = server.recv().value;
        if wanted(&message) {
            return message;
        }
        assert_eq!(message["method"], "notifications/message", "{message}");
    }
}

/// Shows that the server still serves, and owes nothing.
fn assert_lives(server: &mut StdioServer) {
    server.send(&request("fence", "ping", json!({})));
    assert_eq!(
        server.recv().value,
        json!({ "jsonrpc": "2.0", "id": "fence", "result": {} }),
        "{}",
        server.stderr()
    );
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
            call(4, "permutations", json!({ "n": 5, MARKUP: 1 })),
            Ok("120"),
        ),
        (
            call(5, "permutations", json!({ "n": MARKUP })),
            Ok("Invalid arguments for 'permutations': "),
        ),
        (
            call(6, "greet", json!({ "name": MARKUP })),
            Ok("Hello, [/x]! Welcome to "),
        ),
        (
            request(7, "prompts/get", json!({ "name": MARKUP })),
            Err(-32602),
        ),
        (
            request(
                8,
                "prompts/get",
                json!({ "name": "code_prompt", "arguments": { MARKUP: "" } }),
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
fn row_01_markup_in_a_callers_text_kills_nobody() {
    let mut server = connected(json!({}), &[("PYMCP_LOG_LEVEL", "NOTSET")]);
    for (request, expected) in marked_up() {
        assert_answered(&ask(&mut server, &request), expected);
    }
    for silent in [
        notification(MARKUP, json!({})),
        notification("notifications/cancelled", json!({ "requestId": MARKUP })),
        json!({ "jsonrpc": "2.0", "id": MARKUP, "result": MARKUP }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 0, "message": MARKUP } }),
    ] {
        server.send(&silent);
        assert_lives(&mut server);
    }
    server.send_line(b"[/red]");
    assert_eq!(error(&server.recv().value).0, -32700);
    assert_lives(&mut server);
}

#[test]
fn row_09_stdout_is_the_protocols_alone() {
    // Whatever comes on stdout that is not JSON-RPC fails in `recv`.
    for level in ["NOTSET", "DEBUG", "INFO"] {
        let mut server = connected(json!({}), &[("PYMCP_LOG_LEVEL", level)]);
        for (request, expected) in marked_up() {
            assert_answered(&ask(&mut server, &request), expected);
        }
        server.send_line(b"\xff");
        assert_eq!(error(&server.recv().value).0, -32700);
        assert_lives(&mut server);
        server.close_stdin();
        assert!(server.wait().success());
    }
}

/// The original asks the package index for a newer version before its first answer, and advertises.
#[cfg(target_os = "linux")]
#[test]
fn row_11_the_start_calls_nobody_and_prints_nothing() {
    use std::fs;

    let mut server = connected(json!({}), &[]);
    assert_lives(&mut server);
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let open: Vec<_> = descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table =
            fs::read_to_string(format!("/proc/{}/net/{table}", server.pid())).unwrap_or_default();
        for inode in table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(9))
        {
            let socket = format!("socket:[{inode}]");
            assert!(
                !open.iter().any(|link| link.to_string_lossy() == socket),
                "{socket} is open"
            );
        }
    }
    server.close_stdin();
    assert!(server.wait().success());
    assert_eq!(server.stderr(), "");
}

#[test]
fn row_12_passwords_are_in_no_log() {
    let mut server = connected(json!({}), &[("PYMCP_LOG_LEVEL", "NOTSET")]);
    let mut passwords = Vec::new();
    for _ in 0..40 {
        server.send(&call(
            1,
            "generate_password",
            json!({ "length": 8, "use_special_chars": true }),
        ));
        let log = server.recv().value;
        // Always the same: nothing of a password, be it the one returned or one that was rejected.
        let said = "Generated password meets complexity requirements.";
        assert_eq!(
            log["params"],
            json!({ "level": "info", "data": { "msg": said, "extra": null } })
        );
        let reply = server.recv().value;
        assert_eq!(
            reply["result"]["_meta"]["generate_password"]["generation_attempts"], 1,
            "{reply}"
        );
        passwords.push(
            reply["result"]["structuredContent"]["result"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    server.close_stdin();
    assert!(server.wait().success());
    let log = server.stderr();
    assert!(
        passwords.iter().all(|password| !log.contains(password)),
        "{log}"
    );
}

#[tokio::test]
async fn row_14_a_cached_answer_is_for_the_same_caller_alone() {
    let server = pymcp::server::build(Default::default()).unwrap();
    let greeting = async |principal: &Principal| {
        let connection = Connection::stateless(principal.clone());
        let greet = modern(call(1, "greet", json!({ "name": "Ada" })), json!({})).to_string();
        let Ok(body) = server.parse(greet.as_bytes()) else {
            panic!("{greet}")
        };
        let Ok(mut exchange) = server.receive(&connection, body).into_exchange() else {
            panic!("no call")
        };
        match exchange.next_event().await {
            Some(Event::Answer(answer)) => {
                text(&serde_json::from_slice(&answer.body).unwrap()).to_owned()
            }
            other => panic!("{other:?}"),
        }
    };
    let callers = [
        Principal::ANONYMOUS,
        Principal::authenticated("ada"),
        Principal::authenticated("bob"),
    ];
    let mut greetings = Vec::new();
    for caller in &callers {
        let first = greeting(caller).await;
        assert_eq!(greeting(caller).await, first, "{caller:?}");
        // The time in it tells them apart.
        assert!(
            !greetings.contains(&first),
            "{caller:?} got somebody else's"
        );
        greetings.push(first);
    }
}

#[test]
fn row_15_the_logos_are_there_wherever_the_server_is_started() {
    // In an empty directory, as every test here.
    let mut server = connected(json!({}), &[]);
    for (uri, holds) in [("data://logo", "sha3_512"), ("data://logo_svg", "<svg")] {
        let reply = ask(
            &mut server,
            &request(1, "resources/read", json!({ "uri": uri })),
        );
        let text = reply["result"]["contents"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply}"));
        assert!(text.contains(holds), "{uri}");
    }
}

#[test]
fn row_17_a_client_is_asked_only_for_what_it_can_do() {
    let tools = [
        ("vonmises_random", json!({ "mu": 1.0 })),
        ("pirate_summary", json!({ "text": "x" })),
    ];
    for capabilities in [
        json!({}),
        json!({ "elicitation": { "url": {} } }),
        json!({ "roots": {} }),
    ] {
        let mut server = connected(capabilities, &[]);
        for (tool, arguments) in &tools {
            server.send(&call(1, tool, arguments.clone()));
            assert_eq!(server.recv().value["method"], "notifications/message");
            let reply = server.recv().value;
            assert!(error_text(&reply).contains("does not support"), "{reply}");
        }
    }
}

#[test]
fn row_17_a_model_may_answer_in_several_parts() {
    let mut server = connected(json!({ "sampling": {} }), &[]);
    server.send(&call(1, "pirate_summary", json!({ "text": "x" })));
    server.recv();
    let question = server.recv().value;
    let parts = json!([{ "type": "text", "text": "Arr" }, { "type": "text", "text": "matey" }]);
    server.send(&answer(
        &question,
        json!({ "role": "assistant", "model": "m", "content": parts }),
    ));
    assert_eq!(text(&server.recv().value), "Arr\nmatey");
}

#[test]
fn row_17_errors_have_the_codes_of_the_protocol_and_name_no_internals() {
    let mut server = connected(json!({}), &[]);
    for (request, code) in [
        (request(1, "no/such", json!({})), -32601),
        (call(2, "no_such", json!({})), -32602),
        (
            request(3, "prompts/get", json!({ "name": "no_such" })),
            -32602,
        ),
        (
            request(4, "prompts/get", json!({ "name": "code_prompt" })),
            -32602,
        ),
        (
            request(5, "resources/read", json!({ "uri": "data://no_such" })),
            -32002,
        ),
        (
            request(6, "resources/read", json!({ "uri": "data://modulo10/0" })),
            -32602,
        ),
        (
            request(7, "resources/read", json!({ "uri": "data://modulo10/x" })),
            -32602,
        ),
        (request(8, "resources/read", json!({})), -32602),
    ] {
        let reply = ask(&mut server, &request);
        assert_eq!(error(&reply).0, code, "{reply}");
        let said = error(&reply).1.to_lowercase();
        for internal in ["rust", "serde", "pymcp", "::", "src/", "panic", "http"] {
            assert!(!said.contains(internal), "{said}");
        }
    }
}

#[test]
fn row_18_logs_are_bounded_and_hold_no_values() {
    const SECRET: &str = "hunter2";
    for (level, most) in [("INFO", 1_000), ("NOTSET", 100_000)] {
        let mut server = connected(json!({}), &[("PYMCP_LOG_LEVEL", level)]);
        for _ in 0..100 {
            for request in [
                call(1, "greet", json!({ "name": SECRET })),
                call(2, "permutations", json!({ "n": SECRET })),
                call(
                    3,
                    "permutations",
                    json!({ "n": 5, "k": 6, "unknown": SECRET }),
                ),
                call(4, SECRET, json!({ SECRET: SECRET })),
                request(
                    5,
                    "resources/read",
                    json!({ "uri": format!("data://{SECRET}") }),
                ),
                request(6, "prompts/get", json!({ "name": SECRET })),
                request(7, SECRET, json!({ SECRET: SECRET })),
            ] {
                ask(&mut server, &request);
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

#[cfg(unix)]
#[test]
fn row_19_shutdown_is_prompt_and_loses_nothing() {
    use crate::support::process::signal;

    let mut server = connected(asks_user(), &[]);
    let started = Instant::now();
    // The original waits for its input to end, whatever is sent.
    signal(server.pid(), "INT");
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    assert!(started.elapsed() < SOON);

    let mut server = connected(json!({}), &[]);
    server.send(&call(1, "permutations", json!({ "n": 5 })));
    server.close_stdin();
    assert_eq!(text(&server.recv().value), "120");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn row_19_a_port_that_is_none_is_refused() {
    let here = tempfile::tempdir().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        for port in ["70000", "-1"] {
            let run = run(
                here.path(),
                &["serve", "--transport", "http", "--host", host],
                &[("FASTMCP_PORT", port)],
            );
            assert_eq!(run.code, Some(2), "{run:?}");
            assert_eq!(
                run.stderr,
                format!(
                    "pymcp: FASTMCP_PORT (--port) is '{port}', but must be a whole number from 0 to 65535.\n"
                )
            );
        }
    }
}

#[test]
fn row_20_what_is_said_is_what_is_done() {
    let mut server = connected(json!({}), &[]);
    let signs = ["⓪", "❶", "②", "❸", "④", "❺", "⑥", "❼", "⑧", "❾"];
    for n in 1..=10 {
        server.send(&request(
            n,
            "resources/read",
            json!({ "uri": format!("data://modulo10/{n}") }),
        ));
        let log = server.recv().value["params"]["data"]["msg"]
            .as_str()
            .unwrap()
            .to_owned();
        let sign = server.recv().value["result"]["contents"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(sign, signs[n % 10]);
        let named: Vec<_> = signs
            .into_iter()
            .filter(|sign| log.contains(sign))
            .collect();
        assert_eq!(named, [sign], "{log}");
    }
    let tools = ask(&mut server, &request(11, "tools/list", json!({})));
    let tools = tools["result"]["tools"].as_array().unwrap().clone();
    let permutations = tools
        .iter()
        .find(|tool| tool["name"] == "permutations")
        .unwrap();
    assert!(
        permutations["description"]
            .as_str()
            .unwrap()
            .contains("4300 digits")
    );
}
