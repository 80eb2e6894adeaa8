//! News in any number, and the end of those who listen.

use std::time::Duration;

use pymcp_kit::core::CallLimits;
use pymcp_kit::{Ctx, Error, Kind, NoArgs, Prompt, Resource, Server, Tool};
use serde_json::json;

use super::client::Client;

/// Messages of one call that may wait for its client.
const QUEUE: usize = 16;

fn server() -> Server {
    server_with(CallLimits::default())
}

fn server_with(limits: CallLimits) -> Server {
    Server::builder("test", "1.0.0")
        .call_limits(limits)
        .tool(Tool::new("a", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("a")
        }))
        .prompt(Prompt::new("b", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("b".to_owned())
        }))
        .resource(Resource::new("data://c", "c", async |_: Ctx| {
            Ok::<_, Error>("c")
        }))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_news_at_once_end_no_stream_and_arrive() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let wanted =
        json!({ "toolsListChanged": true, "resourceSubscriptions": ["data://c", "data://d"] });
    let mut listening = client.listen(wanted).await;
    for _ in 0..2 {
        for _ in 0..1000 {
            server.components().changed(Kind::Tool);
            server.components().updated("data://c");
            // Nobody asked for these.
            server.components().changed(Kind::Prompt);
            server.components().updated("data://e");
        }
        server.components().updated("data://d");
        let told = listening.hear().await;
        assert_eq!(told["method"], "notifications/tools/list_changed");
        assert_eq!(listening.hear().await["params"]["uri"], "data://c");
        assert_eq!(listening.hear().await["params"]["uri"], "data://d");
        assert!(listening.is_silent());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_in_between_hears_of_what_came_after() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let wanted = json!({ "resourceSubscriptions": ["data://c"] });
    let mut listening = client.listen(wanted).await;
    for _ in 0..1000 {
        server.components().updated("data://c");
        assert_eq!(listening.hear().await["params"]["uri"], "data://c");
    }
    assert!(listening.is_silent());
}

/// What waits for a client that does not read must not hold up the end.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_ends_a_stream_that_nobody_reads() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let uris: Vec<String> = (0..256).map(|i| format!("data://{i}")).collect();
    let mut listening = client
        .listen(json!({ "resourceSubscriptions": uris }))
        .await;
    for uri in &uris {
        server.components().updated(uri);
    }
    assert_eq!(listening.hear().await["params"]["uri"], "data://0");
    client.connection.hang_up();
    let (late, end) = listening.end().await;
    assert!(late <= QUEUE, "{late} of them were said after the end");
    assert_eq!(end["resultType"], "complete", "{end}");
    assert_eq!(end["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}

/// All that can be subscribed to here.
fn tools() -> serde_json::Value {
    json!({ "toolsListChanged": true })
}

#[tokio::test(start_paused = true)]
async fn one_caller_has_a_share_of_the_subscriptions_and_they_take_nothing_from_calls() {
    let server = server_with(CallLimits {
        subscriptions: 8,
        subscriptions_per_caller: 3,
        in_flight: 1,
        in_flight_per_connection: 1,
        ..CallLimits::default()
    });
    let client = Client::modern(&server, json!({}));
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.listen(tools()).await);
    }
    let wanted = json!({ "notifications": tools() });
    let refused = client.ask("subscriptions/listen", wanted.clone()).await;
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("end one first"), "{why}");
    client.result("tools/call", json!({ "name": "a" })).await;
    let other = client.elsewhere();
    open.push(other.listen(tools()).await);
    drop(open);
    let again = client.listen(tools()).await;
    assert_eq!(server.in_flight(), 0);
    drop(again);
}

/// On loopback a caller is a connection, and one client can have many: each has its turn.
#[tokio::test(start_paused = true)]
async fn a_subscription_that_had_its_turn_makes_place_for_another() {
    let server = server_with(CallLimits {
        subscriptions: 3,
        ..CallLimits::default()
    });
    let client = Client::modern(&server, json!({}));
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.elsewhere().listen(tools()).await);
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    let wanted = json!({ "notifications": tools() });
    let refused = client.ask("subscriptions/listen", wanted.clone()).await;
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("in 30 s"), "{why}");
    tokio::time::advance(Duration::from_secs(30)).await;
    let mut late = client.listen(tools()).await;
    let (_, end) = open.remove(0).end().await;
    assert_eq!(end["resultType"], "complete", "{end}");
    // The others go on, and nobody takes two places where others have one.
    assert!(open.iter_mut().all(|listening| listening.is_silent()));
    tokio::time::advance(Duration::from_secs(600)).await;
    let refused = client.ask("subscriptions/listen", wanted).await;
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    server.components().changed(Kind::Tool);
    late.hear().await;
}
