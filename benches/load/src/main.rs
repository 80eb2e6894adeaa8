//! The load bench: drives `pymcp` and two control servers in turns, and prints what a call costs each.
//!
//! # Layout
//!
//! - `scenario/` one question a file: calls, number of tools, sessions, soak, pipelining, start-up, Python
//! - `rounds` puts lanes under load in turns and samples them · `wrk` runs the load tool
//! - `artifacts` builds the binaries · `server` and `stdio` start one · `procfs` watches it
//! - `http`, `mcp` and `clients` the requests that the driver sends itself
//! - `report` tables, and whether a target is met

mod artifacts;
mod clients;
mod http;
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
use std::process::ExitCode;

use clap::Parser;

use crate::artifacts::Artifacts;
use crate::report::Report;
use crate::scenario::Scenario;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measure pymcp against its control servers.
#[derive(Parser)]
struct Options {
    /// What to measure; everything when none is named
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    #[command(flatten)]
    plan: rounds::Plan,
    /// Measure the binaries that are there, without building them first
    #[arg(long)]
    no_build: bool,
    /// Exit with 1 when a target is missed
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
    let artifacts = Artifacts::build(chosen, options.no_build)?;
    let mut report = Report::new();
    report.machine()?;
    for scenario in chosen {
        scenario.run(&artifacts, &options.plan, &mut report)?;
    }
    let met = report.verdicts()?;
    Ok(met || !options.enforce)
}
