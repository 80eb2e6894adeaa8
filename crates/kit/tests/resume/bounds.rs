//! How much is kept, for how long, and what has nothing of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pymcp_kit::session::{SessionLimits, StreamLimits};
use pymcp_kit::transport::http::HttpConfig;
use serde_json::{Value, json};

use super::stage::*;

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
async fn a_session_whose_client_may_come_back_is_not_forgotten() {
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
    // One that was used later, and is forgotten: what is local is gone then, such as the number of a stream.
    let idle = stage.session("2025-11-25").await;
    let mut listened = idle.get(None).await;
    let beginning = listened.next().await;
    drop(listened);
    tokio::time::sleep(Duration::from_millis(600)).await;
    while idle.get(Some(beginning.id())).await.status != 400 {
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    stage.open();
    assert!(stage.finished().await);
    let mut resumed = session.get(priming.id.as_deref()).await;
    assert!(resumed.rest().await.last().unwrap().is_answer());
}
