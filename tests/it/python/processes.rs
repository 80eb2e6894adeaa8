//! What is left of worker processes: nothing, also where the first process of a container reaps none.

use std::time::Instant;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{call, request};
use pymcp_kit::testing::raw::{Session, signal};
use rustix::process::{getpid, set_child_subreaper};
use serde_json::json;

use super::{run, serve};
use crate::support::over_http;
use crate::support::process::children;

/// The workers of a server that has run some code. What it leaves behind becomes a child of this process, which waits
/// for none and so keeps it as a zombie.
fn adopted(server: u32) -> Vec<u32> {
    set_child_subreaper(Some(getpid())).expect("a kernel that can");
    let workers = children(server);
    assert!(!workers.is_empty());
    workers
}

fn assert_gone(workers: &[u32]) {
    for pid in workers {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        assert!(status.is_err(), "{}", status.unwrap_or_default());
    }
}

#[test]
fn workers_are_waited_for_when_the_client_leaves() {
    let mut server = serve(&[]);
    run(&mut server, &json!({ "code": "1" }));
    let workers = adopted(server.pid());
    server.close_stdin();
    assert!(server.wait().success());
    assert_gone(&workers);
}

#[test]
fn workers_are_waited_for_when_a_signal_ends_the_server_in_the_middle_of_a_run() {
    let mut server = serve(&["--python-timeout", "60"]);
    run(&mut server, &json!({ "code": "1" }));
    // Busy where no interpreter looks at its input, so that it ends because it is killed.
    let hang = "a = b = [1]\nfor _ in range(60):\n    a, b = [a, a], [b, b]\na == b";
    let arguments = json!({ "code": hang, "check_types": false });
    server.send(&call(2, "run_python_code", arguments));
    server.send(&request(3, "ping", json!({})));
    server.recv();
    let workers = adopted(server.pid());
    signal(server.pid(), "TERM");
    server.wait();
    assert_gone(&workers);
}

#[test]
fn workers_are_waited_for_when_a_signal_ends_an_http_server() {
    let mut server = over_http(&["--python-sandbox", "best-effort"], &[]);
    let session = Session::plain(server.address());
    session.post(&call(1, "run_python_code", json!({ "code": "1" })));
    let workers = adopted(server.pid());
    server.terminate();
    server.wait();
    assert_gone(&workers);
}

#[test]
fn a_worker_that_dies_is_waited_for_at_once() {
    let mut server = serve(&[]);
    run(&mut server, &json!({ "code": "1" }));
    let workers = adopted(server.pid());
    for pid in &workers {
        signal(*pid, "KILL");
    }
    let deadline = Instant::now() + PATIENCE;
    // Nothing is asked of the server meanwhile.
    while children(server.pid())
        .iter()
        .any(|pid| workers.contains(pid))
    {
        assert!(Instant::now() < deadline, "{workers:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
