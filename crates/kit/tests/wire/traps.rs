//! Ten ways in which servers of this protocol fail in production, and that this one does not have.

use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::session::SessionLimits;
use pymcp_kit::testing;
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, Error, NoArgs, Principal, Resource, Result, Server, Tool};
use serde_json::{Value, json};

use crate::support::gate::{Fate, Gate};
use crate::support::http::{
    Client, HttpServer, LocalServer, Request, Session, initialize, mirrored,
};
use crate::support::message::{call, error, modern, request};
use crate::support::process::peak_memory;

fn local(server: &Server, config: HttpConfig) -> LocalServer {
    LocalServer::start(server.clone(), config)
}

fn with_tool(tool: Tool) -> Server {
    Server::builder("test", "1.0.0").tool(tool).build().unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// 1. Small writes wait for the acknowledgement of the one before unless the socket is told not to.
#[test]
fn streamed_answers_are_not_delayed_by_nagle() {
    async fn chat(ctx: Ctx, _: NoArgs) -> Result<()> {
        for _ in 0..3 {
            ctx.info("Well…").await;
            // Has to wait, so that each message is a write of its own.
            tokio::spawn(async {}).await?;
        }
        Ok(())
    }
    let server = local(&with_tool(Tool::new("chat", chat)), HttpConfig::default());
    let mut client = Client::connect(server.address());
    let quiet = modern(call(1, "chat", json!({})), json!({}));
    let mut talkative = quiet.clone();
    talkative["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    let [quiet, talkative] = [quiet, talkative].map(|message| mirrored(&message));
    let mut time = |request: &Request, kind: &str| {
        let started = Instant::now();
        let response = client.ask(request);
        let took = started.elapsed();
        assert_eq!(response.header("content-type"), Some(kind));
        took
    };
    let (json, events): (Vec<_>, Vec<_>) = (0..50)
        .map(|_| {
            (
                time(&quiet, "application/json"),
                time(&talkative, "text/event-stream"),
            )
        })
        .unzip();
    let (json, events) = (median(json), median(events));
    assert!(
        events <= 10 * json,
        "{events:?} as events, {json:?} as JSON"
    );
}

/// 2. A session in which a call is in flight, or whose stream is open, is in use.
#[test]
fn sessions_in_use_do_not_expire_and_expired_ones_are_not_found() {
    async fn weather(_: Ctx) -> Result<&'static str> {
        Ok("fair")
    }
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .resource(Resource::new("data://weather", "weather", weather))
        .build()
        .unwrap();
    let sessions = SessionLimits {
        idle: Duration::from_secs(2),
        ..SessionLimits::default()
    };
    let local = local(
        &server,
        HttpConfig {
            sessions,
            ..HttpConfig::default()
        },
    );
    let calling = Session::plain(local.address());
    let mut waiting = calling.start(&call(1, "gate", json!({})));
    gate.started();
    let listening = Session::plain(local.address());
    listening.ask(&request(
        1,
        "resources/subscribe",
        json!({"uri": "data://weather"}),
    ));
    let mut stream = listening.listen();
    // Sessions that were used later than those two, each looked at once: looking is using.
    let idle: Vec<Session> = (0..100).map(|_| Session::plain(local.address())).collect();
    let ping = request(2, "ping", json!({}));
    let expired = idle.iter().find_map(|session| {
        thread::sleep(Duration::from_millis(50));
        let response = session.post(&ping);
        (response.status != 200).then_some(response)
    });
    assert_eq!(
        expired.expect("a session that expires").refusal(),
        (404, -32600)
    );

    gate.open();
    assert_eq!(
        waiting.response().message()["result"]["structuredContent"]["result"],
        "through"
    );
    assert_eq!(calling.post(&ping).status, 200);
    server.components().updated("data://weather");
    assert_eq!(stream.message()["params"]["uri"], "data://weather");
    assert_eq!(listening.post(&ping).status, 200);
}

/// 3. What a client does not read is dropped, not waited for.
#[test]
fn a_stream_that_nobody_reads_does_not_wedge_its_session() {
    let server = Server::builder("test", "1.0.0")
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .build()
        .unwrap();
    let local = local(&server, HttpConfig::default());
    let session = Session::plain(local.address());
    // Long, so that not so many of them fill what the network holds.
    let long = format!("data://{}", "x".repeat(2000));
    for uri in [&*long, "data://last"] {
        session.ask(&request(1, "resources/subscribe", json!({ "uri": uri })));
    }
    let mut stream = session.listen();
    let (rounds, each) = (160, 64);
    for round in 0..rounds {
        for _ in 0..each {
            server.components().updated(&long);
        }
        assert_eq!(session.ask(&request(round, "ping", json!({})))["id"], round);
    }
    // The stream itself goes on as soon as somebody reads.
    let mut read = 0;
    while stream.message()["params"]["uri"] != "data://last" {
        read += 1;
        server.components().updated("data://last");
    }
    assert!(read < rounds * each, "all of it was kept");
}

/// 4. A call that panics is answered like any other, and nobody else notices.
#[test]
fn a_panicking_tool_is_answered() {
    async fn explode(ctx: Ctx, _: NoArgs) -> Result<u32> {
        ctx.info("About to.").await;
        tokio::task::yield_now().await;
        panic!("hunter2")
    }
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .tool(Tool::new("explode", explode));
    let server = server.build().unwrap();
    let local = local(&server, HttpConfig::default());
    let session = Session::plain(local.address());
    let mut other = session.start(&call("other", "gate", json!({})));
    gate.started();
    let quiet = modern(call(1, "explode", json!({})), json!({}));
    let mut talkative = quiet.clone();
    talkative["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    let legacy = session.request(&call(1, "explode", json!({})));
    // Twice: whatever belongs to a call has been given back.
    for request in [&legacy, &mirrored(&quiet), &mirrored(&talkative), &legacy] {
        let response = Client::connect(local.address()).ask(request);
        assert_eq!(
            (response.status, error(&response.message()).0),
            (200, -32603)
        );
        assert!(!response.body.contains("hunter2"), "{}", response.body);
    }
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut pipe = testing::Client::legacy(&server);
        for _ in 0..2 {
            let exploded = pipe.call("explode", json!({})).await;
            assert_eq!(exploded.error().0, -32603);
        }
        assert_eq!(*pipe.request("ping", json!({})).await.result(), json!({}));
    });
    gate.open();
    assert!(other.response().message()["result"].is_object());
}

