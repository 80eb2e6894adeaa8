//! What is on the wire of a server by itself, and what its author may add to it.

use pymcp_kit::component::{Definition, Settings};
use pymcp_kit::core::Event;
use pymcp_kit::middleware::{Middleware, Next, Request, Response, ResponseFuture};
use pymcp_kit::{
    Ctx, Error, NoArgs, Prompt, Resource, ResourceTemplate, Result, Server, ServerBuilder, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, soon};

#[derive(Deserialize, JsonSchema)]
struct Variables {
    #[allow(dead_code)]
    x: String,
}

async fn count(ctx: Ctx, _: NoArgs) -> Result<u8> {
    ctx.info("Counting.").await;
    Ok(1)
}

fn with_components(server: ServerBuilder) -> Server {
    server
        .tool(Tool::new("count", count).tags(["b", "a"]))
        .tool(Tool::new("kept", async |_: Ctx, _: NoArgs| Ok::<_, Error>("kept")).cached())
        .resource(
            Resource::new("data://x", "x", async |_: Ctx| Ok::<_, Error>("x")).tags(["b", "a"]),
        )
        .template(ResourceTemplate::new(
            "data://{x}",
            "any",
            async |_: Ctx, _: Variables| Ok::<_, Error>("x"),
        ))
        .prompt(Prompt::new("p", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("p".to_owned())
        }))
        .build()
        .unwrap()
}

const LISTS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
];

/// All that a call says: its messages and its answer.
async fn call(client: &Client, name: &str) -> Vec<Value> {
    let mut call = client.start(1, "tools/call", json!({ "name": name }));
    let mut said = Vec::new();
    while let Some(event) = soon(call.next_event()).await {
        said.push(match event {
            Event::Message(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Event::Answer(answer) => serde_json::from_slice(&answer.body).unwrap(),
            Event::Release => panic!("released"),
        });
    }
    said
}

#[tokio::test(start_paused = true)]
async fn a_server_says_nothing_beyond_the_protocol() {
    let server = with_components(Server::builder("test", "1.0.0"));
    let (client, _unsolicited) = Client::legacy(&server).await;
    for (method, member) in LISTS {
        for definition in client.result(method, json!({})).await[member]
            .as_array()
            .unwrap()
        {
            assert_eq!(definition.get("_meta"), None, "{definition}");
            let schema = definition["outputSchema"].as_object();
            let mut members = schema.into_iter().flat_map(|schema| schema.keys());
            assert!(
                members.all(|member| !member.starts_with("x-")),
                "{definition}"
            );
        }
    }
    let said = call(&client, "count").await;
    assert_eq!(
        said[0]["params"],
        json!({ "level": "info", "data": "Counting." })
    );
    let result = &said[1]["result"];
    assert_eq!(result["structuredContent"], json!({ "result": 1 }));
    assert_eq!(result.get("_meta"), None, "{result}");
}

/// Signs results of tools.
struct Signs;

impl Middleware for Signs {
    fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        Box::pin(async move {
            let mut outcome = next.run(request).await?;
            if let Response::Tool(result) = &mut outcome {
                let meta = result.meta.get_or_insert_default();
                meta.insert("example.com/signed".into(), json!(true));
            }
            Ok(outcome)
        })
    }
}

fn describe(definition: Definition<'_>, settings: &Settings) {
    let (meta, wraps) = match definition {
        Definition::Tool {
            definition,
            wraps_result,
            ..
        } => (&mut definition.meta, wraps_result),
        Definition::Resource(definition) => (&mut definition.meta, false),
        Definition::Template(definition) => (&mut definition.meta, false),
        Definition::Prompt(definition) => (&mut definition.meta, false),
        _ => return,
    };
    let meta = meta.get_or_insert_default();
    meta.insert("example.com/tags".into(), json!(settings.tags));
    meta.insert("example.com/wraps".into(), json!(wraps));
}

#[tokio::test(start_paused = true)]
async fn an_author_may_add_to_definitions_results_and_logs() {
    let server = with_components(
        Server::builder("test", "1.0.0")
            .describe(describe)
            .log_data(|message| json!({ "text": message }))
            .inner_middleware(Signs),
    );
    let (client, _unsolicited) = Client::legacy(&server).await;
    for (method, member) in LISTS {
        for definition in client.result(method, json!({})).await[member]
            .as_array()
            .unwrap()
        {
            let meta = &definition["_meta"];
            assert!(meta["example.com/tags"].is_array(), "{definition}");
            // A number and a text are no objects.
            assert_eq!(meta["example.com/wraps"], member == "tools", "{definition}");
        }
    }
    let said = call(&client, "count").await;
    assert_eq!(said[0]["params"]["data"], json!({ "text": "Counting." }));
    // Also where it is repeated.
    for name in ["count", "kept", "kept"] {
        let said = call(&client, name).await;
        let result = &said.last().unwrap()["result"];
        assert_eq!(result["_meta"], json!({ "example.com/signed": true }));
    }
}
