//! Requests over HTTP/1.1 and HTTP/2, to a server that wants tokens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use pymcp_kit::auth::jwt::JwtConfig;
use pymcp_kit::auth::{Authentication, Scopes};
use pymcp_kit::transport::http::{Endpoints, HttpConfig, bind, serve};
use pymcp_kit::{Ctx, Error, NoArgs, Server, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::issuer::{Documents, authenticator, config};

/// Long enough for a busy machine; nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

/// A server whose tools say who calls, as an answer and after a stream has begun.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    /// Calls that have begun.
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Door {
    pub(crate) fn of(documents: &Arc<Documents>, endpoints: Endpoints) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = |streams: bool| {
            let calls = Arc::clone(&calls);
            move |ctx: Ctx, _: NoArgs| {
                calls.fetch_add(1, Ordering::SeqCst);
                async move {
                    if streams {
                        ctx.progress(1.0, None, None).await;
                    }
                    Ok::<_, Error>(ctx.principal().subject().unwrap_or("nobody").to_owned())
                }
            }
        };
        let server = Server::builder("test", "1.0.0")
            .tool(Tool::new("whoami", counted(false)))
            .tool(Tool::new("slowly", counted(true)))
            .build()
            .unwrap();
        let verified = JwtConfig {
            required_scopes: Scopes::parse("stock:read").unwrap(),
            ..config()
        };
        let auth = Authentication {
            authenticator: Some(Arc::new(authenticator(verified, documents))),
            ..Authentication::default()
        };
        let config = HttpConfig {
            endpoints,
            auth,
            // A silent call is answered whole, however busy the machine is.
            stream_after: PATIENCE * 10,
            keep_alive: PATIENCE * 10,
            ..HttpConfig::default()
        };
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let never = std::future::pending::<()>();
        tokio::spawn(serve(listener, server, config, never));
        Self { address, calls }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Sends this and reads the response: to its end, or to the end of an event with the text.
    pub(crate) async fn ask(&self, version: Version, sent: &Sent, until: &str) -> Response {
        match version {
            Version::Http1 => soon(self.ask_http1(sent, until)).await,
            Version::Http2 => soon(self.ask_http2(sent, until)).await,
        }
    }

    async fn ask_http1(&self, sent: &Sent, until: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\n",
            sent.method, sent.target
        );
        for (name, value) in &sent.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &match &sent.body {
            Body::None => "\r\n".to_owned(),
            Body::Whole(body) => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            Body::Never => "Content-Length: 1000\r\n\r\n".to_owned(),
        };
        // What is refused early may not be read whole.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut read = Vec::new();
        loop {
            if let Some(response) = whole(&read, until) {
                return response;
            }
            let length = stream.read_buf(&mut read).await.unwrap();
            assert!(length > 0, "{}", String::from_utf8_lossy(&read));
        }
    }

    async fn ask_http2(&self, sent: &Sent, until: &str) -> Response {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(sent.method)
            .uri(format!("http://localhost{}", sent.target));
        for (name, value) in &sent.headers {
            request = request.header(*name, value);
        }
        if let Body::Never = sent.body {
            request = request.header("content-length", "1000");
        }
        let ends = matches!(sent.body, Body::None);
        let mut requests = requests.ready().await.unwrap();
        let (response, mut stream) = requests
            .send_request(request.body(()).unwrap(), ends)
            .unwrap();
        if let Body::Whole(body) = &sent.body {
            let body = Bytes::copy_from_slice(body.as_bytes());
            stream.send_data(body, true).unwrap();
        }
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut text = String::new();
        while until.is_empty() || !text.contains(until) {
            let Some(data) = body.data().await else { break };
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            text += str::from_utf8(&data).unwrap();
        }
        connection.abort();
        Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body: text,
        }
    }

    /// The id of a session of somebody with this token.
    pub(crate) async fn session(&self, version: &str, token: &str) -> String {
        let hello = Sent::post(initialize(version)).bearer(token);
        let opened = self.ask(Version::Http1, &hello, "").await;
        opened.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }
}

/// A response over HTTP/1.1, if all of it is there, or of a stream as much as is wanted.
fn whole(read: &[u8], until: &str) -> Option<Response> {
    let text = str::from_utf8(read).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: HeaderMap = headers
        .map(|(name, value)| {
            let name = HeaderName::try_from(name).unwrap();
            (name, HeaderValue::try_from(value).unwrap())
        })
        .collect();
    let is_whole = match headers.get("content-length") {
        Some(length) => body.len() >= length.to_str().unwrap().parse().unwrap(),
        None if until.is_empty() => body.ends_with("0\r\n\r\n"),
        None => body.contains(until),
    };
    is_whole.then(|| Response {
        status,
        headers,
        body: body.to_owned(),
    })
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    Whole(String),
    /// It is announced, and never comes.
    Never,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

impl Sent {
    pub(crate) fn post(message: Value) -> Self {
        Self::new("POST", "/mcp", Body::Whole(message.to_string()))
            .with("content-type", "application/json")
            .with("accept", "application/json, text/event-stream")
    }

    /// A modern request, with the headers that say the same.
    pub(crate) fn modern(mut message: Value) -> Self {
        let meta = &mut message["params"]["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        meta["progressToken"] = json!(1);
        let method = message["method"].as_str().unwrap().to_owned();
        let name = message["params"]["name"].as_str().map(str::to_owned);
        let sent = Self::post(message)
            .with("mcp-protocol-version", "2026-07-28")
            .with("mcp-method", &method);
        match name {
            Some(name) => sent.with("mcp-name", &name),
            None => sent,
        }
    }

    pub(crate) fn new(method: &'static str, target: &str, body: Body) -> Self {
        Self {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }
}

pub(crate) fn initialize(version: &str) -> Value {
    let client = json!({ "name": "test", "version": "1.0" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params })
}

pub(crate) fn call(id: u32, tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": {}, "_meta": { "progressToken": 1 } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}