/// 5. An id that is used twice at a time still gets two answers.
#[test]
fn both_requests_with_one_id_are_answered_once() {
    let (gate, tool) = Gate::new();
    let server = with_tool(tool);
    let local = local(&server, HttpConfig::default());
    let session = Session::plain(local.address());
    for id in [json!(1), json!("one")] {
        let mut first = session.start(&call(id.clone(), "gate", json!({})));
        gate.started();
        let second = session.post(&call(id.clone(), "gate", json!({})));
        assert_eq!(second.refusal(), (400, -32600));
        assert_eq!(second.message()["id"], id);
        // Another session has ids of its own.
        let elsewhere = Session::plain(local.address());
        let mut third = elsewhere.start(&call(id.clone(), "gate", json!({})));
        gate.started();
        gate.open();
        gate.open();
        for answer in [first.response().message(), third.response().message()] {
            assert_eq!((&answer["id"], answer["result"].is_object()), (&id, true));
        }
        assert_eq!([gate.fate(), gate.fate()], [Fate::Finished, Fate::Finished]);
    }
}

/// 6. A small body does not become a large one in memory.
#[cfg(target_os = "linux")]
#[test]
fn json_is_not_amplified() {
    const LIMIT: usize = 1 << 20;
    let server = HttpServer::start(&[], &[]);
    let session = Session::open(server.address(), "2025-03-26", json!({}));
    let fill = |head: &str, unit: &str, tail: &str| {
        let times = (LIMIT - head.len() - tail.len()) / unit.len();
        format!("{head}{}{}", unit.repeat(times).trim_end_matches(','), tail)
    };
    let bodies: Vec<String> = ["[],", "{},", "0,", "\"\",", "[[[[]]]],"]
        .into_iter()
        .flat_map(|unit| {
            let hail = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hail","arguments":{"name":["#;
            [fill(hail, unit, "]}}}"), fill("[", unit, "]")]
        })
        .collect();
    let honest = session.request(&call(1, "hail", json!({"name": "x".repeat(LIMIT / 2)})));
    assert_eq!(server.ask(&honest).status, 200);
    let before = peak_memory(server.pid());
    for body in &bodies {
        let hostile = session.sign(Request::post(body.as_bytes()));
        assert_eq!(
            server.ask(&hostile).refusal(),
            (400, -32600),
            "{}",
            &body[..100]
        );
    }
    let more = peak_memory(server.pid()) - before;
    assert!(more < 16 << 10, "{more} KiB more");
}

