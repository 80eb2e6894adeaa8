//! Params of another shape: the error says which member is wrong and what it has to be.

use pymcp_kit::{Completion, Ctx, Error, NoArgs, Prompt, Resource, Server, TaskSupport, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::*;

#[derive(Deserialize, JsonSchema)]
struct Args {
    a: String,
}

fn server() -> Server {
    let prompt = Prompt::new("p", async |_: Ctx, args: Args| Ok::<_, Error>(args.a))
        .complete("a", async |_: Ctx, _| Ok::<_, Error>(Completion::default()));
    let tool = Tool::new("t", async |_: Ctx, _: NoArgs| Ok::<_, Error>("x"));
    Server::builder("test", "1.0.0")
        .tool(tool.task(TaskSupport::Optional))
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .prompt(prompt)
        .build()
        .unwrap()
}

async fn refused(client: &Client, method: &str, params: Value, sentence: &str) {
    let refused = client.ask(method, params.clone()).await;
    let error = &refused["error"];
    assert_eq!(error["code"], -32602, "{method} {params}: {refused}");
    let said = error["message"].as_str().unwrap();
    assert_eq!(
        said,
        format!("Invalid params for {method}: {sentence}."),
        "{params}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_context_of_a_completion_that_is_null_is_none() {
    let server = server();
    let (legacy, _heard) = Client::legacy(&server).await;
    let modern = Client::modern(&server, able());
    for context in [json!(null), json!({}), json!({ "arguments": null })] {
        let params = json!({
            "ref": { "type": "ref/prompt", "name": "p" },
            "argument": { "name": "a", "value": "v" },
            "context": context,
        });
        for client in [&legacy, &modern] {
            let answer = client.ask("completion/complete", params.clone()).await;
            let completion = &answer["result"]["completion"];
            assert_eq!(completion["values"], json!([]), "{context}: {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_wrong_member_is_named() {
    const LEVELS: &str = "\"level\" must be one of \"debug\", \"info\", \"notice\", \"warning\", \"error\", \
         \"critical\", \"alert\", \"emergency\"";
    const REF: &str = "\"ref.type\" must be one of \"ref/prompt\", \"ref/resource\"";
    let server = server();
    let (legacy, _heard) = Client::legacy(&server).await;
    let argument = json!({ "name": "a", "value": "v" });
    let prompt = json!({ "type": "ref/prompt", "name": "p" });
    for (method, params, sentence) in [
        ("logging/setLevel", json!({ "level": "warn" }), LEVELS),
        ("logging/setLevel", json!({ "level": "DEBUG" }), LEVELS),
        ("logging/setLevel", json!({ "level": 5 }), LEVELS),
        ("logging/setLevel", json!({ "level": null }), LEVELS),
        (
            "logging/setLevel",
            json!({ "level": { "info": 1 } }),
            LEVELS,
        ),
        ("logging/setLevel", json!({}), "missing field \"level\""),
        (
            "tools/call",
            json!({ "name": 5 }),
            "\"name\" must be a string",
        ),
        (
            "tools/call",
            json!({ "name": ["hunter2"] }),
            "\"name\" must be a string",
        ),
        (
            "tools/call",
            json!({ "name": "t", "arguments": [] }),
            "\"arguments\" must be an object",
        ),
        (
            "tools/call",
            json!({ "name": "t", "arguments": "hunter2, expected x" }),
            "\"arguments\" must be an object",
        ),
        (
            "tools/call",
            json!({ "name": "t", "_meta": 1 }),
            "\"_meta\" must be an object",
        ),
        ("tools/call", json!({}), "missing field \"name\""),
        (
            "prompts/get",
            json!({ "name": true }),
            "\"name\" must be a string",
        ),
        (
            "prompts/get",
            json!({ "name": "p", "arguments": 1 }),
            "\"arguments\" must be an object",
        ),
        (
            "resources/read",
            json!({ "uri": {} }),
            "\"uri\" must be a string",
        ),
        (
            "resources/subscribe",
            json!({ "uri": 1 }),
            "\"uri\" must be a string",
        ),
        (
            "resources/unsubscribe",
            json!({ "uri": 1 }),
            "\"uri\" must be a string",
        ),
        (
            "tools/list",
            json!({ "cursor": 1 }),
            "\"cursor\" must be a string",
        ),
        (
            "prompts/list",
            json!({ "cursor": {} }),
            "\"cursor\" must be a string",
        ),
        (
            "resources/list",
            json!({ "cursor": false }),
            "\"cursor\" must be a string",
        ),
        (
            "resources/templates/list",
            json!({ "cursor": [] }),
            "\"cursor\" must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/tool" }, "argument": argument }),
            REF,
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": 1 }, "argument": argument }),
            REF,
        ),
        (
            "completion/complete",
            json!({ "ref": {}, "argument": argument }),
            "missing field \"ref.type\"",
        ),
        (
            "completion/complete",
            json!({ "ref": 1, "argument": argument }),
            "\"ref\" must be an object",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt" }, "argument": argument }),
            "missing field \"ref.name\"",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource" }, "argument": argument }),
            "missing field \"ref.uri\"",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": 1 }, "argument": argument }),
            "\"ref.name\" must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": prompt, "argument": { "name": "a" } }),
            "missing field \"argument.value\"",
        ),
        (
            "completion/complete",
            json!({ "ref": prompt, "argument": { "name": "a", "value": 1 } }),
            "\"argument.value\" must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": prompt, "argument": argument, "context": { "arguments": { "b": 1 } } }),
            "\"context.arguments.b\" must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": prompt, "argument": argument, "context": { "arguments": { "my secret": 1 } } }),
            "a member of \"context.arguments\" must be a string",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "2025-11-25" }),
            "missing field \"capabilities\"",
        ),
        (
            "initialize",
            json!({ "protocolVersion": 1 }),
            "\"protocolVersion\" must be a string",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "n" } }),
            "missing field \"clientInfo.version\"",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": { "roots": "x" }, "clientInfo": { "name": "n", "version": "1" } }),
            "\"capabilities.roots\" must be an object",
        ),
    ] {
        refused(&legacy, method, params, sentence).await;
    }
    let modern = Client::modern(&server, able());
    for (method, params, sentence) in [
        (
            "tools/list",
            json!({ "cursor": 1 }),
            "\"cursor\" must be a string",
        ),
        (
            "tools/call",
            json!({ "name": "t", "requestState": 1 }),
            "\"requestState\" must be a string",
        ),
        (
            "tools/call",
            json!({ "name": "t", "inputResponses": [] }),
            "\"inputResponses\" must be an object",
        ),
        (
            "tasks/get",
            json!({ "taskId": 1 }),
            "\"taskId\" must be a string",
        ),
        (
            "tasks/update",
            json!({ "taskId": "a", "inputResponses": 1 }),
            "\"inputResponses\" must be an object",
        ),
        (
            "tasks/update",
            json!({ "taskId": "a" }),
            "missing field \"inputResponses\"",
        ),
        (
            "subscriptions/listen",
            json!({}),
            "missing field \"notifications\"",
        ),
        (
            "subscriptions/listen",
            json!({ "notifications": { "toolsListChanged": 1 } }),
            "\"notifications.toolsListChanged\" must be true or false",
        ),
        (
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["data://x", 1] } }),
            "\"notifications.resourceSubscriptions[1]\" must be a string",
        ),
        (
            "subscriptions/listen",
            json!({ "notifications": { "taskIds": "a" } }),
            "\"notifications.taskIds\" must be a list",
        ),
    ] {
        refused(&modern, method, params, sentence).await;
    }
}
