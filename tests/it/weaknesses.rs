//! The weaknesses that were found in the tools of the Python original, each tried here: a test a row of the list that they
//! were recorded in, `row_<number>_…`. Rows that are not here are about tools that are not here either, about what the kit does
//! (`crates/kit/tests/wire`: `stdio.rs`, `http/strangers.rs`, `http/cache.rs`), or about what every program does
//! (`crates/app/tests/program`: `strangers.rs`, `process.rs`).

use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{answer, asks_user, call, error_text, request};
use pymcp_kit::testing::raw::StdioServer;
use serde_json::{Value, json};

use crate::support::over_stdio;

/// What the original took minutes for takes no longer than this here, on a busy machine and without optimisation.
const SOON: Duration = Duration::from_secs(15);

fn connected(capabilities: Value, env: &[(&str, &str)]) -> StdioServer {
    let mut server = over_stdio(&[], env);
    server.initialize("2025-11-25", &capabilities).unwrap();
    server
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

#[test]
fn row_06_permutations_of_any_size_take_no_time() {
    let mut server = connected(json!({}), &[]);
    let ten_to_the = |exponent: usize| format!("1{}", "0".repeat(exponent));
    let started = Instant::now();
    for (n, k, fits) in [
        ("100000".to_owned(), None, false),
        ("300000".to_owned(), None, false),
        (ten_to_the(400), None, false),
        (ten_to_the(400), Some(ten_to_the(400)), false),
        (ten_to_the(400), Some("10".to_owned()), true),
        (ten_to_the(4000), Some("2000".to_owned()), false),
        (ten_to_the(4000), Some("1".to_owned()), true),
        (ten_to_the(20_000), Some("1".to_owned()), false),
        ("9".repeat(900_000), None, false),
    ] {
        let reply = server.ask(&call(1, "permutations", json!({ "n": n, "k": k })));
        match fits {
            true => assert!(reply["result"]["structuredContent"].is_object(), "{reply}"),
            false => assert!(!error_text(&reply).is_empty()),
        }
        // The same as numbers, written by hand because no JSON library has such.
        let k = k.unwrap_or_else(|| "null".to_owned());
        let params = format!(r#"{{"name":"permutations","arguments":{{"n":{n},"k":{k}}}}}"#);
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        server.send_line(line.as_bytes());
        let reply = server.recv().value;
        assert!(
            reply["error"].is_object() || reply["result"].is_object(),
            "{reply}"
        );
        server.assert_silent();
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn row_06_a_kappa_that_is_no_number_hangs_nobody() {
    let mut server = connected(asks_user(), &[]);
    let kappas = [
        json!("nan"),
        json!("NaN"),
        json!("inf"),
        json!("-inf"),
        json!("1e999"),
        json!(-1),
        json!([1]),
    ];
    for (id, kappa) in kappas.into_iter().enumerate() {
        server.send(&call(id, "vonmises_random", json!({ "mu": 1.0 })));
        let question = recv_until(&mut server, |message| {
            message["method"] == "elicitation/create"
        });
        let accepted = json!({ "action": "accept", "content": { "value": kappa } });
        server.send(&answer(&question, accepted));
        let reply = recv_until(&mut server, |message| message.get("method").is_none());
        assert_eq!(reply["id"], id);
        assert!(!error_text(&reply).is_empty(), "{kappa}");
        server.assert_silent();
    }
}

/// The original asks the package index for a newer version before its first answer, and advertises.
#[cfg(target_os = "linux")]
#[test]
fn row_11_the_start_calls_nobody_and_prints_nothing() {
    use std::fs;

    let mut server = connected(json!({}), &[]);
    server.assert_silent();
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
    let log = server.stderr();
    let mut lines = log.lines();
    assert!(
        lines.all(|line| line.contains("pymcp: request method=")),
        "{log}"
    );
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

#[test]
fn row_15_the_logos_are_there_wherever_the_server_is_started() {
    // In an empty directory, as every test here.
    let mut server = connected(json!({}), &[]);
    for (uri, holds) in [("data://logo", "sha3_512"), ("data://logo_svg", "<svg")] {
        let reply = server.ask(&request(1, "resources/read", json!({ "uri": uri })));
        let text = reply["result"]["contents"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply}"));
        assert!(text.contains(holds), "{uri}");
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
    let tools = server.ask(&request(11, "tools/list", json!({})));
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
