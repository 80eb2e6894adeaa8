//! The traps of sessions and their streams.

use std::thread;
use std::time::Duration;

use pymcp_kit::session::SessionLimits;
use pymcp_kit::testing::message::{call, request};
use pymcp_kit::testing::raw::{Client, Request, Session, initialize};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, Error, NoArgs, Resource, Result, Server, Tool};
use serde_json::json;

use super::local;
use crate::support::gate::Gate;
#[cfg(target_os = "linux")]
use crate::support::memory::peak_memory;
use crate::support::over_http;

/// 2. A session in which a call is in flight, or whose stream is open, is in use. Of another one memory forgets what is
///    local after a while, and serves it all the same.
#[test]
fn sessions_in_use_are_not_forgotten_and_forgotten_ones_go_on() {
    async fn weather(_: Ctx) -> Result<&'static str> {
        Ok("fair")
    }
    async fn who(ctx: Ctx) -> Result<String> {
        Ok(format!("{:?}", ctx.session()))
    }
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .tool(Tool::new("who", |ctx: Ctx, _: NoArgs| who(ctx)))
        .resource(Resource::new("data://weather", "weather", weather))
        .build()
        .unwrap();
    let who = |session: &Session| {
        let answer = session.ask(&call("who", "who", json!({})));
        let text = answer["result"]["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
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
    let (first, second) = (who(&calling), who(&listening));
    // Sessions that were used later than those two, each looked at once: looking is using.
    let idle = (0..100).map(|_| Session::plain(local.address()));
    let idle: Vec<_> = idle.map(|session| (who(&session), session)).collect();
    let ping = request(2, "ping", json!({}));
    let forgotten = idle.iter().any(|(known, session)| {
        thread::sleep(Duration::from_millis(50));
        who(session) != *known
    });
    assert!(forgotten);
    assert_eq!((who(&calling), who(&listening)), (first, second));

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

/// 7. Sessions cost little, and there are only so many.
#[cfg(target_os = "linux")]
#[test]
fn sessions_are_capped_and_lean() {
    const MANY: u64 = 3000;
    let hello = Request::post(initialize("2025-11-25", json!({})).to_string());
    let server = over_http(&["--session-rate", "off"]);
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
    let _streams: Vec<_> = used.iter().map(Session::listen).collect();
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
