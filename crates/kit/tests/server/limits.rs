//! What a principal may use, and whose turn it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pymcp_kit::limits::{Limit, Rate};
use pymcp_kit::{
    Ctx, Effect, Elicited, Error, NoArgs, Prompt, Resource, Server, ServerBuilder, Tool, ToolResult,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::advance;

use super::client::{Client, soon};

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("number", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(7)
        }))
        .tool(Tool::new("text", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(ToolResult::text("seven"))
        }))
        .tool(
            Tool::new("dear", async |_: Ctx, _: NoArgs| {
                Ok::<_, Error>(ToolResult::text("gold"))
            })
            .cost(5),
        )
        .tool(
            Tool::new("free", async |_: Ctx, _: NoArgs| {
                Ok::<_, Error>(ToolResult::text("air"))
            })
            .cost(0),
        )
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .prompt(Prompt::new("ask", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("Who?".to_owned())
        }))
}

fn budget(rate: Rate) -> Server {
    let limited = builder().change_call_limits(|limits| limits.budget.per_principal = Some(rate));
    limited.build().unwrap()
}

async fn call(client: &Client, tool: &str) -> Value {
    let called = client.result("tools/call", json!({ "name": tool, "arguments": {} }));
    called.await
}

#[tokio::test(start_paused = true)]
async fn what_a_budget_refuses_says_when_to_come_back() {
    let server = budget(Rate::per_minute(6));
    let client = Client::modern(&server, json!({})).known_as("alice");
    let before = Limit::Budget.refused();
    for _ in 0..6 {
        assert_eq!(call(&client, "text").await["isError"], false);
    }
    let sentence = "The rate limit of 6/min is reached; try again in 10 s.";
    let error = json!({ "type": "rate_limited", "limit": "6/min", "retry_after_seconds": 10 });
    let refused = call(&client, "text").await;
    assert_eq!(refused["isError"], true);
    assert_eq!(refused["content"][0]["text"], sentence);
    assert_eq!(refused["structuredContent"]["error"], error);
    // Clients hold structured content against the output schema, whatever `isError` says.
    let refused = call(&client, "number").await;
    assert_eq!(refused["isError"], true);
    assert_eq!(refused["content"][0]["text"], sentence);
    assert!(refused.get("structuredContent").is_none(), "{refused}");
    assert_eq!(refused["_meta"]["server-kit/error"], error);
    for (method, params) in [
        ("resources/read", json!({ "uri": "data://x" })),
        ("prompts/get", json!({ "name": "ask" })),
    ] {
        let refused = client.ask(method, params).await;
        assert_eq!(refused["error"]["code"], -31002);
        assert_eq!(refused["error"]["message"], sentence);
        assert_eq!(refused["error"]["data"]["retryAfterSeconds"], 10);
    }
    assert!(Limit::Budget.refused() >= before + 4);
    advance(Duration::from_secs(10)).await;
    assert_eq!(call(&client, "number").await["isError"], false);
}

#[tokio::test(start_paused = true)]
async fn lists_are_free_and_calls_cost_what_they_say() {
    let server = budget(Rate::per_minute(6));
    let client = Client::modern(&server, json!({})).known_as("alice");
    for _ in 0..20 {
        client.result("tools/list", json!({})).await;
        client.result("server/discover", json!({})).await;
        assert_eq!(call(&client, "free").await["isError"], false);
        let unknown = client.ask("tools/call", json!({ "name": "none" })).await;
        assert_eq!(unknown["error"]["code"], -32602);
    }
    assert_eq!(call(&client, "dear").await["isError"], false);
    let refused = call(&client, "dear").await;
    let sentence = "The rate limit of 6/min is reached; try again in 40 s.";
    assert_eq!(refused["content"][0]["text"], sentence);
    assert_eq!(call(&client, "text").await["isError"], false);
}

