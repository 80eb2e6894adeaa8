//! The program and its signals, and the addresses that it listens on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::{Client, HttpServer, Request, mirrored};
use crate::support::message::{asks_user, call, modern, request};
use crate::support::process::signal;
use crate::support::stdio::{PATIENCE, Silence, StdioServer};

/// "At once", with room for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

fn connected(version: &str, capabilities: Value) -> StdioServer {
    let mut server = StdioServer::start(&[], &[]);
    server.initialize(version, &capabilities).unwrap();
    server
}

/// Calls the tool that asks its user; returns the question.
fn ask_user(server: &mut StdioServer, id: Value) -> Value {
    server.send(&call(id, "vonmises_random", json!({ "mu": 1.0 })));
    assert_eq!(server.recv().value["method"], "notifications/message");
    let question = server.recv().value;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    question
}

#[cfg(unix)]
#[test]
fn signals_end_it_at_once_while_stdin_is_open() {
    for name in ["TERM", "INT"] {
        for busy in [false, true] {
            let mut server = connected("2025-11-25", asks_user());
            if busy {
                ask_user(&mut server, json!(2));
            }
            let started = Instant::now();
            signal(server.pid(), name);
            assert_eq!(
                server.wait().code(),
                Some(0),
                "SIG{name}: {}",
                server.stderr()
            );
            assert!(
                started.elapsed() < AT_ONCE,
                "SIG{name}: {:?}",
                started.elapsed()
            );
            assert!(
                matches!(server.next(PATIENCE), Err(Silence::Closed)),
                "it said something"
            );
        }
    }
}

#[test]
fn a_server_without_clients_ends_at_once() {
    for transport in ["http", "sse"] {
        let mut server = HttpServer::over(transport, &[], &[]);
        server.terminate();
        assert_eq!(
            server.wait().code(),
            Some(0),
            "{transport}: {}",
            server.stderr()
        );
    }
}

fn list() -> Request {
    mirrored(&modern(request(1, "tools/list", json!({})), json!({})))
}

/// Every client asks on its connection until it is told that it ends: until then each request has an
/// answer. One connection is used for the first time just before the signal comes.
#[cfg(unix)]
#[test]
fn a_signal_under_load_loses_no_request() {
    const CLIENTS: usize = 6;
    for name in ["TERM", "INT", "HUP"] {
        let mut server = HttpServer::start(&[], &[]);
        let address = server.address();
        let answered = AtomicUsize::new(0);
        let signalled = AtomicBool::new(false);
        // Whether the connection goes on.
        let asked = |client: &mut Client| {
            let before = !signalled.load(Ordering::SeqCst);
            let Some(response) = client.send(list().bytes()).try_response() else {
                assert!(!before, "a request that was sent in time is lost");
                return false;
            };
            assert_eq!(response.status, 200, "{response:?}");
            answered.fetch_add(1, Ordering::Relaxed);
            response.header("Connection") != Some("close")
        };
        let mut late = server.connect();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let asked = &asked;
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    while asked(&mut client) {}
                });
            }
            while answered.load(Ordering::Relaxed) < 20 * CLIENTS {
                std::thread::sleep(Duration::from_millis(1));
            }
            late.send(list().bytes());
            signalled.store(true, Ordering::SeqCst);
            signal(server.pid(), name);
            assert_eq!(late.response().status, 200);
        });
        assert_eq!(server.wait().code(), Some(0), "{name}: {}", server.stderr());
    }
}

#[cfg(unix)]
#[test]
fn a_hangup_ends_a_server_on_stdio_as_well() {
    let mut server = StdioServer::start(&[], &[]);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    server.send(&ping);
    server.recv();
    signal(server.pid(), "HUP");
    assert_eq!(server.wait().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_hangup_is_left_ignored_where_it_was() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let mut server = Command::new("nohup")
        .args([env!("CARGO_BIN_EXE_pymcp"), "serve", "--transport", "http"])
        .args(["--port", "0", "--host", "127.0.0.1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nohup, of coreutils");
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let line = lines.find_map(|line| Some(line.ok()?.split_once("http://")?.1.to_owned()));
    let address: SocketAddr = line.unwrap().split('/').next().unwrap().parse().unwrap();
    signal(server.id(), "HUP");
    // The next signal is the one that counts, and it comes behind the hangup.
    assert_eq!(Client::connect(address).ask(&list()).status, 200);
    signal(server.id(), "TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// A listener on the loopback address of IPv6; says so where the machine has none.
#[allow(clippy::print_stderr)]
fn on_ipv6() -> Option<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(("::1", 0)).ok();
    if listener.is_none() {
        eprintln!("skipped: this machine has no IPv6");
    }
    listener
}

/// Clients resolve the name themselves, and try one address or the other first.
#[test]
fn localhost_is_served_on_both_its_addresses() {
    if on_ipv6().is_none() {
        return;
    }
    for transport in ["http", "sse"] {
        let mut server = HttpServer::over(transport, &["--host", "localhost"], &[]);
        let port = server.address().port();
        assert!(server.stderr().contains(&format!("http://[::1]:{port}/")));
        for address in [
            server.address(),
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
        ] {
            let response = Client::connect(address).ask(&list());
            assert_eq!(response.status == 200, transport == "http", "{address}");
        }
        server.terminate();
        assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    }
}

/// Half of it would be another program's.
#[test]
fn localhost_is_not_served_by_halves() {
    let Some(taken) = on_ipv6() else {
        return;
    };
    let port = taken.local_addr().unwrap().port().to_string();
    let here = tempfile::tempdir().unwrap();
    let args = ["serve", "--transport", "http", "--port", &port];
    let run = crate::support::process::run(here.path(), &args, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for word in [&format!("[::1]:{port}"), "in use", "--host"] {
        assert!(run.stderr.contains(word), "{run:?}");
    }
}

#[test]
fn every_page_may_call_when_that_is_asked_for_and_it_warns() {
    let server = HttpServer::start(&[], &[("ASGI_CORS_ALLOWED_ORIGINS", "*")]);
    let response = server.ask(&list().with("Origin", "https://anything.test"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Access-Control-Allow-Origin"), Some("*"));
    assert!(
        server.stderr().contains("ASGI_CORS_ALLOWED_ORIGINS"),
        "it warns: {}",
        server.stderr()
    );
}
