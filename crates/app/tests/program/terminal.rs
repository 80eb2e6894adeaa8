//! What a person sees who serves over HTTP in a terminal; `script` of util-linux is one.

use std::io::Lines;
use std::net::TcpStream;
use std::process::ChildStdout;

use serde_json::json;

use super::*;

/// A program in a terminal of its own.
struct Terminal {
    lines: Lines<BufReader<ChildStdout>>,
    // Closed last: `script` ends its program with its input.
    running: Running,
}

impl Terminal {
    /// Starts an example and reads up to where it listens.
    fn start(example: &str, arguments: &str, environment: &[(&str, &str)]) -> (Self, String) {
        let program = binary().with_file_name(example);
        let line = format!("exec '{}' {arguments}", program.display());
        let mut command = Command::new("script");
        command
            .args(["-qefc", &line, "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut running = Running(command.spawn().expect("script, of util-linux"));
        let lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
        let mut terminal = Self { lines, running };
        let line = terminal.line("listening on http://");
        let (_, rest) = line.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap().to_owned();
        (terminal, address)
    }

    /// The next line that has this.
    fn line(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.next().expect("it goes on").unwrap();
            if line.contains(part) {
                return line.trim_end_matches('\r').to_owned();
            }
        }
    }

    fn press_ctrl_c(&mut self) {
        let stdin = self.running.0.stdin.as_mut().unwrap();
        stdin.write_all(b"\x03").unwrap();
        stdin.flush().unwrap();
    }
}

fn send(address: &str, message: &serde_json::Value) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = message.to_string();
    let method = message["method"].as_str().unwrap();
    let name = message["params"]["name"].as_str().unwrap_or_default();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all((head + &body).as_bytes()).unwrap();
    client
}

fn call(name: &str, arguments: &serde_json::Value) -> serde_json::Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": name, "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/logLevel": "info",
            },
        },
    })
}

const SERVE: &str = "serve --transport http --port 0";

#[test]
fn each_request_is_a_line_in_columns() {
    let (mut terminal, address) = Terminal::start("barn", SERVE, &[("NO_COLOR", "1")]);
    let mut answer = String::new();
    let fed = call("feed", &json!({ "animal": "Bo", "food": "hay" }));
    send(&address, &fed).read_to_string(&mut answer).unwrap();
    let line = terminal.line("tools/call");
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.len() == 8 && time.matches(':').count() == 2, "{line}");
    let words: Vec<_> = rest.split_whitespace().collect();
    assert_eq!(words[..3], ["tools/call", "feed", "ok"], "{line} {answer}");
    assert!(words[4] == "ms" && words[6] == "B", "{line}");
    assert_eq!(words[7..], ["anonymous"], "{line}");
}

#[test]
fn outcomes_have_colours_unless_they_are_not_wanted() {
    for (environment, start) in [(&[][..], "\u{1b}[2m"), (&[("NO_COLOR", "1")], "")] {
        let (mut terminal, address) = Terminal::start("barn", SERVE, environment);
        let mut answer = String::new();
        send(&address, &call("nobody", &json!({})))
            .read_to_string(&mut answer)
            .unwrap();
        let line = terminal.line("tools/call");
        assert_eq!(line.contains('\u{1b}'), !start.is_empty(), "{line:?}");
        assert!(
            line.starts_with(start) && line.contains("error -32602"),
            "{line:?}"
        );
    }
}

#[test]
fn ctrl_c_says_what_it_waits_for_and_a_second_one_ends_it() {
    let (mut terminal, address) = Terminal::start("barn", SERVE, &[("NO_COLOR", "1")]);
    // What it says shows that the call is in flight.
    let mut waits = send(&address, &call("wait", &json!({})));
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    while !said.contains("The corn is growing.") {
        let read = waits.read(&mut bytes).unwrap();
        assert!(read > 0, "{said}");
        said += &text(&bytes[..read]);
    }
    terminal.press_ctrl_c();
    let line = terminal.line("barn: waiting for a request in flight, ");
    assert!(
        line.ends_with(" s at most; press Ctrl-C again to end at once"),
        "{line}"
    );
    terminal.press_ctrl_c();
    let status = terminal.running.0.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    drop(waits);
}
