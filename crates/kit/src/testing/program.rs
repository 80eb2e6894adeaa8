//! A server's own binary, started as its users start it.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::protocol::Era;

use super::PATIENCE;
use super::client::Client;
use super::raw::{self, Finished, HttpServer, StdioServer};

/// Bytes of stderr that are kept, the first ones.
const MAX_STDERR: usize = 1 << 20;

/// A server's binary, and how to start it.
///
/// ```no_run
/// # const BINARY: &str = "my-server"; // env!("CARGO_BIN_EXE_my-server") in an integration test
/// use pymcp_kit::testing::{Era, Program};
/// use serde_json::json;
///
/// # async fn test() {
/// let program = Program::new(BINARY).env("MY_SERVER_LOG_LEVEL", "debug");
/// for era in [Era::Legacy, Era::Modern] {
///     let mut running = program.stdio();
///     let mut client = running.client(era);
///     assert_eq!(client.call("add", json!({ "a": 1, "b": 2 })).await.text(), "3");
///     drop(client); // which ends its input
///     assert!(running.wait().await.success(), "{}", running.stderr());
/// }
/// let mut running = program.http().await;
/// for era in [Era::Legacy, Era::Modern] {
///     assert_eq!(running.client(era).list_tools().await.len(), 1);
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    binary: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    foreign: Vec<String>,
    directory: Option<PathBuf>,
    patience: Duration,
}

impl Program {
    /// The binary at this path. Environment variables of the tester's own that begin as its settings do (for
    /// `my-server`: with `MY_SERVER_`) are not passed on.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let binary = binary.into();
        let name = binary.file_stem().map(OsStr::to_string_lossy);
        let prefix = name.unwrap_or_default().to_uppercase().replace('-', "_") + "_";
        Self {
            binary,
            args: Vec::new(),
            env: Vec::new(),
            foreign: vec![prefix],
            directory: None,
            patience: PATIENCE,
        }
    }

    /// Adds an argument, behind `serve` and the transport where it is served.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments, behind `serve` and the transport where it is served.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Does not pass on the tester's own environment variables that begin so.
    pub fn without_env(mut self, prefix: impl Into<String>) -> Self {
        self.foreign.push(prefix.into());
        self
    }

    /// Starts it in this directory, instead of the test's own.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Waits so long for anything, instead of 30 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The command that starts it with its arguments alone, for what nothing here starts: with other pipes, say.
    pub fn command(&self) -> std::process::Command {
        self.started_with(&[])
    }

    /// Runs it with its arguments alone (`keys new`, say) and without input, blocking, to its end.
    ///
    /// # Panics
    /// When it cannot be started, or does not end in time.
    pub fn run(&self) -> Finished {
        raw::run(self.command(), self.patience)
    }

    /// Starts it as [`Program::stdio`] does, for bare lines. Blocking, and needs no runtime.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn raw_stdio(&self) -> StdioServer {
        let command = self.started_with(&["serve", "--transport", "stdio"]);
        StdioServer::start(command, self.patience)
    }

    /// Starts it as [`Program::http`] does, for bare requests, with this transport: `http`, or `sse`. Blocking, and
    /// needs no runtime.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen in time.
    pub fn raw_http(&self, transport: &str) -> HttpServer {
        let command = self.started_with(&["serve", "--transport", transport, "--port", "0"]);
        HttpServer::start(command, self.patience)
    }

    /// The command that starts it: these arguments, and its own.
    fn started_with(&self, first: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            let known = name.to_string_lossy();
            if self.foreign.iter().any(|prefix| known.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command
            .args(first)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn spawn(&self, mut command: Command) -> Child {
        command
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.binary.display()))
    }

    /// Starts it with `serve --transport stdio`. To be called in a tokio runtime.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn stdio(&self) -> Running {
        let mut command = Command::from(self.started_with(&["serve", "--transport", "stdio"]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = self.spawn(command);
        let pipes = child.stdin.take().zip(child.stdout.take());
        let pipes = pipes.map(|(stdin, stdout)| Pipes { stdin, stdout });
        let (stderr, _) = watch(child.stderr.take());
        Running {
            child,
            reached: Reached::Pipes(pipes),
            stderr,
            patience: self.patience,
        }
    }

    /// Starts it with `serve --transport http --port 0` and waits for the line on stderr that says
    /// `listening on http://…`.
    ///
    /// # Panics
    /// When it cannot be started, or does not listen in time.
    pub async fn http(&self) -> Running {
        let serve = ["serve", "--transport", "http", "--port", "0"];
        let mut command = Command::from(self.started_with(&serve));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = self.spawn(command);
        let (stderr, listening) = watch(child.stderr.take());
        let mut running = Running {
            child,
            reached: Reached::Pipes(None),
            stderr,
            patience: self.patience,
        };
        let Ok(Ok((address, path))) = timeout(self.patience, listening).await else {
            panic!("it does not listen, and says:\n{}", running.stderr());
        };
        running.reached = Reached::Http(address, path);
        running
    }
}

