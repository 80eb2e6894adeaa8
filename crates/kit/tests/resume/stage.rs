//! A server over loopback, and clients that lose their connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pymcp_kit::core::CallLimits;
use pymcp_kit::session::{SessionLimits, StreamLimits};
use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, Effect, Elicited, Error, NoArgs, Resource, Result, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Long enough for a busy machine; nothing here takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Time for which a question waits that nobody can hear.
pub(crate) const UNREAD: Duration = Duration::from_secs(1);

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

/// What the calls below do, and where they stand.
pub(crate) struct Stage {
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) said: Arc<AtomicUsize>,
    pub(crate) ended: mpsc::UnboundedReceiver<bool>,
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Args {
    /// Messages before the gate.
    pub(crate) before: usize,
    /// Whether to let the client's connection go then.
    pub(crate) release: bool,
    /// Messages after the gate.
    pub(crate) after: usize,
    /// Bytes of each.
    pub(crate) length: usize,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            before: 0,
            release: false,
            after: 0,
            length: 1,
        }
    }
}

impl Stage {
    pub(crate) async fn new(config: HttpConfig) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let said = Arc::new(AtomicUsize::new(0));
        let (end, ended) = mpsc::unbounded_channel();
        let tool = Tool::new("wait", {
            let (gate, said) = (Arc::clone(&gate), Arc::clone(&said));
            move |ctx: Ctx, args: Args| wait(ctx, args, gate.clone(), said.clone(), end.clone())
        });
        let limits = CallLimits {
            ask_unread: UNREAD,
            ..CallLimits::default()
        };
        let server = Server::builder("test", "1.0.0")
            .tool(tool)
            .tool(Tool::new("ask", |ctx: Ctx, _: NoArgs| ask(ctx)).effects([Effect::AsksUser]))
            .call_limits(limits)
            .resource(Resource::new("data://x", "x", async |_: Ctx| {
                Ok::<_, Error>("x")
            }))
            .build()
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            server.clone(),
            config,
            std::future::pending::<()>(),
        ));
        Self {
            gate,
            said,
            ended,
            server,
            address,
        }
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(1);
    }

    /// Waits for the end of a call; whether it came to its end.
    pub(crate) async fn finished(&mut self) -> bool {
        soon(self.ended.recv()).await.unwrap()
    }

    pub(crate) async fn session(&self, version: &'static str) -> Session {
        let client = json!({ "name": "test", "version": "1.0" });
        let capabilities = json!({ "elicitation": {} });
        let params = json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
        let hello = request("hello", "initialize", params);
        let response = Stream::post(self.address, "", &hello).await;
        let id = response.header("mcp-session-id").expect("a session");
        let signature = format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {version}\r\n");
        Session {
            address: self.address,
            signature,
        }
    }
}

pub(crate) async fn wait(
    ctx: Ctx,
    args: Args,
    gate: Arc<Semaphore>,
    said: Arc<AtomicUsize>,
    end: mpsc::UnboundedSender<bool>,
) -> Result<&'static str> {
    struct End(bool, mpsc::UnboundedSender<bool>);
    impl Drop for End {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }
    let mut end = End(false, end);
    for i in 0..args.before {
        say(&ctx, i, args.length).await;
    }
    if args.release {
        ctx.release_stream().await;
    }
    gate.acquire().await?.forget();
    for i in 0..args.after {
        say(&ctx, i, args.length).await;
        said.fetch_add(1, Ordering::Relaxed);
    }
    end.0 = true;
    Ok("through")
}

/// Asks, and says what came of it.
async fn ask(ctx: Ctx) -> Result<String> {
    match ctx.elicit::<u8>("How many?").await? {
        Elicited::Accepted(number) => Ok(format!("{number} of them")),
        _ => Ok("none".to_owned()),
    }
}

pub(crate) async fn say(ctx: &Ctx, i: usize, length: usize) {
    ctx.info(format!("{i:0length$}")).await;
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub(crate) fn call(id: u32, arguments: Value) -> Value {
    request(
        id,
        "tools/call",
        json!({"name": "wait", "arguments": arguments}),
    )
}

pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) signature: String,
}

