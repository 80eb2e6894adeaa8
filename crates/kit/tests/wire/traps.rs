//! Ten ways in which servers of this protocol fail in production, and that this one does not have. Those of sessions and of
//! messages are below.

mod messages;
mod sessions;

use std::time::{Duration, Instant};

use pymcp_kit::testing;
use pymcp_kit::testing::message::{call, error, modern};
use pymcp_kit::testing::raw::{Client, LocalServer, Request, Session, mirrored};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
use serde_json::json;

use crate::support::gate::{Fate, Gate};
#[cfg(target_os = "linux")]
use crate::support::memory::peak_memory;
use crate::support::over_http;

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
    let server = over_http(&[]);
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