/// 7. Sessions cost little, and there are only so many.
#[cfg(target_os = "linux")]
#[test]
fn sessions_are_capped_and_lean() {
    const MANY: u64 = 3000;
    let hello = Request::post(initialize("2025-11-25", json!({})).to_string());
    let server = HttpServer::start(&[], &[]);
    let mut client = server.connect();
    let mut open = |many| (0..many).for_each(|_| assert_eq!(client.ask(&hello).status, 200));
    open(100);
    let before = peak_memory(server.pid());
    open(MANY);
    let each = (peak_memory(server.pid()) - before) * 1024 / MANY;
    assert!(each < 8 << 10, "{each} bytes each");

    let sessions = SessionLimits {
        max: 3,
        ..SessionLimits::default()
    };
    let server = Server::builder("test", "1.0.0").build().unwrap();
    let local = local(
        &server,
        HttpConfig {
            sessions,
            ..HttpConfig::default()
        },
    );
    let mut client = Client::connect(local.address());
    let statuses: Vec<u16> = (0..5).map(|_| client.ask(&hello).status).collect();
    assert_eq!(statuses, [200; 5], "those that are never used make room");
    let used: Vec<Session> = (0..3).map(|_| Session::plain(local.address())).collect();
    let statuses: Vec<u16> = (0..2).map(|_| client.ask(&hello).status).collect();
    assert_eq!(statuses, [503; 2]);
    let ping = request(1, "ping", json!({}));
    assert!(used.iter().all(|session| session.post(&ping).status == 200));
}

/// 8. No event is repeated to anybody but the session that it belongs to, whatever id is named.
#[test]
fn no_events_are_replayed_to_anyone_else() {
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .build()
        .unwrap();
    let local = local(&server, HttpConfig::default());
    let open = || {
        let session = Session::plain(local.address());
        let uri = json!({"uri": format!("data://{}", session.id)});
        session.ask(&request(1, "resources/subscribe", uri));
        session
    };
    let ours = open();
    let update = |session: &Session| {
        server
            .components()
            .updated(&format!("data://{}", session.id))
    };
    // Our events, of a call and of the stream; some of them while nobody listens.
    let mut calling = ours.start(&call(1, "gate", json!({"talk": true}))).events();
    update(&ours);
    let said = calling.next().unwrap();
    assert!(!said.id.is_empty(), "{said:?}");
    let mut stream = ours.listen();
    update(&ours);
    let event = stream.next().unwrap();
    assert!(event.data.contains(&ours.id), "{event:?}");
    gate.open();
    calling.answer();
    for last in ["0", "1", "0_0", "0/0", &ours.id, "", &said.id] {
        let resuming = |request: Request| request.with("Last-Event-ID", last);
        let nobody = Request::new("GET", "/mcp").with("Accept", "text/event-stream");
        let refused = Client::connect(local.address()).ask(&resuming(nobody));
        assert_eq!(refused.refusal(), (405, -32600), "{last}");
        let other = open();
        let mut client = Client::connect(local.address());
        client.send(resuming(other.listening()).bytes());
        let mut heard = match client.try_events() {
            Ok(heard) => heard,
            Err(refused) => {
                assert_eq!((refused.refusal(), last), ((400, -32600), &*said.id));
                other.listen()
            }
        };
        // The first thing that another session hears is its own.
        update(&ours);
        update(&other);
        assert!(heard.next().unwrap().data.contains(&other.id), "{last}");
    }
}

