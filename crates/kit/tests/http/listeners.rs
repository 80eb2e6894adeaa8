//! Several GET streams of one session.

use serde_json::json;
use tokio::io::BufReader;
use tokio::net::TcpStream;

use super::stage::*;

/// Streams that one session may have.
const MOST: usize = 8;

struct Listening {
    stage: Stage,
    session: String,
}

impl Listening {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let session = stage.session("2025-11-25", json!({})).await;
        let uri = json!({ "uri": "data://x" });
        let subscribe = request(1, "resources/subscribe", uri);
        stage
            .post("/mcp", &format!("{session}\n{BOTH}"), &subscribe)
            .await;
        Self { stage, session }
    }

    /// Opens a stream, and reads it up to the id that it begins with.
    async fn open(&self, last: Option<&str>) -> (BufReader<TcpStream>, String) {
        let last = last.map_or_else(String::new, |last| format!("\nLast-Event-ID: {last}"));
        let headers = format!("{}\n{STREAM}{last}", self.session);
        let mut stream = self.stage.open("GET", "/mcp", &headers, "").await;
        loop {
            let line = line(&mut stream).await.expect("an id");
            if let Some(id) = line.strip_prefix("id: ") {
                return (stream, id.to_owned());
            }
        }
    }

    fn update(&self) {
        self.stage.server.components().updated("data://x");
    }
}

async fn hears(stream: &mut BufReader<TcpStream>) {
    let message = data(stream).await.expect("a message");
    assert_eq!(message["params"]["uri"], "data://x");
}

#[tokio::test]
async fn each_message_goes_to_one_of_the_streams() {
    let listening = Listening::new().await;
    let mut streams = Vec::new();
    for _ in 0..MOST {
        streams.push(listening.open(None).await.0);
    }
    let headers = format!("{}\n{STREAM}", listening.session);
    let refused = listening.stage.send("GET", "/mcp", &headers, "").await;
    assert_eq!(refused.status, 409);
    let sentence = refused.answer()["error"]["message"].clone();
    assert!(sentence.as_str().unwrap().contains('8'), "{sentence}");
    for _ in 0..3 {
        listening.update();
    }
    let mut newest = streams.pop().unwrap();
    for _ in 0..3 {
        hears(&mut newest).await;
    }
    // The end of the session is the end of all of them, and nothing more was said on any.
    let ended = listening
        .stage
        .send("DELETE", "/mcp", &listening.session, "")
        .await;
    assert_eq!(ended.status, 200);
    streams.push(newest);
    for stream in &mut streams {
        assert_eq!(data(stream).await, None);
    }
}

#[tokio::test]
async fn a_stream_that_is_left_leaves_its_place_and_its_messages_to_the_others() {
    let listening = Listening::new().await;
    let (mut first, _) = listening.open(None).await;
    let (second, _) = listening.open(None).await;
    drop(second);
    // The server notices in its own time that a client is gone; what it has sent there is lost.
    let heard = tokio::spawn(async move { hears(&mut first).await });
    while !heard.is_finished() {
        listening.update();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    heard.await.unwrap();
}

#[tokio::test]
async fn a_stream_is_opened_again_in_place_of_itself_only() {
    let listening = Listening::new().await;
    let (mut first, first_id) = listening.open(None).await;
    let (mut second, second_id) = listening.open(None).await;
    assert_ne!(first_id, second_id);
    let (mut again, again_id) = listening.open(Some(&first_id)).await;
    assert_eq!(again_id, first_id);
    assert_eq!(data(&mut first).await, None);
    listening.update();
    hears(&mut again).await;
    let (mut newest, _) = listening.open(Some(&second_id)).await;
    assert_eq!(data(&mut second).await, None);
    listening.update();
    hears(&mut newest).await;
}
