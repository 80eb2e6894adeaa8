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
pub(crate) const HELP_ALL: &str = "help-all";

/// The command line with one verb alone, or with the settings at its root where none is named: enough to read what is
/// typed where nothing is wrong with it, and built in a fraction of the time.
pub(crate) fn alone<S: Args>(
    program: &Program,
    about: &str,
    defaults: &[Default],
    verb: Option<Command>,
) -> Command {
    let verb = match verb {
        Some(verb) if verb.get_name() == verbs::serve::NAME => {
            with_settings::<S>(verb, verbs::serve::ABOUT, defaults)
        }
        Some(verb) => with_help(verb, &help()),
        None => return with_settings::<S>(root(program), about, defaults),
    };
    root(program).subcommand(verb)
}

/// The command line of a program with settings `S` and these verbs besides its own, as far as they are `wanted`. Nothing
/// in it reads the environment.
pub(crate) fn command<S: Args>(
    program: &Program,
    about: &str,
    defaults: &[Default],
    more: impl IntoIterator<Item = Command>,
    wanted: impl Fn(&Command) -> bool,
) -> Command {
    let more: Vec<_> = more.into_iter().collect();
    let is_taken = |name: &str| more.iter().any(|verb| verb.get_name() == name);
    let root = with_settings::<S>(root(program), about, defaults);
    let serve = Command::new(verbs::serve::NAME);
    let serve = with_settings::<S>(serve, verbs::serve::ABOUT, defaults);
    let help = help();
    let built_in: Vec<_> = verbs::built_in()
        .map(|verb| (verb.command)())
        .filter(|verb| !is_taken(verb.get_name()))
        .collect();
    let all = built_in.into_iter().chain(more).filter(wanted);
    let all = all.map(|verb| with_help(verb, &help));
    root.subcommand(serve).subcommands(all)
}

fn root(program: &Program) -> Command {
    Command::new(program.name.clone())
        .bin_name(program.name.clone())
        .version(program.version.clone())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args_conflicts_with_subcommands(true)
}

fn help() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .help("Print help")
}

/// A verb that can be asked for help, as each verb below it.
fn with_help(verb: Command, help: &Arg) -> Command {
    verb.arg(help.clone())
        .mut_subcommands(|below| with_help(below, help))
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
                .help("Print help with every command and setting"),
        )
}

/// The same command with what only the help says: variables, and where settings come from. Unless `all` is asked for, it
/// has the common verbs of every program, and the author's `own`.
pub(crate) fn for_help(
    program: &Program,
    mut command: Command,
    all: bool,
    own: impl Fn(&str) -> bool,
) -> Command {
    let rare = verbs::built_in().filter(|verb| !verb.is_common());
    for verb in rare.filter(|verb| !all && !own(verb.name())) {
        command = command.mut_subcommand(verb.name(), |verb| verb.hide(true));
    }
    let named = |argument: Arg| match program.setting(argument.get_long().unwrap_or_default()) {
        Some(setting) => argument
            .env(setting.variables.join(", "))
            .hide_env_values(true)
            .hide_env(!all),
        None => argument,
    };
    let prefix = &program.prefix;
    let short = format!(
        "Each has a variable ({prefix}PORT for --port). --{HELP_ALL} has every command and setting."
    );
    let long = format!(
        "Settings come from flags, then environment variables ({prefix}PORT for --port),\n\
         then the file of --env-file, then the file of --config. A variable that is empty counts as not set."
    );
    let with = |command: Command| {
        command
            .mut_args(named)
            .after_help(short.clone())
            .after_long_help(long.clone())
    };
    with(command.mut_subcommand(verbs::serve::NAME, with))
}

/// The same command for manual pages and completion scripts: with the whole help of every setting.
pub(crate) fn for_documents(program: &Program, command: Command) -> Command {
    let name = &program.name;
    let whole = |argument: Arg| match argument.get_long_help().is_some() {
        true => argument,
        false => argument.hide_short_help(false),
    };
    let serve = verbs::serve::NAME;
    for_help(program, command, true, |_| true)
        .mut_args(whole)
        // The usage that clap writes of so many settings is a page of its own.
        .override_usage(format!("{name} [OPTIONS]\n{name} <COMMAND>"))
        .mut_subcommand(serve, |command| {
            command
                .mut_args(whole)
                .override_usage(format!("{name} {serve} [OPTIONS]"))
        })
}

/// Whether the whole help is asked for.
pub(crate) fn asks_for_all(argument: &std::ffi::OsStr) -> bool {
    argument
        .to_str()
        .and_then(|argument| argument.strip_prefix("--"))
        == Some(HELP_ALL)
}
