//! Components that a server leaves out: as if nobody had written them.

use std::fs;

use pymcp_kit::limits::Rate;
use pymcp_kit::manifest::Projection;
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, Error, Kind, NoArgs, Prompt, Resource,
    ResourceTemplate, Result, Server, ServerBuilder, TaskSupport, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[allow(dead_code)]
    place: String,
}

fn tool(name: &'static str) -> Tool {
    Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, Error>("tool"))
}

fn resource(uri: &'static str) -> Resource {
    Resource::new(uri, "it", async |_: Ctx| Ok::<_, Error>("resource"))
}

fn template(uri: &'static str) -> ResourceTemplate {
    ResourceTemplate::new(uri, "it", async |_: Ctx, _: Place| {
        Ok::<_, Error>("template")
    })
}

fn prompt(name: &'static str) -> Prompt {
    Prompt::new(name, async |_: Ctx, _: Place| {
        Ok::<_, Error>("prompt".to_owned())
    })
}

async fn places(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    Ok(Completion::matching(&typed.value, ["here", "there"]))
}

/// What stays.
fn harmless() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .tool(tool("stay"))
        .resource(resource("data://stay"))
        .template(template("stay://{place}"))
}

fn is_harmless(_: Kind, _: &str, settings: &pymcp_kit::component::Settings) -> bool {
    settings.effects.is_empty()
}

/// The same and what goes: one of each kind, the only prompt, the only completion, the only task.
fn everything() -> ServerBuilder {
    let harmful = || [Effect::RunsUntrustedCode];
    harmless()
        .tool(tool("go").effects(harmful()).task(TaskSupport::Optional))
        .resource(resource("data://go").effects(harmful()))
        .template(
            template("go://{place}")
                .effects(harmful())
                .complete("place", places),
        )
        .prompt(prompt("go").effects(harmful()).complete("place", places))
        .change_call_limits(|limits| {
            let tools = &mut limits.budget.tools;
            tools.insert("go".to_owned(), Rate::per_minute(1));
        })
        .disabled(Kind::Tool, "go")
        .disabled(Kind::Resource, "DATA://go")
}

/// Every request that could find something of what is left out.
fn requests() -> Vec<(&'static str, Value)> {
    let complete = |reference: Value| json!({ "ref": reference, "argument": { "name": "place", "value": "h" } });
    vec![
        ("tools/list", json!({})),
        ("tools/call", json!({ "name": "go" })),
        ("prompts/list", json!({})),
        (
            "prompts/get",
            json!({ "name": "go", "arguments": { "place": "x" } }),
        ),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": "data://go" })),
        ("resources/read", json!({ "uri": "go://here" })),
        (
            "completion/complete",
            complete(json!({ "type": "ref/prompt", "name": "go" })),
        ),
        (
            "completion/complete",
            complete(json!({ "type": "ref/resource", "uri": "go://{place}" })),
        ),
        ("server/discover", json!({})),
        ("skills/list", json!({})),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_as_if_it_had_never_been_written() {
    let never = harmless().build().unwrap();
    let left_out = everything().retain(is_harmless).build().unwrap();
    assert!(left_out.call_limits().budget.tools.is_empty());
    let clients = Client::both(&never)
        .await
        .into_iter()
        .zip(Client::both(&left_out).await);
    for (never, left_out) in clients {
        for (method, params) in requests() {
            let answer = left_out.ask(method, params.clone()).await;
            assert_eq!(answer, never.ask(method, params.clone()).await);
            if method.ends_with("call") || method.ends_with("read") {
                assert!(answer["error"].is_object(), "{method} {params}");
            }
        }
    }
    let introduced = |server| async move {
        let client = Client::stranger(server);
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "x", "version": "1" },
        });
        client.result("initialize", params).await["capabilities"].clone()
    };
    let capabilities = introduced(&left_out).await;
    assert_eq!(capabilities, introduced(&never).await);
    assert!(capabilities["prompts"].is_null() && capabilities["completions"].is_null());
}

