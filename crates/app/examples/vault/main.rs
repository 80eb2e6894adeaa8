//! `cargo run -p pymcp-app --example vault`: a server with a lock that is built in, which the tests of this crate change in
//! one place at a time. `cargo run -p pymcp-app --example vault -- lock crates/app/examples/vault/vault.lock` says whether
//! the lock is what the server is; with `--accept` behind it, it writes it.

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use pymcp_app::{App, Result};
use pymcp_kit::{Ctx, Effect, Prompt, Resource, Server, ServerBuilder, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// What this server can be told.
#[derive(Debug, clap::Args)]
struct Settings {
    /// What is otherwise than the lock says.
    #[arg(long, value_name = "PART", value_enum)]
    change: Option<Change>,

    /// Coins in the vault.
    #[arg(long, default_value_t = 100, value_name = "N")]
    coins: u32,

    /// Guards before the door; needed for nothing.
    #[arg(long, default_value_t = 2, value_name = "N")]
    guards: u32,

    /// Where the vault is; needed for nothing.
    #[arg(long, value_name = "PATH")]
    cellar: Option<std::path::PathBuf>,

    /// What opens it; needed for nothing.
    #[arg(long, value_name = "KEY", hide_env_values = true)]
    master_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Change {
    Instructions,
    Description,
    Bound,
    Effect,
    Scope,
    Limit,
    Added,
    Gone,
}

/// Which door to open.
#[derive(Debug, Deserialize, JsonSchema)]
struct Door {
    /// The number of the door, 1 to 9.
    #[schemars(range(min = 1, max = 9))]
    number: u32,
}

/// Which door to open.
#[derive(Debug, Deserialize, JsonSchema)]
struct AnyDoor {
    /// The number of the door, 1 to 9.
    #[schemars(range(min = 1, max = 99))]
    number: u32,
}

async fn open(_: Ctx, door: Door) -> pymcp_kit::Result<String> {
    Ok(format!("The door {} is open.", door.number))
}

async fn open_any(_: Ctx, door: AnyDoor) -> pymcp_kit::Result<String> {
    Ok(format!("The door {} is open.", door.number))
}

/// What to count.
#[derive(Debug, Deserialize, JsonSchema)]
struct What {
    /// Coins or bars.
    what: String,
}

async fn count(_: Ctx, what: What) -> pymcp_kit::Result<String> {
    Ok(format!("Count the {}.", what.what))
}

async fn rules(_: Ctx) -> pymcp_kit::Result<&'static str> {
    Ok("Nobody is alone in here.")
}

async fn server(settings: Settings) -> Result<ServerBuilder> {
    let is = |change| settings.change == Some(change);
    tracing::debug!(
        settings.guards,
        cellar = settings.cellar.is_some(),
        key = settings.master_key.is_some(),
        "the vault is built"
    );
    let tool = match is(Change::Bound) {
        true => Tool::new("open", open_any),
        false => Tool::new("open", open),
    };
    let who = if is(Change::Scope) {
        "vault:look"
    } else {
        "vault:open"
    };
    let seconds = if is(Change::Limit) { 50 } else { 5 };
    let tool = tool
        .description(match is(Change::Description) {
            true => "Opens any door.",
            false => "Opens a door.",
        })
        .scopes([who])
        .timeout(Duration::from_secs(seconds));
    let tool = match is(Change::Effect) {
        true => tool.effects([Effect::AsksUser, Effect::Random]),
        false => tool.effects([Effect::AsksUser]),
    };
    let rules = Resource::new("vault://rules", "rules", rules)
        .description("What nobody may do.")
        .mime_type("text/plain");
    let server = Server::builder("vault", "1.0.0")
        .instructions(match is(Change::Instructions) {
            true => "Keeps nothing.".to_owned(),
            false => format!("Keeps {} coins.", settings.coins),
        })
        .tool(tool)
        .resource(rules);
    let server = match is(Change::Added) {
        true => server.tool(Tool::new("unlock", open).description("Unlocks a door.")),
        false => server,
    };
    Ok(match is(Change::Gone) {
        true => server,
        false => server.prompt(Prompt::new("count", count).description("Has something counted.")),
    })
}

fn main() -> ExitCode {
    App::new("vault", "1.0.0")
        .settings::<Settings>()
        .lock(include_str!("vault.lock"))
        .decides("coins", "server server /instructions")
        // It says which server the tests want, and is none that an operator has.
        .unpinned("change")
        .unpinned("cellar")
        .run(server)
}
