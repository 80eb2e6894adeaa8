//! Batches are of one legacy revision: what belongs to the modern era is refused in them, member by
//! member.

use futures_util::FutureExt;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::{Ctx, Error, NoArgs, Principal, Resource, Result, Server, TaskSupport, Tool};
use serde_json::{Value, json};

use super::client::{able, introduction, soon};

fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": able(),
    });
    json!({ "method": method, "params": params })
}

fn legacy(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params })
}

#[tokio::test(start_paused = true)]
async fn what_is_modern_is_refused_in_a_batch() {
    let work = async |_: Ctx, _: NoArgs| -> Result<&'static str> { Ok("done") };
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("work", work))
        .tool(Tool::new("task", work).task(TaskSupport::Optional))
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .build()
        .unwrap();
    let connection = Connection::new(Principal::ANONYMOUS);
    let receive = |message: Value| {
        let text = message.to_string();
        let body = server.parse(text.as_bytes()).unwrap();
        server
            .receive(&connection, &Permit::unrestricted(), body)
            .into_exchange()
            .ok()
            .unwrap()
    };
    let mut hello = introduction("test");
    hello["protocolVersion"] = json!("2025-03-26");
    let mut hello = legacy("initialize", hello);
    hello["jsonrpc"] = json!("2.0");
    hello["id"] = json!(1);
    soon(receive(hello.clone()).next_event()).await;

    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let refused = [
        modern("tools/call", json!({ "name": "work" })),
        modern("tools/call", json!({ "name": "task" })),
        modern("tools/list", json!({})),
        modern("ping", json!({})),
        modern("no/such", json!({})),
        modern("subscriptions/listen", listen.clone()),
        legacy("subscriptions/listen", listen),
        modern("server/discover", json!({})),
        legacy("server/discover", json!({})),
        legacy("tasks/get", json!({ "taskId": "x" })),
        legacy(
            "tasks/update",
            json!({ "taskId": "x", "inputResponses": {} }),
        ),
        legacy("tasks/cancel", json!({ "taskId": "x" })),
        legacy("skills/list", json!({})),
        // Half an envelope is one: the request claims to be modern.
        json!({ "method": "tools/list", "params": { "_meta": { "io.modelcontextprotocol/protocolVersion": "2025-03-26" } } }),
        json!({ "method": "tools/list", "params": { "_meta": { "io.modelcontextprotocol/clientCapabilities": {} } } }),
        json!({ "method": "initialize", "params": hello["params"] }),
        modern("initialize", json!({})),
    ];
    let served = [
        legacy(
            "tools/call",
            json!({ "name": "work", "_meta": { "progressToken": 1 } }),
        ),
        legacy("tools/list", Value::Null),
        legacy("ping", json!({})),
        legacy("resources/subscribe", json!({ "uri": "data://x" })),
    ];
    let batch: Vec<Value> = refused
        .iter()
        .chain(&served)
        .enumerate()
        .map(|(id, member)| {
            let mut member = member.clone();
            member["jsonrpc"] = json!("2.0");
            member["id"] = json!(id);
            member
        })
        .collect();
    let mut batch = receive(batch.into());
    let Some(Event::Answer(answer)) = batch.next_event().now_or_never().unwrap() else {
        panic!("a subscription began, or something was said");
    };
    let answers: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answers.len(), refused.len() + served.len());
    for (id, member) in refused.iter().chain(&served).enumerate() {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap();
        match id < refused.len() {
            true => assert_eq!(answer["error"]["code"], -32600, "{member}: {answer}"),
            false => assert!(answer["result"].is_object(), "{member}: {answer}"),
        }
    }
}
