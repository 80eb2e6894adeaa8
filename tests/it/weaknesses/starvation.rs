//! The rows about requests that take all the time or all the memory there is.

use std::time::Instant;

use serde_json::json;

use super::{SOON, ask, assert_lives, connected, recv_until};
use crate::support::message::{answer, asks_user, call, error, error_text, request, text};
use crate::support::stdio::StdioServer;

#[test]
fn row_06_a_huge_name_takes_no_time() {
    let mut server = connected(json!({}), &[]);
    let started = Instant::now();
    for (length, fits) in [
        (3_000, true),
        (100_000, true),
        (400_000, true),
        (1_000_000, false),
    ] {
        server.send(&call(
            length,
            "greet",
            json!({ "name": "x".repeat(length) }),
        ));
        server.send(&request("meanwhile", "ping", json!({})));
        assert_eq!(server.recv().value["method"], "notifications/message");
        let reply = server.recv().value;
        // A name that long is there twice in its result, which then is larger than results may be.
        match fits {
            true => assert!(text(&reply).len() > length),
            false => assert!(error_text(&reply).contains("larger than"), "{reply}"),
        }
        assert_eq!(server.recv().value["id"], "meanwhile");
    }
    // More than any message may have.
    server.send(&call(1, "greet", json!({ "name": "x".repeat(10_000_000) })));
    assert_eq!(error(&server.recv().value).0, -32600);
    assert_lives(&mut server);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
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
        let reply = ask(
            &mut server,
            &call(1, "permutations", json!({ "n": n, "k": k })),
        );
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
        assert_lives(&mut server);
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
        assert_lives(&mut server);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn row_07_the_response_cache_is_bounded() {
    use crate::support::process::peak_memory;

    let mut server = connected(json!({}), &[("RESPONSE_CACHE_TTL", "86400")]);
    let prompt = |server: &mut StdioServer, n: usize| {
        let task = format!("{n} {}", "x".repeat(30_000));
        let get = request(
            n,
            "prompts/get",
            json!({ "name": "code_prompt", "arguments": { "task": task } }),
        );
        assert!(ask(server, &get)["result"]["messages"].is_array());
    };
    prompt(&mut server, 0);
    let before = peak_memory(server.pid());
    // Questions and answers are 96 MB, of which the cache may keep 32 MiB.
    for n in 1..=1600 {
        prompt(&mut server, n);
    }
    let rise = (peak_memory(server.pid()) - before) >> 10;
    assert!(rise < 56, "{rise} MiB more than before");
}
