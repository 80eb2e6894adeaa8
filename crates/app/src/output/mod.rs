//! What verbs print. Answers go to stdout, everything else (errors, progress, log messages of a server) to stderr with
//! [`telemetry::say`](pymcp_kit::telemetry::say). A verb flattens [`OutputArgs`] into its arguments and prints by an [`Output`].
//!
//! Text that comes from a server is a stranger's: it passes [`visible`] before it gets to a terminal.

#[cfg(feature = "verbs")]
pub(crate) mod content;
#[cfg_attr(not(feature = "verbs"), path = "plain_table.rs")]
mod table;

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anstyle::Style;
pub(crate) use pymcp_kit::text::visible;
use serde::Serialize;

use crate::{Error, Result};
use pymcp_kit::reason::reason;

/// Columns where stdout is no terminal, or does not say.
const COLUMNS: u16 = 100;

/// Names and headings.
pub(crate) const STRONG: Style = Style::new().bold();
/// What is less important than the rest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is right.
pub(crate) const GOOD: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Green)));
/// What may be wrong.
pub(crate) const WARN: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Yellow)));
/// What is wrong.
pub(crate) const BAD: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Red)));

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct OutputArgs {
    /// Print JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prints the answer of a verb to stdout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(args: OutputArgs) -> Self {
        Self { json: args.json }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person reads stdout.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Prints text and a line break. Styles in it are left out where stdout is no terminal or `NO_COLOR` is set.
    ///
    /// # Errors
    /// That stdout cannot be written. When its reader has left, the program ends quietly and well.
    pub(crate) fn line(self, text: impl Display) -> Result<()> {
        let mut out = anstream::stdout().lock();
        written(writeln!(out, "{text}").and_then(|()| out.flush()))
    }

    /// Prints a table without borders, as wide as the terminal.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn table<const N: usize>(
        self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<()> {
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.map(|cell| visible(&cell).into_owned()));
        for (at, line) in table::lines(head, rows).iter().enumerate() {
            let line = line.trim_end();
            match at {
                0 => self.line(format_args!("{STRONG}{line}{STRONG:#}"))?,
                _ => self.line(line)?,
            }
        }
        Ok(())
    }

    /// Prints a value as JSON, with indentation where a person reads it.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn value(self, value: &impl Serialize) -> Result<()> {
        let text = match Self::is_terminal() {
            true => serde_json::to_string_pretty(value)?,
            false => serde_json::to_string(value)?,
        };
        let mut out = io::stdout().lock();
        written(writeln!(out, "{text}").and_then(|()| out.flush()))
    }

    /// Prints bytes as they are: a file that was asked for.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        written(out.write_all(bytes).and_then(|()| out.flush()))
    }
}

/// Columns of the terminal that stdout is.
pub(crate) fn columns() -> u16 {
    #[cfg(unix)]
    if Output::is_terminal()
        && let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
        && size.ws_col > 0
    {
        return size.ws_col;
    }
    COLUMNS
}

fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Error::printed(0)),
        Err(error) => Err(Error::other(format!(
            "The answer cannot be printed: {}.",
            reason(&error)
        ))),
    }
}
