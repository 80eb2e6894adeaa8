//! `cargo run -p pymcp-app --example zebra-2`: a program with settings of its own and a component of each kind, which the
//! tests of this crate start.

use std::process::ExitCode;

use pymcp_app::{App, Checked, Error, Prepared, Program, Result};
use pymcp_kit::{
    Ctx, Elicited, Error as ToolError, Prompt, ResourceTemplate, Server, Tool, telemetry,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What this server can be told.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Stripes that a zebra has, an even number.
    #[arg(long, default_value_t = 80, value_name = "N")]
    stripes: u32,

    /// Where the herd is; needed for nothing.
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    herd: Option<std::path::PathBuf>,

    /// Key of the herd; needed for nothing.
    #[arg(long, env = "HERD_KEY", hide_env_values = true, hide_short_help = true)]
    herd_key: Option<String>,
}

async fn server(settings: Settings) -> Result<Prepared> {
    let stripes = settings.stripes;
    if settings.herd_key.is_some_and(|key| key.len() < 8) {
        return Err(Error::setting("--herd-key must have 8 characters or more."));
    }
    if !stripes.is_multiple_of(2) {
        return Err(Error::setting("--stripes must be even."));
    }
    if let Some(herd) = &settings.herd {
        std::fs::read_dir(herd)?;
    }
    let server = Server::builder("zebra-2", env!("CARGO_PKG_VERSION"))
        .instructions(format!("A zebra has {stripes} stripes."))
        .tool(
            Tool::new("hail", hail)
                .description("Hails a zebra.")
                .read_only()
                .cached(),
        )
        .tool(
            Tool::new("feed", feed)
                .description("Asks what to feed.")
                .asks::<String>()
                .read_only(),
        )
        .prompt(Prompt::new("describe", describe).description("Asks for a description."));
    // Without a stripe there is none to read.
    let server = match stripes {
        0 => server,
        _ => server.template(
            ResourceTemplate::new("data://stripe/{number}", "stripe", stripe)
                .description("A stripe of a zebra.")
                .mime_type("text/plain"),
        ),
    };
    let check = async move {
        let checked = match settings.herd {
            Some(herd) => Checked::new().fact("Herd", herd.display().to_string()),
            None => Checked::new(),
        };
        match stripes {
            0..10 => checked.warning("A zebra has more stripes.", "Set --stripes to more."),
            _ => checked,
        }
    };
    let server = Prepared::from(server).check("herd", check);
    Ok(server.on_exit(async { telemetry::say("zebra-2: closed") }))
}

#[derive(Deserialize, JsonSchema)]
struct Zebra {
    /// Its name.
    name: String,
}

async fn hail(ctx: Ctx, zebra: Zebra) -> pymcp_kit::Result<String> {
    ctx.info("Hailing.").await;
    Ok(format!("Hello, {}!", zebra.name))
}

#[derive(Deserialize, JsonSchema)]
struct Meal {
    /// Zebras that are hungry, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    zebras: u32,
}

async fn feed(ctx: Ctx, meal: Meal) -> pymcp_kit::Result<String> {
    match ctx.elicit::<String>("What do they eat?").await? {
        Elicited::Accepted(food) => Ok(format!("{} zebras eat {food}.", meal.zebras)),
        _ => Err(ToolError::user("They stay hungry.")),
    }
}

#[derive(Deserialize, JsonSchema)]
struct Stripe {
    /// Counted from 1.
    #[schemars(range(min = 1))]
    number: u32,
}

async fn stripe(_: Ctx, stripe: Stripe) -> pymcp_kit::Result<&'static str> {
    Ok(match stripe.number % 2 {
        0 => "white",
        _ => "black",
    })
}

async fn describe(_: Ctx, zebra: Zebra) -> pymcp_kit::Result<String> {
    Ok(format!("Describe the zebra {}.", zebra.name))
}

/// What only the keeper does.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
struct Graze {}

fn graze(_: Graze, _: &Program) -> Result<()> {
    Ok(())
}

fn main() -> ExitCode {
    App::new("zebra-2", env!("CARGO_PKG_VERSION"))
        .settings::<Settings>()
        .fact("herd", || "80 zebras".to_owned())
        .fact("allocator", || "savannah\u{7}".to_owned())
        .verb("graze", graze)
        .run(server)
}
