//! The wires between a client and a server. Whatever comes is read as it comes, so that nobody waits for a
//! client that does something else.

mod http;
mod lines;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::http::Http;
use self::lines::Lines;
use super::message::is_json_rpc;
use super::program::Pipes;

/// Messages that may wait for the client to look at them.
const QUEUE: usize = 1024;

/// What came: a message, or why what came is none.
pub(super) type Incoming = Result<Value, String>;

pub(super) struct Link {
    wire: Wire,
    incoming: mpsc::Receiver<Incoming>,
}

enum Wire {
    Lines(Lines),
    Http(Box<Http>),
}

/// Why nothing came.
pub(super) enum Silence {
    Closed,
    TimedOut,
    /// It is no JSON-RPC.
    Garbage(String),
}

impl Link {
    /// A message a line, over a pipe in memory.
    pub(super) fn memory(pipe: tokio::io::DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(pipe);
        let (sender, incoming) = mpsc::channel(QUEUE);
        let wire = Wire::Lines(Lines::new(reader, Box::new(writer), sender));
        Self { wire, incoming }
    }

    /// A message a line, over the pipes of a process.
    pub(super) fn process(pipes: Pipes) -> Self {
        let (sender, incoming) = mpsc::channel(QUEUE);
        let wire = Wire::Lines(Lines::new(pipes.stdout, Box::new(pipes.stdin), sender));
        Self { wire, incoming }
    }

    /// Streamable HTTP.
    pub(super) fn http(address: SocketAddr, path: &str) -> Self {
        let (sender, incoming) = mpsc::channel(QUEUE);
        let wire = Wire::Http(Box::new(Http::new(address, path, sender)));
        Self { wire, incoming }
    }

    /// Whether its server hears of changes over a stream that has to be opened.
    pub(super) fn is_http(&self) -> bool {
        matches!(self.wire, Wire::Http(_))
    }

    pub(super) async fn send(&mut self, version: &str, message: &Value) -> io::Result<()> {
        match &mut self.wire {
            Wire::Lines(lines) => lines.send(message).await,
            Wire::Http(http) => http.post(version, message).await,
        }
    }

    /// Opens the stream of what belongs to no request, where there is one (legacy, HTTP).
    pub(super) async fn listen(&mut self, version: &str) -> io::Result<()> {
        match &mut self.wire {
            Wire::Lines(_) => Ok(()),
            Wire::Http(http) => http.listen(version).await,
        }
    }

    pub(super) async fn next(&mut self, patience: Duration) -> Result<Value, Silence> {
        match timeout(patience, self.incoming.recv()).await {
            Ok(Some(Ok(message))) => Ok(message),
            Ok(Some(Err(why))) => Err(Silence::Garbage(why)),
            Ok(None) => Err(Silence::Closed),
            Err(_) => Err(Silence::TimedOut),
        }
    }
}

/// Reads a message, and sees that it is JSON-RPC.
fn parse(text: &[u8]) -> Incoming {
    let shown = || String::from_utf8_lossy(text).trim_end().to_owned();
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("{error}: {}", shown()))?;
    match is_json_rpc(&value) {
        true => Ok(value),
        false => Err(format!("no JSON-RPC: {}", shown())),
    }
}