impl Session {
    pub(crate) async fn post(&self, message: &Value) -> Stream {
        Stream::post(self.address, &self.signature, message).await
    }

    pub(crate) async fn get(&self, last: Option<&str>) -> Stream {
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!("Accept: text/event-stream\r\n{}{last}", self.signature);
        Stream::open(self.address, "GET", &head, "").await
    }

    pub(crate) async fn delete(&self) {
        let response = Stream::open(self.address, "DELETE", &self.signature, "").await;
        assert_eq!(response.status, 200);
    }
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<String>,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.message()["result"]["structuredContent"]["result"] == "through"
    }

    pub(crate) fn id(&self) -> &str {
        self.id
            .as_deref()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    pub(crate) fn number(&self) -> usize {
        self.id().split_once('-').unwrap().1.parse().unwrap()
    }

    /// An id to begin with, when to come back, and nothing else.
    pub(crate) fn is_priming(&self) -> bool {
        self.data.is_empty() && self.id.is_some() && self.retry.as_deref() == Some("3000")
    }
}

/// A response. HTTP/1.0: its body ends with its connection.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) head: Vec<String>,
    pub(crate) body: BufReader<TcpStream>,
}

impl Stream {
    pub(crate) async fn post(address: SocketAddr, head: &str, message: &Value) -> Self {
        let head = format!(
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{head}"
        );
        Self::open(address, "POST", &head, &message.to_string()).await
    }

    pub(crate) async fn open(address: SocketAddr, method: &str, head: &str, body: &str) -> Self {
        let client = Self::send(address, method, head, body).await;
        Self::read(client).await
    }

    pub(crate) async fn send(
        address: SocketAddr,
        method: &str,
        head: &str,
        body: &str,
    ) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} /mcp HTTP/1.0\r\nHost: localhost\r\n{head}Content-Length: {length}\r\n\r\n{body}"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        client
    }

    pub(crate) async fn read(client: TcpStream) -> Self {
        let mut stream = Self {
            status: 0,
            head: Vec::new(),
            body: BufReader::new(client),
        };
        loop {
            let line = stream.line().await.expect("a head");
            if line.is_empty() {
                let status = stream.head[0].split(' ').nth(1).unwrap();
                stream.status = status.parse().unwrap();
                return stream;
            }
            stream.head.push(line);
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.iter().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        soon(self.body.read_line(&mut line)).await.unwrap();
        let line = line.strip_suffix('\n')?;
        Some(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    /// The next event; comments are skipped. `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        assert_eq!(self.header("content-type"), Some("text/event-stream"));
        let mut event = Event::default();
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", value)) => event.id = Some(value.to_owned()),
                Some(("retry", value)) => event.retry = Some(value.to_owned()),
                Some(("data", value)) => value.clone_into(&mut event.data),
                Some(("event", "message") | ("", _)) => {}
                None if line.is_empty() && event == Event::default() => {}
                None if line.is_empty() => return Some(event),
                _ => panic!("an unknown line: {line:?}"),
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Event {
        self.event().await.expect("an event")
    }

    /// All events up to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    pub(crate) async fn text(mut self) -> String {
        let mut text = String::new();
        soon(self.body.read_to_string(&mut text)).await.unwrap();
        text
    }
}

/// One that begins to stream silent calls at once.
pub(crate) fn eager() -> HttpConfig {
    HttpConfig {
        stream_after: Duration::from_millis(10),
        ..HttpConfig::default()
    }
}

/// One that never does, so that no test depends on the time it takes.
pub(crate) fn patient() -> HttpConfig {
    HttpConfig {
        stream_after: PATIENCE * 10,
        ..HttpConfig::default()
    }
}

pub(crate) fn with_streams(streams: StreamLimits) -> HttpConfig {
    HttpConfig {
        sessions: SessionLimits {
            streams,
            ..SessionLimits::default()
        },
        ..patient()
    }
}
