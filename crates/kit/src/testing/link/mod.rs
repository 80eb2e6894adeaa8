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

/// Reads a message, and sees that it is JSON-RPC: a request or notification has a method; an answer has an id
/// and either a result or an error with code and message.
fn parse(text: &[u8]) -> Incoming {
    let shown = || String::from_utf8_lossy(text).trim_end().to_owned();
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("{error}: {}", shown()))?;
    match is_json_rpc(&value) {
        true => Ok(value),
        false => Err(format!("no JSON-RPC: {}", shown())),
    }
}

fn is_json_rpc(value: &Value) -> bool {
    let has = |key| value.get(key).is_some();
    value["jsonrpc"] == "2.0"
        && match (value.get("method"), value.get("error")) {
            (Some(method), None) => method.is_string() && !has("result"),
            (None, Some(error)) => {
                let described = error["code"].is_i64() && error["message"].is_string();
                described && !has("result")
            }
            (None, None) => has("id") && has("result"),
            (Some(_), Some(_)) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_json_rpc_passes() {
        for good in [
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
        ] {
            assert!(parse(good.as_bytes()).is_ok(), "{good}");
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
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
