//! HTTP as it is on the wire: what a client library would refuse to send counts most.

mod client;
mod events;
mod local;
mod session;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use self::client::{Client, Request, Response};
pub(crate) use self::events::Events;
pub(crate) use self::local::{LocalServer, patient};
pub(crate) use self::session::{Session, initialize, mirrored};
use super::process::signal;
use super::stdio::{PATIENCE, command};

/// A program that listens on a port of its own; killed when dropped.
pub(crate) struct HttpServer {
    child: Child,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
    _directory: TempDir,
}

impl HttpServer {
    /// Starts the server and waits until it listens.
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::over("http", args, env)
    }

    /// The same over `http` or `sse`.
    pub(crate) fn over(transport: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let args = [&["serve", "--transport", transport, "--port", "0"], args].concat();
        let mut child = command(directory.path(), &args, env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let pipe = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let stderr = Arc::new(Mutex::new(String::new()));
        let (sink, (sender, listening)) = (Arc::clone(&stderr), channel());
        thread::spawn(move || {
            for line in pipe.lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
                drop(log);
                if let Some((_, rest)) = line.split_once("listening on http://") {
                    let address = rest.split('/').next().unwrap_or_default();
                    let _ = sender.send(address.parse::<SocketAddr>());
                }
            }
        });
        let mut server = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            stderr,
            _directory: directory,
        };
        match listening.recv_timeout(PATIENCE) {
            Ok(Ok(address)) => server.address = address,
            other => panic!("{other:?}\nstderr:\n{}", server.stderr()),
        }
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn ask(&self, request: &Request) -> Response {
        self.connect().ask(request)
    }

    /// Sends a message as a well-behaved client does, plus `headers`.
    pub(crate) fn post(&self, headers: &[(&str, &str)], message: &Value) -> Response {
        let request = Request::post(message.to_string());
        self.ask(
            &headers
                .iter()
                .fold(request, |request, (name, value)| request.and(name, value)),
        )
    }

    /// Sends a request to `/mcp`; `Host` is the server's own address unless `headers` name one.
    pub(crate) fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::new(method, "/mcp").with("Host", &self.address.to_string());
        if headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request = request.without("Host");
        }
        self.ask(
            &headers
                .iter()
                .fold(request.body(body), |request, (name, value)| {
                    request.and(name, value)
                }),
        )
    }

    /// Asks the server to end, as a service manager does.
    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM");
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
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
