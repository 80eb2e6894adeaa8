//! How the log is written.

use std::io::{self, IsTerminal as _};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use pymcp_kit::telemetry::Format;

/// Formats of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

impl LogFormat {
    /// Whether lines have the local time, whose zone is read from files.
    pub(crate) fn has_local_time(self) -> bool {
        matches!(self.of_stderr(), Format::Terminal { .. })
    }

    /// The format for stderr as it is: a person at a terminal is shown less, and that in columns.
    pub(crate) fn of_stderr(self) -> Format {
        let stderr = io::stderr();
        match self {
            Self::Text if stderr.is_terminal() => Format::Terminal {
                // `NO_COLOR` and what else says so.
                colours: AutoStream::choice(&stderr) != ColorChoice::Never,
            },
            Self::Text => Format::Text,
            Self::Json => Format::Json,
        }
    }
}
