//! The conversation: list, call, elicit, sample, progress, cancel, and the end.

use pymcp_kit::testing::message::text;
use pymcp_kit::{Ctx, Effect, Elicited, Form, NoArgs, Question, Result, Sample, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::gate::{Fate, Gate};
use crate::support::link::{Transport, Way, is_end, message};
use crate::support::peer::{Line, Peer};

#[derive(Deserialize, JsonSchema)]
struct Who {
    /// Whom to hail.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct To {
    n: u8,
}

async fn hail(_: Ctx, who: Who) -> Result<String> {
    Ok(format!("Hello, {}!", who.name))
}

async fn guess(ctx: Ctx, _: NoArgs) -> Result<String> {
    let number = Form::<f64>::new("Which number?").named("number");
    Ok(match ctx.ask(number).await? {
        Elicited::Accepted(number) => format!("It is {number}."),
        _ => "Nobody knows.".to_owned(),
    })
}

async fn poem(ctx: Ctx, _: NoArgs) -> Result<String> {
    let line = Sample::text("A line about the sea.", 50).named("line");
    Ok(ctx.ask(line).await?.text().unwrap_or_default())
}

async fn count(ctx: Ctx, to: To) -> Result<u8> {
    for i in 1..=to.n {
        ctx.progress(i.into(), Some(to.n.into()), Some("Counting."))
            .await;
    }
    Ok(to.n)
}

/// The server, and the gate that its tool `gate` waits at.
pub(super) fn server() -> (Server, Gate) {
    let (gate, waiting) = Gate::new();
    let server = Server::builder("transcripts", "1.0.0")
        .instructions("Speak clearly.")
        .tool(Tool::new("hail", hail).description("Hails.").read_only())
        .tool(
            Tool::new("guess", guess)
                .description("Asks the user.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("poem", poem)
                .description("Asks the model.")
                .effects([Effect::UsesModel]),
        )
        .tool(Tool::new("count", count).description("Says how far it is."))
        .tool(waiting.description("Waits until it is stopped."))
        .build()
        .unwrap();
    (server, gate)
}

fn person(method: &str, _: &Value) -> Value {
    let line = json!({ "type": "text", "text": "O sea!" });
    match method {
        "elicitation/create" => json!({ "action": "accept", "content": { "value": 2.5 } }),
        "sampling/createMessage" => {
            json!({ "role": "assistant", "model": "bard", "content": line })
        }
        other => panic!("asked {other}"),
    }
}

/// Has the conversation, and gives all that was said.
pub(super) fn conversation(way: Way) -> Vec<Line> {
    let (server, gate) = server();
    let able = json!({ "elicitation": {}, "sampling": {} });
    let mut peer = Peer::connect(&server, way, able, person);
    if way.is_modern() {
        peer.ask("server/discover", json!({}));
    }
    let listed = peer.ask("tools/list", json!({}));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5);
    let called = peer.call("hail", json!({ "name": "Ada" }));
    assert_eq!(text(&called), "Hello, Ada!");
    assert_eq!(text(&peer.call("guess", json!({}))), "It is 2.5.");
    assert_eq!(text(&peer.call("poem", json!({}))), "O sea!");
    let token = json!({ "progressToken": "far" });
    let counting = json!({ "name": "count", "arguments": { "n": 2 }, "_meta": token });
    assert_eq!(text(&peer.ask("tools/call", counting)), "2");
    assert_eq!(peer.told.len(), 2);
    cancel(&mut peer, &gate);
    assert_eq!(
        text(&peer.call("hail", json!({ "name": "Eve" }))),
        "Hello, Eve!"
    );
    end(&mut peer);
    peer.lines
}

/// Stops a call that has said something.
fn cancel(peer: &mut Peer, gate: &Gate) {
    let way = peer.way;
    let mut waiting = json!({ "name": "gate", "arguments": { "talk": true } });
    if way.is_modern() {
        waiting["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "info" });
    }
    let id = peer.start("tools/call", waiting);
    while message(&peer.hear()).is_none() {}
    gate.started();
    if way.is_modern() && way.transport == Transport::Http {
        // Leaving is how such a call is cancelled.
        peer.close();
    } else {
        let cancelled = json!({ "requestId": id, "reason": "It takes too long." });
        peer.tell("notifications/cancelled", cancelled);
        if way.transport == Transport::Http {
            assert!(is_end(&peer.hear()), "an answer to what was cancelled");
        }
    }
    assert_eq!(gate.fate(), Fate::Cancelled);
}

/// Leaves as the transport wants it.
fn end(peer: &mut Peer) {
    match peer.way.transport {
        Transport::Stdio => {
            peer.close();
            assert!(is_end(&peer.hear()), "more than was asked for");
        }
        Transport::Http if !peer.way.is_modern() => {
            let mut line = peer.line(&json!({ "method": "ping" }));
            let headers = line["headers"].as_object().unwrap().iter();
            let session = headers.filter(|(name, _)| name.starts_with("M"));
            let session: Value = session.map(|(k, v)| (k.clone(), v.clone())).collect();
            line = json!({ "method": "DELETE", "target": line["target"], "headers": session });
            peer.play(line);
            assert_eq!(peer.hear()["status"], 200);
            peer.start("ping", json!({}));
            assert_eq!(peer.hear()["status"], 404);
        }
        Transport::Http => {}
        Transport::Sse => peer.close(),
    }
}