/// The ends of a process that a client speaks to.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
}

enum Reached {
    /// Until a client has them.
    Pipes(Option<Pipes>),
    Http(SocketAddr, String),
}

/// A server that runs as a process of its own; killed when dropped.
pub struct Running {
    child: Child,
    reached: Reached,
    stderr: Arc<Mutex<String>>,
    patience: Duration,
}

impl Running {
    /// A client of it. There is one over stdio, which ends the server's input when it is dropped, and any number
    /// of them over HTTP.
    ///
    /// # Panics
    /// For a second client over stdio.
    pub fn client(&mut self, era: Era) -> Client {
        let client = match &mut self.reached {
            Reached::Http(address, path) => Client::http(*address, path, era),
            Reached::Pipes(pipes) => match pipes.take() {
                Some(pipes) => Client::process(pipes, era),
                None => panic!("a server has one client over stdio"),
            },
        };
        client.patience(self.patience)
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it serves stdio.
    pub fn address(&self) -> SocketAddr {
        match &self.reached {
            Reached::Http(address, _) => *address,
            Reached::Pipes(_) => panic!("it serves stdio and has no address"),
        }
    }

    /// The id of its process; `None` when that has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has written to stderr so far, at most 1 MiB.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn wait(&mut self) -> ExitStatus {
        match timeout(self.patience, self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => panic!("it cannot be waited for: {error}"),
            Err(_) => panic!(
                "it did not end within {:?}, and says:\n{}",
                self.patience,
                self.stderr()
            ),
        }
    }

    /// Asks it to end, as a service manager does (SIGTERM).
    ///
    /// # Panics
    /// When there is no such process any more.
    #[cfg(unix)]
    pub fn terminate(&self) {
        raw::signal(self.id().expect("it has ended"), "TERM");
    }
}

type Listening = oneshot::Receiver<(SocketAddr, String)>;

/// Keeps what is written, and tells the address that is listened on.
fn watch(
    stderr: Option<impl AsyncRead + Send + Unpin + 'static>,
) -> (Arc<Mutex<String>>, Listening) {
    let kept = Arc::new(Mutex::new(String::new()));
    let (sender, listening) = oneshot::channel();
    if let Some(stderr) = stderr {
        let (mut lines, mut sender) = (BufReader::new(stderr), Some(sender));
        let sink = Arc::clone(&kept);
        tokio::spawn(async move {
            let mut line = Vec::new();
            while let Ok(1..) = lines.read_until(b'\n', &mut line).await {
                let text = String::from_utf8_lossy(&line);
                {
                    let mut kept = sink.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() + text.len() <= MAX_STDERR {
                        kept.push_str(&text);
                    }
                }
                if let Some(found) = address(&text)
                    && let Some(sender) = sender.take()
                {
                    // Nobody waits for it any more.
                    let _ = sender.send(found);
                }
                line.clear();
            }
        });
    }
    (kept, listening)
}

/// The address and path in a line that says `listening on http://127.0.0.1:8000/mcp`.
pub(super) fn address(line: &str) -> Option<(SocketAddr, String)> {
    let (_, url) = line.split_once("listening on http://")?;
    let url = url.split_whitespace().next()?;
    let (address, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let path = if path.is_empty() { "/mcp" } else { path };
    Some((address.parse().ok()?, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_line_is_found() {
        let at = |line| address(line).map(|(address, path)| format!("{address} {path}"));
        let both = "x: listening on http://127.0.0.1:80/mcp and http://[::1]:80/mcp\n";
        assert_eq!(at(both).as_deref(), Some("127.0.0.1:80 /mcp"));
        let six = "x: listening on http://[::1]:9/a/mcp";
        assert_eq!(at(six).as_deref(), Some("[::1]:9 /a/mcp"));
        assert_eq!(
            at("x: listening on http://127.0.0.1:80").as_deref(),
            Some("127.0.0.1:80 /mcp")
        );
        assert_eq!(at("x: listening on /run/x.sock"), None);
        assert_eq!(at("hello"), None);
    }
}
