//! Where settings come from: flags, then environment variables, then the file that `--env-file` names. No other file is
//! used; a `.env` that was not asked for is looked at only to say so.
//!
//! What the file says goes to `clap` as flags, and only where neither a flag nor a variable does, so that one parser
//! reads every value. The process's environment stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{OsStr, Resettable};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _};
use pymcp_kit::telemetry;

use super::Cli;
use super::env_file::{self, Variable};

/// Time that the file may take: longer only for a pipe that nobody writes to.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a file that was not asked for.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// How the names of our variables begin, and of those that the original has.
const PREFIXES: [&str; 6] = [
    "PYMCP_",
    "FASTMCP_",
    "MCP_SERVER_",
    "RESPONSE_CACHE_",
    "ASGI_CORS_",
    "DDGS_",
];

/// The same for names that are not ours alone: only slips are our business.
const SHARED_PREFIXES: [&str; 2] = ["SEARXNG_", "BRAVE_"];

/// Unknown names that are warned about one by one.
const MAX_WARNINGS: usize = 20;

/// Unknown names that are compared with the known ones: it takes long, and a file can have very many.
const MAX_COMPARED: usize = 5 * MAX_WARNINGS;

/// Settings with a second name: the file's value for the first one gives way to what is given under the second.
const SECOND_NAMES: [(&str, &str); 1] = [("PYMCP_SEARCH_PROXY", "DDGS_PROXY")];

/// How like a known name an unknown one must be, from 0 to 1, to be taken for it.
const SIMILAR: f64 = 0.6;

/// The same for names with a shared prefix.
const SAME_BUT_FOR_A_SLIP: f64 = 0.9;

/// The flag that names the file, and the id of its field.
const FLAG: &str = "--env-file";
const ID: &str = "env_file";

/// Under which the settings are given, besides bare `pymcp`.
const SERVE: &str = "serve";

const NONE: Resettable<OsStr> = Resettable::Reset;

/// What the command line, the environment and the file say together.
pub(super) struct Sources {
    /// The command line, with a flag for each setting that the file decides.
    pub(super) arguments: Vec<OsString>,
    file: Option<PathBuf>,
    /// The line of the file that decides a setting, by the name of its variable.
    lines: BTreeMap<String, usize>,
    warnings: Vec<String>,
}

