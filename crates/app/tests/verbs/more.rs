//! What transcripts cannot say: files, pipes, secrets, signals, servers that are not there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use serde_json::Value;

use crate::{Server, command, finish, run, text};

fn ends(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments);
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn bytes_go_to_a_pipe_as_they_are() {
    let output = run(&["read", "market://logo"]);
    assert_eq!(output.stdout, b"\x89PNG\r\n\x1a\nfruit");
    let output = run(&["read", "market://sign"]);
    assert_eq!(output.stdout, b"Fresh fruit");
}

#[test]
fn files_are_kept_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["picture.png", "picture-2.png"] {
        let arguments = ["call", "picture", "--save", "kept"].map(String::from);
        let output = finish(command(&arguments, folder.path()));
        assert_eq!(
            text(&output.stdout),
            format!("The stall:\n[image/png, 13 bytes: kept/{name}]\n")
        );
        let kept = std::fs::read(folder.path().join("kept").join(name)).unwrap();
        assert_eq!(kept, b"\x89PNG\r\n\x1a\nfruit");
    }
    let arguments = ["read", "market://logo", "--save", "kept"].map(String::from);
    let output = finish(command(&arguments, folder.path()));
    assert_eq!(text(&output.stdout), "kept/logo.png  image/png, 13 bytes\n");
}

#[test]
fn a_model_writes_what_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("praise"), "What apples!\n").unwrap();
    for era in ["modern", "legacy"] {
        let arguments = ["call", "praise", "--sampling", "praise", "--era", era].map(String::from);
        let output = finish(command(&arguments, folder.path()));
        assert_eq!(
            text(&output.stdout),
            "What apples!\n",
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn arguments_come_from_stdin_and_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("name"), "Ada").unwrap();
    let arguments = ["call", "greet", "name=@name"].map(String::from);
    let output = finish(command(&arguments, folder.path()));
    assert_eq!(text(&output.stdout), "Hello, Ada!\n");
    let arguments = ["call", "greet", "-"].map(String::from);
    let mut command = command(&arguments, folder.path());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"{\"name\":\"Bob\"}")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "Hello, Bob!\n");
}

#[test]
fn json_is_stable() {
    let json = |arguments: &[&str]| -> Value {
        let (code, stdout, stderr) = ends(arguments);
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let listed = json(&["list", "--json"]);
    assert_eq!(
        keys(&listed),
        [
            "tools",
            "resources",
            "resourceTemplates",
            "prompts",
            "estimatedTokens"
        ]
    );
    assert_eq!(listed["tools"][0]["name"], "greet");
    assert_eq!(keys(&json(&["list", "prompts", "--json"])), ["prompts"]);
    let inspected = json(&["inspect", "--json"]);
    assert_eq!(
        (&inspected["era"], &inspected["serverInfo"]["name"]),
        (&"modern".into(), &"market".into())
    );
    assert_eq!(inspected["tools"], listed["tools"]);
    let called = json(&["call", "take", "fruit=apple", "count=2", "--json"]);
    assert_eq!(called["structuredContent"]["left"], 7);
    assert_eq!(
        json(&["read", "market://sign", "--json"])["contents"][0]["text"],
        "Fresh fruit"
    );
    let got = json(&["prompt", "haggle", "item=apple", "--json"]);
    assert_eq!(got["messages"][0]["role"], "user");
    let completed = json(&["complete", "haggle", "item=ap", "--json"]);
    assert_eq!(completed["values"], serde_json::json!(["apple", "apricot"]));
    assert_eq!(
        json(&["ping", "--json", "--era", "legacy"])["protocolVersion"],
        "2025-11-25"
    );
}

#[test]
fn a_token_is_sent_and_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (code, token, stderr) = ends(&["token", "new", "ann", "--file", &here("tokens")]);
    assert_eq!(code, 0, "{stderr}");
    std::fs::write(here("token"), &token).unwrap();
    let server = Server::start(&[
        "--transport=http",
        "--port=0",
        "--auth=token",
        &format!("--auth-tokens={}", here("tokens")),
    ]);
    for era in ["modern", "legacy"] {
        let target = ["--url", &server.url, "--era", era];
        let (code, _, stderr) = ends(&[&["ping"], &target[..]].concat());
        assert_eq!(code, 3, "{stderr}");
        assert!(
            stderr.contains("authenticate") && stderr.contains("--bearer"),
            "{stderr}"
        );
        let bearer = format!("@{}", here("token"));
        let line = [
            &["call", "greet", "--trace", "--bearer", &bearer],
            &target[..],
        ]
        .concat();
        let (code, stdout, stderr) = ends(&line);
        assert_eq!((code, &*stdout), (0, "Hello, World!\n"), "{stderr}");
        assert!(stderr.contains("→ {") && stderr.contains("← {"), "{stderr}");
        assert!(!stderr.contains(token.trim()), "{stderr}");
    }
    let (_, _, stderr) = ends(&["ping", "--url", &server.url, "--bearer", "a b"]);
    assert!(!stderr.contains("a b"), "{stderr}");
}

