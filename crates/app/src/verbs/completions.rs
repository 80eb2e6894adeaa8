//! `completions`: a script that completes verbs, flags and values of flags in a shell.

use clap::{ArgMatches, Args as _, Command};
use clap_complete::Shell;

use crate::Result;
use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::verbs::parsed;

pub(crate) const NAME: &str = "completions";

/// A name of letters, which no text has.
const PLAIN: &str = "qxnameqx";

/// Print the script that completes this program's commands in a shell
///
/// Bash reads it with `source <(NAME completions bash)` in `~/.bashrc`, fish from
/// `~/.config/fish/completions/NAME.fish`, zsh from a file `_NAME` in a folder of `$fpath`.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { shell } = parsed::<Args>(matches)?;
    let (name, mut script) = (&host.program.name, Vec::new());
    let mut generate =
        |name: &str| clap_complete::generate(shell, &mut host.command(), name, &mut script);
    match shell {
        // clap_complete 4.6 loses what is below a name with a dash.
        Shell::Bash => {
            generate(PLAIN);
            script = String::from_utf8_lossy(&script)
                .replace(PLAIN, name)
                .into_bytes();
        }
        _ => generate(name),
    }
    Output::new(OutputArgs::default()).bytes(&script)
}
