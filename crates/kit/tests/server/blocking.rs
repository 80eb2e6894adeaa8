//! Handlers that block: beside everything else, in time, and so many at once.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pymcp_kit::core::{CallLimits, Event};
use pymcp_kit::{BlockingCtx, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};
use tokio::sync::mpsc as told;

use super::client::{Client, soon};

fn call(name: &str) -> Value {
    json!({ "name": name, "arguments": {}, "_meta": { "progressToken": 7 } })
}

fn speak(ctx: BlockingCtx, greeting: &'static str, _: NoArgs) -> Result<String> {
    ctx.check()?;
    ctx.progress(1.0, Some(2.0), Some("half"));
    Ok(format!("{greeting}, {}!", ctx.ctx().server().name))
}

#[tokio::test]
async fn it_says_how_far_it_is_and_has_its_state() {
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::blocking("speak", speak).with("Hello"))
        .build()
        .unwrap();
    let client = Client::legacy(&server).await.0;
    let mut exchange = client.start(2, "tools/call", call("speak"));
    let Some(Event::Message(message)) = exchange.next_event().await else {
        panic!("no progress");
    };
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["params"]["message"], "half");
    let Some(Event::Answer(answer)) = exchange.next_event().await else {
        panic!("no answer");
    };
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, test!");
    let modern = Client::modern(&server, json!({}));
    let result = modern
        .result("tools/call", json!({ "name": "speak" }))
        .await;
    assert_eq!(result["structuredContent"]["result"], "Hello, test!");
}

#[tokio::test]
async fn a_panic_is_an_error_and_frees_the_place() {
    let server = Server::builder("test", "1.0.0")
        .call_limits(CallLimits {
            blocking: 1,
            ..CallLimits::default()
        })
        .tool(Tool::blocking(
            "panic",
            |_: BlockingCtx, _: NoArgs| -> Result<u8> { panic!("on purpose") },
        ))
        .build()
        .unwrap();
    for client in Client::both(&server).await {
        for _ in 0..2 {
            let answer = client.ask("tools/call", json!({ "name": "panic" })).await;
            assert_eq!(answer["error"]["code"], -32603);
        }
    }
}

/// Goes on until it is told to, whatever became of its call; then says whether that had ended.
struct Stubborn {
    release: mpsc::Sender<()>,
    ended: told::UnboundedReceiver<bool>,
    begun: told::UnboundedReceiver<()>,
    server: Server,
}

fn stubborn(blocking: usize) -> Stubborn {
    let (release, released) = mpsc::channel();
    let (tell, ended) = told::unbounded_channel();
    let (begin, begun) = told::unbounded_channel();
    let released = Arc::new(Mutex::new(released));
    let work = move |ctx: BlockingCtx, _: NoArgs| -> Result<&'static str> {
        let _ = begin.send(());
        let _ = released.lock().unwrap().recv();
        let _ = tell.send(ctx.cancelled());
        ctx.check()?;
        Ok("done")
    };
    let server = Server::builder("test", "1.0.0")
        .call_limits(CallLimits {
            blocking,
            ..CallLimits::default()
        })
        .tool(Tool::blocking("work", work).timeout(Duration::from_secs(20)))
        .build()
        .unwrap();
    Stubborn {
        release,
        ended,
        begun,
        server,
    }
}

/// The clock is paused: it goes on as soon as nothing but a timer is waited for.
#[tokio::test(start_paused = true)]
async fn time_that_is_up_is_answered_at_once_and_the_handler_learns_it() {
    let mut stubborn = stubborn(4);
    for client in Client::both(&stubborn.server).await {
        let result = client.result("tools/call", json!({ "name": "work" })).await;
        assert_eq!(result["isError"], true);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("20000 ms"), "{text}");
        stubborn.release.send(()).unwrap();
        assert_eq!(stubborn.ended.recv().await, Some(true));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_keeps_its_place_until_its_handler_returns() {
    let mut stubborn = stubborn(1);
    let client = Client::modern(&stubborn.server, json!({}));
    let mut first = client.start(2, "tools/call", json!({ "name": "work" }));
    tokio::select! {
        _ = first.next_event() => panic!("an answer"),
        begun = stubborn.begun.recv() => assert_eq!(begun, Some(())),
    }
    drop(first);
    let elsewhere = client.elsewhere();
    let mut second = elsewhere.start(3, "tools/call", json!({ "name": "work" }));
    // It looks for a place and finds none.
    assert!(futures_util::poll!(Box::pin(second.next_event())).is_pending());
    assert!(stubborn.begun.try_recv().is_err());
    stubborn.release.send(()).unwrap();
    assert_eq!(stubborn.ended.recv().await, Some(true));
    stubborn.release.send(()).unwrap();
    let Some(Event::Answer(answer)) = soon(second.next_event()).await else {
        panic!("no answer");
    };
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "done");
    assert_eq!(stubborn.ended.recv().await, Some(false));
}
