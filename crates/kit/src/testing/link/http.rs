//! Streamable HTTP: a connection for each request, whose response is read as it comes.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming as Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::protocol::{LATEST_LEGACY, MODERN_VERSION};

use super::{Incoming, parse};

pub(super) struct Http {
    address: SocketAddr,
    path: String,
    session: Option<String>,
    incoming: Sender<Incoming>,
    // Whatever is open ends with the client.
    tasks: JoinSet<()>,
}

impl Http {
    pub(super) fn new(address: SocketAddr, path: &str, incoming: Sender<Incoming>) -> Self {
        Self {
            address,
            path: path.to_owned(),
            session: None,
            incoming,
            tasks: JoinSet::new(),
        }
    }

    /// Posts a message; what it is answered with will come.
    pub(super) async fn post(&mut self, version: &str, message: &Value) -> io::Result<()> {
        let mut request = self
            .request(Method::POST, version, message["method"] == "initialize")
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        if version == MODERN_VERSION {
            let params = &message["params"];
            if let Some(method) = message["method"].as_str() {
                request = request.header("Mcp-Method", method);
            }
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                request = request.header("Mcp-Name", name);
            }
        }
        self.send(request, message.to_string().into()).await
    }

    /// Opens the stream of what belongs to no request.
    pub(super) async fn listen(&mut self, version: &str) -> io::Result<()> {
        let request = self.request(Method::GET, version, false);
        self.send(request.header(ACCEPT, "text/event-stream"), Bytes::new())
            .await
    }

    fn request(&self, method: Method, version: &str, hello: bool) -> http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(&self.path)
            .header(HOST, self.address.to_string());
        // No client sends it before a revision is settled.
        if !hello && [LATEST_LEGACY, MODERN_VERSION].contains(&version) {
            request = request.header("MCP-Protocol-Version", version);
        }
        match &self.session {
            Some(session) => request.header("Mcp-Session-Id", session),
            None => request,
        }
    }

    async fn send(&mut self, request: http::request::Builder, body: Bytes) -> io::Result<()> {
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        let stream = TcpStream::connect(self.address).await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        self.tasks.spawn(async move {
            // What is wrong with it is said to whoever waits for the response.
            let _ = connection.await;
        });
        let response = sender.send_request(request).await;
        let response = response.map_err(io::Error::other)?;
        if let Some(session) = response.headers().get("Mcp-Session-Id") {
            self.session = session.to_str().ok().map(str::to_owned);
        }
        if response.status() != StatusCode::ACCEPTED {
            self.tasks.spawn(read(response, self.incoming.clone()));
        }
        Ok(())
    }
}

/// Reads a response to its end.
async fn read(response: Response<Body>, incoming: Sender<Incoming>) {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        return read_events(response.into_body(), incoming).await;
    }
    let (status, json) = (response.status(), kind.starts_with("application/json"));
    let message = match response.into_body().collect().await {
        Ok(body) if json => parse(&body.to_bytes()),
        Ok(body) => Err(format!(
            "HTTP {status}: {}",
            String::from_utf8_lossy(&body.to_bytes())
        )),
        Err(error) => Err(format!("HTTP {status}: {error}")),
    };
    // A client that is gone wants nothing.
    let _ = incoming.send(message).await;
}

async fn read_events(mut body: Body, incoming: Sender<Incoming>) {
    let (mut buffer, mut data) = (Vec::new(), Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let line = line.trim_ascii_end();
            if let Some(part) = line.strip_prefix(b"data:") {
                data.extend_from_slice(part);
            } else if line.is_empty() && !data.trim_ascii().is_empty() {
                let message = parse(data.trim_ascii());
                data.clear();
                if incoming.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}