#[tokio::test(start_paused = true)]
async fn without_a_selection_everything_is_there() {
    let server = everything().build().unwrap();
    let names = server.registry().tools().count() + server.registry().prompts().count();
    assert_eq!(names, 3);
    assert_eq!(everything().registry().tools().count(), 2);
    let left = everything().retain(|kind, name, _| kind != Kind::Resource || name == "data://go");
    let left = left
        .retain(|kind, _, _| kind != Kind::Prompt)
        .build()
        .unwrap();
    let uris: Vec<_> = left
        .registry()
        .resources()
        .map(|one| one.uri().to_owned())
        .collect();
    assert_eq!(
        (uris, left.registry().prompts().count()),
        (vec!["data://go".to_owned()], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_switches_on_what_is_left_out_and_what_is_added_has_to_pass_as_well() {
    let server = everything().retain(is_harmless).build().unwrap();
    let components = server.components();
    let names = || -> Vec<_> {
        server
            .registry()
            .tools()
            .map(|one| one.name().to_owned())
            .collect()
    };
    for (kind, name) in [
        (Kind::Tool, "go"),
        (Kind::Resource, "data://go"),
        (Kind::Template, "go://{place}"),
        (Kind::Prompt, "go"),
    ] {
        assert!(!components.switch(kind, name, true), "{name}");
    }
    let client = Client::modern(&server, json!({}));
    let mut listening = client.listen(json!({ "toolsListChanged": true })).await;
    let harmful = |name: &'static str| tool(name).effects([Effect::Network("a.example".into())]);
    components.add(harmful("more")).unwrap();
    components.replace(harmful("more")).unwrap();
    assert_eq!(names(), ["stay"]);
    assert!(listening.is_silent());
    // Its name is taken, as it is without a selection.
    assert!(components.add(tool("more")).is_err());
    components.replace(tool("more")).unwrap();
    assert_eq!(names(), ["stay", "more"]);
    assert_eq!(
        listening.hear().await["method"],
        "notifications/tools/list_changed"
    );
    // What takes the place of a harmless one and is none goes, and the one before with it.
    components.replace(harmful("stay")).unwrap();
    assert_eq!(names(), ["more"]);
    assert_eq!(
        listening.hear().await["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(
        client.ask("tools/call", json!({ "name": "stay" })).await["error"]["code"],
        -32602
    );
}

#[test]
fn a_budget_of_a_tool_that_nobody_wrote_is_still_a_mistake() {
    let server = everything()
        .retain(is_harmless)
        .change_call_limits(|limits| {
            limits
                .budget
                .tools
                .insert("gone".to_owned(), Rate::per_minute(1));
        });
    assert!(
        server
            .build()
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("'gone'")
    );
    let nothing = everything()
        .retain(is_harmless)
        .disabled(Kind::Tool, "gone");
    assert!(
        nothing
            .build()
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("'gone'")
    );
}

#[tokio::test(start_paused = true)]
async fn a_skill_that_is_left_out_is_in_no_list_of_skills() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("a/SKILL.md", "---\nname: a\ndescription: First.\n---\n"),
        ("a/notes/more.md", "# More"),
        ("b/SKILL.md", "---\nname: b\ndescription: Second.\n---\n"),
        ("b/b.md", "# B"),
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let of = |left_out: &'static [&str]| {
        let server = Server::builder("test", "1.0.0").skills_folder(folder.path());
        let server = server.retain(move |_, name, _| !left_out.contains(&name));
        Client::modern(&server.build().unwrap(), json!({}))
    };
    let client = of(&["skill://b/SKILL.md", "skill://a/notes/more.md"]);
    let listed = client.result("skills/list", json!({})).await;
    assert_eq!(listed["skills"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed["skills"][0]["resources"].as_array().unwrap().len(),
        1,
        "{listed}"
    );
    for (method, uri) in [
        ("skills/get", "skill://b/SKILL.md"),
        ("resources/read", "skill://b/SKILL.md"),
        ("resources/read", "skill://a/notes/more.md"),
        ("resources/directory/read", "skill://a/notes"),
    ] {
        let answer = client.ask(method, json!({ "uri": uri })).await;
        assert_eq!(answer["error"]["code"], -32602, "{method} {uri}: {answer}");
    }
    let folder = client
        .result("resources/directory/read", json!({ "uri": "skill://a" }))
        .await;
    assert_eq!(folder["resources"].as_array().unwrap().len(), 1, "{folder}");
    // A file that belongs to no skill any more is a resource like others.
    client
        .result("resources/read", json!({ "uri": "skill://b/b.md" }))
        .await;
    let none = of(&["skill://a/SKILL.md", "skill://b/SKILL.md"]);
    assert_eq!(
        none.ask("skills/list", json!({})).await["error"]["code"],
        -32601
    );
    let known = none.result("server/discover", json!({})).await;
    assert!(known["capabilities"]["extensions"].is_null(), "{known}");
}

#[test]
fn the_manifest_of_the_code_has_what_is_left_out_and_the_others_have_not() {
    let digests = |server: &Server| {
        Projection::ALL.map(|projection| server.manifest(projection).unwrap().digest())
    };
    // With the same limits, which are pinned as well.
    let written = || {
        everything().change_call_limits(|limits| {
            limits.budget.tools.clear();
        })
    };
    let (all, left) = (written(), written().retain(is_harmless));
    let (all, left) = (all.build().unwrap(), left.build().unwrap());
    let [code, full, shown] = digests(&left);
    let [code_of_all, full_of_all, shown_of_all] = digests(&all);
    assert_eq!(code, code_of_all);
    assert!(full != full_of_all && shown != shown_of_all);
    let [_, full_of_never, shown_of_never] = digests(&harmless().build().unwrap());
    assert_eq!((full, shown), (full_of_never, shown_of_never));
    // The same when something is added later.
    for server in [&all, &left] {
        let more = tool("more").effects([Effect::Clock]);
        server.components().add(more).unwrap();
    }
    assert_eq!(digests(&left)[0], digests(&all)[0]);
    assert_eq!(digests(&left)[1], full);
    assert!(left.components().remove(Kind::Tool, "more"));
}