impl Sources {
    /// Reads the file, if one is named.
    ///
    /// # Errors
    /// The sentence for a file that cannot be used.
    pub(super) fn gather(arguments: Vec<OsString>) -> Result<Self, String> {
        let environment = std::env::vars_os();
        let environment = environment
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, value)| !is_service_link(name, &value.to_string_lossy()))
            .map(|(name, _)| (name, None));
        let mut sources = Self {
            arguments,
            file: None,
            lines: BTreeMap::new(),
            warnings: unknown_names(environment),
        };
        let mut flags = sources.arguments.iter().map(|flag| flag.as_encoded_bytes());
        if !flags.any(|flag| flag.starts_with(FLAG.as_bytes())) {
            return Ok(sources);
        }
        // What is wrong with the command line is found again, and told, when it is read in earnest.
        let Ok(given) = lenient().try_get_matches_from(&sources.arguments) else {
            return Ok(sources);
        };
        sources.read(&given)?;
        Ok(sources)
    }

    fn read(&mut self, given: &ArgMatches) -> Result<(), String> {
        let serve = given.subcommand_matches(SERVE);
        let named = |matches: &ArgMatches| matches.get_one::<PathBuf>(ID).cloned();
        let (before, after) = (named(given), serve.and_then(named));
        let file = match (before.clone(), after) {
            (Some(_), Some(_)) => return Err(format!("{FLAG} is given twice.")),
            (None, None) => return Ok(()),
            (file, other) => file.or(other),
        };
        let Some(path) = &file else { return Ok(()) };
        let shown = path.display();
        let variables = env_file::read(path, PATIENCE)
            .map_err(|reason| format!("{shown} ({FLAG}) {reason}."))?;
        self.warnings
            .extend(unknown_names(variables.iter().map(|variable| {
                (variable.name.clone(), Some((path.as_path(), variable.line)))
            })));
        let values = values(variables)
            .map_err(|(line, sentence)| format!("{shown}, line {line}: {sentence}"))?;
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let flags = self.decide(serve.unwrap_or(given), is_set, &values);
        self.insert(flags, before.is_some(), serve.is_some());
        self.file = file;
        Ok(())
    }

    /// A flag for each setting that neither a flag nor a variable gives.
    fn decide(
        &mut self,
        given: &ArgMatches,
        is_set: impl Fn(&str) -> bool,
        values: &BTreeMap<String, (usize, String)>,
    ) -> Vec<OsString> {
        let mut flags = Vec::new();
        let settings = settings();
        let decided: BTreeSet<_> = settings
            .iter()
            .filter(|(_, name, id)| is_set(name) || on_command_line(given, id))
            .map(|(_, name, _)| name.clone())
            .collect();
        for (flag, name, _) in settings {
            let mut second = SECOND_NAMES.iter().filter(|(first, _)| *first == name);
            if decided.contains(&name) || second.any(|(_, second)| decided.contains(*second)) {
                continue;
            }
            if let Some((line, value)) = values.get(&name)
                && !value.is_empty()
            {
                flags.push(format!("--{flag}={value}").into());
                self.lines.insert(name, *line);
            }
        }
        flags
    }

    /// Puts flags where settings are read. What names the file is no setting, and may stand before `serve` as well.
    fn insert(&mut self, flags: Vec<OsString>, named_first: bool, serves: bool) {
        let mut at = 1;
        if serves {
            let is_next = |at: usize| self.arguments.get(at).is_some_and(|next| next == SERVE);
            let length = match self.arguments.get(1) {
                Some(first) if named_first && first == FLAG => 2,
                _ => usize::from(named_first),
            };
            // Otherwise there are settings before `serve`, which is refused.
            if is_next(1 + length) {
                self.arguments.drain(1..=length);
                at = 2;
            }
        }
        self.arguments.splice(at..at, flags);
    }

    /// The program's command line. A variable that is empty is not set, and one counts only where settings are read.
    pub(super) fn command(&self) -> Command {
        let command = Cli::command();
        let first = self.arguments.get(1);
        let is_bare = !command
            .get_subcommands()
            .any(|subcommand| first.is_some_and(|first| first == subcommand.get_name()));
        let counts = |setting: Arg, here: bool| match here && !is_empty(&setting) {
            true => setting,
            false => setting.env(NONE),
        };
        each_setting(command, |setting| counts(setting, is_bare)).mut_subcommand(SERVE, |serve| {
            each_setting(serve, |setting| counts(setting, true))
        })
    }

    /// The sentence, with file and line if what it complains of stands there.
    pub(super) fn locate(&self, sentence: &str) -> String {
        let first = words(sentence).find_map(|word| self.lines.get(word));
        match (&self.file, first) {
            (Some(file), Some(line)) => format!("{}, line {line}: {sentence}", file.display()),
            _ => sentence.to_owned(),
        }
    }

    /// Says what somebody may have meant otherwise.
    pub(super) fn announce(&self) {
        use std::io::IsTerminal as _;
        for warning in self.warnings.iter().take(MAX_WARNINGS) {
            tracing::warn!("{warning}");
        }
        if let more @ 1.. = self.warnings.len().saturating_sub(MAX_WARNINGS) {
            tracing::warn!("{more} more names are no settings");
        }
        if self.file.is_none() && std::io::stderr().is_terminal() {
            let names = not_asked_for(Path::new(".env"));
            if !names.is_empty() {
                telemetry::say(&format!(
                    "pymcp: .env is here and not read, though it has {}; {FLAG} .env reads it.",
                    names.join(", ")
                ));
            }
        }
    }
}

/// The command line without the environment, and with any value for any setting: says what is given.
fn lenient() -> Command {
    let any = |setting: Arg| {
        setting
            .env(NONE)
            .default_value(NONE)
            .value_parser(clap::value_parser!(OsString))
    };
    each_setting(Cli::command(), any)
        .mut_subcommand(SERVE, |serve| each_setting(serve, any))
        .args_conflicts_with_subcommands(false)
}

fn each_setting(command: Command, change: impl Fn(Arg) -> Arg) -> Command {
    command.mut_args(|argument| match argument.get_env().is_some() {
        true => change(argument),
        false => argument,
    })
}

fn is_empty(setting: &Arg) -> bool {
    let value = setting.get_env().and_then(std::env::var_os);
    value.is_some_and(|value| value.is_empty())
}

fn on_command_line(given: &ArgMatches, id: &str) -> bool {
    given.value_source(id) == Some(ValueSource::CommandLine)
}

/// Flag, variable and id of every setting.
fn settings() -> Vec<(String, String, String)> {
    let command = Cli::command();
    let setting = |argument: &Arg| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        Some((
            argument.get_long()?.to_owned(),
            variable,
            argument.get_id().to_string(),
        ))
    };
    command.get_arguments().filter_map(setting).collect()
}

