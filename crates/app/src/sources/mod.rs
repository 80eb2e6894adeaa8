//! Where settings come from: flags, then environment variables, then the file of `--env-file`, then that of `--config`.
//! No other file is used; a `.env` that was not named is looked at only to say so.
//!
//! What the others say goes to clap as flags, and only where no flag says it, so that one parser reads every value. The
//! process's environment stays as it is.

mod config;
mod env_file;
mod origin;
mod profiles;
mod unknown;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use pymcp_kit::telemetry;

use self::env_file::Variable;
use self::unknown::is_service_link;
use crate::file;
use crate::program::{Kind, Program, Setting};
use crate::settings::selection::Profiles;
use crate::settings::value::boolean;
use crate::{Error, Result};

pub(crate) use self::origin::Origins;
pub(crate) use self::unknown::{nearest, shown};

/// Time that a file may take that was not named.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// Unknown names that are warned about one by one.
const MAX_WARNINGS: usize = 20;

/// The flags that name files, and the ids of their fields.
pub(crate) const ENV_FILE: (&str, &str) = ("--env-file", "env_file");
pub(crate) const CONFIG: (&str, &str) = ("--config", "config");

/// Times that a flag can be given which counts.
const MAX_COUNT: u64 = 255;

/// Environment variables by name.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .collect()
    }

    /// The value of a variable that is set: neither empty nor made by Kubernetes.
    fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(name)?;
        (!value.is_empty() && !is_service_link(name, &value.to_string_lossy())).then_some(value)
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// What all sources say together.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The command line, with flags for what the other sources say.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) origins: Origins,
    /// The profiles of the configuration file.
    pub(crate) profiles: Profiles,
    has_env_file: bool,
    warnings: Vec<String>,
}

impl Sources {
    /// Reads the environment, and the files that are named. `command` is the whole command line; settings are read at its
    /// root and below `verbs`.
    ///
    /// # Errors
    /// What is wrong with a file, or with a value that clap cannot be given.
    pub(crate) fn gather(
        program: &Program,
        command: Command,
        verbs: &[&str],
        arguments: Vec<OsString>,
        environment: &Environment,
    ) -> Result<Self> {
        let named = environment
            .0
            .iter()
            .filter(|(name, value)| !is_service_link(name, &value.to_string_lossy()))
            .map(|(name, _)| (name.clone(), None));
        let mut sources = Self {
            arguments: verb_first(arguments, &command),
            origins: Origins::default(),
            profiles: Profiles::default(),
            has_env_file: false,
            warnings: unknown::warnings(program, named),
        };
        let first = sources.arguments.get(1).and_then(|first| first.to_str());
        let verb = first.filter(|first| command.find_subcommand(first).is_some());
        if verb.is_some_and(|verb| !verbs.contains(&verb)) {
            return Ok(sources);
        }
        let at = 1 + usize::from(verb.is_some());
        // What is wrong with the command line is found again, and told, when it is read in earnest.
        let Ok(given) = lenient(program, command, verbs).try_get_matches_from(&sources.arguments)
        else {
            return Ok(sources);
        };
        let given = given.subcommand().map_or(&given, |(_, below)| below);
        let flags = sources.resolve(program, given, environment)?;
        sources.arguments.splice(at..at, flags);
        Ok(sources)
    }

    /// Flags for every setting that another source than the command line gives.
    fn resolve(
        &mut self,
        program: &Program,
        given: &ArgMatches,
        environment: &Environment,
    ) -> Result<Vec<OsString>> {
        let env_file = path(given, ENV_FILE.1);
        let lines = match &env_file {
            Some(path) => self.env_file(program, path)?,
            None => BTreeMap::new(),
        };
        self.has_env_file = env_file.is_some();
        let config = path(given, CONFIG.1);
        let mut keys = BTreeMap::new();
        if let Some(path) = &config {
            let read = read_config(program, path)?;
            keys = read.values;
            self.profiles = Profiles {
                path: path.clone(),
                all: read.profiles,
            };
        }
        let mut flags = Vec::new();
        for setting in &program.settings {
            let flag = &setting.flag;
            if given.value_source(&setting.id) == Some(ValueSource::CommandLine) {
                self.origins.set(flag, origin::Origin::Flag);
                continue;
            }
            let names = || setting.variables();
            let in_env_file = || names().find_map(|name| Some((name, lines.get(name)?)));
            let (origin, texts) = if let Some((name, value)) =
                names().find_map(|name| Some((name, environment.get(name)?)))
            {
                let text = value
                    .to_str()
                    .ok_or_else(|| Error::setting(format!("{name} is not valid UTF-8.")))?;
                let name = name.to_owned();
                (origin::Origin::Variable { name }, vec![text.to_owned()])
            } else if let (Some(path), Some((name, (line, value)))) = (&env_file, in_env_file()) {
                let origin = origin::Origin::EnvFile {
                    path: path.clone(),
                    line: *line,
                    name: name.to_owned(),
                };
                (origin, vec![value.clone()])
            } else if let (Some(path), Some(value)) = (&config, keys.remove(flag)) {
                let origin = origin::Origin::Config {
                    path: path.clone(),
                    line: value.line,
                    key: value.key,
                };
                (origin, value.texts)
            } else {
                continue;
            };
            self.origins.set(flag, origin);
            let given = as_flags(setting, texts)
                .map_err(|must| Error::setting(self.origins.located(program, &must)))?;
            flags.extend(given.into_iter().map(OsString::from));
        }
        Ok(flags)
    }

