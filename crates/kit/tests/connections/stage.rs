//! A server over loopback, and clients that send the bytes they are told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::metrics::Metrics;
use pymcp_kit::transport::http::{HttpConfig, bind, serve};
use pymcp_kit::{CallLimits, Ctx, Effect, Elicited, Error, NoArgs, Server, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a busy machine; nothing here takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// More than the system keeps for a client that does not read.
pub(crate) const LARGE: usize = 8 << 20;

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

/// Says that a call is over when it is dropped.
struct Over(Arc<Semaphore>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    /// Lets calls of `wait` end.
    pub(crate) gate: Arc<Semaphore>,
    /// How many of these have begun.
    pub(crate) begun: Arc<Semaphore>,
    /// How many of these are over, answered or not.
    pub(crate) over: Arc<Semaphore>,
    /// How many calls of `ask` were told an answer.
    pub(crate) told: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Stage {
    pub(crate) async fn new(config: HttpConfig) -> Self {
        Self::measured(config, &Metrics::new()).await
    }

    pub(crate) async fn measured(config: HttpConfig, metrics: &Metrics) -> Self {
        let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (told, over) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let wait = {
            let (gate, begun, over) = (Arc::clone(&gate), Arc::clone(&begun), Arc::clone(&over));
            move |_: Ctx, _: NoArgs| {
                let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
                let over = Over(Arc::clone(&over));
                async move {
                    let _over = over;
                    begun.add_permits(1);
                    gate.acquire().await?.forget();
                    Ok::<_, Error>("through")
                }
            }
        };
        let ask = {
            let told = Arc::clone(&told);
            move |ctx: Ctx, _: NoArgs| {
                let told = Arc::clone(&told);
                async move {
                    let answer = ctx.elicit::<u8>("How many?").await?;
                    told.add_permits(1);
                    match answer {
                        Elicited::Accepted(number) => Ok::<_, Error>(format!("{number} of them")),
                        _ => Ok("none".to_owned()),
                    }
                }
            }
        };
        let server = Server::builder("test", "1.0.0")
            .tool(Tool::new("wait", wait))
            .tool(Tool::new("ask", ask).effects([Effect::AsksUser]))
            .tool(
                Tool::new("persist", async |ctx: Ctx, _: NoArgs| {
                    ctx.elicit::<u8>("How many?").await.ok();
                    ctx.elicit::<u8>("How many?").await?;
                    Ok::<_, Error>("through")
                })
                .effects([Effect::AsksUser]),
            )
            .tool(Tool::new("caller", async |ctx: Ctx, _: NoArgs| {
                Ok::<_, Error>(format!("{:?}", ctx.caller()))
            }))
            .tool(Tool::new("large", async |_: Ctx, _: NoArgs| {
                Ok::<_, Error>("x".repeat(LARGE / 2))
            }))
            .call_limits(CallLimits {
                result_bytes: 4 * LARGE,
                ..CallLimits::default()
            })
            .metrics(metrics)
            .build()
            .unwrap();
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, server, config, stopped));
        Self {
            address,
            gate,
            begun,
            over,
            told,
            stop: Some(stop),
            served,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        // What is not read does not get far.
        socket.set_recv_buffer_size(64 << 10).unwrap();
        Client(soon(socket.connect(self.address)).await.unwrap())
    }

    /// A connection on which these bytes have been sent.
    pub(crate) async fn sent(&self, bytes: &str) -> Client {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client
    }

    /// A connection that has had one answer and idles.
    pub(crate) async fn idle(&self) -> Client {
        let mut client = self.connect().await;
        client.ask(&list()).await.unwrap();
        client
    }

    /// Whether a new connection has an answer.
    pub(crate) async fn serves(&self) -> bool {
        let mut client = self.connect().await;
        matches!(client.ask(&list()).await, Some(answer) if answer.starts_with("HTTP/1.1 200"))
    }

    /// The headers of a new session of this revision.
    pub(crate) async fn session(&self, version: &str) -> String {
        let mut client = self.connect().await;
        let answer = client.ask(&posted("/mcp", "", &initialize(version))).await;
        let answer = answer.unwrap();
        let id = answer
            .lines()
            .find(|line| line.starts_with("mcp-session-id: "));
        format!("{}\r\n", id.expect("a session"))
    }

    /// Opens a session of legacy SSE: its stream, and where to post.
    pub(crate) async fn stream(&self) -> (Client, String) {
        let open = "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut stream = self.sent(open).await;
        let endpoint = stream.until("data: ").await;
        let target = endpoint.split("data: ").nth(1).unwrap();
        let target = target.lines().next().unwrap().to_owned();
        (stream, target)
    }

    pub(crate) async fn say(&self, target: &str, message: &Value) {
        let mut client = self.connect().await;
        let told = client.ask(&posted(target, "", message)).await;
        assert!(told.unwrap().starts_with("HTTP/1.1 202"));
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the end of the server.
    pub(crate) async fn ended(self) {
        soon(self.served).await.unwrap();
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: &str) {
        soon(self.0.write_all(bytes.as_bytes())).await.unwrap();
    }

    /// The head and the body of the next answer, if there is one.
    pub(crate) async fn answer(&mut self) -> Option<String> {
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split("content-length: ").nth(1);
                let length = length.map_or(0, |rest| {
                    rest.lines().next().unwrap().parse::<usize>().unwrap()
                });
                if body.len() >= length {
                    return String::from_utf8(answer).ok();
                }
            }
            match soon(self.0.read_buf(&mut answer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// What comes up to the end of the chunk with this text.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        loop {
            let so_far = String::from_utf8_lossy(&read);
            if so_far.contains(text) && so_far.ends_with("\n\r\n") {
                return so_far.into_owned();
            }
            let length = soon(self.0.read_buf(&mut read)).await.unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&read));
        }
    }

    pub(crate) async fn ask(&mut self, request: &str) -> Option<String> {
        soon(self.0.write_all(request.as_bytes())).await.ok()?;
        self.answer().await
    }

    /// Waits until the server has closed it.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        // Either way: what it had not read makes a reset of the close.
        let _ = soon(self.0.read_to_end(&mut rest)).await;
    }

    /// Whether the server has closed it, as far as is known now.
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(
            self.0.try_read(&mut [0; 1]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock
        )
    }
}

fn post(method: &str, name: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({ "_meta": meta });
    let mut header = String::new();
    if !name.is_empty() {
        params["name"] = name.into();
        params["arguments"] = json!({});
        header = format!("Mcp-Name: {name}\r\n");
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: {method}\r\n{header}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A message of a legacy client.
pub(crate) fn posted(target: &str, headers: &str, message: &Value) -> String {
    let body = message.to_string();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn initialize(version: &str) -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({
        "protocolVersion": version,
        "capabilities": { "elicitation": {} },
        "clientInfo": client,
    });
    json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params })
}

pub(crate) fn legacy_call(id: usize, tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": {} });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

/// The client's answer to a question.
pub(crate) fn five(question: usize) -> Value {
    let result = json!({ "action": "accept", "content": { "value": 5 } });
    json!({ "jsonrpc": "2.0", "id": question, "result": result })
}

/// A request that is answered at once.
pub(crate) fn list() -> String {
    post("tools/list", "")
}

pub(crate) fn call(tool: &str) -> String {
    post("tools/call", tool)
}

/// The beginning of a request: not all of its head, or not all of its body.
pub(crate) fn cut(body: bool) -> String {
    let mut request = list();
    let head = request.find("\r\n\r\n").unwrap();
    request.truncate(if body { head + 10 } else { head - 10 });
    request
}
