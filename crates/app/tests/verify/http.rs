//! Servers that listen.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use super::*;

/// A server over HTTP, until it is dropped.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(mode: &str) -> Option<Self> {
        let [program, script, mode] = Python.server(mode)?;
        let mut child = Command::new(program)
            .args([script.as_str(), "http", mode.as_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = format!("http://127.0.0.1:{}/mcp", line.trim());
        Some(Self { child, url })
    }

    fn verify(&self, arguments: &[&str]) -> Ran {
        run(&[&["verify", "--url", &self.url], arguments].concat())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_digest_is_that_of_every_transport_and_of_the_lock_of_another() {
    let Some(listening) = Listening::start("good") else {
        return;
    };
    let server = Python.server("good").unwrap();
    let on_stdio = verify(&["--format=json"], &server);
    let over_http = listening.verify(&["--format=json"]);
    assert_eq!(over_http.digest(), on_stdio.digest());
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("a.lock").to_str().unwrap().to_owned();
    assert_eq!(verify(&["--write", &lock], &server).code, Some(0));
    assert_eq!(listening.verify(&["--lock", &lock]).code, Some(0));
}

#[test]
fn what_a_listener_does_is_bounded_and_said() {
    for (mode, why) in [
        ("locked", "wants a client to authenticate."),
        ("half-locked", "wants a client to authenticate."),
        ("mute", "does not answer initialize within 2 s."),
        (
            "huge",
            "sends more than is read, and no answer to tools/list.",
        ),
        (
            "stream",
            "sends more than is read, and no answer to tools/list.",
        ),
        ("drips", "does not answer tools/list within 2 s."),
        (
            "cut",
            "answers tools/list with HTTP status 200 and no JSON-RPC.",
        ),
        ("partial", "refuses tools/list: 'the second page is broken'"),
    ] {
        let Some(listening) = Listening::start(mode) else {
            return;
        };
        // Only silence is waited for.
        let timeout = match why.contains("within 2 s") {
            true => "--timeout=2",
            false => "--timeout=60",
        };
        listening.verify(&[timeout]).assert_unchecked(why);
    }
    run(&["verify", "--url", "http://127.0.0.1:1/mcp"]).assert_unchecked("cannot be reached");
}
