//! `cargo run -p pymcp-app --example zebra-2`: a program with a setting of its own, which the tests of this crate start.

use std::process::ExitCode;

use pymcp_app::{App, Error, Prepared, Result};
use pymcp_kit::{Server, telemetry};

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
    if let Some(herd) = settings.herd {
        std::fs::read_dir(herd)?;
    }
    let server = Server::builder("zebra-2", env!("CARGO_PKG_VERSION"))
        .instructions(format!("A zebra has {stripes} stripes."));
    Ok(Prepared::from(server).on_exit(async { telemetry::say("zebra-2: closed") }))
}

fn main() -> ExitCode {
    App::new("zebra-2", env!("CARGO_PKG_VERSION"))
        .settings::<Settings>()
        .run(server)
}
