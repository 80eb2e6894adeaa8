//! State that handlers of every kind are given, and handlers of all shapes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pymcp_kit::{
    Completion, CompletionRequest, Ctx, NoArgs, Prompt, Resource, ResourceTemplate, Result, Server,
    Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;

/// Shared by all calls; each of them has a clone of its own.
#[derive(Default)]
struct Stock {
    taken: Arc<AtomicUsize>,
    clones: Arc<AtomicUsize>,
}

impl Clone for Stock {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self {
            taken: Arc::clone(&self.taken),
            clones: Arc::clone(&self.clones),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct Args {
    count: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Item {
    item: String,
}

async fn take(_: Ctx, stock: Stock, args: Args) -> Result<usize> {
    Ok(stock.taken.fetch_add(args.count, Ordering::Relaxed) + args.count)
}

async fn taken(_: Ctx, stock: Stock) -> Result<String> {
    Ok(stock.taken.load(Ordering::Relaxed).to_string())
}

async fn look(_: Ctx, stock: Stock, item: Item) -> Result<String> {
    Ok(format!(
        "{} {}",
        stock.taken.load(Ordering::Relaxed),
        item.item
    ))
}

async fn suggest(_: Ctx, stock: Stock, typed: CompletionRequest) -> Result<Completion> {
    let taken = stock.taken.load(Ordering::Relaxed);
    Ok(Completion::of([format!("{}{taken}", typed.value)]))
}

async fn version(ctx: Ctx, _: NoArgs) -> Result<String> {
    Ok(ctx.server().version.clone())
}

fn server(stock: &Stock) -> Server {
    // Names that were read from somewhere.
    let name = |name: &str| format!("stock_{name}");
    Server::builder(name("server"), "1.0.0")
        .tool(Tool::new("version", version))
        .tool(
            Tool::new(name("take"), take)
                .title("Take")
                .with(stock.clone())
                .description("Takes."),
        )
        .resource(Resource::new("data://taken", "taken", taken).with(stock.clone()))
        .template(
            ResourceTemplate::new(format!("{}://{{item}}", "item"), name("item"), look)
                .complete_with("item", stock.clone(), suggest)
                .with(stock.clone()),
        )
        .prompt(
            Prompt::new(name("prompt"), look)
                .with(stock.clone())
                .complete_with("item", stock.clone(), suggest),
        )
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn handlers_of_every_kind_have_their_state() {
    let stock = Stock::default();
    let server = server(&stock);
    for (round, client) in (1..).zip(Client::both(&server).await) {
        let all = 2 * round;
        let text = |result: &Value, at: &str| result.pointer(at).unwrap().clone();
        let call = json!({ "name": "stock_take", "arguments": { "count": 2 } });
        stock.clones.store(0, Ordering::Relaxed);
        let result = client.result("tools/call", call).await;
        assert_eq!(text(&result, "/structuredContent/result"), all);
        assert_eq!(stock.clones.load(Ordering::Relaxed), 1, "once a call");
        let result = client
            .result("resources/read", json!({ "uri": "data://taken" }))
            .await;
        assert_eq!(text(&result, "/contents/0/text"), all.to_string());
        let result = client
            .result("resources/read", json!({ "uri": "item://nail" }))
            .await;
        assert_eq!(text(&result, "/contents/0/text"), format!("{all} nail"));
        let get = json!({ "name": "stock_prompt", "arguments": { "item": "nail" } });
        let result = client.result("prompts/get", get).await;
        let at = "/messages/0/content/text";
        assert_eq!(text(&result, at), format!("{all} nail"));
        for of in [
            json!({ "type": "ref/prompt", "name": "stock_prompt" }),
            json!({ "type": "ref/resource", "uri": "item://{item}" }),
        ] {
            let params = json!({ "ref": of, "argument": { "name": "item", "value": "na" } });
            let result = client.result("completion/complete", params).await;
            assert_eq!(text(&result, "/completion/values/0"), format!("na{all}"));
        }
        let call = json!({ "name": "version", "arguments": {} });
        let result = client.result("tools/call", call).await;
        assert_eq!(text(&result, "/content/0/text"), "1.0.0");
    }
}
