//! Sessions that go on at another replica and after a restart: their ids hold them.

use std::time::Duration;

use pymcp_kit::session::SessionLimits;
use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, Effect, Elicited, Error, KeyRing, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::stage::*;

async fn ask(ctx: Ctx) -> Result<String> {
    match ctx.elicit::<bool>("Really?").await? {
        Elicited::Accepted(yes) => Ok(format!("{yes}")),
        _ => Ok("declined".into()),
    }
}

/// A replica with these keys, the signing one first.
async fn replica(keys: &[u8]) -> Stage {
    replica_with(keys, SessionLimits::default()).await
}

async fn replica_with(keys: &[u8], sessions: SessionLimits) -> Stage {
    let config = HttpConfig {
        sessions,
        ..patient()
    };
    Stage::serving(server(keys), config).await
}

fn server(keys: &[u8]) -> Server {
    let keys = keys
        .iter()
        .map(|byte| (format!("key {byte}"), vec![*byte; 32]));
    Server::builder("test", "1.0.0")
        .tool(Tool::new("whole", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("all of it")
        }))
        .tool(Tool::new("ask", |ctx: Ctx, _: NoArgs| ask(ctx)).effects([Effect::AsksUser]))
        .keys(KeyRing::new(keys).unwrap())
        .build()
        .unwrap()
}

/// The status of a ping.
async fn ping(stage: &Stage, session: &str) -> u16 {
    let headers = format!("{session}\n{JSON}");
    let message = request("p", "ping", json!({}));
    stage.post("/mcp", &headers, &message).await.status
}

async fn delete(stage: &Stage, session: &str) -> u16 {
    stage.send("DELETE", "/mcp", session, "").await.status
}

#[tokio::test]
async fn two_replicas_with_the_same_keys_are_one_server() {
    let replicas = [replica(&[1]).await, replica(&[1]).await];
    let capabilities = json!({ "elicitation": {} });
    let session = replicas[0].session("2025-06-18", capabilities).await;
    let headers = format!("{session}\nMCP-Protocol-Version: 2025-06-18\n{BOTH}");
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(replicas[1].post("/mcp", &headers, &note).await.status, 202);
    for turn in 0..10 {
        let stage = &replicas[turn % 2];
        let called = stage.post("/mcp", &headers, &call(1, "whole")).await;
        let text = &called.answer()["result"]["content"][0]["text"];
        assert_eq!(text, "all of it", "{turn}");
        let listed = stage
            .post("/mcp", &headers, &request(2, "tools/list", json!({})))
            .await;
        assert_eq!(
            listed.answer()["result"]["tools"].as_array().unwrap().len(),
            2
        );
    }
    // What the client can do is known everywhere: it is asked, on the stream of its own call.
    for stage in &replicas {
        let mut stream = stage
            .open(
                "POST",
                "/mcp",
                &format!("Content-Type: application/json\n{headers}"),
                &call(3, "ask").to_string(),
            )
            .await;
        let asked = data(&mut stream).await.unwrap();
        assert_eq!(asked["method"], "elicitation/create");
        let result = json!({ "action": "accept", "content": { "value": true } });
        let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        assert_eq!(stage.post("/mcp", &headers, &answer).await.status, 202);
        let answer = data(&mut stream).await.unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], "true", "{answer}");
    }
    // One that cannot be asked is not, anywhere.
    let deaf = replicas[0].session("2025-11-25", json!({})).await;
    for stage in &replicas {
        let asked = stage
            .post("/mcp", &format!("{deaf}\n{BOTH}"), &call(4, "ask"))
            .await;
        let told = asked.answer().to_string();
        assert!(told.contains("does not support elicitation"), "{told}");
    }
}