fn names() -> Vec<String> {
    settings().into_iter().map(|(_, name, _)| name).collect()
}

/// The values of our settings with their lines. Others may be malformed, and their lines look like anything.
fn values(variables: Vec<Variable>) -> Result<BTreeMap<String, (usize, String)>, (usize, String)> {
    let known = names();
    let mut values = BTreeMap::new();
    for Variable { line, name, value } in variables {
        if !known.contains(&name) {
            continue;
        }
        match value {
            Ok(value) if value.contains('\0') => {
                return Err((line, format!("{name} must have no NUL in its value.")));
            }
            Ok(value) => values.insert(name, (line, value)),
            Err(malformed) => return Err((line, format!("{name} {}.", malformed.reason()))),
        };
    }
    Ok(values)
}

/// Our names in a file that is there by chance; none if it is no file, or cannot be read at once.
fn not_asked_for(path: &Path) -> Vec<String> {
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return Vec::new();
    }
    let variables = env_file::read(path, IMPATIENCE).unwrap_or_default();
    let mut known = names();
    known.retain(|name| variables.iter().any(|variable| variable.name == *name));
    known
}

/// A warning for each name that is meant for us and that we don't know; `place` is file and line.
fn unknown_names<'a>(
    variables: impl Iterator<Item = (String, Option<(&'a Path, usize)>)>,
) -> Vec<String> {
    let mut ours: Vec<_> = variables
        .filter(|(name, _)| prefix(name).is_some())
        .collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let known = names();
    let mut warned = BTreeSet::new();
    ours.retain(|(name, _)| warned.insert(name.clone()));
    let mut compared = 0;
    let warning = |(name, place): (String, Option<(&Path, usize)>)| {
        if known.contains(&name) {
            return None;
        }
        compared += 1;
        let meant = match compared {
            ..=MAX_COMPARED => meant(&name, &known)?,
            _ if prefix(&name)? => None,
            // Of a shared prefix only slips are told.
            _ => return None,
        };
        let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
        let place = place.map_or_else(String::new, |(path, line)| {
            format!("{}, line {line}: ", path.display())
        });
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        Some(format!("{place}{shown} is no setting{hint}"))
    };
    ours.into_iter().filter_map(warning).collect()
}

/// Whether Kubernetes made this variable for a service that is called like us: `PYMCP_SERVICE_HOST`,
/// `PYMCP_PORT=tcp://…`, `PYMCP_PORT_8000_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    if name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
    {
        return true;
    }
    let is_address = || {
        let scheme = value.split_once("://");
        scheme.is_some_and(|(scheme, _)| PROTOCOLS.contains(&scheme.to_ascii_uppercase().as_str()))
    };
    let is_port = |rest: &str| {
        let mut words = rest.split('_');
        words.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && words.next().is_some_and(|word| PROTOCOLS.contains(&word))
    };
    (name.ends_with("_PORT") && is_address()) || name.split("_PORT_").skip(1).any(is_port)
}

/// Whether a name begins like ours: with a prefix of ours alone, or with a shared one. In any case, as the original takes
/// its names.
fn prefix(name: &str) -> Option<bool> {
    let begins = |prefix: &&str| {
        let head = name.as_bytes().get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if PREFIXES.iter().any(begins) {
        return Some(true);
    }
    SHARED_PREFIXES.iter().any(begins).then_some(false)
}

/// Whether a name is meant for us though we don't know it: the known one that it is most like, if it is like any.
fn meant<'a>(name: &str, known: &'a [String]) -> Option<Option<&'a str>> {
    let ours = prefix(name)?;
    if known.iter().any(|known| known == name) {
        return None;
    }
    // Longer ones are like none.
    let upper: String = name
        .chars()
        .take(64)
        .collect::<String>()
        .to_ascii_uppercase();
    let (likeness, nearest) = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&upper, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    match (ours, likeness) {
        (true, SIMILAR..) | (false, SAME_BUT_FOR_A_SLIP..) => Some(Some(nearest)),
        (true, _) => Some(None),
        (false, _) => None,
    }
}

