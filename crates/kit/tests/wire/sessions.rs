//! Legacy sessions over HTTP: how they begin and end, what belongs to them, and to them alone.

use pymcp_kit::session::SessionLimits;
use pymcp_kit::testing::message::{call, notification, request};
use pymcp_kit::testing::raw::{Client, LocalServer, Request, Session, initialize, patient};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, Resource, Result, Server};
use serde_json::{Value, json};

use crate::support::gate::{Fate, Gate};
use crate::support::over_http;

fn ping(id: u32) -> Value {
    request(id, "ping", json!({}))
}

/// A server whose resources a test can change.
fn changing() -> (Server, LocalServer) {
    async fn weather(_: Ctx) -> Result<&'static str> {
        Ok("fair")
    }
    let server = Server::builder("test", "1.0.0")
        .resource(Resource::new("data://weather", "weather", weather))
        .resource(Resource::new("data://tide", "tide", weather))
        .build()
        .unwrap();
    let local = LocalServer::start(server.clone(), HttpConfig::default());
    (server, local)
}

#[test]
fn a_session_lives_from_initialize_to_delete() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    assert!(
        session.id.len() <= 400 && session.id.bytes().all(|byte| byte.is_ascii_graphic()),
        "{}",
        session.id
    );
    assert_eq!(
        session.ask(&ping(1)),
        json!({"jsonrpc": "2.0", "id": 1, "result": {}})
    );
    let ended = session.end();
    assert_eq!((ended.status, &*ended.body), (200, ""));
    for request in [
        session.request(&ping(2)),
        session.listening(),
        session.sign(Request::new("DELETE", "/mcp")),
    ] {
        assert_eq!(server.ask(&request).refusal(), (404, -32600));
    }
}

#[test]
fn every_handshake_opens_another_session() {
    let server = over_http(&[]);
    let sessions: Vec<Session> = (0..20).map(|_| Session::plain(server.address())).collect();
    let ids: std::collections::HashSet<&str> =
        sessions.iter().map(|session| &*session.id).collect();
    assert_eq!(ids.len(), sessions.len());
    sessions[0].end();
    assert!(
        sessions[1..]
            .iter()
            .all(|session| session.ask(&ping(1))["result"].is_object())
    );
}

#[test]
fn only_ids_that_were_handed_out_open_anything() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let with = |id: &str| session.request(&ping(1)).with("Mcp-Session-Id", id);
    let stranger = "0123456789abcdef0123456789abcdef";
    let shouted = session.id.to_uppercase();
    for id in [
        stranger,
        "x",
        "../../etc/passwd",
        &shouted,
        &format!("{}0", session.id),
        &"f".repeat(4000),
    ] {
        // Hex digits without a letter are the same in upper case.
        if id != session.id {
            assert_eq!(server.ask(&with(id)).refusal(), (404, -32600), "{id}");
        }
    }
    assert_eq!(
        server
            .ask(&with(&session.id).and("Mcp-Session-Id", &session.id))
            .refusal(),
        (404, -32600)
    );
    assert_eq!(
        server
            .ask(&with(&session.id).without("Mcp-Session-Id"))
            .refusal(),
        (400, -32600)
    );
    let hello = Request::post(initialize("2025-11-25", json!({})).to_string());
    assert_eq!(
        server
            .ask(&hello.with("Mcp-Session-Id", stranger))
            .refusal(),
        (404, -32600)
    );
}

#[test]
fn a_failed_handshake_opens_none() {
    let server = over_http(&[]);
    for params in [
        json!({}),
        json!({"protocolVersion": "2025-11-25"}),
        json!({"protocolVersion": 1}),
    ] {
        let response = server.post(&[], &request(1, "initialize", params.clone()));
        assert_eq!(response.header("Mcp-Session-Id"), None, "{params}");
        assert!(response.message()["error"].is_object(), "{params}");
    }
}

#[test]
fn every_legacy_revision_is_spoken() {
    let server = over_http(&[]);
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let session = Session::open(server.address(), version, json!({}));
        assert!(
            session.ask(&request(1, "tools/list", json!({})))["result"]["tools"].is_array(),
            "{version}"
        );
        // The header came with 2025-06-18; older clients do not have it.
        let without = session.request(&ping(2)).without("MCP-Protocol-Version");
        assert_eq!(server.ask(&without).status, 200, "{version}");
    }
    for version in ["2024-10-07", "2026-07-28", "", "latest"] {
        let response = server.post(&[], &initialize(version, json!({})));
        assert_eq!(
            response.message()["result"]["protocolVersion"],
            "2025-11-25",
            "{version}"
        );
    }
}

#[test]
fn an_unknown_revision_is_not_served_in_a_session() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let initialized = notification("notifications/initialized", json!({}));
    for message in [&ping(1), &initialized] {
        let unknown = session
            .request(message)
            .with("MCP-Protocol-Version", "1999-01-01");
        assert_eq!(server.ask(&unknown).status, 400, "{message}");
    }
    assert_eq!(session.post(&ping(2)).status, 200);
}

