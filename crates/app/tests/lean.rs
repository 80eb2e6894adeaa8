//! A program without features: that it serves all the same, and what it says of what it was built without. A build with one
//! of them has nothing here. `cargo build -p pymcp-app --no-default-features --example zebra-2` builds what it runs, and
//! `cargo test -p pymcp-app --no-default-features --test lean` runs it.
#![cfg(not(any(
    feature = "http2",
    feature = "jwt",
    feature = "otlp",
    feature = "page",
    feature = "redis",
    feature = "tls",
    feature = "verbs"
)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use pymcp_kit::testing::raw::Request;
use pymcp_kit::testing::{Era, Program};
use serde_json::json;

const OF_VERBS: [&str; 16] = [
    "list",
    "call",
    "read",
    "prompt",
    "complete",
    "inspect",
    "review",
    "ping",
    "watch",
    "shell",
    "doctor",
    "completions",
    "install",
    "man",
    "uninstall",
    "verify",
];

/// Where cargo puts examples: beside the folder of the tests.
fn zebra() -> Program {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/zebra-2");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "cargo build -p pymcp-app --no-default-features --example zebra-2"
    );
    Program::new(path).current_dir(std::env::temp_dir())
}

/// What is answered to a connection that begins as those of HTTP/2 do (RFC 9113 §3.4).
fn begins_with_http2(address: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    said
}

/// The exit code, stdout and stderr of a run.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let run = zebra().args(arguments.iter().copied()).run();
    (run.code, run.stdout, run.stderr)
}

#[tokio::test]
async fn it_serves_over_stdio_and_http_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let mut running = zebra().stdio();
        let mut client = running.client(era);
        let reply = client.call("hail", json!({ "name": "Ada" })).await;
        assert_eq!(reply.text(), "Hello, Ada!");
        drop(client);
        assert!(running.wait().await.success(), "{}", running.stderr());
    }
    let mut running = zebra().http().await;
    for era in [Era::Legacy, Era::Modern] {
        let mut client = running.client(era);
        let reply = client.call("hail", json!({ "name": "Ada" })).await;
        assert_eq!(reply.text(), "Hello, Ada!");
    }
    let address = running.address();
    let asked = tokio::task::spawn_blocking(move || begins_with_http2(address));
    assert_eq!(asked.await.unwrap(), b"");
    let url = format!("http://{}/healthz", running.address());
    let asked = tokio::task::spawn_blocking(move || run(&["health", &url]));
    assert_eq!(
        asked.await.unwrap(),
        (Some(0), String::new(), String::new())
    );
}

#[test]
fn there_is_no_page_whether_it_is_switched_off_or_not() {
    for more in [&[][..], &["--no-page"]] {
        let server = zebra().args(more.iter().copied()).raw_http("http");
        let page = server.ask(&Request::new("GET", "/").with("Accept", "text/html"));
        assert_eq!(page.status, 404, "{page:?}");
    }
}

#[test]
fn a_verb_that_is_missing_says_which_feature_has_it() {
    for verb in OF_VERBS {
        for before in [&[][..], &["--config", "zebra.toml"]] {
            let said = format!(
                "zebra-2: {verb} belongs to the feature verbs, which this zebra-2 was built without.\n"
            );
            let line = [before, &[verb, "--json"]].concat();
            assert_eq!(run(&line), (Some(2), String::new(), said), "{verb}");
        }
    }
    let (code, _, said) = run(&["frobnicate"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("is not a command of zebra-2"), "{said}");
}

#[test]
fn a_setting_that_is_missing_says_which_feature_has_it() {
    let left_out = "belongs to the feature jwt, which this zebra-2 was built without";
    let said = format!("zebra-2: --auth-issuer {left_out}.\n");
    let issuer = "--auth-issuer=https://login.example";
    assert_eq!(run(&[issuer]), (Some(2), String::new(), said.clone()));
    assert_eq!(run(&["serve", issuer]), (Some(2), String::new(), said));

    let jwt = ["--transport=http", "--port=0", "--auth=jwt"];
    let said = format!("zebra-2: --auth is 'jwt', which {left_out}; set --auth to token.\n");
    // It had been made already, so its last words are there as well.
    let (code, _, all) = run(&jwt);
    assert_eq!(code, Some(2));
    assert!(all.ends_with(&said), "{all}");

    let said =
        "zebra-2: --tls-cert belongs to the feature tls, which this zebra-2 was built without.\n"
            .to_owned();
    assert_eq!(run(&["--tls-cert=a.pem"]), (Some(2), String::new(), said));
    let (code, _, said) = run(&["health", "https://localhost"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("belongs to the feature tls"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("zebra.toml");
    std::fs::write(&config, "store = \"redis://localhost\"\n").unwrap();
    let (code, _, said) = run(&["--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    let store =
        "line 1: store belongs to the feature redis, which this zebra-2 was built without.\n";
    assert!(said.ends_with(store), "{said}");

    let set = zebra().env("ZEBRA_2_AUTH_ISSUER", "https://login.example");
    let said = set.run().stderr;
    assert!(
        said.contains(&format!("ZEBRA_2_AUTH_ISSUER {left_out}\n")),
        "{said}"
    );
}

#[test]
fn the_help_has_only_what_is_there() {
    let (code, help, _) = run(&["--help-all"]);
    assert_eq!(code, Some(0));
    let has = |word: &str| help.lines().any(|line| line.trim_start().starts_with(word));
    for verb in OF_VERBS {
        assert!(!has(&format!("{verb} ")), "{verb}: {help}");
    }
    for there in [
        "serve ",
        "health ",
        "version ",
        "keys ",
        "token ",
        "audit ",
        "lock ",
        "manifest ",
    ] {
        assert!(has(there), "{there}: {help}");
    }
    for missing in [
        "--auth-issuer",
        "--otlp-endpoint",
        "--store",
        "--tls-cert",
        "--no-page",
        "jwt",
    ] {
        assert!(!help.contains(missing), "{missing}: {help}");
    }
    let (_, short, _) = run(&["--help"]);
    assert!(
        !short.contains("shell") && short.contains("--transport"),
        "{short}"
    );
}

#[test]
fn what_goes_with_serving_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tokens, keys, lock) = (path("tokens.toml"), path("keys.txt"), path("zebra-2.lock"));
    for line in [
        &[
            "token",
            "new",
            "ada",
            "--scope",
            "stripes:read",
            "--file",
            &tokens,
        ][..],
        &["token", "new", "ci-of-the-herd", "--file", &tokens],
        &["keys", "new", &keys],
        &["lock", &lock],
        &["lock", "--check", &lock],
        &["manifest", "--digest"],
        &["version", "--verbose"],
    ] {
        let (code, _, said) = run(line);
        assert_eq!(code, Some(0), "{line:?}: {said}");
    }
    let (_, table, _) = run(&["token", "list", "--file", &tokens]);
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines[0].starts_with("NAME            SCOPES        EXPIRES"),
        "{table}"
    );
    assert!(
        lines[1].starts_with("ada             stripes:read  20"),
        "{table}"
    );
    assert!(
        lines[2].starts_with("ci-of-the-herd  -             20"),
        "{table}"
    );
    assert!(lines[1].ends_with("  active"), "{table}");
}
