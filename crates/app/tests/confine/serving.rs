//! What a server does beside its components goes on when it is confined in full.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// A program, the lines that it says, and its end.
pub(super) struct Started {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Started {
    pub(super) fn new(folder: &Path, flags: &[&str]) -> Self {
        let program = mischief(folder, flags);
        let mut command = program.command();
        let command = command.args(["--transport=http", "--port=0", "--confine=require"]);
        let command = command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut started = Self { child, lines };
        started.hears("confined: files, network, programs, signals, privileges (");
        started.hears("listening on ");
        started
    }

    /// Waits for a line with this in it.
    #[track_caller]
    fn hears(&mut self, part: &str) -> String {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        lines.find(|line| line.contains(part)).expect(part)
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    pub(super) fn ends(&mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that comes within moments.
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks over the socket of the server.
fn ask(socket: &Path, request: &str) -> String {
    let mut client = UnixStream::connect(socket).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn get(socket: &Path, path: &str) -> String {
    ask(
        socket,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    )
}

pub(super) fn post(socket: &Path, token: &str) -> String {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "act", "arguments": { "what": "bind" }, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    })
    .to_string();
    let length = body.len();
    ask(
        socket,
        &format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
             Mcp-Name: act\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn token(folder: &Path, name: &str) -> String {
    let mut command = Command::new(binary());
    command
        .current_dir(folder)
        .args(["token", "new", name, "--file=tokens.toml"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_socket_is_removed_a_log_is_rotated_and_tokens_are_read_again() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["run", "log"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let first = token(folder, "first");
    let socket = folder.join("run/mischief.sock");
    let flags = [
        &format!("--unix-socket={}", socket.display())[..],
        "--audit=log/audit.jsonl",
        "--audit-max-bytes=2000",
        "--auth=token",
        "--auth-tokens=tokens.toml",
    ];
    let mut server = Started::new(folder, &flags);
    let answer = post(&socket, &first);
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("refused"),
        "{answer}"
    );
    let ready = get(&socket, "/readyz");
    for part in [
        "\"confinement\":{",
        "\"mode\":\"require\"",
        "\"missing\":[]",
        "seccomp",
    ] {
        assert!(ready.contains(part), "{part}: {ready}");
    }

    // Written, and moved into its place.
    let second = token(folder, "second");
    until("the second token counts", || {
        post(&socket, &second).starts_with("HTTP/1.1 200")
    });
    server.signal("HUP");
    server.hears("tokens.toml was read again");

    let logs = || std::fs::read_dir(folder.join("log")).unwrap().count();
    until("the log is rotated", || {
        post(&socket, &first);
        logs() > 3
    });
    std::fs::rename(folder.join("log/audit.jsonl"), folder.join("log/moved")).unwrap();
    server.signal("HUP");
    until("the log is begun anew", || {
        post(&socket, &first);
        folder.join("log/audit.jsonl").exists()
    });
    assert!(get(&socket, "/readyz").starts_with("HTTP/1.1 200"));
    server.ends();
    assert!(!socket.exists());
}

#[test]
fn a_certificate_is_read_again() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certify = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["example.org".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        for (name, pem) in [
            ("cert.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            let (file, beside) = (folder.path().join(name), folder.path().join("beside"));
            std::fs::write(&beside, pem).unwrap();
            std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o600)).unwrap();
            std::fs::rename(beside, file).unwrap();
        }
    };
    certify();
    let flags = ["--tls-cert=cert.pem", "--tls-key=key.pem"];
    let mut server = Started::new(folder.path(), &flags);
    certify();
    server.signal("HUP");
    server.hears("the TLS certificate was replaced");
    server.ends();
}
