//! SIGTERM: what was begun is finished, what has no end of its own is ended, nothing new is begun.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::{Client, HttpServer, Request, Session, mirrored};
use crate::support::message::{answer, asks_user, call, modern, request};
use crate::support::process::signal;
use crate::support::stdio::StdioServer;

#[test]
fn calls_in_flight_are_answered_and_open_streams_end() {
    let mut server = HttpServer::start(&[], &[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let stream = session.listen();
    let mut idle = server.connect();
    assert_eq!(
        idle.ask(&session.request(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})))
            .status,
        200
    );
    let mut events = session
        .start(&call(2, "vonmises_random", json!({"mu": 1.0})))
        .events();
    let question = events.until("elicitation/create");
    // The answer is on its way as well: the server asks for its body.
    let kappa = answer(
        &question,
        json!({"action": "accept", "content": {"value": 2.5}}),
    );
    let request = session
        .request(&kappa)
        .with("Expect", "100-continue")
        .bytes();
    let (head, body) = request.split_at(request.len() - kappa.to_string().len());
    let mut answering = server.connect();
    assert_eq!(answering.send(head).response().status, 100);

    server.terminate();
    stream.end();
    assert!(idle.try_response().is_none());

    let accepted = answering.send(body).response();
    assert_eq!((accepted.status, &*accepted.body), (202, ""));
    assert!(answering.try_response().is_none());
    assert!(events.answer()["result"]["structuredContent"]["result"].is_number());
    events.end();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

#[test]
fn nothing_new_is_begun() {
    let mut server = HttpServer::start(&[], &[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let stream = session.listen();
    let mut events = session
        .start(&call(1, "vonmises_random", json!({"mu": 1.0})))
        .events();
    events.until("elicitation/create");
    server.terminate();
    stream.end();
    assert!(
        TcpStream::connect(server.address()).is_err(),
        "the port is still open"
    );
    drop(events);
    let left = Instant::now();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    // Nobody is connected any more, so there is nothing to wait for: not the ten seconds that calls have.
    assert!(left.elapsed().as_secs() < 8, "{:?}", left.elapsed());
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
