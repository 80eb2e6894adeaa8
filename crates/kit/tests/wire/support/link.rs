//! What a client and a server exchange, line by line, over whichever transport: what transcripts are made of.
//!
//! Over stdio a line is a message. Over HTTP a client's line is a request (`method`, `target`, `headers`, `body`), a
//! server's is the beginning of a response (`status`, `headers`, and the `body` when it is no stream) or what comes on
//! the stream that began last (the fields of an event: `id`, `event`, `data` …). `{"close": true}` ends what the client has open, and
//! `{"end": true}` says that the server has ended it.

mod http;
mod stdio;

use pymcp_kit::Server;
use serde_json::{Value, json};

/// How a client talks to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The revision of the protocol.
    pub(crate) version: &'static str,
    pub(crate) transport: Transport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

impl Way {
    pub(crate) fn is_modern(self) -> bool {
        self.version == "2026-07-28"
    }
}

/// A client's end of a transport.
pub(crate) trait Link {
    /// The client's line that carries this message.
    fn line(&self, message: &Value) -> Value;

    /// Does what a client's line says.
    fn play(&mut self, line: &Value);

    /// The next line of the server; panics when none comes.
    fn hear(&mut self) -> Value;
}

/// Starts the server in this process, with one client.
pub(crate) fn connect(server: &Server, way: Way) -> Box<dyn Link> {
    match way.transport {
        Transport::Stdio => Box::new(stdio::Pipe::connect(server)),
        Transport::Http | Transport::Sse => Box::new(http::Browser::connect(server, way)),
    }
}

/// The message that a server's line carries, if it carries one.
pub(crate) fn message(line: &Value) -> Option<&Value> {
    [line, &line["body"], &line["data"]]
        .into_iter()
        .find(|value| value["jsonrpc"] == "2.0")
}

/// The client's line that ends what it has open.
pub(crate) fn close() -> Value {
    json!({ "close": true })
}

/// Whether a server's line says that nothing more comes.
pub(crate) fn is_end(line: &Value) -> bool {
    line["end"] == true
}
