//! `watch`: what a server says unasked, in both eras, and how it ends.

use std::collections::BTreeSet;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::*;

/// Starts a barn over HTTP; its address.
fn barn() -> (Running, String) {
    let mut command = Command::new(binary().with_file_name("barn"));
    command
        .args(["--transport=http", "--port=0"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let stderr = BufReader::new(server.0.stderr.take().unwrap());
    let line = stderr
        .lines()
        .map_while(std::result::Result::ok)
        .find(|line| line.contains("listening on http://"))
        .expect("it listens");
    let (_, rest) = line.split_once("http://").unwrap();
    (server, rest.split('/').next().unwrap().to_owned())
}

/// Calls a tool, and waits for the answer.
fn call(address: &str, name: &str, arguments: &Value) {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": name, "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let body = body.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {name}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"result\""), "{answer}");
}

/// A watch that has begun.
fn watch(address: &str, more: &[&str]) -> (Running, String) {
    let folder = std::env::temp_dir();
    let url = format!("http://{address}/mcp");
    let mut command = command(&folder, &["watch", "--url", &url], &[]);
    command
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut line = String::new();
    let mut stderr = BufReader::new(running.0.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    // What it says later is kept by the pipe.
    running.0.stderr = Some(stderr.into_inner());
    assert!(line.contains("zebra-2: watching http://"), "{line}");
    (running, line)
}

/// Waits for the end: the exit code, and what was printed.
fn end(mut running: Running) -> (Option<i32>, String) {
    let mut printed = String::new();
    let mut stdout = running.0.stdout.take().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    (running.0.wait().unwrap().code(), printed)
}

#[test]
fn changes_of_lists_and_updates_of_resources_are_lines_in_both_eras() {
    let (_server, address) = barn();
    for era in ["legacy", "modern"] {
        let more = ["--era", era, "--uri=barn://bales", "--json", "--count=2"];
        let (running, said) = watch(&address, &more);
        assert!(said.contains("changes of its tools"), "{said}");
        assert!(said.contains("barn://bales"), "{said}");
        call(&address, "store", &json!({}));
        call(&address, "door", &json!({ "open": era == "modern" }));
        let (code, printed) = end(running);
        assert_eq!(code, Some(0), "{printed}");
        let lines: Vec<Value> = printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let methods: BTreeSet<_> = lines
            .iter()
            .map(|line| line["method"].as_str().unwrap())
            .collect();
        assert_eq!(
            methods.into_iter().collect::<Vec<_>>(),
            [
                "notifications/resources/updated",
                "notifications/tools/list_changed"
            ],
            "{era}"
        );
        let updated = lines
            .iter()
            .find(|line| line["params"]["uri"] == "barn://bales");
        assert!(
            updated.is_some_and(|line| line["time"].is_string()),
            "{printed}"
        );
    }
    let (running, _) = watch(&address, &["--uri=barn://bales", "--count=1"]);
    call(&address, "store", &json!({}));
    let (code, printed) = end(running);
    assert_eq!(code, Some(0));
    assert!(printed.ends_with(" updated barn://bales\n"), "{printed}");
}

#[cfg(unix)]
#[test]
fn it_ends_well_with_ctrl_c_and_as_not_reached_when_the_server_goes() {
    let (server, address) = barn();
    let (interrupted, _) = watch(&address, &["--era=modern"]);
    let pid = interrupted.0.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.unwrap().success());
    assert_eq!(end(interrupted), (Some(0), String::new()));

    let (left, _) = watch(&address, &["--era=modern"]);
    drop(server);
    assert_eq!(end(left), (Some(3), String::new()));
}

#[test]
fn a_server_that_does_not_tell_of_updates_is_said_to() {
    // A zebra without stripes has no resources.
    for era in ["legacy", "modern"] {
        assert_ends(
            &run(
                &["watch", "--era", era, "--uri=a://b"],
                &[("ZEBRA_2_STRIPES", "0")],
            ),
            1,
            "zebra-2: closed\nzebra-2: this server does not tell when a://b is updated.\n  Without --uri its lists are watched.\n",
        );
    }
}
