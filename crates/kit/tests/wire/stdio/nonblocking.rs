//! Stdin and stdout that are non-blocking: the process that started us, or another one that shares them, may set that at
//! any time, and it means later.

use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{call, request};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionbio;
use serde_json::{Value, json};

use crate::support::fixture;

/// A server, and our ends of its stdin and stdout; killed when dropped.
struct Server<I, O> {
    child: Child,
    input: Option<I>,
    output: BufReader<O>,
}

fn start<I: Write, O: Read>(theirs: (OwnedFd, OwnedFd), ours: (I, O)) -> Server<I, O> {
    let child = fixture(&[])
        .command()
        .stdin(theirs.0)
        .stdout(theirs.1)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    Server {
        child,
        input: Some(ours.0),
        output: BufReader::new(ours.1),
    }
}

/// Over pipes that do not block at the server's ends. The flag is of the pipe's end and not of whoever has it, so that
/// another handle of it sets it later.
fn over_pipes(nonblocking: bool) -> (Server<PipeWriter, PipeReader>, [OwnedFd; 2]) {
    let ((stdin, input), (output, stdout)) = (pipe().unwrap(), pipe().unwrap());
    let theirs = [OwnedFd::from(stdin), stdout.into()];
    if nonblocking {
        set_nonblocking(&theirs);
    }
    let [stdin, stdout] = theirs.each_ref().map(|end| end.try_clone().unwrap());
    (start((stdin, stdout), (input, output)), theirs)
}

fn set_nonblocking(ends: &[OwnedFd]) {
    for end in ends {
        ioctl_fionbio(end, true).unwrap();
    }
}

/// Over one socket for both, non-blocking at both ends, as Node.js makes them.
fn over_a_socket() -> Server<Patient, Patient> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    let both = (theirs.try_clone().unwrap().into(), theirs.into());
    start(both, (Patient(ours.try_clone().unwrap()), Patient(ours)))
}

/// Our end of a socket that is non-blocking.
struct Patient(UnixStream);

impl Patient {
    fn wait(&self, ready: PollFlags) {
        let _ = poll(&mut [PollFd::new(&self.0, ready)], None);
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.wait(PollFlags::IN);
        self.0.read(buffer)
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.wait(PollFlags::OUT);
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<I: Write, O: Read> Server<I, O> {
    fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }

    fn recv(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {} bytes", line.len()))
    }

    fn shake_hands(&mut self) {
        let client = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        self.send(&request(1, "initialize", params));
        assert_eq!(self.recv()["id"], 1);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    /// Sends a message in two halves, with a pause in which the server finds nothing.
    fn send_in_halves(&mut self, message: &Value) {
        let line = format!("{message}\n");
        let (first, second) = line.as_bytes().split_at(line.len() / 2);
        let input = self.input.as_mut().unwrap();
        input.write_all(first).unwrap();
        thread::sleep(Duration::from_millis(20));
        input.write_all(second).unwrap();
    }

    /// Large messages in, and more out than any buffer on the way has, while nothing is read.
    fn exchange(&mut self) {
        let padding = "x".repeat(500_000);
        self.send_in_halves(&call(2, "factorial", json!({ "n": 5, "x": padding })));
        assert_eq!(self.recv()["id"], 2);
        for id in 3..63 {
            self.send(&request(
                id,
                "resources/read",
                json!({ "uri": "data://large" }),
            ));
        }
        thread::sleep(Duration::from_millis(100));
        let mut length = 0;
        for id in 3..63 {
            let answer = self.recv();
            assert_eq!(answer["id"], id);
            length += answer.to_string().len();
        }
        assert!(length > 5 * (64 << 10), "only {length}");
    }

    fn end(mut self) {
        self.input = None;
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

impl<I, O> Drop for Server<I, O> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn pipes_that_do_not_block_are_waited_for() {
    let (mut server, ends) = over_pipes(true);
    drop(ends);
    server.shake_hands();
    server.exchange();
    server.end();
}

#[test]
fn the_flag_may_come_at_any_time() {
    let (mut server, ends) = over_pipes(false);
    server.shake_hands();
    set_nonblocking(&ends);
    server.exchange();
    server.exchange();
    drop(ends);
    server.end();
}

#[test]
fn a_socket_that_does_not_block_is_waited_for() {
    let mut server = over_a_socket();
    server.shake_hands();
    server.exchange();
    // Both of our handles are of one socket.
    let _ = server
        .output
        .get_ref()
        .0
        .shutdown(std::net::Shutdown::Write);
    server.end();
}

/// Nor does it change the flag, which is of others too.
#[cfg(target_os = "linux")]
#[test]
fn waiting_takes_no_time_of_the_cpu() {
    let (mut server, ends) = over_pipes(true);
    server.shake_hands();
    let pid = server.child.id();
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit(')').next().unwrap().to_owned();
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    let before = used();
    thread::sleep(Duration::from_millis(500));
    // A tick is 10 ms; one that spins takes 50 of them.
    assert!(used() - before < 10);
    for fd in [0, 1] {
        let flags = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap();
        let flags = flags
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_eq!(flags & 0o4000, 0o4000, "O_NONBLOCK of {fd}");
    }
    drop(ends);
    server.end();
}