/// 9. A call costs the same whatever else there is, and lists are nobody else's business.
#[test]
fn cost_per_call_does_not_depend_on_the_number_of_tools() {
    async fn one(_: Ctx, _: NoArgs) -> Result<u32> {
        Ok(1)
    }
    let with = |count: usize| {
        let tools = (0..count).map(|i| Tool::new(format!("tool-{i}"), one));
        tools
            .fold(Server::builder("test", "1.0.0"), |server, tool| {
                server.tool(tool)
            })
            .build()
            .unwrap()
    };
    let body = modern(call(1, "tool-5", json!({})), json!({})).to_string();
    let connection = Connection::stateless(Principal::ANONYMOUS);
    let calls = |server: &Server| {
        let started = Instant::now();
        for _ in 0..100 {
            let reply = server.receive(&connection, server.parse(body.as_bytes()).unwrap());
            let mut exchange = reply.into_exchange().unwrap_or_else(|_| panic!("a call"));
            let event = exchange.next_event().now_or_never();
            assert!(matches!(event, Some(Some(Event::Answer(answer))) if answer.error.is_none()));
        }
        started.elapsed()
    };
    let (few, many) = (with(7), with(1000));
    let (small, large): (Vec<_>, Vec<_>) = (0..51).map(|_| (calls(&few), calls(&many))).unzip();
    let (small, large) = (median(small), median(large));
    assert!(
        large.as_secs_f64() < 1.5 * small.as_secs_f64(),
        "{large:?} with 1000 tools, {small:?} with 7"
    );
}

#[test]
fn lists_are_not_for_shared_caches() {
    let server = HttpServer::start(&[], &[]);
    for method in [
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
        "server/discover",
    ] {
        let response = server.ask(&mirrored(&modern(request(1, method, json!({})), json!({}))));
        let result = &response.message()["result"];
        assert_eq!(result["cacheScope"], "private", "{method}: {result}");
        assert!(result["ttlMs"].is_u64(), "{method}: {result}");
    }
}

/// 10. Whatever is wrong with a message, the answer is JSON-RPC and says what.
#[test]
fn malformed_messages_get_json_rpc_errors() {
    let server = HttpServer::start(&[], &[]);
    let session = Session::plain(server.address());
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("nonsense", -32700),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing",
            -32700,
        ),
        (
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            -32700,
        ),
        (
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            -32700,
        ),
        ("7", -32600),
        ("null", -32600),
        ("{}", -32600),
        ("[]", -32600),
        ("[7]", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
            -32600,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
            -32600,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
            -32600,
        ),
    ] {
        let bare = Request::post(body);
        let stateless = bare.clone().with("MCP-Protocol-Version", "2026-07-28");
        for request in [session.sign(bare.clone()), bare, stateless] {
            let response = server.ask(&request);
            assert_eq!(
                response.header("content-type"),
                Some("application/json"),
                "{body}"
            );
            assert_eq!(response.refusal(), (400, code), "{body}");
        }
    }
}

#[test]
fn bad_params_of_a_known_method_are_invalid_params() {
    let server = HttpServer::start(&[], &[]);
    let session = Session::plain(server.address());
    for (method, params) in [
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 7})),
        ("tools/call", json!({"name": "hail", "arguments": []})),
        ("tools/call", json!([])),
        ("tools/list", json!({"cursor": 7})),
        ("resources/read", json!({})),
        ("resources/read", json!({"uri": "no scheme"})),
        ("prompts/get", json!({"name": []})),
    ] {
        let answer = session.ask(&request(1, method, params.clone()));
        assert_eq!(error(&answer).0, -32602, "{method} {params}");
        if params.is_object() {
            let stateless = mirrored(&modern(request(1, method, params.clone()), json!({})));
            assert_eq!(
                server.ask(&stateless).refusal(),
                (400, -32602),
                "{method} {params}"
            );
        }
    }
    for (method, params) in [
        ("logging/setLevel", json!({"level": 7})),
        ("resources/subscribe", json!({})),
    ] {
        assert_eq!(
            error(&session.ask(&request(1, method, params))).0,
            -32602,
            "{method}"
        );
    }
    let unknown: Value = session.ask(&request(1, "tools/dance", json!({})));
    assert_eq!(error(&unknown).0, -32601);
}
