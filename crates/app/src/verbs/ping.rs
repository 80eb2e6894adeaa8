//! `ping`: whether a server answers, and in what time.

use std::time::Instant;

use clap::{ArgMatches, Args as _, Command};
use serde_json::json;

use crate::Result;
use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::verbs::parsed;

pub(crate) const NAME: &str = "ping";

/// Connect to a server and ask for a sign of life
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { target, output } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, UserArgs::default(), async |connection| {
        let begun = Instant::now();
        // 2026-07-28 has no ping; what has answered the handshake lives.
        if !connection.is_modern() {
            connection.ping().await?;
        }
        let (micros, version) = (
            begun.elapsed().as_micros(),
            connection.server().protocol_version.to_string(),
        );
        match output.is_json() {
            true => output.value(&json!({ "protocolVersion": version })),
            false => output.line(format_args!(
                "{} answers ({version}, {micros} µs).",
                connection.target()
            )),
        }
    })
}