#[test]
fn a_message_goes_to_the_newest_of_several_get_streams() {
    let (server, local) = changing();
    let session = Session::plain(local.address());
    session.ask(&request(
        1,
        "resources/subscribe",
        json!({"uri": "data://weather"}),
    ));
    let older = session.listen();
    let mut newer = session.listen();
    server.components().updated("data://weather");
    assert_eq!(newer.message()["params"]["uri"], "data://weather");
    session.end();
    newer.end();
    older.end();
}

#[test]
fn updates_reach_those_who_subscribed() {
    let (server, local) = changing();
    let subscribe = |session: &Session, method: &str, uri: &str| {
        assert_eq!(
            session.ask(&request(1, method, json!({ "uri": uri })))["result"],
            json!({})
        );
    };
    let [weather, tide] = [(); 2].map(|()| Session::plain(local.address()));
    subscribe(&weather, "resources/subscribe", "data://weather");
    subscribe(&tide, "resources/subscribe", "data://tide");
    let (mut to_weather, mut to_tide) = (weather.listen(), tide.listen());
    server.components().updated("data://weather");
    server.components().updated("data://tide");
    let updated = |uri: &str| json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri }});
    assert_eq!(to_weather.message(), updated("data://weather"));
    assert_eq!(to_tide.message(), updated("data://tide"));
    // After unsubscribing, the next to come is what is still subscribed to.
    subscribe(&tide, "resources/subscribe", "data://weather");
    subscribe(&tide, "resources/unsubscribe", "data://tide");
    server.components().updated("data://tide");
    server.components().updated("data://weather");
    assert_eq!(to_tide.message(), updated("data://weather"));
    // A session that has ended is none of them.
    assert_eq!(weather.end().status, 200);
    assert_eq!(to_weather.message(), updated("data://weather"));
    to_weather.end();
    server.components().updated("data://weather");
    assert_eq!(to_tide.message(), updated("data://weather"));
}

#[test]
fn a_stream_that_is_left_can_be_opened_again() {
    let (server, local) = changing();
    let session = Session::plain(local.address());
    session.ask(&request(
        1,
        "resources/subscribe",
        json!({"uri": "data://weather"}),
    ));
    for _ in 0..3 {
        let deadline = std::time::Instant::now() + pymcp_kit::testing::PATIENCE;
        let mut stream = loop {
            let mut client = Client::connect(local.address());
            client.send(session.listening().bytes());
            match client.try_events() {
                Ok(stream) => break stream,
                // The server has not noticed yet that the last one is gone.
                Err(refused) => assert_eq!(refused.status, 409),
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the stream stays taken"
            );
        };
        server.components().updated("data://weather");
        assert_eq!(stream.message()["params"]["uri"], "data://weather");
    }
}

#[test]
fn an_open_stream_is_kept_alive() {
    let keep_alive = std::time::Duration::from_millis(20);
    let server = Server::builder("test", "1.0.0").build().unwrap();
    let config = HttpConfig {
        keep_alive,
        ..HttpConfig::default()
    };
    let local = LocalServer::start(server, config);
    let mut stream = Session::plain(local.address()).listen();
    let priming = [(); 4].map(|()| stream.line());
    assert!(
        priming[0].starts_with("id: ") && priming[3] == "\n",
        "{priming:?}"
    );
    for _ in 0..3 {
        assert_eq!([stream.line(), stream.line()], [": keep-alive\n", "\n"]);
    }
}

#[test]
fn the_log_level_is_the_sessions_own() {
    let server = over_http(&["--cache-ttl", "0"]);
    let (quiet, talkative) = (
        Session::plain(server.address()),
        Session::plain(server.address()),
    );
    let kind = |session: &Session| {
        let response = session.post(&call(1, "hail", json!({"name": "Ada"})));
        response.header("content-type").map(str::to_owned)
    };
    let set = |session: &Session, level: &str| {
        session.ask(&request(1, "logging/setLevel", json!({ "level": level })))
    };
    assert_eq!(set(&quiet, "error")["result"], json!({}));
    assert_eq!(kind(&quiet).as_deref(), Some("application/json"));
    assert_eq!(kind(&talkative).as_deref(), Some("text/event-stream"));
    assert_eq!(set(&quiet, "loud")["error"]["code"], -32602);
    assert_eq!(kind(&quiet).as_deref(), Some("application/json"));
    set(&quiet, "info");
    assert_eq!(kind(&quiet).as_deref(), Some("text/event-stream"));
}

