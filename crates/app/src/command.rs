//! The command line, as clap has it.

use std::collections::BTreeSet;

use clap::builder::{OsStr, Resettable};
use clap::{Arg, ArgAction, Args, Command};

use crate::program::{self, Program, Setting};
use crate::settings::{Files, Shared};
use crate::sources::{CONFIG, ENV_FILE};
use crate::verbs;

const NONE: Resettable<OsStr> = Resettable::Reset;

/// A flag, without dashes, and the value that it has unless it is given.
pub(crate) type Default = (String, String);

/// The flag that shows every setting.
const HELP_ALL: &str = "help-all";

/// The command line of a program with settings `S` and these verbs besides its own. Nothing in it reads the environment.
pub(crate) fn command<S: Args>(
    program: &Program,
    about: &str,
    defaults: &[Default],
    more: impl IntoIterator<Item = Command>,
) -> Command {
    let root = Command::new(program.name.clone())
        .bin_name(program.name.clone())
        .version(program.version.clone())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args_conflicts_with_subcommands(true);
    let root = with_settings::<S>(root, about, defaults);
    let serve = Command::new(verbs::serve::NAME);
    let serve = with_settings::<S>(serve, verbs::serve::ABOUT, defaults);
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help);
    let more = [verbs::health::command()]
        .into_iter()
        .chain(more)
        .map(|verb| verb.arg(help.clone().help("Print help")));
    root.subcommand(serve).subcommands(more)
}

/// The settings of a program with settings `S`, without aliases.
pub(crate) fn settings<S: Args>(prefix: &str, defaults: &[Default]) -> Vec<Setting> {
    let files = BTreeSet::from([ENV_FILE.1, CONFIG.1].map(str::to_owned));
    let command = augmented::<S>(Command::new("settings"), defaults);
    program::settings(&command, prefix, &files)
}

fn augmented<S: Args>(command: Command, defaults: &[Default]) -> Command {
    let command = Files::augment_args(Shared::augment_args(command));
    let command = S::augment_args(command).next_help_heading(Resettable::Reset);
    command.mut_args(|argument| {
        let mut own = defaults.iter();
        let own = own.rfind(|(flag, _)| argument.get_long() == Some(flag));
        match own {
            Some((_, value)) => argument.default_value(value.clone()),
            None => argument,
        }
    })
}

fn with_settings<S: Args>(command: Command, about: &str, defaults: &[Default]) -> Command {
    augmented::<S>(command, defaults)
        // The documentation of the settings' types is none of the program.
        .about(about.to_owned())
        .long_about(Resettable::Reset)
        .mut_args(|argument| {
            let argument = argument.env(NONE);
            let has_names = !argument.get_possible_values().is_empty();
            // A switch has true and false, and takes no value.
            match has_names && argument.get_action().takes_values() {
                true => argument.ignore_case(true),
                false => argument,
            }
        })
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::HelpShort)
                .help("Print this help"),
        )
        .arg(
            Arg::new(HELP_ALL)
                .long(HELP_ALL)
                .action(ArgAction::HelpLong)
                .help("Print help with every setting"),
        )
}

/// The same command with what only the help says: variables, and where settings come from.
pub(crate) fn for_help(program: &Program, command: Command, all: bool) -> Command {
    let named = |argument: Arg| match program.setting(argument.get_long().unwrap_or_default()) {
        Some(setting) => argument
            .env(setting.variables.join(", "))
            .hide_env_values(true)
            .hide_env(!all),
        None => argument,
    };
    let prefix = &program.prefix;
    let short = format!(
        "Each has an environment variable ({prefix}PORT for --port). --{HELP_ALL} lists the other settings."
    );
    let long = format!(
        "Settings come from flags, then environment variables ({prefix}PORT for --port),\n\
         then the file of --env-file, then the file of --config. An empty variable is not set."
    );
    let with = |command: Command| {
        command
            .mut_args(named)
            .after_help(short.clone())
            .after_long_help(long.clone())
    };
    with(command.mut_subcommand(verbs::serve::NAME, with))
}

/// Whether the whole help is asked for.
pub(crate) fn asks_for_all(argument: &std::ffi::OsStr) -> bool {
    argument
        .to_str()
        .and_then(|argument| argument.strip_prefix("--"))
        == Some(HELP_ALL)
}
