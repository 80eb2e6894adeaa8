//! What changes while the server runs, and what it says meanwhile.

use pymcp_kit::testing::message::{error, text};
use serde_json::{Value, json};

use super::client::{Client, ERAS, Era};
use super::server;

#[tokio::test]
async fn a_resource_changes_and_its_subscribers_hear_of_it() {
    for era in ERAS {
        let server = server();
        let mut client = Client::connect(&server, era, json!({})).await;
        let mut other = Client::connect(&server, era, json!({})).await;
        let counter = json!({ "resourceSubscriptions": ["data://counter"] });
        client.listen(counter).await;
        assert_eq!(client.read("data://counter").await, "0");
        other.call("count", json!({})).await;
        let told = client.hear("notifications/resources/updated").await;
        assert_eq!(told["uri"], "data://counter");
        assert_eq!(client.read("data://counter").await, "1");
        // The other one did not ask.
        other.read("data://counter").await;
        assert_eq!(other.unread().count(), 0);
    }
}

#[tokio::test]
async fn a_tool_goes_and_comes_back() {
    for era in ERAS {
        let server = server();
        let mut client = Client::connect(&server, era, json!({})).await;
        let mut other = Client::connect(&server, era, json!({})).await;
        client.listen(json!({ "toolsListChanged": true })).await;
        for (on, said) in [(false, "off"), (true, "on")] {
            let there = client.call("bonus", json!({})).await;
            assert_eq!(there["error"].is_null(), !on, "{there}");
            let switched = other.call("switch_bonus", json!({ "on": on })).await;
            assert_eq!(text(&switched), format!("'bonus' is {said} now."));
            client.hear("notifications/tools/list_changed").await;
            let listed = client.result("tools/list", json!({})).await;
            let mut tools = listed["tools"].as_array().unwrap().iter();
            assert_eq!(tools.any(|tool| tool["name"] == "bonus"), on);
            let bonus = client.call("bonus", json!({})).await;
            match on {
                true => assert_eq!(text(&bonus), "You found it."),
                false => assert_eq!(error(&bonus).0, -32602),
            }
            let again = other.call("switch_bonus", json!({ "on": on })).await;
            assert_eq!(text(&again), format!("'bonus' was {said} already."));
        }
    }
}

#[tokio::test]
async fn it_speaks_at_every_level_that_is_wanted() {
    let levels = |client: &Client| -> Vec<Value> {
        let logs = client
            .unread()
            .filter(|message| message["method"] == "notifications/message");
        logs.map(|log| log["params"]["level"].clone()).collect()
    };
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        let told = client.call("log_everything", json!({})).await;
        assert_eq!(told["result"]["structuredContent"]["result"], 8);
        assert_eq!(
            levels(&client),
            [
                "debug",
                "info",
                "notice",
                "warning",
                "error",
                "critical",
                "alert",
                "emergency"
            ]
        );
    }
    let mut client = Client::connect(&server(), Era::Legacy, json!({})).await;
    client
        .result("logging/setLevel", json!({ "level": "alert" }))
        .await;
    client.call("log_everything", json!({})).await;
    assert_eq!(levels(&client), ["alert", "emergency"]);
}
