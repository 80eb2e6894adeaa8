//! A program that listens.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Request, Response};
use super::process::Process;
use crate::testing::program::address;

/// A program that listens on a port of its own; killed when dropped. It is a [`Process`] as well.
pub struct HttpServer {
    process: Process,
    address: SocketAddr,
}

impl HttpServer {
    /// Starts it and waits until it says where it listens.
    pub(in crate::testing) fn start(mut command: Command, patience: Duration) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let (sender, listening) = channel();
        let process = Process::start(command, patience, move |line| {
            if let Some((address, _)) = address(line) {
                // Said once more, it is of interest to nobody.
                let _ = sender.send(address);
            }
        });
        match listening.recv_timeout(patience) {
            Ok(address) => Self { process, address },
            Err(_) => panic!("it does not listen, and says:\n{}", process.stderr()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a request on a connection of its own.
    pub fn ask(&self, request: &Request) -> Response {
        self.connect().ask(request)
    }

    /// Sends a message as a well-behaved client does, plus `headers`.
    pub fn post(&self, headers: &[(&str, &str)], message: &Value) -> Response {
        self.ask(&and(Request::post(message.to_string()), headers))
    }

    /// Sends a request to `/mcp`; `Host` is the server's own address unless `headers` name one.
    pub fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::new(method, "/mcp").with("Host", &self.address.to_string());
        if headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request = request.without("Host");
        }
        self.ask(&and(request.body(body), headers))
    }
}

fn and(request: Request, headers: &[(&str, &str)]) -> Request {
    headers
        .iter()
        .fold(request, |request, (name, value)| request.and(name, value))
}

impl Deref for HttpServer {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for HttpServer {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
