//! Streams that outlive their connection, over HTTP: who gets them, what of them, and who does not.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pymcp_kit::session::{SessionLimits, StreamLimits};
use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, Resource, Result, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Long enough for a busy machine; nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

/// What the calls below do, and where they stand.
struct Stage {
    gate: Arc<Semaphore>,
    said: Arc<AtomicUsize>,
    ended: mpsc::UnboundedReceiver<bool>,
    server: Server,
    address: SocketAddr,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(default)]
struct Args {
    /// Messages before the gate.
    before: usize,
    /// Whether to let the client's connection go then.
    release: bool,
    /// Messages after the gate.
    after: usize,
    /// Bytes of each.
    length: usize,
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
    async fn new(config: HttpConfig) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let said = Arc::new(AtomicUsize::new(0));
        let (end, ended) = mpsc::unbounded_channel();
        let tool = Tool::new("wait", {
            let (gate, said) = (Arc::clone(&gate), Arc::clone(&said));
            move |ctx: Ctx, args: Args| wait(ctx, args, gate.clone(), said.clone(), end.clone())
        });
        let server = Server::builder("test", "1.0.0")
            .tool(tool)
            .resource(Resource::new("data://x", "x", async |_: Ctx| Ok("x")))
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

    fn open(&self) {
        self.gate.add_permits(1);
    }

    /// Waits for the end of a call; whether it came to its end.
    async fn finished(&mut self) -> bool {
        soon(self.ended.recv()).await.unwrap()
    }

