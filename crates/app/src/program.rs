//! What a program is called, and which settings it has: all that its verbs, errors and documents say of it.

use std::collections::BTreeSet;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};

/// A program: its names and its settings.
#[derive(Debug)]
pub struct Program {
    pub(crate) name: String,
    pub(crate) version: String,
    /// With its underscore: `ZEBRA_2_`.
    pub(crate) prefix: String,
    /// More prefixes under which unknown variables are warned about.
    pub(crate) prefixes: Vec<String>,
    pub(crate) settings: Vec<Setting>,
    /// The text of the lock that its author built in.
    pub(crate) lock: Option<String>,
    /// Flags, and the places of a difference from that lock that they decide.
    pub(crate) decides: Vec<(String, String)>,
}

impl Program {
    /// What it is called, on the command line and in everything that it says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How the names of its environment variables begin, with the underscore: `ZEBRA_2_`.
    pub fn env_prefix(&self) -> &str {
        &self.prefix
    }

    /// Every setting, in the order of the help.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The setting of a flag, given without dashes.
    pub(crate) fn setting(&self, flag: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.flag == flag)
    }

    /// Every environment variable that is read.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let variables = self.settings.iter().flat_map(Setting::variables);
        variables.collect()
    }
}

/// A setting: one flag, its environment variables, one key of the configuration file.
#[derive(Debug, Clone)]
pub struct Setting {
    pub(crate) id: String,
    pub(crate) flag: String,
    pub(crate) variables: Vec<String>,
    pub(crate) kind: Kind,
    default: String,
    help: String,
    heading: Option<String>,
    common: bool,
    secret: bool,
    /// The values that have names, with their aliases.
    pub(crate) names: Vec<PossibleValue>,
}

/// How a value is handed to clap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `--flag=value`, once.
    One,
    /// `--flag=value`, once for each value.
    Many,
    /// `--flag`, or nothing.
    Switch,
    /// `--flag`, so many times.
    Count,
}

impl Setting {
    /// The long flag without its dashes, which is also the key in the configuration file: `log-level`.
    pub fn flag(&self) -> &str {
        &self.flag
    }

    /// The environment variable: prefix and flag, as in `ZEBRA_2_LOG_LEVEL`.
    pub fn variable(&self) -> &str {
        self.variables.first().map_or("", String::as_str)
    }

    /// All its environment variables; the first one that is set counts. All but the first are aliases.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The default as text; empty if there is none.
    pub fn default(&self) -> &str {
        &self.default
    }

    /// What it is, in a paragraph.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Under which heading the help has it.
    pub fn heading(&self) -> Option<&str> {
        self.heading.as_deref()
    }

    /// Whether `--help` has it, and not only `--help-all`.
    pub fn is_common(&self) -> bool {
        self.common
    }

    /// Whether its value is shown nowhere (`hide_env_values` of clap).
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Reads the setting off clap's description of its flag; none for what has no long flag.
    fn of(argument: &Arg, prefix: &str) -> Option<Self> {
        let flag = argument.get_long()?;
        let own = argument.get_env().and_then(|name| name.to_str());
        let mut variables = vec![format!("{prefix}{}", upper(flag))];
        variables.extend(own.map(str::to_owned).filter(|own| *own != variables[0]));
        let defaults = argument.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        let help = argument.get_long_help().or(argument.get_help());
        let kind = match argument.get_action() {
            ArgAction::Set => Kind::One,
            ArgAction::Append => Kind::Many,
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            ArgAction::Count => Kind::Count,
            _ => return None,
        };
        Some(Self {
            id: argument.get_id().to_string(),
            flag: flag.to_owned(),
            variables,
            kind,
            default: match kind {
                Kind::Count => String::new(),
                Kind::Switch => "false".to_owned(),
                _ => defaults.join(","),
            },
            help: help.map(ToString::to_string).unwrap_or_default(),
            heading: argument.get_help_heading().map(str::to_owned),
            common: !argument.is_hide_short_help_set(),
            secret: argument.is_hide_env_values_set(),
            names: argument.get_possible_values(),
        })
    }
}

/// The settings among the arguments of a command that is built, but those of `files`.
pub(crate) fn settings(command: &Command, prefix: &str, files: &BTreeSet<String>) -> Vec<Setting> {
    command
        .get_arguments()
        .filter(|argument| !files.contains(argument.get_id().as_str()))
        .filter_map(|argument| Setting::of(argument, prefix))
        .collect()
}

/// How a name is written in the name of a variable: `zebra-2` is `ZEBRA_2`.
pub(crate) fn upper(name: &str) -> String {
    name.chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_have_letters_digits_and_underscores() {
        for (name, written) in [
            ("zebra-2", "ZEBRA_2"),
            ("acme.inventory", "ACME_INVENTORY"),
            ("pymcp", "PYMCP"),
            ("log-level", "LOG_LEVEL"),
        ] {
            assert_eq!(upper(name), written);
        }
    }
}
