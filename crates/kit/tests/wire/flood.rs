//! A client that sends faster than it reads, and one that stops reading for good.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{call, request};
use serde_json::{Value, json};

use crate::support::fixture;

/// A server whose pipes are the test's own; killed when dropped.
struct Raw(Child);

impl Raw {
    fn start() -> Self {
        let child = fixture(&[])
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the program starts"))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hello() -> Value {
    let client_info = json!({ "name": "flood-test", "version": "1.0" });
    request(
        "hello",
        "initialize",
        json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info,
        }),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn twenty_thousand_pipelined_calls_are_answered_once_each_in_bounded_memory() {
    use crate::support::memory::peak_memory;

    const CALLS: usize = 20_000;
    const WARM_UP: usize = 500;
    let mut server = Raw::start();
    let mut stdin = server.0.stdin.take().unwrap();
    let stdout = server.0.stdout.take().unwrap();
    let pid = server.0.id();
    let factorial = |id: usize| format!("{}\n", call(id, "factorial", json!({ "n": id % 20 + 1 })));

    // The reader takes only as many lines as it is given leave for.
    let (leave, wanted) = channel::<usize>();
    let (sender, lines) = channel::<Value>();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout).lines();
        for line in wanted
            .iter()
            .flat_map(|count| 0..count)
            .map(|_| stdout.next())
        {
            let Some(Ok(line)) = line else { break };
            let _ = sender.send(serde_json::from_str(&line).expect("JSON"));
        }
    });
    let read = |count: usize| -> Vec<Value> {
        leave.send(count).unwrap();
        (0..count)
            .map(|_| lines.recv_timeout(PATIENCE).expect("an answer in time"))
            .collect()
    };

    stdin
        .write_all(format!("{}\n", hello()).as_bytes())
        .unwrap();
    stdin
        .write_all((0..WARM_UP).map(factorial).collect::<String>().as_bytes())
        .unwrap();
    read(1 + WARM_UP);
    let before = peak_memory(pid);

    let written = Arc::new(AtomicUsize::new(0));
    let writer = thread::spawn({
        let written = Arc::clone(&written);
        move || {
            for id in 0..CALLS {
                stdin.write_all(factorial(id).as_bytes()).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
            }
            stdin
        }
    });
    // While nobody reads the answers, the server has to stop reading the calls.
    let mut seen = (0, Instant::now());
    while seen.1.elapsed() < Duration::from_millis(200) {
        thread::sleep(Duration::from_millis(5));
        let now = written.load(Ordering::Relaxed);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
    }
    assert!(
        seen.0 < CALLS,
        "all calls were taken in while no answer was read"
    );

    let mut answered = vec![0; CALLS];
    for answer in read(CALLS) {
        assert!(
            answer["result"]["structuredContent"]["result"] != Value::Null,
            "{answer}"
        );
        answered[answer["id"].as_u64().unwrap() as usize] += 1;
    }
    assert!(answered.iter().all(|&times| times == 1));
    let rise = peak_memory(pid) - before;
    assert!(rise < 10 << 10, "{rise} KiB more than before");

    drop(writer.join().unwrap());
    assert!(server.0.wait().unwrap().success());
    leave.send(1).unwrap();
    assert!(
        lines.recv_timeout(PATIENCE).is_err(),
        "there was more than one answer to something"
    );
}

#[test]
fn a_client_that_closes_its_end_of_stdout_ends_the_server() {
    let mut server = Raw::start();
    let mut stdin = server.0.stdin.take().unwrap();
    stdin
        .write_all(format!("{}\n", hello()).as_bytes())
        .unwrap();
    let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        // Stdin stays open: only what it writes tells the server. Once is not enough: a program that another test starts at
        // this moment has the other end as well, until it is another program.
        let _ = stdin.write_all(format!("{}\n", request(1, "ping", json!({}))).as_bytes());
        match server.0.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                panic!("the server did not end within {PATIENCE:?}")
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    assert_eq!(status.code(), Some(0));
}
