//! Components that are added, replaced and removed while the server runs.

use std::sync::Arc;

use pymcp_kit::{
    Component, Ctx, Error, Kind, NoArgs, Prompt, Resource, ResourceTemplate, Server, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::client::{Client, soon};

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[allow(dead_code)]
    place: String,
}

fn tool(name: &'static str, says: &'static str) -> Tool {
    let say = async |_: Ctx, says: &'static str, _: NoArgs| Ok::<_, Error>(says);
    Tool::new(name, say).with(says).cached()
}

/// A component of a kind that says this; how it is used, and what says that the list has changed.
fn made(kind: Kind, says: &'static str) -> (Component, &'static str, &'static str, Value) {
    let resources = "notifications/resources/list_changed";
    match kind {
        Kind::Tool => (
            tool("one", says).into(),
            "notifications/tools/list_changed",
            "tools/call",
            json!({ "name": "one" }),
        ),
        Kind::Prompt => (
            Prompt::new("one", async |_: Ctx, says: &'static str, _: NoArgs| {
                Ok::<_, Error>(says.to_owned())
            })
            .with(says)
            .cached()
            .into(),
            "notifications/prompts/list_changed",
            "prompts/get",
            json!({ "name": "one" }),
        ),
        Kind::Resource => (
            Resource::new("DATA://one", "one", async |_: Ctx, says: &'static str| {
                Ok::<_, Error>(says)
            })
            .with(says)
            .cached()
            .into(),
            resources,
            "resources/read",
            json!({ "uri": "data://one" }),
        ),
        Kind::Template => (
            ResourceTemplate::new(
                "one://{place}",
                "one",
                async |_: Ctx, says: &'static str, _: Place| Ok::<_, Error>(says),
            )
            .with(says)
            .cached()
            .into(),
            resources,
            "resources/read",
            json!({ "uri": "one://here" }),
        ),
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool | Kind::Prompt => "one",
        Kind::Resource => "data://one",
        Kind::Template => "one://{place}",
    }
}

const KINDS: [Kind; 4] = [Kind::Tool, Kind::Prompt, Kind::Resource, Kind::Template];

#[tokio::test(start_paused = true)]
async fn what_is_added_and_removed_is_there_and_gone_and_everybody_hears_of_it() {
    for kind in KINDS {
        let server = Server::builder("test", "1.0.0")
            .advertise(kind)
            .build()
            .unwrap();
        let components = server.components();
        let (legacy, mut unsolicited) = Client::legacy(&server).await;
        let modern = Client::modern(&server, json!({}));
        let all = json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true });
        let mut listening = modern.listen(all).await;
        for (step, says) in [("add", "first"), ("replace", "second"), ("remove", "")] {
            let (component, told, method, params) = made(kind, says);
            match step {
                "add" => components.add(component).unwrap(),
                "replace" => components.replace(component).unwrap(),
                _ => assert!(components.remove(kind, name(kind))),
            }
            assert_eq!(listening.hear().await["method"], told);
            let heard = soon(unsolicited.recv()).await.unwrap();
            let heard: Value = serde_json::from_slice(&heard).unwrap();
            assert_eq!(heard["method"], told);
            for client in [&legacy, &modern] {
                // Twice: the second answer is repeated, and never that of another component.
                for _ in 0..2 {
                    let answer = client.ask(method, params.clone()).await;
                    match step {
                        "remove" => assert!(answer["error"].is_object(), "{answer}"),
                        _ => assert!(answer["result"].to_string().contains(says), "{answer}"),
                    }
                }
            }
        }
        assert!(!components.remove(kind, name(kind)));
        assert!(listening.is_silent());
        assert!(unsolicited.try_recv().is_err());
    }
}

#[test]
fn what_a_build_refuses_is_refused_later() {
    let server = Server::builder("test", "1.0.0")
        .max_components(2)
        .tool(tool("one", "x"))
        .build()
        .unwrap();
    let components = server.components();
    let why = |refused: Result<(), pymcp_kit::BuildError>| refused.unwrap_err().to_string();
    assert!(why(components.add(tool("one", "x"))).contains("another one"));
    assert!(why(components.add(tool("no name", "x"))).contains("'no name'"));
    assert!(why(components.replace(tool("", "x"))).contains("name"));
    components.add(tool("two", "x")).unwrap();
    assert!(why(components.add(tool("three", "x"))).contains("2 components"));
    let names: Vec<_> = server
        .registry()
        .tools()
        .map(|tool| tool.name().to_owned())
        .collect();
    assert_eq!(names, ["one", "two"]);
    let few = Server::builder("test", "1.0.0").max_components(0);
    assert!(few.tool(tool("one", "x")).build().is_err());
}

/// What is replaced keeps its place and stays switched off; what is removed does not come back so.
#[test]
fn switches_outlive_what_they_switch_until_it_is_removed() {
    let server = Server::builder("test", "1.0.0")
        .tool(tool("one", "x"))
        .tool(tool("two", "x"))
        .disabled(Kind::Tool, "one")
        .build()
        .unwrap();
    let components = server.components();
    components.replace(tool("one", "y")).unwrap();
    assert!(!components.switch(Kind::Tool, "one", false));
    assert_eq!(server.registry().tools().next().unwrap().name(), "one");
    assert!(components.remove(Kind::Tool, "one"));
    components.add(tool("one", "z")).unwrap();
    assert!(components.switch(Kind::Tool, "one", false));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_what_is_removed_finishes() {
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let wait = async |_: Ctx, gate: Arc<Semaphore>, _: NoArgs| -> Result<&'static str, Error> {
        gate.acquire().await?.forget();
        Ok("finished")
    };
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("wait", wait).with(inner))
        .build()
        .unwrap();
    for (id, client) in (7..).zip(Client::both(&server).await) {
        let mut exchange = client.start(id, "tools/call", json!({ "name": "wait" }));
        assert!(futures_util::poll!(Box::pin(exchange.next_event())).is_pending());
        assert!(server.components().remove(Kind::Tool, "wait"));
        gate.add_permits(1);
        let Some(pymcp_kit::core::Event::Answer(answer)) = soon(exchange.next_event()).await else {
            panic!("no answer");
        };
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], "finished");
        let gate = Arc::clone(&gate);
        server
            .components()
            .add(Tool::new("wait", wait).with(gate))
            .unwrap();
    }
}
