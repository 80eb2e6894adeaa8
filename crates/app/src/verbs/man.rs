//! `man`: manual pages, of the program and of each verb.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args as _, Command};
use clap_mangen::Man;

use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::refusal::unknown_command;
use crate::verbs::parsed;
use crate::{Error, Result};
use pymcp_kit::reason::reason;

pub(crate) const NAME: &str = "man";

/// Print the manual page of this program or of one of its commands, as roff
///
/// `NAME man | man -l -` shows it.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The command, such as `serve`, or `token new`; without one it is the page of the program.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    verb: Vec<String>,
    /// Write the pages of the program and of all its commands into this folder, which is made if there is none.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { verb, out } = parsed::<Args>(matches)?;
    let mut command = host.command();
    // Names each page after its program.
    command.build();
    if let Some(folder) = out {
        return write_all(command, &folder);
    }
    let mut asked = &command;
    for name in &verb {
        asked = asked
            .find_subcommand(name)
            .ok_or_else(|| unknown_command(name, asked))?;
    }
    let page = page(asked.clone()).map_err(|error| Error::other(reason(&error)))?;
    Output::new(OutputArgs::default()).bytes(&page)
}

fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn write_all(command: Command, folder: &Path) -> Result<()> {
    let failed = |path: &Path, error: std::io::Error| {
        let why = reason(&error);
        Error::other(format!("{} cannot be written: {why}.", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let name = command.get_display_name().unwrap_or(command.get_name());
        let file = folder.join(format!("{name}.1"));
        page(command)
            .and_then(|page| fs::write(&file, page))
            .map_err(|error| failed(&file, error))?;
    }
    Ok(())
}
