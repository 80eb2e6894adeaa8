//! `cargo run -p pymcp-app --example barn`: a server whose tools take their time and change things, which the tests of this
//! crate watch.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pymcp_app::App;
use pymcp_kit::{Ctx, Kind, NoArgs, Resource, Result, Server, ServerBuilder, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

const BALES: &str = "barn://bales";

type Bales = Arc<AtomicU64>;

/// What is fed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Food {
    Hay,
    Oats,
}

/// Whom to feed.
#[derive(Debug, Deserialize, JsonSchema)]
struct Feed {
    /// The name of the animal.
    animal: String,
    /// What it gets.
    food: Food,
    /// How often.
    #[serde(default)]
    times: u32,
}

async fn feed(_: Ctx, args: Feed) -> Result<String> {
    let Feed {
        animal,
        food,
        times,
    } = args;
    Ok(format!("{animal} ate {food:?} {times} times."))
}

async fn store(ctx: Ctx, bales: Bales, _: NoArgs) -> Result<u64> {
    let now = bales.fetch_add(1, Relaxed) + 1;
    ctx.components().updated(BALES);
    Ok(now)
}

async fn count(_: Ctx, bales: Bales) -> Result<String> {
    Ok(bales.load(Relaxed).to_string())
}

/// Which state the door has.
#[derive(Debug, Deserialize, JsonSchema)]
struct Door {
    /// Whether it is open.
    open: bool,
}

async fn door(ctx: Ctx, args: Door) -> Result<bool> {
    Ok(ctx.components().switch(Kind::Tool, "feed", args.open))
}

async fn wait(ctx: Ctx, _: NoArgs) -> Result<String> {
    ctx.info("The corn is growing.").await;
    std::future::pending().await
}

fn server() -> ServerBuilder {
    let bales = Bales::default();
    Server::builder("barn", "1.0.0")
        .tool(Tool::new("feed", feed).description("Feeds an animal."))
        .tool(
            Tool::new("store", store)
                .with(bales.clone())
                .description("Stores a bale."),
        )
        .tool(Tool::new("door", door).description("Opens the door to the food, or closes it."))
        .tool(Tool::new("wait", wait).description("Waits for the harvest, which does not come."))
        .resource(Resource::new(BALES, "bales", count).with(bales))
}

fn main() -> ExitCode {
    App::new("barn", "1.0.0").run(async |()| Ok(server()))
}
