//! `verify`: whether a server is what its lock says, and what is wrong with what it shows.

use std::path::PathBuf;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::telemetry::{self, Format as LogFormat};
use tracing::level_filters::LevelFilter;

use crate::client::{self, INTERRUPTED, Stop, TargetArgs};
use crate::doctor::probe::Target;
use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::verbs::{doctor, parsed};
use crate::verify::{self, Asked, Format, UNCHECKED};
use crate::{Error, Result};

pub(crate) const NAME: &str = "verify";

/// Check what a server shows: against a lock, and for texts that deceive
///
/// Reads everything that the server shows to a client, prints its digest, and finds hidden characters, instructions to
/// the model, and names that pass for others. With --lock it is compared. Nothing is called. Exit code 0 if the server is
/// as the lock has it (or there is none), 1 if it differs, 2 if that could not be checked: also for a server that cannot be
/// reached, and for one that shows a part of its lists only.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The lock to compare with: one that --write has written, or mcptrust's mcp-lock.json.
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    /// Write a lock of what the server shows now to this file, in place of what is there.
    #[arg(long, value_name = "FILE", conflicts_with = "lock")]
    write: Option<PathBuf>,

    /// What is printed: human, json, or sarif, for code hosts and editors.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "human",
        hide_possible_values = true
    )]
    format: Format,

    /// Exit with code 1 if something is found that is more than a note, whatever the lock says.
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    let command = Args::augment_args(Command::new(NAME));
    // Messages are not what is shown.
    command
        .mut_arg("trace", |trace| trace.hide(true))
        .mut_arg("timeout", |timeout| timeout.default_value("30"))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    verified(parsed(matches)?, host).map_err(|error| match error.code() {
        // Whatever is wrong, it was not checked.
        Error::UNREACHED => error.with_code(UNCHECKED),
        _ => error,
    })
}

fn verified(args: Args, host: Host<'_>) -> Result<()> {
    if args.target.trace {
        return Err(Error::setting("--trace is not for verify; list has it."));
    }
    let asked = Asked {
        lock: args.lock.as_deref(),
        write: args.write.as_deref(),
        era: args.target.era,
        patience: args.target.timeout,
    };
    let found = doctor::found(&args.target)?;
    let program = host.program;
    let output = Output::new(OutputArgs::default());
    let runtime = client::runtime()?;
    let report = runtime.block_on(async {
        let stop = Stop::once()?;
        let (target, own) = match found {
            Some(target) => (target, None),
            None => {
                // What goes wrong within the server is in its log alone.
                telemetry::init(&program.name, LevelFilter::ERROR, LogFormat::Text);
                let unchecked = |error: Error| error.with_code(UNCHECKED);
                let settled = host.settle(&args.target.files).map_err(unchecked)?;
                let own = settled.build(program).await.map_err(unchecked)?;
                let target = Target::Own(program.name().to_owned(), own.server.clone());
                (target, Some(own))
            }
        };
        let report = tokio::select! {
            report = verify::verify(program, &target, &asked) => Ok(report),
            () = stop.wait() => Err(Error::printed(INTERRUPTED)),
        };
        drop(target);
        if let Some(own) = own {
            own.close().await;
        }
        report
    });
    // A look-up of a name may hang in a thread of its own, and must not keep us here.
    runtime.shutdown_background();
    report?.finish(args.format, args.strict, output)
}
