//! When a call says that it goes on: by a clock that is paused.

use std::time::Duration;

use futures_util::FutureExt;
use pymcp_kit::core::{Event, Exchange};
use pymcp_kit::{CallLimits, Ctx, Effect, Elicited, Error, NoArgs, Server, TaskSupport, Tool};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Client, able, accept, soon};

const SECOND: Duration = Duration::from_secs(1);

fn server(heartbeat: Duration) -> Server {
    let silent = async |_: Ctx, _: NoArgs| {
        sleep(SECOND * 50).await;
        Ok::<_, Error>("done")
    };
    let reports = async |ctx: Ctx, _: NoArgs| {
        for step in 0..3 {
            sleep(SECOND * 20).await;
            ctx.progress(f64::from(step), Some(3.0), Some("Step."))
                .await;
            ctx.info("Logged.").await;
        }
        Ok::<_, Error>("done")
    };
    let asks = async |ctx: Ctx, _: NoArgs| {
        Ok::<_, Error>(match ctx.elicit::<bool>("Really?").await? {
            Elicited::Accepted(_) => "accepted",
            _ => "declined",
        })
    };
    let works = async |_: Ctx, _: NoArgs| {
        sleep(SECOND * 1000).await;
        Ok::<_, Error>("done")
    };
    let limits = CallLimits {
        timeout: SECOND * 2000,
        heartbeat,
        ..CallLimits::default()
    };
    Server::builder("test", "1.0.0")
        .tool(Tool::new("silent", silent))
        .tool(Tool::new("reports", reports))
        .tool(Tool::new("asks", asks).effects([Effect::AsksUser]))
        .tool(Tool::new("at_once", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("done")
        }))
        .tool(Tool::new("works", works).task(TaskSupport::Optional))
        .call_limits(limits)
        .build()
        .unwrap()
}

/// What a call says until its end, each with the seconds after which it came.
async fn heard(mut call: Exchange) -> Vec<(u64, Value)> {
    let begun = Instant::now();
    let mut heard = Vec::new();
    while let Some(event) = soon(call.next_event()).await {
        let (Event::Message(bytes) | Event::Answer(pymcp_kit::core::Answer { body: bytes, .. })) =
            event
        else {
            panic!("released");
        };
        heard.push((
            begun.elapsed().as_secs(),
            serde_json::from_slice(&bytes).unwrap(),
        ));
    }
    heard
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "_meta": { "progressToken": "t" } })
}

/// When there was progress, and with which message.
fn progress(heard: &[(u64, Value)]) -> Vec<(u64, String)> {
    let progress = heard
        .iter()
        .filter(|(_, message)| message["method"] == "notifications/progress");
    let values: Vec<_> = progress
        .clone()
        .map(|(_, message)| message["params"]["progress"].as_f64().unwrap())
        .collect();
    assert!(values.windows(2).all(|two| two[0] < two[1]), "{values:?}");
    progress
        .map(|(at, message)| {
            assert_eq!(message["params"]["progressToken"], "t");
            let text = message["params"]["message"].as_str().unwrap();
            (*at, text.to_owned())
        })
        .collect()
}

fn still(at: u64) -> (u64, String) {
    (at, "Still working.".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_silent_call_is_heard_after_every_silence_and_not_after_its_answer() {
    let server = server(SECOND * 15);
    let (legacy, _unsolicited) = Client::legacy(&server).await;
    let call = |name| legacy.start(1, "tools/call", tool(name));
    let said = heard(call("silent")).await;
    assert_eq!(progress(&said), [still(15), still(30), still(45)]);
    assert_eq!((said.len(), said[3].0), (4, 50));
    assert_eq!(said[3].1["result"]["content"][0]["text"], "done");

    // What the handler reports itself counts, and what it logs does not.
    let said = heard(call("reports")).await;
    let step = |at| (at, "Step.".to_owned());
    assert_eq!(
        progress(&said),
        [
            still(15),
            step(20),
            still(35),
            step(40),
            still(55),
            step(60)
        ]
    );
    let last = said
        .iter()
        .rev()
        .find(|(_, one)| one["method"] == "notifications/progress");
    assert_eq!(last.unwrap().1["params"]["progress"], 2.0);
    assert_eq!(last.unwrap().1["params"]["total"], 3.0);

    assert_eq!(heard(call("at_once")).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_who_did_not_ask_hears_anything() {
    let on = server(SECOND * 15);
    let off = server(Duration::ZERO);
    for (server, params) in [(&on, json!({ "name": "silent" })), (&off, tool("silent"))] {
        let (client, _unsolicited) = Client::legacy(server).await;
        assert_eq!(heard(client.start(1, "tools/call", params)).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_client_says_that() {
    let server = server(SECOND * 15);
    let client = Client::asked(&server).await;
    let mut call = client.start(1, "tools/call", tool("asks"));
    let mut next = async || match soon(call.next_event()).await {
        Some(Event::Message(bytes)) => serde_json::from_slice::<Value>(&bytes).unwrap(),
        other => panic!("no message: {other:?}"),
    };
    let question = next().await;
    assert_eq!(question["method"], "elicitation/create");
    for _ in 0..2 {
        assert_eq!(
            next().await["params"]["message"],
            "Waiting for an answer of the client."
        );
    }
    client.answer(question["id"].as_u64().unwrap(), accept(true));
    let said = heard(call).await;
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn neither_a_task_nor_a_subscription_has_one() {
    let server = server(SECOND * 15);
    let client = Client::modern(&server, able());
    let meta = json!({
        "progressToken": "t",
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": able(),
    });
    let with_meta = |mut params: Value| {
        params["_meta"] = meta.clone();
        params
    };
    let bare = Client::stranger(&server);
    let task = bare.start(1, "tools/call", with_meta(tool("works")));
    let said = heard(task).await;
    assert_eq!(said.len(), 1, "{said:?}");
    let id = said[0].1["result"]["taskId"].clone();
    assert!(id.is_string(), "{said:?}");
    sleep(SECOND * 100).await;
    let task = client.result("tasks/get", json!({ "taskId": id })).await;
    assert_eq!(task["status"], "working");

    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let mut listening = bare.start(2, "subscriptions/listen", with_meta(wanted));
    let acknowledged = soon(listening.next_event()).await;
    assert!(matches!(acknowledged, Some(Event::Message(_))));
    let silent = tokio::time::timeout(SECOND * 100, listening.next_event()).await;
    assert!(silent.is_err());
    assert!(listening.next_event().now_or_never().is_none());

    // A modern call has them.
    let said = heard(bare.start(3, "tools/call", with_meta(tool("silent")))).await;
    assert_eq!(progress(&said), [still(15), still(30), still(45)]);
}