    async fn session(&self, version: &'static str) -> Session {
        let client = json!({ "name": "test", "version": "1.0" });
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
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

async fn wait(
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

async fn say(ctx: &Ctx, i: usize, length: usize) {
    ctx.info(format!("{i:0length$}")).await;
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

fn call(id: u32, arguments: Value) -> Value {
    request(
        id,
        "tools/call",
        json!({"name": "wait", "arguments": arguments}),
    )
}

struct Session {
    address: SocketAddr,
    signature: String,
}

impl Session {
    async fn post(&self, message: &Value) -> Stream {
        Stream::post(self.address, &self.signature, message).await
    }

    async fn get(&self, last: Option<&str>) -> Stream {
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!("Accept: text/event-stream\r\n{}{last}", self.signature);
        Stream::open(self.address, "GET", &head, "").await
    }

    async fn delete(&self) {
        let response = Stream::open(self.address, "DELETE", &self.signature, "").await;
        assert_eq!(response.status, 200);
    }
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<String>,
    retry: Option<String>,
    data: String,
}

impl Event {
    fn message(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn is_answer(&self) -> bool {
        self.message()["result"]["structuredContent"]["result"] == "through"
    }

    fn id(&self) -> &str {
        self.id
            .as_deref()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    fn number(&self) -> usize {
        self.id().split_once('-').unwrap().1.parse().unwrap()
    }

    /// An id to begin with, when to come back, and nothing else.
    fn is_priming(&self) -> bool {
        self.data.is_empty() && self.id.is_some() && self.retry.as_deref() == Some("3000")
    }
}

/// A response. HTTP/1.0: its body ends with its connection.
struct Stream {
    status: u16,
    head: Vec<String>,
    body: BufReader<TcpStream>,
}

impl Stream {
    async fn post(address: SocketAddr, head: &str, message: &Value) -> Self {
        let head = format!(
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{head}"
        );
        Self::open(address, "POST", &head, &message.to_string()).await
    }

    async fn open(address: SocketAddr, method: &str, head: &str, body: &str) -> Self {
        let client = Self::send(address, method, head, body).await;
        Self::read(client).await
    }

    async fn send(address: SocketAddr, method: &str, head: &str, body: &str) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} /mcp HTTP/1.0\r\nHost: localhost\r\n{head}Content-Length: {length}\r\n\r\n{body}"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        client
    }

    async fn read(client: TcpStream) -> Self {
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

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.iter().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        soon(self.body.read_line(&mut line)).await.unwrap();
        let line = line.strip_suffix('\n')?;
        Some(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    /// The next event; comments are skipped. `None` at the end.
    async fn event(&mut self) -> Option<Event> {
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

    async fn next(&mut self) -> Event {
        self.event().await.expect("an event")
    }

    /// All events up to the end.
    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    async fn text(mut self) -> String {
        let mut text = String::new();
        soon(self.body.read_to_string(&mut text)).await.unwrap();
        text
    }
}

/// One that begins to stream silent calls at once.
fn eager() -> HttpConfig {
    HttpConfig {
        stream_after: Duration::from_millis(10),
        ..HttpConfig::default()
    }
}

/// One that never does, so that no test depends on the time it takes.
fn patient() -> HttpConfig {
    HttpConfig {
        stream_after: PATIENCE * 10,
        ..HttpConfig::default()
    }
}

fn with_streams(streams: StreamLimits) -> HttpConfig {
    HttpConfig {
        sessions: SessionLimits {
            streams,
            ..SessionLimits::default()
        },
        ..patient()
    }
}

#[tokio::test]
async fn a_result_that_comes_after_the_connection_was_lost_is_delivered() {
    let mut stage = Stage::new(patient()).await;
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let session = stage.session(version).await;
        let mut posted = session.post(&call(1, json!({"before": 3}))).await;
        if version == "2025-11-25" {
            assert!(posted.next().await.is_priming());
        }
        let (first, second) = (posted.next().await, posted.next().await);
        assert_eq!([first.number(), second.number()], [1, 2], "{version}");
        assert_eq!(first.message()["params"]["data"]["msg"], "0");
        drop(posted);
        stage.open();
        assert!(stage.finished().await, "{version}");
        // Twice: the second connection may be lost as well.
        for _ in 0..2 {
            let mut events = session.get(Some(first.id())).await.rest().await;
            if version == "2025-11-25" {
                let priming = events.remove(0);
                assert!(priming.is_priming() && priming.id == first.id);
            }
            let numbers: Vec<usize> = events.iter().map(Event::number).collect();
            assert_eq!(numbers, [2, 3, 4], "{version}");
            assert_eq!(events[0], second, "{version}");
            assert!(events[2].is_answer(), "{version}");
        }
    }
}

#[tokio::test]
async fn a_resumed_stream_goes_on_and_takes_over() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session
        .post(&call(1, json!({"before": 1, "after": 1})))
        .await;
    let (priming, said) = (posted.next().await, posted.next().await);
    let mut former = session.get(Some(priming.id())).await;
    assert!(former.next().await.is_priming());
    assert_eq!(former.next().await, said);
    // The body of the POST has ended, although its client was still there.
    assert_eq!(posted.event().await, None);
    let mut later = session.get(Some(said.id())).await;
    assert!(later.next().await.is_priming());
    assert_eq!(former.event().await, None);
    stage.open();
    let rest = later.rest().await;
    assert_eq!(rest.len(), 2);
    assert!(rest[1].is_answer());
}

#[tokio::test]
async fn streams_begin_as_their_revision_has_it() {
    let stage = Stage::new(patient()).await;
    for (version, primed, ids) in [
        ("2025-11-25", true, true),
        ("2025-06-18", false, true),
        ("2025-03-26", false, true),
        ("2024-11-05", false, false),
    ] {
        let session = stage.session(version).await;
        let mut posted = session.post(&call(1, json!({"before": 1}))).await;
        stage.open();
        let mut events = posted.rest().await;
        assert_eq!(events[0].is_priming(), primed, "{version}");
        if primed {
            events.remove(0);
        }
        assert_eq!(events.len(), 2, "{version}");
        for event in &events {
            assert_eq!(
                (event.id.is_some(), &event.retry),
                (ids, &None),
                "{version}"
            );
        }
        // Priming is of use at the session's own stream as well; its id repeats nothing.
        session
            .post(&request(
                2,
                "resources/subscribe",
                json!({"uri": "data://x"}),
            ))
            .await;
        let mut listening = session.get(None).await;
        assert_eq!(listening.status, 200);
        let mut last = None;
        if primed {
            let priming = listening.next().await;
            assert!(priming.is_priming());
            last = priming.id;
        }
        stage.server.components().updated("data://x");
        let update = listening.next().await;
        assert_eq!(update.message()["params"]["uri"], "data://x", "{version}");
        assert_eq!(update.id, None, "{version}");
        if let Some(last) = last {
            let mut again = session.get(Some(&last)).await;
            assert!(again.next().await.is_priming());
            assert_eq!(listening.event().await, None);
            stage.server.components().updated("data://x");
            assert_eq!(again.next().await, update);
        }
    }
}

#[tokio::test]
async fn what_is_complete_already_is_neither_kept_nor_numbered() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    stage.gate.add_permits(2);
    let silent = session.post(&call(1, json!({}))).await;
    assert_eq!(silent.header("content-type"), Some("application/json"));
    let events = session
        .post(&call(2, json!({"before": 2})))
        .await
        .rest()
        .await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.id.is_none()));
}

#[tokio::test]
async fn nobody_elses_events_are_to_be_had() {
    let mut stage = Stage::new(patient()).await;
    let ours = stage.session("2025-11-25").await;
    let mut posted = ours.post(&call(1, json!({"before": 1}))).await;
    let (priming, said) = (posted.next().await, posted.next().await);
    let stream = priming.id().split_once('-').unwrap().0;
    let stranger = format!("{}-1", "0".repeat(32));
    let unwritten = format!("{stream}-99");
    let twice = format!("{}\r\nLast-Event-ID: {}", said.id(), said.id());
    for version in ["2025-11-25", "2025-06-18"] {
        let theirs = stage.session(version).await;
        for id in [priming.id(), said.id(), &stranger] {
            let refused = theirs.get(Some(id)).await;
            assert_eq!(refused.status, 400, "{version} {id}");
            let text = refused.text().await;
            assert!(
                text.contains("-32600") && !text.contains("params"),
                "{text}"
            );
        }
    }
    for id in [&*stranger, &unwritten, &twice] {
        assert_eq!(ours.get(Some(id)).await.status, 400, "{id}");
    }
    // A revision without ids does not look at them.
    let old = stage.session("2024-11-05").await;
    assert_eq!(old.get(Some(said.id())).await.status, 200);
    // Without a session there is nothing to read at all.
    let head = format!(
        "Accept: text/event-stream\r\nLast-Event-ID: {}\r\n",
        said.id()
    );
    let modern = format!("{head}MCP-Protocol-Version: 2026-07-28\r\n");
    for head in [head, modern] {
        let refused = Stream::open(stage.address, "GET", &head, "").await;
        assert_eq!(refused.status, 405);
    }
    // What is no id of ours opens the session's own stream, which has nothing of the others.
    for id in ["", "0", "[/x]", stream] {
        let theirs = stage.session("2025-11-25").await;
        let mut listening = theirs.get(Some(id)).await;
        let own = listening.next().await;
        assert!(own.is_priming() && !own.id().starts_with(stream), "{id}");
        theirs.delete().await;
        assert_eq!(listening.event().await, None, "{id}");
    }
    // Nobody has taken anything from the stream.
    stage.open();
    assert!(stage.finished().await);
    assert!(posted.rest().await[0].is_answer());
}

#[tokio::test]
async fn a_session_has_only_so_many_and_what_is_beyond_them_works_all_the_same() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut streams = Vec::new();
    for id in 0..17 {
        let mut stream = session.post(&call(id, json!({"before": 1}))).await;
        if id < 16 {
            assert!(stream.next().await.is_priming());
        }
        assert_eq!(stream.next().await.id.is_some(), id < 16);
        streams.push(stream);
    }
    for _ in 0..17 {
        stage.open();
    }
    for stream in &mut streams {
        let rest = stream.rest().await;
        assert!(rest.len() == 1 && rest[0].is_answer());
    }
    // Those that have ended make room.
    let mut next = session.post(&call(99, json!({"before": 1}))).await;
    assert!(next.next().await.is_priming());
}

#[tokio::test]
async fn what_nobody_reads_is_dropped_but_for_the_answer() {
    let mut stage = Stage::new(with_streams(StreamLimits {
        events: 4,
        ..StreamLimits::default()
    }))
    .await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session
        .post(&call(1, json!({"before": 1, "after": 1000})))
        .await;
    assert!(posted.next().await.is_priming());
    let said = posted.next().await;
    drop(posted);
    stage.open();
    assert!(stage.finished().await);
    let events = session.get(Some(said.id())).await.rest().await;
    assert!((2..=5).contains(&events.len()), "{events:?}");
    assert!(events.last().unwrap().is_answer());
    assert_eq!(events.last().unwrap().number(), 1002);
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_and_holds_up_nobody_else() {
    const MANY: usize = 600;
    let mut stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let many = json!({"before": 1, "after": MANY, "length": 60_000});
    let mut slow = session.post(&call(1, many)).await;
    stage.open();
    assert!(slow.next().await.is_priming());
    let ping = session.post(&request(2, "ping", json!({}))).await;
    assert!(ping.text().await.contains("result"));
    stage.open();
    let other = session.post(&call(3, json!({}))).await;
    assert!(other.text().await.contains("through"));
    assert!(stage.finished().await);
    // More than network and log can hold: the handler waits.
    assert!(stage.said.load(Ordering::Relaxed) < MANY);
    let events = slow.rest().await;
    let numbers: Vec<usize> = events.iter().map(Event::number).collect();
    assert_eq!(numbers, (1..=MANY + 2).collect::<Vec<_>>());
    assert!(events.last().unwrap().is_answer());
    assert!(stage.finished().await);
}

#[tokio::test]
async fn the_client_of_a_released_stream_comes_back_for_the_rest() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    for before in [0, 2] {
        let mut posted = session
            .post(&call(1, json!({"before": before, "release": true})))
            .await;
        let mut last = posted.next().await.id;
        for event in posted.rest().await {
            last = event.id;
        }
        let mut resumed = session.get(last.as_deref()).await;
        let priming = resumed.next().await;
        assert!(priming.is_priming() && priming.id == last);
        stage.open();
        let rest = resumed.rest().await;
        assert!(rest.len() == 1 && rest[0].is_answer(), "{rest:?}");
    }
}

#[tokio::test]
async fn nothing_is_released_where_nobody_could_come_back() {
    let stage = Stage::new(with_streams(StreamLimits {
        per_session: 0,
        ..StreamLimits::default()
    }))
    .await;
    let mut responses = Vec::new();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let session = stage.session(version).await;
        responses.push(
            session
                .post(&call(1, json!({"before": 1, "release": true})))
                .await,
        );
    }
    let (head, message) = modern(json!({"before": 1, "release": true}));
    responses.push(Stream::post(stage.address, &head, &message).await);
    for _ in &responses {
        stage.open();
    }
    for mut response in responses {
        let events = response.rest().await;
        assert!(events.len() == 2 && events[1].is_answer(), "{events:?}");
    }
}