#[tokio::test(start_paused = true)]
async fn each_principal_has_its_own_budget_and_nobody_has_none() {
    let server = budget(Rate::per_minute(1));
    for name in ["alice", "bob"] {
        let client = Client::modern(&server, json!({})).known_as(name);
        assert_eq!(call(&client, "text").await["isError"], false);
        // On any connection.
        let elsewhere = Client::modern(&server, json!({})).known_as(name);
        assert_eq!(call(&elsewhere, "text").await["isError"], true);
    }
    let (legacy, _unsolicited) = Client::legacy(&server).await;
    for _ in 0..20 {
        assert_eq!(call(&legacy, "text").await["isError"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_may_have_a_budget_of_its_own() {
    let own = |name: &'static str| {
        builder()
            .change_call_limits(move |limits| {
                let tools = &mut limits.budget.tools;
                tools.insert(name.to_owned(), Rate::per_hour(1));
            })
            .build()
    };
    let server = own("text").unwrap();
    let client = Client::modern(&server, json!({})).known_as("alice");
    assert_eq!(call(&client, "text").await["isError"], false);
    let refused = call(&client, "text").await;
    let sentence = "The rate limit of 1/h for 'text' is reached; try again in 3600 s.";
    assert_eq!(refused["content"][0]["text"], sentence);
    assert_eq!(call(&client, "number").await["isError"], false);
    let refused = own("texts").err().unwrap().to_string();
    assert!(refused.contains("budget for the tool 'texts'"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_principal_wait_for_their_turn_and_no_others() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let (opened, count) = (Arc::clone(&gate), Arc::clone(&running));
    let tool = Tool::new("wait", move |_: Ctx, _: NoArgs| {
        let (gate, running) = (Arc::clone(&opened), Arc::clone(&count));
        async move {
            running.fetch_add(1, Ordering::Relaxed);
            gate.acquire().await?.forget();
            Ok::<_, Error>(())
        }
    });
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .change_call_limits(|limits| {
            limits.concurrency.per_principal = Some(2);
            limits.concurrency.waiting_per_caller = 3;
        })
        .build()
        .unwrap();
    let wait = json!({ "name": "wait", "arguments": {} });
    let alice = Client::modern(&server, json!({})).known_as("alice");
    let bob = Client::modern(&server, json!({})).known_as("bob");
    let mut calls = Vec::new();
    for id in 0..5 {
        let mut call = alice.start(id, "tools/call", wait.clone());
        assert!(futures_util::FutureExt::now_or_never(call.next_event()).is_none());
        calls.push(call);
    }
    assert_eq!(running.load(Ordering::Relaxed), 2);
    let refused = alice.ask_as(9, "tools/call", wait.clone()).await;
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    let mut of_bob = bob.start(1, "tools/call", wait.clone());
    assert!(futures_util::FutureExt::now_or_never(of_bob.next_event()).is_none());
    assert_eq!(running.load(Ordering::Relaxed), 3);
    gate.add_permits(6);
    for call in calls.iter_mut().chain([&mut of_bob]) {
        assert!(soon(call.next_event()).await.is_some());
    }
    // One that never had its turn had its time.
    let _running = [1, 2].map(|id| {
        let mut call = alice.start(id, "tools/call", wait.clone());
        assert!(futures_util::FutureExt::now_or_never(call.next_event()).is_none());
        call
    });
    let late = call(&alice, "wait").await;
    let sentence = "The tool 'wait' took longer than the 30000 ms allowed.";
    assert_eq!(late["content"][0]["text"], sentence);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_asks_its_user_leaves_its_turn_to_another() {
    let server = Server::builder("test", "1.0.0")
        .tool(
            Tool::new("ask", async |ctx: Ctx, _: NoArgs| {
                match ctx.elicit::<bool>("Really?").await? {
                    Elicited::Accepted(yes) => Ok(ToolResult::text(yes.to_string())),
                    _ => Err(Error::user("declined")),
                }
            })
            .effects([Effect::AsksUser]),
        )
        .tool(Tool::new("text", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(ToolResult::text("seven"))
        }))
        .change_call_limits(|limits| limits.concurrency.in_all = Some(1))
        .build()
        .unwrap();
    let client = Client::asked(&server).await;
    let mut asking = client.start(7, "tools/call", json!({ "name": "ask", "arguments": {} }));
    let question = soon(asking.next_event()).await;
    assert!(matches!(question, Some(pymcp_kit::core::Event::Message(_))));
    // It waits now, and is polled as its transport would.
    assert!(futures_util::FutureExt::now_or_never(asking.next_event()).is_none());
    assert_eq!(call(&client, "text").await["isError"], false);
}
