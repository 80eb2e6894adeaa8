//! The program and its signals, and the addresses that it listens on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pymcp_kit::testing::message::{asks_user, call, modern, request};
use pymcp_kit::testing::raw::{Client, Request, Silence, StdioServer, mirrored, signal};
use serde_json::{Value, json};

use super::{PATIENCE, binary, run, text, zebra};

/// "At once", with room for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

fn connected(version: &str, capabilities: Value) -> StdioServer {
    let mut server = zebra(&[], &[]).raw_stdio();
    server.initialize(version, &capabilities).unwrap();
    server
}

/// Calls the tool that asks its user; returns the question.
fn ask_user(server: &mut StdioServer, id: Value) -> Value {
    server.send(&call(id, "feed", json!({ "zebras": 2 })));
    let question = server.recv().value;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    question
}

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

fn list() -> Request {
    mirrored(&modern(request(1, "tools/list", json!({})), json!({})))
}

/// Every client asks on its connection until it is told that it ends: until then each request has an
/// answer. One connection is used for the first time just before the signal comes.
#[test]
fn a_signal_under_load_loses_no_request() {
    const CLIENTS: usize = 6;
    for name in ["TERM", "INT", "HUP"] {
        let mut server = zebra(&[], &[]).raw_http("http");
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

#[test]
fn a_hangup_ends_a_server_on_stdio_as_well() {
    let mut server = zebra(&[], &[]).raw_stdio();
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
        .arg(binary())
        .args(["serve", "--transport", "http", "--port", "0"])
        .args(["--host", "127.0.0.1"])
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
        let mut server = zebra(&["--host", "localhost"], &[]).raw_http(transport);
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
    let run = run(&["serve", "--transport", "http", "--port", &port], &[]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    for word in [&format!("[::1]:{port}"), "in use", "--host"] {
        assert!(text(&run.stderr).contains(word), "{run:?}");
    }
}
