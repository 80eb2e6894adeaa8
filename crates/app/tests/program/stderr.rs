//! Whatever happens to stderr harms nobody.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pymcp_kit::testing::raw::signal;
use serde_json::{Value, json};

use super::{PATIENCE, binary, command};

/// A server on stdin and stdout whose stderr the test has; killed when dropped.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _here: tempfile::TempDir,
}

impl Server {
    fn start(stderr: impl Into<Stdio>) -> Self {
        let here = tempfile::tempdir().unwrap();
        let mut child = command(here.path(), &["--log-level", "DEBUG"], &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            _here: here,
        }
    }

    /// Makes it log `lines` lines of some 300 bytes.
    fn log(&mut self, lines: usize) {
        let reason = "x".repeat(250);
        let params = json!({ "requestId": "none", "reason": reason });
        let line =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
        let line = format!("{line}\n").repeat(100);
        for _ in 0..lines / 100 {
            self.stdin.write_all(line.as_bytes()).unwrap();
        }
    }

    fn ping(&mut self) {
        self.stdin
            .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n")
            .unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_default();
        assert_eq!(answer["result"], json!({}), "{line}");
    }

    fn end(mut self) {
        signal(self.child.id(), "TERM");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0));
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("it does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nobody_is_harmed_when_it_is_closed() {
    let mut server = Server::start(Stdio::piped());
    drop(server.child.stderr.take());
    server.log(300);
    server.ping();
    server.end();
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_is_harmed_when_its_disk_is_full() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut server = Server::start(full);
    server.log(300);
    server.ping();
    server.end();
}

#[test]
fn nobody_is_harmed_when_nobody_reads_it_and_what_was_lost_is_said() {
    let mut server = Server::start(Stdio::piped());
    // Two buffers of 1 MiB and the pipe are full before.
    server.log(12_000);
    server.ping();
    let mut stderr = BufReader::new(server.child.stderr.take().unwrap());
    let (sender, lost) = channel();
    thread::spawn(move || {
        let mut written = 0;
        let mut line = String::new();
        while stderr.read_line(&mut line).is_ok_and(|length| length > 0) {
            match line.split_once(" log lines were lost") {
                Some((lost, _)) => {
                    let _ = sender.send(written + lost.parse::<usize>().unwrap());
                    written = 0;
                }
                None => {
                    let logged = line.contains("cancelled") || line.contains(": request ");
                    written += usize::from(logged);
                }
            }
            line.clear();
        }
        let _ = sender.send(written);
    });
    server.ping();
    let first = lost.recv_timeout(PATIENCE).unwrap();
    server.end();
    // Each line is either there or counted.
    let pings = 2;
    assert_eq!(first + lost.iter().sum::<usize>(), 12_000 + pings);
}

#[test]
fn it_ends_soon_when_nobody_reads_it() {
    let mut server = Server::start(Stdio::piped());
    let _unread = server.child.stderr.take();
    server.log(2_000);
    server.ping();
    server.end();
}

/// A shell that runs `script`, in which `$0` is the program.
#[cfg(target_os = "linux")]
fn shell(here: &Path, script: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).arg(binary()).current_dir(here);
    shell
}

/// A file that may not grow ends a process by a signal unless it is asked not to.
#[cfg(target_os = "linux")]
#[test]
fn nobody_is_harmed_when_its_file_may_not_grow() {
    let here = tempfile::tempdir().unwrap();
    let script = r#"ulimit -f 1; exec "$0" --log-level DEBUG 2>log"#;
    let mut child = shell(here.path(), script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server {
        stdin: child.stdin.take().unwrap(),
        stdout: BufReader::new(child.stdout.take().unwrap()),
        child,
        _here: here,
    };
    server.log(300);
    server.ping();
    server.end();
}

/// Also before there is anybody to serve.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_not_grow_does_not_hide_why_the_program_ends() {
    let here = tempfile::tempdir().unwrap();
    let script = r#"ulimit -f 0; exec "$0" --log-level nonsense 2>log"#;
    let mut child = shell(here.path(), script)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

/// What is opened later must not take its number: a client's socket, say, to which the logs would go then.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_that_are_closed_at_the_start_are_nobody_s() {
    let here = tempfile::tempdir().unwrap();
    let script = r#"exec "$0" serve --log-level DEBUG 2>&-"#;
    let mut child = shell(here.path(), script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut server = Server {
        stdin: child.stdin.take().unwrap(),
        stdout: BufReader::new(child.stdout.take().unwrap()),
        child,
        _here: tempfile::tempdir().unwrap(),
    };
    server.log(300);
    server.ping();
    let file = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap();
    assert_eq!(file, Path::new("/dev/null"));
    server.end();

    let script = r#"exec "$0" serve 0<&- 1>&-"#;
    let mut child = shell(here.path(), script)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), &*said),
        (Some(0), "zebra-2: closed\n")
    );
}
