//! A program on stdin and stdout, one line at a time.
//!
//! Every line that it prints on stdout must be JSON-RPC: stdout belongs to the protocol.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::ops::{Deref, DerefMut};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Process;
use crate::testing::message::{is_json_rpc, notification, request};

/// One line from the server: as it came, and parsed.
#[derive(Debug, Clone)]
pub struct Message {
    /// The line, without its end.
    pub line: String,
    /// The message in it, or a batch of them.
    pub value: Value,
}

/// Why there is no message.
#[derive(Debug)]
pub enum Silence {
    /// The server closed its stdout.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// Something came that is not JSON-RPC.
    Garbage {
        /// What came.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed its stdout"),
            Self::TimedOut => f.write_str("nothing came in time"),
            Self::Garbage { line, reason } => {
                write!(
                    f,
                    "a line on stdout that is not JSON-RPC ({reason}): {line}"
                )
            }
        }
    }
}

/// A program that speaks on stdin and stdout; killed when dropped. It is a [`Process`] as well.
pub struct StdioServer {
    process: Process,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
}

impl StdioServer {
    pub(in crate::testing) fn start(mut command: Command, patience: Duration) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command, patience, |_| {});
        let (sender, lines) = channel();
        let stdout = process.child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        thread::spawn(move || {
            loop {
                let mut line = Vec::new();
                match stdout.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) if sender.send(line).is_err() => break,
                    Ok(_) => {}
                }
            }
        });
        Self {
            stdin: process.child.stdin.take(),
            process,
            lines,
        }
    }

    /// Shakes hands (`initialize` has id 1); returns the server's result, or what went wrong.
    pub fn initialize(&mut self, version: &str, capabilities: &Value) -> Result<Value, String> {
        let client = json!({ "name": "stdio-test", "version": "1.0" });
        let params = json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
        self.send(&request(1, "initialize", params));
        let answer = self.next(self.process.patience);
        let answer = answer.map_err(|silence| silence.to_string())?;
        if answer.value["result"]["protocolVersion"] != version {
            return Err(format!("not {version}: {}", answer.line));
        }
        self.send(&notification("notifications/initialized", json!({})));
        Ok(answer.value["result"].clone())
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        self.send_line(message.to_string().as_bytes());
    }

    /// Sends the bytes and a newline.
    pub fn send_line(&mut self, line: &[u8]) {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        self.send_bytes(&bytes);
    }

    /// Sends the bytes as they are. A server that is gone already is noticed when its answer is awaited.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }

    /// The next message.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn recv(&mut self) -> Message {
        self.next(self.process.patience)
            .unwrap_or_else(|silence| panic!("{silence}\nstderr:\n{}", self.stderr()))
    }

    /// The next message, or why there is none.
    pub fn next(&mut self, patience: Duration) -> Result<Message, Silence> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => parse(&line),
            Err(RecvTimeoutError::Timeout) => Err(Silence::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Closed),
        }
    }

    /// Sends a request and returns its answer; only notifications may come before it, which are passed over.
    ///
    /// # Panics
    /// When the answer does not come in time, or something else does.
    #[track_caller]
    pub fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        loop {
            let message = self.recv().value;
            if message.get("method").is_none() {
                assert_eq!(message["id"], request["id"], "{message}");
                return message;
            }
            assert!(message.get("id").is_none(), "{message}");
        }
    }

    /// Shows that the server serves and owes nothing: the next message is the answer to a ping.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_silent(&mut self) {
        self.send(&request("fence", "ping", json!({})));
        let silent = json!({ "jsonrpc": "2.0", "id": "fence", "result": {} });
        assert_eq!(self.recv().value, silent, "{}", self.stderr());
    }

    /// Closes the server's stdin, which asks it to end.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }
}

impl Deref for StdioServer {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for StdioServer {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn parse(line: &[u8]) -> Result<Message, Silence> {
    let text = String::from_utf8_lossy(line)
        .trim_end_matches('\n')
        .to_owned();
    let garbage = |reason: String| Silence::Garbage {
        line: text.clone(),
        reason,
    };
    if line.last() != Some(&b'\n') {
        return Err(garbage("no newline at its end".into()));
    }
    let value: Value = serde_json::from_slice(line).map_err(|error| garbage(error.to_string()))?;
    let well_formed = match &value {
        Value::Array(batch) => !batch.is_empty() && batch.iter().all(is_json_rpc),
        single => is_json_rpc(single),
    };
    if !well_formed {
        return Err(garbage("the wrong shape".into()));
    }
    Ok(Message { line: text, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_json_rpc_pass() {
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        for good in [answer.to_owned(), format!("[{answer}]")] {
            assert!(parse(format!("{good}\n").as_bytes()).is_ok(), "{good}");
        }
        for bad in ["INFO started", "", "[]", r#"{"id":1,"result":{}}"#] {
            assert!(parse(format!("{bad}\n").as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(answer.as_bytes()).is_err(), "cut off");
    }
}