/// What could be names of variables in a sentence.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_flag_and_a_name_of_ours_or_of_another_product() {
        for (flag, name, id) in settings() {
            assert!(prefix(&name).is_some(), "{name}");
            assert!(!flag.is_empty() && id != ID);
        }
    }

    #[test]
    fn a_name_of_ours_that_is_unknown_is_told_with_what_may_have_been_meant() {
        let known = names();
        for (name, nearest) in [
            ("FASTMCP_PROT", Some(Some("FASTMCP_PORT"))),
            ("fastmcp_port", Some(Some("FASTMCP_PORT"))),
            ("FASTMCP_LOG_LEVEL", Some(Some("PYMCP_LOG_LEVEL"))),
            ("FASTMCP_MASK_ERROR_DETAILS", Some(None)),
            ("PYMCP_LOGLEVEL", Some(Some("PYMCP_LOG_LEVEL"))),
            ("MCP_SERVER_TRANSPORTS", Some(Some("MCP_SERVER_TRANSPORT"))),
            ("RESPONSE_CACHE_TLL", Some(Some("RESPONSE_CACHE_TTL"))),
            ("PYMCP_", Some(None)),
            ("FASTMCP_PORT", None),
            ("MCP_TIMEOUT", None),
            ("PORT", None),
            ("PATH", None),
            ("SEARXNG_SECRET", None),
            ("", None),
        ] {
            assert_eq!(meant(name, &known), nearest, "{name}");
        }
        #[cfg(feature = "search")]
        for (name, nearest) in [
            ("BRAVE_API_KYE", "BRAVE_API_KEY"),
            ("DDGS_PROXIES", "DDGS_PROXY"),
        ] {
            assert_eq!(meant(name, &known), Some(Some(nearest)), "{name}");
        }
    }

    #[test]
    fn what_kubernetes_says_of_services_is_no_setting_of_ours() {
        for (name, value) in [
            ("PYMCP_SERVICE_HOST", "10.0.0.1"),
            ("PYMCP_SERVICE_PORT", "8000"),
            ("PYMCP_SERVICE_PORT_HTTP", "8000"),
            ("PYMCP_PORT", "tcp://10.0.0.1:8000"),
            ("PYMCP_A_PORT", "udp://10.0.0.1:8000"),
            ("PYMCP_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("PYMCP_PORT_8000_TCP_PROTO", "tcp"),
            ("PYMCP_PORT_8000_UDP_PORT", "8000"),
            ("PYMCP_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in [
            ("PYMCP_PORT", "8000"),
            ("PYMCP_PORT", "http://x"),
            ("PYMCP_PORT_X_TCP", "tcp://10.0.0.1:8000"),
            ("PYMCP_PORT_8000", "1"),
            ("PYMCP_SERVICE", "x"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn only_some_names_are_compared_and_all_are_counted() {
        let names = |prefix: &'static str| {
            (0..1_000).map(move |number| (format!("{prefix}{number}"), None))
        };
        let warnings = unknown_names(names("PYMCP_LOG_LEVEL"));
        let meant = warnings.iter().filter(|warning| warning.contains("mean"));
        assert_eq!((warnings.len(), meant.count()), (1_000, MAX_COMPARED));
        // Of a shared prefix only slips are told.
        let slip = ("SEARXNG_URLL".to_owned(), None);
        let shared = names("SEARXNG_OTHER_").chain([slip]);
        assert_eq!(unknown_names(shared), [""; 0]);
    }

    #[cfg(feature = "search")]
    #[test]
    fn what_is_given_under_a_second_name_comes_before_the_file() {
        let values = |name: &str| BTreeMap::from([(name.to_owned(), (1, "http://b".to_owned()))]);
        for (arguments, set, in_file, decided) in [
            (&["pymcp"][..], "DDGS_PROXY", "PYMCP_SEARCH_PROXY", false),
            (
                &["pymcp", "--ddgs-proxy=http://a"],
                "",
                "PYMCP_SEARCH_PROXY",
                false,
            ),
            (&["pymcp"], "", "PYMCP_SEARCH_PROXY", true),
            (&["pymcp"], "", "DDGS_PROXY", true),
        ] {
            let given = lenient().try_get_matches_from(arguments).unwrap();
            let mut sources = Sources {
                arguments: Vec::new(),
                file: None,
                lines: BTreeMap::new(),
                warnings: Vec::new(),
            };
            let flags = sources.decide(&given, |name| name == set, &values(in_file));
            assert_eq!(!flags.is_empty(), decided, "{arguments:?} {set} {in_file}");
        }
    }

    #[test]
    fn a_warning_has_no_control_characters_and_comes_once() {
        let name = |name: &str| (name.to_owned(), None);
        let names = ["PYMCP_\u{1b}[2J", "PYMCP_X", "PYMCP_X"].map(name);
        assert_eq!(
            unknown_names(names.into_iter()),
            ["PYMCP_\\u{1b}[2J is no setting", "PYMCP_X is no setting"]
        );
    }
}
