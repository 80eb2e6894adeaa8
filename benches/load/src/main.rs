//! The load bench: drives `pymcp` and two control servers in turns, and prints what a call costs each.
//!
//! # Layout
//!
//! - `scenario/` one question a file: calls, number of tools, sessions, soak, pipelining, start-up, Python;
//!   `scenario/abuse/` one attack a file, and the honest client that is to be served meanwhile
//! - `rounds` puts lanes under load in turns and samples them · `wrk` runs the load tool
//! - `artifacts` builds the binaries · `server` and `stdio` start one · `procfs` watches it
//! - `issuer` signs tokens
//! - `http`, `mcp` and `clients` the requests that the driver sends itself
//! - `report` tables, and whether a target is met

mod artifacts;
mod clients;
mod http;
mod issuer;
mod mcp;
mod procfs;
mod report;
mod rounds;
mod scenario;
mod server;
mod stats;
mod stdio;
mod wrk;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::artifacts::Artifacts;
use crate::report::Report;
use crate::scenario::Scenario;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measure pymcp against its control servers.
#[derive(Parser)]
struct Options {
    /// What to measure; everything but the attacks when none is named
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    #[command(flatten)]
    plan: rounds::Plan,
    #[command(flatten)]
    abuse: scenario::abuse::Campaign,
    /// Measure the binaries that are there, without building them first
    #[arg(long)]
    no_build: bool,
    /// Measure this program in place of `pymcp` as it is shipped
    #[arg(long, value_name = "PROGRAM")]
    pymcp: Option<PathBuf>,
    /// Exit with 1 when a target is missed; one of the attacks always does
    #[arg(long)]
    enforce: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to report to when stderr is gone.
            drop(writeln!(std::io::stderr(), "load: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Whether the run may count as passed.
fn run(options: &Options) -> Result<bool> {
    let chosen = match options.scenarios.as_slice() {
        [] => Scenario::ALL,
        named => named,
    };
    if chosen.iter().any(|scenario| scenario.needs_wrk()) {
        wrk::require()?;
    }
    let artifacts = Artifacts::build(chosen, options.no_build, options.pymcp.as_deref())?;
    let mut report = Report::new();
    report.machine()?;
    for scenario in chosen {
        scenario.run(&artifacts, options, &mut report)?;
    }
    let met = report.verdicts()?;
    let enforce = options.enforce || chosen.contains(&Scenario::Abuse);
    Ok(met || !enforce)
}
