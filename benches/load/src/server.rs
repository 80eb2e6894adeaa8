//! A server as a child process that lives no longer than its handle.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use crate::Result;

const PATIENCE: Duration = Duration::from_secs(10);

/// An HTTP server on a loopback port of its own choice.
pub(crate) struct Server {
    child: ChildGuard,
    pub(crate) address: SocketAddr,
}

/// Kills and reaps on drop, so that a failed run leaves nothing behind.
pub(crate) struct ChildGuard(pub(crate) Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = ChildGuard(command.stderr(Stdio::piped()).spawn()?);
        let stderr = child.0.stderr.take().ok_or("no stderr")?;
        let (found, address) = mpsc::channel();
        thread::spawn(move || watch(stderr, &found));
        let name = Path::new(command.get_program())
            .file_name()
            .map_or_else(Default::default, OsStr::to_string_lossy);
        match address.recv_timeout(PATIENCE) {
            Ok(Ok(address)) => Ok(Self { child, address }),
            Ok(Err(said)) => Err(format!("{name} ended before it listened:\n{said}").into()),
            Err(_) => Err(format!("{name} does not say where it listens").into()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }
}

/// Tells the address, then goes on reading: a full pipe would block the server.
fn watch(stderr: ChildStderr, found: &Sender<std::result::Result<SocketAddr, String>>) {
    let mut stderr = BufReader::new(stderr);
    let mut said = String::new();
    let mut line = String::new();
    while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(address) = listening_at(&line) {
            drop(found.send(Ok(address)));
            drop(io::copy(&mut stderr, &mut io::sink()));
            return;
        }
        said.push_str(&line);
        line.clear();
    }
    drop(found.send(Err(said)));
}

fn listening_at(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let (address, _) = rest.split_once("/mcp")?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::listening_at;

    #[test]
    fn the_address_is_found_in_a_sentence() {
        let found = listening_at("INFO pymcp listens on http://127.0.0.1:4711/mcp, stop with ^C");
        assert_eq!(found, Some(([127, 0, 0, 1], 4711).into()));
        assert_eq!(listening_at("http://127.0.0.1:4711/sse"), None);
    }
}
