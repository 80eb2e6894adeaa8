//! A server with a tool that talks and one that asks, and what clients send to it.

use std::net::SocketAddr;
use std::time::Duration;

use pymcp_kit::transport::http::{Endpoints, HttpConfig, serve};
use pymcp_kit::{Ctx, Effect, Elicited, Error, NoArgs, Resource, Result, Server, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Long enough for a busy machine; nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const BOTH: &str = "Accept: application/json, text/event-stream";
pub(crate) const JSON: &str = "Accept: application/json";
pub(crate) const STREAM: &str = "Accept: text/event-stream";

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

async fn talk(ctx: Ctx) -> Result<&'static str> {
    for i in 0..100 {
        ctx.info(format!("{i}")).await;
        ctx.progress(f64::from(i), None, None).await;
    }
    Ok("talked")
}

async fn ask(ctx: Ctx) -> Result<String> {
    match ctx.elicit::<bool>("Really?").await? {
        Elicited::Accepted(yes) => Ok(format!("{yes}")),
        _ => Ok("declined".into()),
    }
}

/// A silent call is answered whole, however busy the machine is.
pub(crate) fn patient() -> HttpConfig {
    HttpConfig {
        stream_after: PATIENCE * 10,
        keep_alive: PATIENCE * 10,
        ..HttpConfig::default()
    }
}

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::over(Endpoints::Streamable).await
    }

    pub(crate) async fn over(endpoints: Endpoints) -> Self {
        let server = Server::builder("test", "1.0.0")
            .tool(Tool::new("talk", |ctx: Ctx, _: NoArgs| talk(ctx)))
            .tool(Tool::new("ask", |ctx: Ctx, _: NoArgs| ask(ctx)).effects([Effect::AsksUser]))
            .resource(Resource::new("data://x", "x", async |_: Ctx| {
                Ok::<_, Error>("x")
            }))
            .build()
            .unwrap();
        let config = HttpConfig {
            endpoints,
            ..patient()
        };
        Self::serving(server, config).await
    }

    pub(crate) async fn serving(server: Server, config: HttpConfig) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let never = std::future::pending::<()>();
        tokio::spawn(serve(listener, server.clone(), config, never));
        Self { server, address }
    }

    /// The headers of a new session.
    pub(crate) async fn session(&self, version: &str, capabilities: Value) -> String {
        let response = self
            .post("/mcp", BOTH, &initialize(version, capabilities))
            .await;
        let id = response.header("mcp-session-id").expect("a session");
        format!("Mcp-Session-Id: {id}")
    }

    /// Posts a message with these headers, a line each.
    pub(crate) async fn post(&self, target: &str, headers: &str, message: &Value) -> Response {
        let headers = format!("Content-Type: application/json\n{headers}");
        self.send("POST", target, &headers, &message.to_string())
            .await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> Response {
        let stream = self.open(method, target, headers, body).await;
        Response::read(stream).await
    }

    /// Sends a request of HTTP/1.0: the body of its response ends with its connection.
    pub(crate) async fn open(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> BufReader<TcpStream> {
        let lines = headers.lines().filter(|line| !line.is_empty());
        let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        BufReader::new(stream)
    }
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub(crate) fn call(id: u32, tool: &str) -> Value {
    let token = json!({ "progressToken": 1 });
    request(
        id,
        "tools/call",
        json!({ "name": tool, "arguments": {}, "_meta": token }),
    )
}

pub(crate) fn initialize(version: &str, capabilities: Value) -> Value {
    let client = json!({ "name": "test", "version": "1.0" });
    let params =
        json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
    request("hello", "initialize", params)
}

/// A request as modern clients send it, and its headers.
pub(crate) fn modern(mut message: Value, capabilities: Value) -> (String, Value) {
    let meta = &mut message["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    meta["io.modelcontextprotocol/logLevel"] = json!("info");
    let method = message["method"].as_str().unwrap();
    let name = match message["params"]["name"].as_str() {
        Some(name) => format!("\nMcp-Name: {name}"),
        None => String::new(),
    };
    let headers = format!("MCP-Protocol-Version: 2026-07-28\nMcp-Method: {method}{name}");
    (headers, message)
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) async fn read(mut stream: BufReader<TcpStream>) -> Self {
        let mut text = String::new();
        soon(stream.read_to_string(&mut text)).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a response");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// Whether it has a header of this value, maybe among others of its name.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.any(|(known, found)| known.eq_ignore_ascii_case(name) && found == value)
    }

    /// The messages in it, in the form that it has.
    pub(crate) fn messages(&self) -> Vec<Value> {
        match self.header("content-type") {
            Some("application/json") => vec![serde_json::from_str(&self.body).unwrap()],
            Some("text/event-stream") => {
                let data = self
                    .body
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "));
                let data = data.filter(|data| !data.is_empty());
                data.map(|data| serde_json::from_str(data).unwrap())
                    .collect()
            }
            _ => panic!("no message: {self:?}"),
        }
    }

    /// The last of them: the answer.
    pub(crate) fn answer(&self) -> Value {
        self.messages().pop().unwrap_or_else(|| panic!("{self:?}"))
    }

    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type") == Some("application/json")
    }
}

/// The next line of a stream that has data; `None` at its end.
pub(crate) async fn data(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    loop {
        let line = line(stream).await?;
        if let Some(data) = line.strip_prefix("data: ")
            && !data.is_empty()
        {
            return Some(serde_json::from_str(data).unwrap());
        }
    }
}

/// The next line of a stream; `None` at its end.
pub(crate) async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = soon(stream.read_line(&mut line)).await.unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}