#[tokio::test]
async fn a_get_stream_opens_at_a_replica_that_has_never_seen_the_session() {
    let replicas = [replica(&[1]).await, replica(&[1]).await];
    let session = replicas[0].session("2025-11-25", json!({})).await;
    let headers = format!("{session}\n{STREAM}");
    let mut stream = replicas[1].open("GET", "/mcp", &headers, "").await;
    // Its beginning, so that it is open.
    while !line(&mut stream)
        .await
        .expect("a stream")
        .starts_with("id: ")
    {}
    // Changes are told there as to any session.
    let components = replicas[1].server.components();
    assert!(components.switch(pymcp_kit::Kind::Tool, "ask", false));
    let told = data(&mut stream).await.unwrap();
    assert_eq!(told["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_session_outlives_its_server() {
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (before, config) = (server(&[1]), patient());
    let address = listener.local_addr().unwrap();
    let stage = Stage {
        server: before.clone(),
        address,
    };
    let serving = tokio::spawn(serve(listener, before, config, async {
        let _ = stopped.await;
    }));
    let session = stage.session("2025-11-25", json!({})).await;
    assert_eq!(ping(&stage, &session).await, 200);
    stop.send(()).unwrap();
    soon(serving).await.unwrap();
    let after = replica(&[1]).await;
    assert_eq!(ping(&after, &session).await, 200);
}

#[tokio::test]
async fn keys_are_rotated_while_sessions_last() {
    let old = replica(&[1]).await.session("2025-11-25", json!({})).await;
    let both = replica(&[2, 1]).await;
    assert_eq!(ping(&both, &old).await, 200);
    let new = both.session("2025-11-25", json!({})).await;
    let last = replica(&[2]).await;
    assert_eq!(
        (ping(&last, &new).await, ping(&last, &old).await),
        (200, 404)
    );
    // Without the keys it is a session that has ended, and initializing again works.
    assert_eq!(delete(&last, &old).await, 404);
    let again = last.session("2025-11-25", json!({})).await;
    assert_eq!(ping(&last, &again).await, 200);
}

#[tokio::test]
async fn a_server_without_keys_signs_for_itself() {
    let (one, two) = (Stage::new().await, Stage::new().await);
    let session = one.session("2025-11-25", json!({})).await;
    assert_eq!(
        (ping(&one, &session).await, ping(&two, &session).await),
        (200, 404)
    );
}

#[tokio::test]
async fn a_session_that_was_ended_stays_ended_where_that_was_heard() {
    let replicas = [replica(&[1]).await, replica(&[1]).await];
    let session = replicas[0].session("2025-11-25", json!({})).await;
    // A replica that has never seen it takes the end of it as well.
    assert_eq!(delete(&replicas[1], &session).await, 200);
    assert_eq!(delete(&replicas[1], &session).await, 404);
    assert_eq!(ping(&replicas[1], &session).await, 404);
    // The others go on until they are told.
    assert_eq!(ping(&replicas[0], &session).await, 200);
    assert_eq!(delete(&replicas[0], &session).await, 200);
    for stage in &replicas {
        assert_eq!(ping(stage, &session).await, 404);
        let refused = stage
            .send("GET", "/mcp", &format!("{session}\n{STREAM}"), "")
            .await;
        assert_eq!(refused.status, 404);
    }
}

#[tokio::test]
async fn a_session_is_over_after_its_lifetime() {
    let at_once = SessionLimits {
        lifetime: Duration::ZERO,
        ..SessionLimits::default()
    };
    let (short, long) = (replica_with(&[1], at_once).await, replica(&[1]).await);
    let session = short.session("2025-11-25", json!({})).await;
    // The clocks of two replicas may stand on both sides of a second: one is asked that has sealed it.
    assert_eq!(ping(&short, &session).await, 404);
    assert_eq!(delete(&short, &session).await, 404);
    assert_eq!(
        ping(&short, &long.session("2025-11-25", json!({})).await).await,
        200
    );
}

/// Every refusal is the same, to the byte.
#[tokio::test]
async fn a_changed_id_is_no_session_and_says_no_more_than_that() {
    let stage = replica(&[1]).await;
    let session = stage.session("2025-11-25", json!({})).await;
    let stranger = replica(&[2]).await.session("2025-11-25", json!({})).await;
    let ended = stage.session("2025-11-25", json!({})).await;
    assert_eq!(delete(&stage, &ended).await, 200);
    let message = request("p", "ping", json!({}));
    let refused = async |session: &str| {
        let headers = format!("{session}\n{JSON}");
        let refused = stage.post("/mcp", &headers, &message).await;
        assert_eq!(refused.status, 404, "{session}");
        refused.body
    };
    let first = refused(&stranger).await;
    assert_eq!(refused(&ended).await, first);
    let start = session.find(": ").unwrap() + 2;
    for at in start..session.len() {
        let other = if session.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        let mut changed = session.clone();
        changed.replace_range(at..=at, other);
        assert_eq!(refused(&changed).await, first);
    }
    assert_eq!(ping(&stage, &session).await, 200);
}

#[tokio::test]
async fn an_id_is_short_whatever_the_client_calls_itself() {
    let (one, two) = (replica(&[1]).await, replica(&[1]).await);
    for name in ["", "x", &"long ".repeat(900), &"\u{1f40d}".repeat(1000)] {
        let mut hello = initialize("2025-11-25", json!({}));
        hello["params"]["clientInfo"] = json!({ "name": name, "version": name, "title": name });
        let opened = one.post("/mcp", BOTH, &hello).await;
        let id = opened.header("mcp-session-id").expect("a session");
        assert!(id.len() <= 400, "{}", id.len());
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
        assert_eq!(ping(&two, &format!("Mcp-Session-Id: {id}")).await, 200);
    }
}

/// What is local is missed gracefully at a replica that does not have it.
#[tokio::test]
async fn what_is_local_is_missed_gracefully() {
    let replicas = [replica(&[1]).await, replica(&[1]).await];
    let session = replicas[0].session("2025-11-25", json!({})).await;
    let headers = format!("{session}\n{BOTH}");
    // The answer to a question of somebody else, and a call that is not cancelled here.
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": {} });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    for message in [answer, cancel] {
        assert_eq!(
            replicas[1].post("/mcp", &headers, &message).await.status,
            202
        );
    }
    // An event that another replica keeps: not a 404, which would tell the client that its session is over.
    let event = format!("{session}\n{STREAM}\nLast-Event-ID: {}-1", "0".repeat(32));
    assert_eq!(
        replicas[1].send("GET", "/mcp", &event, "").await.status,
        400
    );
    let unsubscribe = request(1, "resources/unsubscribe", json!({ "uri": "data://x" }));
    let answered = replicas[1].post("/mcp", &headers, &unsubscribe).await;
    assert_ne!(answered.answer(), Value::Null);
    assert_eq!(ping(&replicas[1], &session).await, 200);
}
