//! The questions that the bench answers, one a file.

pub(crate) mod abuse;
mod calls;
mod overload;
mod pipeline;
mod python;
mod sessions;
mod soak;
mod start;
mod switches;
mod tools;

use clap::ValueEnum;

use crate::artifacts::Artifacts;
use crate::report::Report;
use crate::{Options, Result};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Scenario {
    /// Start to the first answer over stdio, idle memory, size of the binary
    Start,
    /// CPU and latency of a call, against the control servers
    Calls,
    /// CPU of a call with all off, and what logs, audit and authentication add
    Switches,
    /// The same call with 7 and with 1,000 tools registered
    Tools,
    /// Memory of 10,000 idle sessions
    Sessions,
    /// Memory before and after 200,000 calls
    Soak,
    /// Memory under 20,000 calls that stdio gets without a pause
    Pipeline,
    /// Latency, throughput and memory of `run_python_code`
    Python,
    /// Goodput and refusals at ten times the capacity; only when it is named
    Overload,
    /// Whether an honest client is served while others do their worst; only when it is named
    Abuse,
}

impl Scenario {
    pub(crate) const ALL: &[Self] = &[
        Self::Start,
        Self::Calls,
        Self::Switches,
        Self::Tools,
        Self::Sessions,
        Self::Soak,
        Self::Pipeline,
        Self::Python,
    ];

    pub(crate) fn needs_wrk(self) -> bool {
        matches!(self, Self::Calls | Self::Switches)
    }

    pub(crate) fn run(
        self,
        artifacts: &Artifacts,
        options: &Options,
        report: &mut Report,
    ) -> Result<()> {
        match self {
            Self::Start => start::run(artifacts, report),
            Self::Calls => calls::run(artifacts, &options.plan, report),
            Self::Switches => switches::run(artifacts, &options.plan, report),
            Self::Tools => tools::run(artifacts, report),
            Self::Sessions => sessions::run(artifacts, report),
            Self::Soak => soak::run(artifacts, report),
            Self::Pipeline => pipeline::run(artifacts, report),
            Self::Python => python::run(artifacts, report),
            Self::Overload => overload::run(artifacts, report),
            Self::Abuse => abuse::run(artifacts, &options.abuse, report),
        }
    }
}