#[test]
fn ending_a_session_ends_what_it_has_begun() {
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0").tool(tool).build().unwrap();
    let local = LocalServer::start(server, patient());
    let session = Session::plain(local.address());
    let mut silent = session.start(&call(1, "gate", json!({})));
    gate.started();
    let mut talking = session
        .start(&call(2, "gate", json!({"talk": true})))
        .events();
    talking.until("notifications/message");
    gate.started();
    let stream = session.listen();
    session.end();
    assert_eq!(
        [gate.fate(), gate.fate()],
        [Fate::Cancelled, Fate::Cancelled]
    );
    assert_eq!(silent.response().body, "");
    talking.end();
    stream.end();
}

#[test]
fn sessions_can_be_full_and_free_again() {
    let sessions = SessionLimits {
        max: 2,
        ..SessionLimits::default()
    };
    let server = Server::builder("test", "1.0.0").build().unwrap();
    let local = LocalServer::start(
        server,
        HttpConfig {
            sessions,
            ..HttpConfig::default()
        },
    );
    let hello = Request::post(initialize("2025-11-25", json!({})).to_string());
    let first = Session::plain(local.address());
    let second = Session::plain(local.address());
    // What idles would be forgotten for another.
    let _streams = [first.listen(), second.listen()];
    let full = Client::connect(local.address()).ask(&hello);
    assert_eq!(full.refusal(), (503, -31001));
    assert_eq!(full.header("Mcp-Session-Id"), None);
    // When the first of them may have expired.
    let after: u64 = full.header("Retry-After").unwrap().parse().unwrap();
    assert!((1700..=1800).contains(&after), "{after}");
    assert!(
        second.ask(&ping(1))["result"].is_object(),
        "the others are not pushed out"
    );
    first.end();
    assert_eq!(Client::connect(local.address()).ask(&hello).status, 200);
}

mod batches {
    use super::*;

    #[test]
    fn the_revision_that_has_them_gets_one_array_of_answers() {
        let server = over_http(&[]);
        let session = Session::open(server.address(), "2025-03-26", json!({}));
        let answers = session.ask(&json!([
            call(1, "factorial", json!({"n": 5})),
            notification("notifications/roots/list_changed", json!({})),
            call("two", "factorial", json!({"n": 4})),
            request(3, "tools/dance", json!({})),
            {"jsonrpc": "2.0", "id": 4},
            initialize("2025-03-26", json!({})),
        ]));
        let answers = answers.as_array().unwrap();
        let by_id = |id: Value| {
            let mut found = answers.iter().filter(|answer| answer["id"] == id);
            (found.next().unwrap_or(&Value::Null).clone(), found.count())
        };
        assert_eq!(answers.len(), 5, "{answers:?}");
        for (id, result) in [(json!(1), 120), (json!("two"), 24)] {
            let (answer, more) = by_id(id);
            assert_eq!(
                (&answer["result"]["structuredContent"]["result"], more),
                (&json!(result), 0)
            );
        }
        for (id, code) in [
            (json!(3), -32601),
            (json!(4), -32600),
            (json!("hello"), -32600),
        ] {
            let (answer, more) = by_id(id);
            assert_eq!((&answer["error"]["code"], more), (&json!(code), 0));
        }
    }

    #[test]
    fn what_is_said_on_the_way_comes_before_the_array() {
        let server = over_http(&["--cache-ttl", "0"]);
        let session = Session::open(server.address(), "2025-03-26", json!({}));
        let mut events = session
            .start(&json!([
                call(1, "hail", json!({})),
                call(2, "hail", json!({}))
            ]))
            .events();
        assert_eq!(events.message()["method"], "notifications/message");
        assert_eq!(events.message()["method"], "notifications/message");
        assert_eq!(events.message().as_array().map(Vec::len), Some(2));
        events.end();
    }

    #[test]
    fn one_of_notifications_is_accepted() {
        let server = over_http(&[]);
        let session = Session::open(server.address(), "2025-03-26", json!({}));
        let accepted = session.post(&json!([notification(
            "notifications/initialized",
            json!({})
        )]));
        assert_eq!((accepted.status, &*accepted.body), (202, ""));
    }

    #[test]
    fn no_other_revision_has_them() {
        let server = over_http(&[]);
        let batch = json!([ping(1)]);
        for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
            let session = Session::open(server.address(), version, json!({}));
            assert_eq!(session.post(&batch).refusal(), (400, -32600), "{version}");
        }
        let session = Session::open(server.address(), "2025-03-26", json!({}));
        assert_eq!(session.post(&json!([])).refusal(), (400, -32600));
        let many: Value = (0..33).map(ping).collect();
        assert_eq!(session.post(&many).refusal(), (400, -32600));
        // Not without a session either, nor as a modern request.
        assert_eq!(server.post(&[], &batch).refusal(), (400, -32600));
        assert_eq!(
            server
                .post(&[("MCP-Protocol-Version", "2026-07-28")], &batch)
                .refusal(),
            (400, -32600)
        );
    }
}
