//! `cargo run --example copy_me`: a whole server with one tool, on stdin and stdout.
//!
//! To add a tool to a server, copy what stands between the lines into a file of its own, as
//! `src/tools/greet.rs` is one, and add `.tool(…)` where the server is put together.

use pymcp_kit::transport::stdio;
use pymcp_kit::{BuildError, Ctx, Error, Result, Server, Tool, telemetry};
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::level_filters::LevelFilter;

// ---------------------------------------------------------------------------------------- a tool

/// What to shout, and how often.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What to shout.
    text: String,
    /// How often to shout it.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 10))]
    times: usize,
}

fn once() -> usize {
    1
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("shout", shout)
        .title("Shout")
        .description("Says something in capitals, as often as wanted.")
        .tags(["example"])
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn shout(ctx: Ctx, args: Args) -> Result<String> {
    if args.text.trim().is_empty() {
        return Err(Error::user("There is nothing to shout; give some text."));
    }
    ctx.info(format!("Shouting {} times.", args.times)).await;
    Ok(vec![args.text.to_uppercase(); args.times].join(" ") + "!")
}

// ------------------------------------------------------------------------------------- the server

/// The server: one line for each component.
pub(crate) fn server() -> Result<Server, BuildError> {
    Server::builder("copy-me", "1.0.0").tool(tool()).build()
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    telemetry::init(LevelFilter::INFO);
    let served = stdio::serve_process(server()?).await;
    telemetry::flush();
    Ok(served?)
}
