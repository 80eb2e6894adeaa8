//! What a stranger can make a server keep, and in which order it refuses.

use pymcp_kit::core::HttpSignals;
use pymcp_kit::{
    Ctx, Error, NoArgs, Resource, ResourceTemplate, Result, Server, TaskSupport, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, able, introduction};

/// Bytes of a URI that is remembered.
const LONGEST: usize = 2048;

/// Bytes of what a legacy client says of itself.
const INTRODUCTION: usize = 16 << 10;

fn server() -> Server {
    Server::builder("test", "1.0.0")
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .build()
        .unwrap()
}

/// A URI of so many bytes.
fn long(length: usize) -> String {
    let start = "data://";
    format!("{start}{}", "x".repeat(length - start.len()))
}

#[tokio::test(start_paused = true)]
async fn a_uri_that_is_remembered_is_short() {
    let server = server();
    let (legacy, _unsolicited) = Client::legacy(&server).await;
    let modern = Client::modern(&server, json!({}));
    for length in [LONGEST + 1, 100_000] {
        let refused = legacy
            .ask("resources/subscribe", json!({ "uri": long(length) }))
            .await;
        assert_eq!(refused["error"]["code"], -32602, "{length}");
        let wanted = json!({ "resourceSubscriptions": ["data://x", long(length)] });
        let refused = modern
            .ask("subscriptions/listen", json!({ "notifications": wanted }))
            .await;
        assert_eq!(refused["error"]["code"], -32602, "{length}");
    }
    let longest = long(LONGEST);
    let uri = json!({ "uri": longest });
    legacy.result("resources/subscribe", uri).await;
    let wanted = json!({ "resourceSubscriptions": [longest] });
    let mut listening = modern.listen(wanted).await;
    server.components().updated(&longest);
    assert_eq!(listening.hear().await["params"]["uri"], longest);
}

#[tokio::test(start_paused = true)]
async fn an_introduction_is_short() {
    let server = server();
    let around = introduction("").to_string().len();
    for (length, fits) in [
        (INTRODUCTION, true),
        (INTRODUCTION + around, false),
        (900_000, false),
    ] {
        let client = Client::stranger(&server);
        let params = introduction(&"x".repeat(length - around));
        let answer = client.ask("initialize", params).await;
        assert_eq!(answer["result"].is_object(), fits, "{length}");
        assert_eq!(client.connection.peer().is_some(), fits, "{length}");
        if !fits {
            assert_eq!(answer["error"]["code"], -32602, "{length}");
        }
    }
    // Pictures are let go of instead.
    let client = Client::stranger(&server);
    let mut params = introduction("");
    let picture = format!("data:image/png;base64,{}", "A".repeat(100_000));
    params["clientInfo"]["icons"] = json!([{ "src": picture }]);
    client.ask("initialize", params).await;
    let kept = client.connection.peer().expect("a session");
    assert_eq!(
        kept.client.as_ref().map(|client| &*client.version),
        Some("1.0")
    );
}

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[allow(dead_code)]
    place: String,
}

/// The second one would never be read, and a cursor that names it would mean the first.
#[test]
fn two_templates_of_one_uri_are_refused() {
    let template =
        |uri, name| ResourceTemplate::new(uri, name, async |_: Ctx, _: Place| Ok::<_, Error>("x"));
    let refused = Server::builder("test", "1.0.0")
        .template(template("a://{place}", "one"))
        .template(template("b://{place}", "another"))
        .template(template("a://{place}", "again"))
        .build();
    let why = refused.map(drop).unwrap_err().to_string();
    assert!(why.contains("'a://{place}'"), "{why}");
}

/// Headers that differ from the message say that somebody on the way reads something else in it: that comes first.
#[tokio::test(start_paused = true)]
async fn headers_are_judged_before_capabilities() {
    let tool = Tool::new("work", async |_: Ctx, _: NoArgs| -> Result<&'static str> {
        Ok("done")
    });
    let server = Server::builder("test", "1.0.0")
        .tool(tool.task(TaskSupport::Optional))
        .build()
        .unwrap();
    for (method, params) in [
        ("tasks/get", json!({ "taskId": "a" })),
        ("tasks/cancel", json!({ "taskId": "a" })),
        (
            "tasks/update",
            json!({ "taskId": "a", "inputResponses": {} }),
        ),
    ] {
        for (name, capabilities, code) in [
            (Some("b"), json!({}), -32020),
            (None, json!({}), -32020),
            (Some("a"), json!({}), -32021),
            (Some("b"), able(), -32020),
            // There is no such task.
            (Some("a"), able(), -32602),
        ] {
            let headers = HttpSignals {
                version: Some("2026-07-28"),
                method: Some(method),
                name,
                ..HttpSignals::default()
            };
            let client = Client::modern(&server, capabilities);
            let refused = client.ask_over(method, params.clone(), Some(headers)).await;
            assert_eq!(refused["error"]["code"], code, "{method} {name:?}");
        }
    }
}
