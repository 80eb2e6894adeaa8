//! `manifest`: everything that the server exposes, as canonical JSON (RFC 8785).

use clap::{ArgMatches, Args as _, Command, ValueEnum};
use pymcp_kit::manifest::{Manifest, Projection};

use crate::host::{Host, Settled, runtime};
use crate::output::{Output, OutputArgs};
use crate::program::Program;
use crate::settings::Files;
use crate::verbs::parsed;
use crate::{Result, lock};

pub(crate) const NAME: &str = "manifest";

/// Print everything that the server exposes, as canonical JSON with digests
///
/// The settings are those of the environment and of the files that are named.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// What it covers: full, which is what the server with its settings is, or code, which is what its author wrote.
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "full",
        hide_possible_values = true
    )]
    projection: Of,

    /// Print it with indentation.
    #[arg(long)]
    pretty: bool,

    /// Print its digest alone.
    #[arg(long, conflicts_with = "pretty")]
    digest: bool,

    #[command(flatten)]
    files: Files,
}

/// What a manifest of the program's own server covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Of {
    /// What its author wrote, whatever the settings are (`code/1`).
    Code,
    /// What is enabled, with the resolved settings (`full/1`).
    Full,
}

impl From<Of> for Projection {
    fn from(of: Of) -> Self {
        match of {
            Of::Code => Self::Code,
            Of::Full => Self::Full,
        }
    }
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let args = parsed::<Args>(matches)?;
    let program = host.program;
    let settled = host.settle(&args.files)?;
    let manifest = of_own(program, settled, args.projection.into())?;
    let output = Output::new(OutputArgs::default());
    if args.digest {
        output.line(manifest.digest())
    } else if args.pretty {
        let text = serde_json::to_string_pretty(&manifest.to_value())?;
        output.bytes((text + "\n").as_bytes())
    } else {
        output.bytes((manifest.canonical() + "\n").as_bytes())
    }
}

/// The manifest of the program's own server.
///
/// # Errors
/// The server cannot be built, or has no manifest.
pub(crate) fn of_own(
    program: &Program,
    settled: Settled<'_>,
    projection: Projection,
) -> Result<Manifest> {
    let runtime = runtime()?;
    let manifest = runtime.block_on(async {
        let own = settled.build(program).await?;
        let manifest = lock::manifest(&own.server, projection);
        own.close().await;
        manifest
    });
    runtime.shutdown_background();
    manifest
}