#[tokio::test]
async fn a_silent_call_becomes_a_stream_that_can_be_resumed() {
    let mut stage = Stage::new(eager()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session.post(&call(1, json!({}))).await;
    let priming = posted.next().await;
    assert!(priming.is_priming());
    stage.open();
    let rest = posted.rest().await;
    assert!(rest.len() == 1 && rest[0].is_answer());
    assert!(stage.finished().await);

    let mut lost = session.post(&call(2, json!({}))).await;
    let priming = lost.next().await;
    drop(lost);
    stage.open();
    assert!(stage.finished().await);
    let mut resumed = session.get(priming.id.as_deref()).await;
    assert!(resumed.next().await.is_priming());
    assert!(resumed.next().await.is_answer());
    assert_eq!(resumed.event().await, None);
}

/// The head and the message of a modern call that wants to hear log messages.
fn modern(arguments: Value) -> (String, Value) {
    let mut message = call(1, arguments);
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/logLevel": "info",
    });
    let head = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: wait\r\n";
    (head.to_owned(), message)
}

#[tokio::test]
async fn modern_responses_have_nothing_of_it() {
    let config = HttpConfig {
        keep_alive: Duration::from_millis(10),
        ..eager()
    };
    let mut stage = Stage::new(config).await;
    for before in [0, 2] {
        let (head, message) = modern(json!({"before": before}));
        // A header that means nothing here.
        let head = format!("{head}Last-Event-ID: {}-1\r\n", "0".repeat(32));
        let response = Stream::post(stage.address, &head, &message).await;
        // A silent one is kept alive by comments.
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        stage.open();
        let text = response.text().await;
        assert_eq!(text.matches("data: ").count(), before + 1, "{text}");
        assert!(text.contains("through"), "{text}");
        assert!(before > 0 || text.starts_with(": keep-alive\n\n"), "{text}");
        for field in ["id:", "retry:"] {
            assert!(!text.lines().any(|line| line.starts_with(field)), "{text}");
        }
        assert!(stage.finished().await);
        // Who leaves has cancelled.
        let left = Stream::post(stage.address, &head, &message).await;
        assert_eq!(left.status, 200);
        drop(left);
        assert!(!stage.finished().await);
    }
}