    /// The values of the settings in a file of variables with their lines; what is empty is not set. Other names may be
    /// malformed, and their lines look like anything.
    fn env_file(
        &mut self,
        program: &Program,
        path: &Path,
    ) -> Result<BTreeMap<String, (usize, String)>> {
        let shown = path.display();
        let text = file::read(path, file::PATIENCE)
            .map_err(|reason| Error::setting(format!("{shown} ({}) {reason}.", ENV_FILE.0)))?;
        let variables = env_file::parse(&text);
        let named = variables.iter().map(|variable| {
            (
                variable.name.clone(),
                Some(format!("{shown}, line {}", variable.line)),
            )
        });
        self.warnings.extend(unknown::warnings(program, named));
        let known = program.variables();
        let mut values = BTreeMap::new();
        for Variable { line, name, value } in variables {
            if !known.contains(&name.as_str()) {
                continue;
            }
            let refused =
                |what: &str| Error::setting(format!("{shown}, line {line}: {name} {what}."));
            match value {
                Ok(value) if value.contains('\0') => {
                    return Err(refused("must have no NUL in its value"));
                }
                Ok(value) => values.insert(name, (line, value)),
                Err(malformed) => return Err(refused(malformed.reason())),
            };
        }
        values.retain(|_, (_, value)| !value.is_empty());
        Ok(values)
    }

    /// Says what somebody may have meant otherwise.
    pub(crate) fn announce(&self, program: &Program) {
        use std::io::IsTerminal as _;
        for warning in self.warnings.iter().take(MAX_WARNINGS) {
            tracing::warn!("{warning}");
        }
        if let more @ 1.. = self.warnings.len().saturating_sub(MAX_WARNINGS) {
            tracing::warn!("{more} more variables are not settings");
        }
        if !self.has_env_file && std::io::stderr().is_terminal() {
            let names = not_named(program, Path::new(".env"));
            if !names.is_empty() {
                telemetry::say(&format!(
                    "{}: .env is not read unless it is named, and it has {}; --env-file .env reads it.",
                    program.name,
                    names.join(", ")
                ));
            }
        }
    }
}

/// The command line with the verb in front of the files that may be named before it.
fn verb_first(mut arguments: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let at = verb_at(&arguments);
    let verb = arguments.get(at).and_then(|verb| verb.to_str());
    if verb.is_some_and(|verb| command.find_subcommand(verb).is_some()) {
        arguments[1..=at].rotate_right(1);
    }
    arguments
}

/// The word of a command line that is the verb, if it has one.
pub(crate) fn verb(arguments: &[OsString]) -> Option<&str> {
    arguments.get(verb_at(arguments))?.to_str()
}

/// The place of the verb: behind the files that may be named before it. Everything else before a verb is refused by clap.
fn verb_at(arguments: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(argument) = arguments
        .get(at)
        .map(|argument| argument.as_encoded_bytes())
    {
        let is = |flag: &str| argument == flag.as_bytes();
        let has = |flag: &str| argument.starts_with(format!("{flag}=").as_bytes());
        at += match [ENV_FILE.0, CONFIG.0] {
            flags if flags.into_iter().any(is) => 2,
            flags if flags.into_iter().any(has) => 1,
            _ => break,
        };
    }
    at
}

/// The command line with any value for any setting: says what is given.
fn lenient(program: &Program, command: Command, verbs: &[&str]) -> Command {
    let any = |argument: Arg| match program.setting(argument.get_long().unwrap_or_default()) {
        Some(setting) if matches!(setting.kind, Kind::One | Kind::Many) => argument
            .required(false)
            .default_value(clap::builder::Resettable::Reset)
            .value_parser(clap::value_parser!(OsString)),
        _ => argument,
    };
    let there = verbs
        .iter()
        .filter(|verb| command.find_subcommand(verb).is_some());
    let there: Vec<_> = there.collect();
    let command = there.into_iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, |verb| verb.mut_args(any).ignore_errors(true))
    });
    command.mut_args(any).ignore_errors(true)
}

fn path(given: &ArgMatches, id: &str) -> Option<PathBuf> {
    given.try_get_one::<PathBuf>(id).ok().flatten().cloned()
}

fn read_config(program: &Program, path: &Path) -> Result<config::Config> {
    let shown = path.display();
    let text = file::read(path, file::PATIENCE)
        .map_err(|reason| Error::setting(format!("{shown} ({}) {reason}.", CONFIG.0)))?;
    config::parse(&text, program)
        .map_err(|(line, sentence)| Error::setting(format!("{shown}, line {line}: {sentence}")))
}

/// The values of a setting as flags.
///
/// # Errors
/// The sentence for a value that no flag can have.
fn as_flags(setting: &Setting, texts: Vec<String>) -> Result<Vec<String>, String> {
    let flag = format!("--{}", setting.flag);
    match setting.kind {
        Kind::Many => Ok(texts.iter().map(|text| format!("{flag}={text}")).collect()),
        Kind::One => Ok(vec![format!("{flag}={}", texts.join(","))]),
        Kind::Switch => match boolean(&texts.join(",")) {
            Ok(true) => Ok(vec![flag]),
            Ok(false) => Ok(Vec::new()),
            Err(allowed) => Err(format!("{flag} must be {allowed}.")),
        },
        Kind::Count => match texts.join(",").trim().parse() {
            Ok(count @ 0..=MAX_COUNT) => Ok((0..count).map(|_| flag.clone()).collect()),
            _ => Err(format!(
                "{flag} must be a whole number from 0 to {MAX_COUNT}."
            )),
        },
    }
}

/// Settings in a file that is there by chance; none if it is no file, or cannot be read at once.
fn not_named<'a>(program: &'a Program, path: &Path) -> Vec<&'a str> {
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return Vec::new();
    }
    let text = file::read(path, IMPATIENCE).unwrap_or_default();
    let variables = env_file::parse(&text);
    let mut known = program.variables();
    known.retain(|name| variables.iter().any(|variable| variable.name == *name));
    known
}
