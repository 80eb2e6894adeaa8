//! A silent call says that it goes on, to clients that take a stream and want to hear of it.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::{CallLimits, Ctx, Error, NoArgs, Server, Tool};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::stage::*;

/// A tool that is silent until it is told to end.
async fn stage() -> (Stage, Arc<Notify>) {
    let end = Arc::new(Notify::new());
    let until = Arc::clone(&end);
    let silent = move |_: Ctx, _: NoArgs| {
        let until = Arc::clone(&until);
        async move {
            until.notified().await;
            Ok::<_, Error>("done")
        }
    };
    let limits = CallLimits {
        heartbeat: Duration::from_millis(20),
        ..CallLimits::default()
    };
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("silent", silent))
        .call_limits(limits)
        .build()
        .unwrap();
    (Stage::serving(server, patient()).await, end)
}

#[tokio::test]
async fn a_silent_call_becomes_a_stream_in_both_eras() {
    let (stage, end) = stage().await;
    let mut calls = vec![modern(call(1, "silent"), json!({}))];
    for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        calls.push((stage.session(version, json!({})).await, call(1, "silent")));
    }
    for (headers, message) in calls {
        let headers = format!("Content-Type: application/json\n{headers}\n{BOTH}");
        let mut stream = stage
            .open("POST", "/mcp", &headers, &message.to_string())
            .await;
        let mut last = f64::NEG_INFINITY;
        for _ in 0..3 {
            let beat = data(&mut stream).await.expect("a heartbeat");
            assert_eq!(beat["method"], "notifications/progress", "{beat}");
            let params = &beat["params"];
            assert_eq!(params["progressToken"], 1);
            assert_eq!(params["message"], "Still working.");
            let progress = params["progress"].as_f64().unwrap();
            assert!(progress > last, "{beat}");
            last = progress;
        }
        end.notify_one();
        let mut rest = Vec::new();
        while let Some(message) = data(&mut stream).await {
            rest.push(message);
        }
        let answers = rest.iter().filter(|message| message["id"] == 1);
        assert_eq!(answers.count(), 1, "{rest:?}");
        assert_eq!(rest.last().unwrap()["id"], 1, "{rest:?}");
    }
}

#[tokio::test]
async fn who_takes_json_only_or_sends_no_token_hears_the_answer_alone() {
    let (stage, end) = stage().await;
    let mut without = call(1, "silent");
    without["params"]["_meta"] = json!({});
    let session = stage.session("2025-06-18", json!({})).await;
    let modern = |message: Value| modern(message, json!({}));
    let (with_modern, without_modern) = (modern(call(1, "silent")), modern(without.clone()));
    for ((headers, message), accept) in [
        (with_modern, JSON),
        (without_modern, BOTH),
        ((session.clone(), call(1, "silent")), JSON),
        ((session, without), BOTH),
    ] {
        let headers = format!("{headers}\n{accept}");
        let late = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            end.notify_one();
        };
        let (response, ()) = tokio::join!(stage.post("/mcp", &headers, &message), late);
        assert!(response.is_json(), "{response:?}");
        assert_eq!(response.answer()["result"]["isError"], false);
    }
}
