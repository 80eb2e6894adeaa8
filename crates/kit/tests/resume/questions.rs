//! A question waits for as long as somebody can hear it, and not much longer.

use serde_json::{Value, json};
use tokio::time::sleep;

use super::stage::*;

fn ask(id: u32) -> Value {
    request(id, "tools/call", json!({ "name": "ask", "arguments": {} }))
}

/// The id under which the client is asked, and that of the event if it has one.
async fn asked(stream: &mut Stream) -> (Value, String) {
    loop {
        let event = stream.next().await;
        if !event.data.is_empty() && event.message()["method"] == "elicitation/create" {
            return (event.message()["id"].clone(), event.id.unwrap_or_default());
        }
    }
}

async fn answer(session: &Session, id: Value) {
    let result = json!({ "action": "accept", "content": { "value": 5 } });
    let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    assert_eq!(session.post(&message).await.status, 202);
}

/// The text of the last answer.
fn text(events: &[Event]) -> String {
    let answer = events.last().expect("an answer").message();
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Waits until so many calls work.
async fn in_flight(stage: &Stage, expected: usize) {
    soon(async {
        while stage.server.in_flight() != expected {
            sleep(UNREAD / 50).await;
        }
    })
    .await;
}

#[tokio::test]
async fn questions_that_are_left_alone_keep_nobody_from_working_and_end() {
    let stage = Stage::new(patient()).await;
    // Revisions whose responses can be resumed, and one whose cannot.
    for version in ["2025-11-25", "2025-06-18", "2024-11-05"] {
        let session = stage.session(version).await;
        // Questions are not sent there.
        let _listening = session.get(None).await;
        let mut left = Vec::new();
        for id in 0..16 {
            left.push(session.post(&ask(id)).await);
        }
        let refused = session.post(&ask(99)).await.text().await;
        assert!(refused.contains("16 pending elicitations"), "{refused}");
        drop(left);
        in_flight(&stage, 0).await;
        let other = stage.session(version).await;
        let ping = other.post(&request(1, "ping", json!({}))).await;
        assert!(ping.text().await.contains("result"));
        // They end: the session can be asked again.
        soon(async {
            loop {
                let mut stream = session.post(&ask(100)).await;
                if stream.header("content-type") == Some("text/event-stream") {
                    return asked(&mut stream).await;
                }
                sleep(UNREAD / 10).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_comes_back_in_time_is_still_asked() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session.post(&ask(1)).await;
    let (id, mut event) = asked(&mut posted).await;
    drop(posted);
    // Away for longer in all than a question waits, and each time for less.
    for _ in 0..4 {
        sleep(UNREAD / 3).await;
        let mut resumed = session.get(Some(&event)).await;
        event = resumed.next().await.id().to_owned();
    }
    let mut resumed = session.get(Some(&event)).await;
    sleep(UNREAD * 2).await;
    answer(&session, id).await;
    assert_eq!(text(&resumed.rest().await), "5 of them");
}

#[tokio::test]
async fn whoever_comes_back_too_late_reads_why_it_was_withdrawn() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session.post(&ask(1)).await;
    let (_, event) = asked(&mut posted).await;
    drop(posted);
    sleep(UNREAD * 3).await;
    let told = text(&session.get(Some(&event)).await.rest().await);
    assert!(told.contains("withdrawn"), "{told}");
}
