//! How a program is reached: over TLS and a Unix socket, and what it says while it drains.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use chrono::Datelike as _;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{PATIENCE, Running, assert_ends, command, run, text};

/// Starts the program over HTTP, and reads what it says up to where it listens.
pub(crate) fn start(arguments: &[&str]) -> (Running, String, impl Iterator<Item = String> + use<>) {
    let folder = std::env::temp_dir();
    let mut command = command(&folder, &["--transport=http", "--port=0"], &[]);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(std::result::Result::ok);
    let listening = lines
        .find_map(|line| {
            line.split_once("listening on ")
                .map(|(_, rest)| rest.to_owned())
        })
        .expect("it listens");
    (server, listening, lines)
}

#[cfg(unix)]
fn signal(server: &Running, name: &str) {
    let pid = server.0.id().to_string();
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status();
    assert!(sent.unwrap().success());
}

/// Writes a certificate that is good for so many days from now, and its key.
pub(crate) fn certificate(folder: &std::path::Path, days: i64) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut certificate = CertificateParams::new(names).unwrap();
    let end =
        chrono::Utc::now().date_naive() + chrono::Days::new(1) + chrono::TimeDelta::days(days);
    let (month, day) = (end.month() as u8, end.day() as u8);
    certificate.not_after = date_time_ymd(end.year(), month, day);
    let certificate = certificate.self_signed(&key).unwrap();
    let [cert, secret] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&secret, key.serialize_pem()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    [
        format!("--tls-cert={}", cert.display()),
        format!("--tls-key={}", secret.display()),
    ]
}

#[cfg(unix)]
#[test]
fn tls_is_served_checked_and_read_again_at_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate(folder.path(), 100);
    let (server, listening, mut lines) = start(&[&cert, &key]);
    assert!(
        listening.starts_with("https://") && listening.contains("/mcp ("),
        "{listening}"
    );
    let url = listening.split(' ').next().unwrap();
    assert_ends(&run(&["health", url], &[]), 0, "");
    let plain = run(&["health", &url.replacen("https", "http", 1)], &[]);
    assert_eq!(plain.status.code(), Some(3), "{}", text(&plain.stderr));
    // The new one has its end before it, of which the log tells.
    certificate(folder.path(), 5);
    signal(&server, "HUP");
    let replaced = lines.find(|line| line.contains("the TLS certificate was replaced"));
    assert!(replaced.is_some(), "it has ended");
    let warned = lines.find(|line| line.contains("the TLS certificate ends on 20"));
    assert!(warned.is_some_and(|line| line.contains("WARN")));
    assert_ends(&run(&["health", url], &[]), 0, "");
    for (url, hint) in [
        (url, "certificate"),
        (&url.replacen("https", "http", 1), "begins with https://"),
    ] {
        let refused = run(&["ping", "--url", url], &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.lines().nth(1).unwrap().contains(hint), "{said}");
    }
    let unpaired = run(&["--transport=http", &cert], &[]);
    assert_eq!(unpaired.status.code(), Some(2));
    let said = text(&unpaired.stderr);
    assert!(said.contains("name that with"), "{said}");
}

#[test]
fn who_speaks_tls_to_a_server_without_it_is_told_so() {
    let (_server, listening, _lines) = start(&[]);
    let url = listening.split(' ').next().unwrap();
    let refused = run(&["ping", "--url", &url.replacen("http", "https", 1)], &[]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("begins with http://."), "{said}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_served_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zebra.sock");
    let (mut server, listening, _lines) = start(&[&format!("--unix-socket={}", path.display())]);
    let told = format!("unix:{}, path /mcp (", path.display());
    assert!(listening.starts_with(&told), "{listening}");
    let url = format!("unix:{}", path.display());
    assert_ends(&run(&["health", &url], &[]), 0, "");
    signal(&server, "TERM");
    assert!(server.0.wait().unwrap().success());
    assert!(!path.exists());
    let gone = run(&["health", &url], &[]);
    assert_eq!(gone.status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn a_program_that_drains_is_alive_and_not_ready() {
    let (server, listening, _lines) = start(&["--drain-delay=600"]);
    let address = listening.strip_prefix("http://").unwrap();
    let address = address.split('/').next().unwrap();
    let probe = |path: &str| {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(probe("/readyz").starts_with("HTTP/1.1 200"));
    signal(&server, "TERM");
    let mut answer = probe("/readyz");
    while answer.starts_with("HTTP/1.1 200") {
        answer = probe("/readyz");
    }
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("draining"),
        "{answer}"
    );
    assert!(probe("/healthz").starts_with("HTTP/1.1 200"));
}
