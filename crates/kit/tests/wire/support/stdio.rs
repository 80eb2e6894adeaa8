//! Drives a real program over stdio, one line at a time.
//!
//! Every line the server prints on stdout must be JSON-RPC: stdout belongs to the protocol. What the server logs on
//! stderr is kept, and shown when something goes wrong.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a server may take for anything; generous, because test machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One line from the server: as it came, and parsed.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) value: Value,
}

/// Why there is no message.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The server closed its stdout.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// Something came that is not JSON-RPC.
    Garbage { line: String, reason: String },
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed its stdout"),
            Self::TimedOut => write!(f, "nothing came within {PATIENCE:?}"),
            Self::Garbage { line, reason } => {
                write!(
                    f,
                    "a line on stdout that is not JSON-RPC ({reason}): {line}"
                )
            }
        }
    }
}

/// The program, to be started in `directory` with these settings and none of the tester's own.
pub(crate) fn command(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(crate::program());
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if crate::FOREIGN_PREFIXES
            .iter()
            .any(|prefix| known.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
        .args(args)
        .envs(env.iter().copied())
        .current_dir(directory);
    command
}

/// The running program; killed when dropped.
pub(crate) struct StdioServer {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Arc<Mutex<String>>,
    _directory: Option<TempDir>,
}

impl StdioServer {
    /// Starts the server in an empty directory of its own.
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mut server = Self::start_in(directory.path(), args, env);
        server._directory = Some(directory);
        server
    }

    /// Starts the server in `directory`.
    pub(crate) fn start_in(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = command(directory, args, env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");

        let (sender, lines) = channel();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
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

        let stderr = Arc::new(Mutex::new(String::new()));
        let mut pipe = child.stderr.take().expect("stderr is piped");
        let sink = Arc::clone(&stderr);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut chunk) {
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
        });

        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            stderr,
            _directory: None,
        }
    }

    /// Shakes hands (`initialize` has id 1); returns the server's result, or what went wrong.
    pub(crate) fn initialize(
        &mut self,
        version: &str,
        capabilities: &Value,
    ) -> Result<Value, String> {
        self.send(&json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": version,
                "capabilities": capabilities,
                "clientInfo": { "name": "stdio-test", "version": "1.0" },
            },
        }));
        let answer = self.next(PATIENCE).map_err(|silence| silence.to_string())?;
        if answer.value["result"]["protocolVersion"] != version {
            return Err(format!("not {version}: {}", answer.line));
        }
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        Ok(answer.value["result"].clone())
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_line(message.to_string().as_bytes());
    }

    /// Sends the bytes and a newline.
    pub(crate) fn send_line(&mut self, line: &[u8]) {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        self.send_bytes(&bytes);
    }

    /// Sends the bytes as they are. A server that is gone already is noticed when its answer is awaited.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }

    /// The next message; panics when there is none.
    pub(crate) fn recv(&mut self) -> Message {
        self.next(PATIENCE)
            .unwrap_or_else(|silence| panic!("{silence}\nstderr:\n{}", self.stderr()))
    }

    /// The next message, or why there is none.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Message, Silence> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => parse(&line),
            Err(RecvTimeoutError::Timeout) => Err(Silence::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Closed),
        }
    }

    /// Closes the server's stdin, which asks it to end.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // The standard library has no wait with a deadline.
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!(
            "the server did not end within {PATIENCE:?}\nstderr:\n{}",
            self.stderr()
        );
    }

    /// Its process, for signals and measurements.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server has logged so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for StdioServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

/// A request or notification has a method; an answer has an id and either a result or an error with code and message.
fn is_json_rpc(value: &Value) -> bool {
    let has = |key| value.get(key).is_some();
    value["jsonrpc"] == "2.0"
        && match (value.get("method"), value.get("error")) {
            (Some(method), None) => method.is_string() && !has("result"),
            (None, Some(error)) => {
                let described = error["code"].is_i64() && error["message"].is_string();
                has("id") && !has("result") && described
            }
            (None, None) => has("id") && has("result"),
            (Some(_), Some(_)) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_and_ends_with_its_input() {
        let mut server = StdioServer::start(&[], &[]);
        server
            .initialize("2025-11-25", &json!({}))
            .expect("a handshake");
        server.send(&json!({ "jsonrpc": "2.0", "id": "x", "method": "ping" }));
        assert_eq!(
            server.recv().value,
            json!({ "jsonrpc": "2.0", "id": "x", "result": {} })
        );
        server.close_stdin();
        assert!(server.wait().success(), "{}", server.stderr());
        assert!(matches!(server.next(PATIENCE), Err(Silence::Closed)));
    }

    #[test]
    fn only_json_rpc_passes() {
        for good in [
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
            r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        ] {
            assert!(parse(format!("{good}\n").as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "INFO started",
            "",
            "[]",
            r#"{"id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        ] {
            assert!(parse(format!("{bad}\n").as_bytes()).is_err(), "{bad}");
        }
        assert!(
            parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).is_err(),
            "cut off"
        );
    }
}