#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_its_streams() {
    let mut stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session.post(&call(1, json!({"before": 1}))).await;
    let priming = posted.next().await;
    let mut lost = session.post(&call(2, json!({"before": 1}))).await;
    let of_lost = lost.next().await;
    drop(lost);
    session.delete().await;
    assert!(!stage.finished().await);
    assert!(!stage.finished().await);
    assert!(!posted.rest().await.iter().any(Event::is_answer));
    for id in [priming.id(), of_lost.id()] {
        assert_eq!(session.get(Some(id)).await.status, 404);
    }
}

#[tokio::test]
async fn a_session_whose_client_may_come_back_does_not_expire() {
    let config = HttpConfig {
        sessions: SessionLimits {
            idle: Duration::from_millis(300),
            ..SessionLimits::default()
        },
        ..patient()
    };
    let mut stage = Stage::new(config).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session
        .post(&call(1, json!({"before": 1, "release": true})))
        .await;
    let priming = posted.next().await;
    posted.rest().await;
    // One that was used later, and expires.
    let idle = stage.session("2025-11-25").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    while idle
        .get(Some(&format!("{}-0", "0".repeat(32))))
        .await
        .status
        != 404
    {
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    stage.open();
    assert!(stage.finished().await);
    let mut resumed = session.get(priming.id.as_deref()).await;
    assert!(resumed.rest().await.last().unwrap().is_answer());
}
