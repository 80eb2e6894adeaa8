//! What clap refuses, in one sentence, with what may have been meant. What is hidden is meant by nobody.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use pymcp_kit::telemetry;

use crate::Error;
use crate::command;
use crate::features;
use crate::program::Program;
use crate::sources::{self, Origins};

/// Characters of a value that is refused which its sentence repeats.
const MAX_SHOWN: usize = 200;

/// Flags of verbs whose values may be secret.
const SECRETS: [&str; 2] = ["bearer", "header"];

/// The command of a command line that something is refused of, such as `token list`.
pub(crate) struct Line<'a> {
    command: &'a Command,
    /// With the names above it: `zebra-2 token list`.
    path: String,
}

impl<'a> Line<'a> {
    /// The lowest command that the arguments name, below `root`. The first of them is the program.
    pub(crate) fn of(root: &'a Command, arguments: &[OsString]) -> Self {
        let mut line = Self {
            command: root,
            path: root.get_name().to_owned(),
        };
        let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
        for word in words.take_while(|word| *word != "--") {
            if let Some(below) = line.command.find_subcommand(word) {
                line.command = below;
                line.path = format!("{} {word}", line.path);
            }
        }
        line
    }

    fn unknown_flag(&self, flag: &str, program: &Program) -> Error {
        // Flags of verbs may be called like a setting.
        if has_settings(self.command)
            && let Some(feature) = features::of_flag(flag_of(flag))
        {
            let left_out = features::left_out(feature, program.name());
            return Error::setting(format!("--{} {left_out}.", flag_of(flag)));
        }
        let known: Vec<_> = self
            .command
            .get_arguments()
            .filter(|known| !known.is_hide_set())
            .filter_map(|known| known.get_long())
            .collect();
        let meant = sources::nearest(flag_of(flag), known.into_iter());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean --{meant}?"));
        let (flag, end) = (sources::shown(flag), end(&meant));
        let path = &self.path;
        Error::setting(format!("{flag} is not a flag of {path}{meant}{end}"))
            .hint(format!("{path} {} lists the flags.", help_of(self.command)))
    }

    /// What clap says of how the command is used, on one line.
    fn usage(&self, error: &clap::Error) -> String {
        match error.get(ContextKind::Usage) {
            Some(ContextValue::StyledStr(usage)) => usage.to_string(),
            _ => format!("{} --help says how it is used.", self.path),
        }
    }
}

/// Whether a command has the settings of the program.
fn has_settings(command: &Command) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|known| known.get_id() == command::HELP_ALL)
}

/// The flag with which a command tells all of itself.
fn help_of(command: &Command) -> &'static str {
    match has_settings(command) {
        true => "--help-all",
        false => "--help",
    }
}

/// A command that is not there, below one that is called `path`.
fn unknown_below(name: &str, command: &Command, path: &str) -> Error {
    let known = command
        .get_subcommands()
        .filter(|known| !known.is_hide_set());
    let known: Vec<_> = known.map(Command::get_name).collect();
    let meant = sources::nearest(name, known.into_iter());
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    let (name, end) = (sources::shown(name), end(&meant));
    Error::setting(format!("{name} is not a command of {path}{meant}{end}"))
        .hint(format!("{path} {} lists the commands.", help_of(command)))
}

/// The same below a command that is built.
pub(crate) fn unknown_command(name: &str, command: &Command) -> Error {
    let path = command.get_bin_name().unwrap_or(command.get_name());
    unknown_below(name, command, path)
}

/// The full stop of a sentence that does not end with a question.
fn end(meant: &str) -> &'static str {
    if meant.is_empty() { "." } else { "" }
}

/// One sentence for what is refused: a value without the value where it may hold a secret, a name with the one that may
/// have been meant; what clap says for everything else.
pub(crate) fn refusal(
    error: &clap::Error,
    program: &Program,
    origins: &Origins,
    line: &Line<'_>,
) -> Error {
    match error.kind() {
        ErrorKind::InvalidSubcommand
            if let Some(name) = text(error, ContextKind::InvalidSubcommand) =>
        {
            unknown_below(name, line.command, &line.path)
        }
        ErrorKind::UnknownArgument if let Some(argument) = text(error, ContextKind::InvalidArg) => {
            match argument.starts_with("--") {
                true => line.unknown_flag(argument, program),
                false => {
                    let (shown, path) = (sources::shown(argument), &line.path);
                    Error::setting(format!("{path} takes no argument '{shown}'."))
                        .hint(line.usage(error))
                }
            }
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
            let flag = flag_of(argument);
            let name = match argument.starts_with('-') {
                true => origins.name(program, flag),
                false => argument.trim_matches(['[', ']', '<', '>', '.']).to_owned(),
            };
            let sentence = value_refused(error, program, &name, flag);
            let place = origins.place(flag);
            Error::setting(place.map_or(sentence.clone(), |place| format!("{place}: {sentence}")))
        }
        ErrorKind::MissingRequiredArgument if let Some(missing) = missing(error) => {
            let named: Vec<_> = missing
                .iter()
                .map(|flag| origins.name(program, flag))
                .collect();
            Error::setting(format!("{} must be set.", named.join(" and ")))
        }
        ErrorKind::MissingRequiredArgument
            if let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) =>
        {
            let missing = missing.join(" and ");
            Error::setting(format!("{} needs {missing}.", line.path)).hint(line.usage(error))
        }
        _ => {
            telemetry::say(error.render().to_string().trim_end());
            Error::printed(u8::try_from(error.exit_code()).unwrap_or(Error::USAGE))
        }
    }
}

fn value_refused(error: &clap::Error, program: &Program, name: &str, flag: &str) -> String {
    let allowed = match error.get(ContextKind::ValidValue) {
        // The flag stands alone.
        Some(ContextValue::Strings(values)) if values.is_empty() => {
            return format!("{name} needs a value.");
        }
        Some(ContextValue::Strings(values)) => format!("one of {}", values.join(", ")),
        _ => std::error::Error::source(error)
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let setting = program.setting(flag);
    match SECRETS.contains(&flag) || setting.is_some_and(|setting| setting.is_secret()) {
        true => format!("{name} must be {allowed}."),
        false => format!("{name} is '{}', but must be {allowed}.", shown(value)),
    }
}

/// The flags that are required and not given; none if something else is missing too.
fn missing(error: &clap::Error) -> Option<Vec<&str>> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::Strings(arguments) => arguments
            .iter()
            .map(|argument| argument.starts_with("--").then(|| flag_of(argument)))
            .collect(),
        _ => None,
    }
}

/// The flag of an argument as clap shows it: `port` of `--port <PORT>`.
fn flag_of(argument: &str) -> &str {
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default();
    flag.trim_start_matches('-')
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    }
}

/// A value as it can stand within a sentence on a terminal.
fn shown(value: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    value.chars().take(MAX_SHOWN).map(escaped).collect()
}