#[test]
fn what_cannot_be_reached_is_exit_code_3() {
    for (arguments, sentence) in [
        (
            &["ping", "--url", "http://127.0.0.1:1/mcp"][..],
            "http://127.0.0.1:1/mcp cannot be reached: Connection refused",
        ),
        (
            &["ping", "--url", "http://127.0.0.1:1/sse"],
            "http://127.0.0.1:1/sse cannot be reached: Connection refused",
        ),
        (
            &["ping", "--url", "unix:/no/such"],
            "unix:/no/such cannot be reached: No such file",
        ),
        (
            &["ping", "--", "/no/such"],
            "/no/such cannot be started: No such file",
        ),
        (
            &["ping", "--", "sh", "-c", "read line; exit 7"],
            "ended (exit status: 7) before it answered.",
        ),
        (
            &["ping", "--timeout", "1", "--", "sleep", "100"],
            "sleep 100 did not answer within 1 s.",
        ),
    ] {
        let (code, stdout, stderr) = ends(arguments);
        assert_eq!((code, &*stdout), (3, ""), "{arguments:?}: {stderr}");
        assert!(
            stderr.starts_with("market: ") && stderr.contains(sentence),
            "{stderr}"
        );
    }
}

#[test]
fn a_server_that_knows_only_initialize_is_asked_again() {
    // It ends at anything else, as servers of an older SDK do.
    let script = r#"read line
        case $line in *initialize*) ;; *) exit 1 ;; esac
        echo '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"old","version":"1"}}}'
        while read line; do case $line in *'"ping"'*) echo '{"jsonrpc":"2.0","id":1,"result":{}}' ;; esac; done"#;
    let (code, stdout, stderr) = ends(&["ping", "--json", "--", "sh", "-c", script]);
    assert_eq!(
        (code, &*stdout),
        (0, "{\"protocolVersion\":\"2025-11-25\"}\n"),
        "{stderr}"
    );
}

#[test]
fn a_pipe_that_closes_is_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["list", "--long"].map(String::from);
    let mut child = command(&arguments, folder.path()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), &*stderr), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let binary = crate::binary();
    let binary = binary.to_str().unwrap();
    for (era, behind) in [
        ("modern", &[][..]),
        ("legacy", &[]),
        ("auto", &["--", binary]),
    ] {
        let arguments = [&["call", "wait", "--trace", "--era", era], behind].concat();
        let arguments: Vec<_> = arguments.into_iter().map(String::from).collect();
        let mut child = command(&arguments, folder.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        assert!(
            lines.any(|line| line == "[warning] It takes a while."),
            "{era}"
        );
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let rest: Vec<_> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        assert!(
            rest.iter()
                .any(|line| line.starts_with('→') && line.contains("notifications/cancelled")),
            "{rest:?}"
        );
        assert!(rest.iter().any(|line| line == "Cancelled."), "{rest:?}");
    }
}
