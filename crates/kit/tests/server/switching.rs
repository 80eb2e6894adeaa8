//! Components that are switched while the server runs, of every kind.

use pymcp_kit::{
    Ctx, Error, Kind, NoArgs, Prompt, Resource, ResourceTemplate, Server, ServerBuilder, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, soon};

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[allow(dead_code)]
    place: String,
}

/// Two of each kind.
fn builder() -> ServerBuilder {
    let tool = |name| Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, Error>("tool"));
    let prompt = |name| {
        Prompt::new(name, async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("prompt".to_owned())
        })
    };
    let resource = |uri: &str| Resource::new(uri, "it", async |_: Ctx| Ok::<_, Error>("resource"));
    let template = |uri| {
        ResourceTemplate::new(uri, "it", async |_: Ctx, _: Place| {
            Ok::<_, Error>("template")
        })
    };
    Server::builder("test", "1.0.0")
        .tool(tool("one"))
        .tool(tool("two"))
        .prompt(prompt("one"))
        .prompt(prompt("two"))
        .resource(resource("data://one"))
        .resource(resource("data://two"))
        .template(template("one://{place}"))
        .template(template("two://{place}"))
}

/// A kind: its first component, how it is used and listed, and what says that the list has changed.
struct Case {
    kind: Kind,
    name: &'static str,
    method: &'static str,
    params: Value,
    list: &'static str,
    member: &'static str,
    told: &'static str,
}

fn cases() -> [Case; 4] {
    let resources = "notifications/resources/list_changed";
    [
        Case {
            kind: Kind::Tool,
            name: "one",
            method: "tools/call",
            params: json!({ "name": "one" }),
            list: "tools/list",
            member: "tools",
            told: "notifications/tools/list_changed",
        },
        Case {
            kind: Kind::Prompt,
            name: "one",
            method: "prompts/get",
            params: json!({ "name": "one" }),
            list: "prompts/list",
            member: "prompts",
            told: "notifications/prompts/list_changed",
        },
        Case {
            kind: Kind::Resource,
            name: "data://one",
            method: "resources/read",
            params: json!({ "uri": "data://one" }),
            list: "resources/list",
            member: "resources",
            told: resources,
        },
        Case {
            kind: Kind::Template,
            name: "one://{place}",
            method: "resources/read",
            params: json!({ "uri": "one://here" }),
            list: "resources/templates/list",
            member: "resourceTemplates",
            told: resources,
        },
    ]
}

/// It is answered and listed if it is `on`, and neither if it is not; the other one is there all the time.
async fn check(client: &Client, case: &Case, on: bool) {
    let answer = client.ask(case.method, case.params.clone()).await;
    match on {
        true => assert!(answer["result"].is_object(), "{}: {answer}", case.name),
        false => assert_eq!(answer["error"]["code"], -32602, "{}", case.name),
    }
    let list = client.result(case.list, json!({})).await;
    let listed: Vec<bool> = list[case.member]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.to_string().contains(case.name))
        .collect();
    let expected: &[bool] = if on { &[true, false] } else { &[false] };
    assert_eq!(listed, expected, "{}: {list}", case.name);
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_is_gone_and_everybody_hears_of_it() {
    for case in cases() {
        let server = builder().build().unwrap();
        let (_legacy, mut unsolicited) = Client::legacy(&server).await;
        let client = Client::modern(&server, json!({}));
        let all = json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true });
        let mut listening = client.listen(all).await;
        check(&client, &case, true).await;
        for on in [false, true] {
            assert!(server.components().switch(case.kind, case.name, on));
            check(&client, &case, on).await;
            assert_eq!(listening.hear().await["method"], case.told);
            let told = soon(unsolicited.recv()).await.unwrap();
            let told: Value = serde_json::from_slice(&told).unwrap();
            assert_eq!(told["method"], case.told);
            // What is as wanted already changes nothing.
            assert!(!server.components().switch(case.kind, case.name, on));
        }
        assert!(!server.components().switch(case.kind, "nothing", false));
        assert!(listening.is_silent());
        assert!(unsolicited.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn what_starts_switched_off_can_be_switched_on() {
    for case in cases() {
        let server = builder().disabled(case.kind, case.name).build().unwrap();
        let client = Client::modern(&server, json!({}));
        check(&client, &case, false).await;
        assert!(server.components().switch(case.kind, case.name, true));
        check(&client, &case, true).await;
    }
}

/// A list that is empty now may not be so later, so its method is there from the start.
#[tokio::test(start_paused = true)]
async fn a_kind_of_which_everything_is_off_is_still_served() {
    let tool = Tool::new("one", async |_: Ctx, _: NoArgs| Ok::<_, Error>("tool"));
    let server = Server::builder("test", "1.0.0")
        .tool(tool)
        .disabled(Kind::Tool, "one")
        .build()
        .unwrap();
    let client = Client::modern(&server, json!({}));
    let known = client.result("server/discover", json!({})).await;
    assert_eq!(known["capabilities"]["tools"]["listChanged"], true);
    let list = client.result("tools/list", json!({})).await;
    assert_eq!(list["tools"], json!([]));
}

#[test]
fn only_what_is_there_can_start_switched_off() {
    for (kind, name) in [
        (Kind::Tool, "three"),
        (Kind::Prompt, "data://one"),
        (Kind::Resource, "one"),
        (Kind::Template, "one://{other}"),
    ] {
        let refused = builder().disabled(kind, name).build().map(drop);
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(&format!("'{name}'")), "{why}");
    }
    let twice = builder()
        .disabled(Kind::Tool, "one")
        .disabled(Kind::Tool, "one");
    assert!(twice.build().is_err());
}
