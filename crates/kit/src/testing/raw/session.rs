//! Clients of both eras, as far as HTTP tells them apart.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::client::{Client, Request, Response};
use super::events::Events;
use crate::testing::message::{notification, request};

/// What a legacy client sends first.
pub fn initialize(version: &str, capabilities: Value) -> Value {
    let client = json!({ "name": "http-test", "version": "1.0" });
    let params =
        json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
    request("hello", "initialize", params)
}

/// A POST of a request of 2026-07-28 with the headers that repeat what is in it.
pub fn mirrored(message: &Value) -> Request {
    let params = &message["params"];
    let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"]
        .as_str()
        .unwrap_or("2026-07-28");
    let request = Request::post(message.to_string())
        .with("MCP-Protocol-Version", version)
        .with("Mcp-Method", message["method"].as_str().expect("a method"));
    match params["name"].as_str().or(params["uri"].as_str()) {
        Some(name) => request.with("Mcp-Name", name),
        None => request,
    }
}

/// A legacy session.
pub struct Session {
    address: SocketAddr,
    /// Its `Mcp-Session-Id`.
    pub id: String,
    version: String,
}

impl Session {
    /// Shakes hands.
    pub fn open(address: SocketAddr, version: &str, capabilities: Value) -> Self {
        let hello = initialize(version, capabilities);
        let response = Client::connect(address).ask(&Request::post(hello.to_string()));
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.message()["result"]["protocolVersion"], version);
        let id = response
            .header("Mcp-Session-Id")
            .expect("a session id")
            .to_owned();
        let session = Self {
            address,
            id,
            version: version.to_owned(),
        };
        let initialized = session.post(&notification("notifications/initialized", json!({})));
        assert_eq!((initialized.status, &*initialized.body), (202, ""));
        session
    }

    /// One of 2025-11-25 with a client that can be asked for nothing.
    pub fn plain(address: SocketAddr) -> Self {
        Self::open(address, "2025-11-25", json!({}))
    }

    /// Adds the headers of the session.
    pub fn sign(&self, request: Request) -> Request {
        request
            .with("Mcp-Session-Id", &self.id)
            .with("MCP-Protocol-Version", &self.version)
    }

    /// A POST with the headers of the session.
    pub fn request(&self, message: &Value) -> Request {
        self.sign(Request::post(message.to_string()))
    }

    /// Posts a message and reads the response to its end.
    pub fn post(&self, message: &Value) -> Response {
        Client::connect(self.address).ask(&self.request(message))
    }

    /// Posts a request and returns its answer, however it came.
    pub fn ask(&self, message: &Value) -> Value {
        let response = self.post(message);
        assert_eq!(response.status, 200, "{response:?}");
        response.message()
    }

    /// Posts a message on a connection of its own and reads nothing yet.
    pub fn start(&self, message: &Value) -> Client {
        let mut client = Client::connect(self.address);
        client.send(self.request(message).bytes());
        client
    }

    /// The request that opens the GET stream.
    pub fn listening(&self) -> Request {
        self.sign(Request::new("GET", "/mcp").with("Accept", "text/event-stream"))
    }

    /// Opens the GET stream.
    pub fn listen(&self) -> Events {
        let mut client = Client::connect(self.address);
        client.send(self.listening().bytes());
        client.events()
    }

    /// Ends the session.
    pub fn end(&self) -> Response {
        Client::connect(self.address).ask(&self.sign(Request::new("DELETE", "/mcp")))
    }
}
