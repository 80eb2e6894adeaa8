//! The program: its subcommands, one a file. Bare `pymcp` is `pymcp serve`.

mod docs;
mod env_file;
mod keys;
mod listen;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "search")]
mod search;
mod serve;
mod settings;
mod signals;
mod sources;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use pymcp_kit::{ServerBuilder, telemetry};

use self::sources::Sources;
use crate::server::Parts;

pub use keys::StateKeys;
pub use settings::{LogLevel, Settings, Transport};

/// A Model Context Protocol server.
///
/// Without a subcommand it serves one client on stdin and stdout, which is how MCP clients start it.
#[derive(Debug, Parser)]
#[command(name = "pymcp", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve MCP clients (the default).
    Serve(Box<Settings>),
    /// Write the generated parts of README.md: the tables of components and settings.
    Docs(docs::Args),
}

/// Exit code for a setting that cannot be used (as `clap` has it).
const USAGE: u8 = 2;

/// Characters of a value that is refused which its sentence repeats.
const MAX_SHOWN: usize = 200;

/// Runs the program with the components of [`crate::server`].
pub fn main() -> ExitCode {
    main_with(crate::server::builder)
}

/// Runs the program with other components: everything else (settings, transports, limits) stays as
/// it is.
pub fn main_with(server: fn(Parts) -> ServerBuilder) -> ExitCode {
    // Before anything else: a worker has no settings, no runtime and no other threads.
    #[cfg(feature = "python")]
    if pymcp_python::worker::is_requested() {
        return pymcp_python::worker::main();
    }
    #[cfg(unix)]
    signals::outlive_full_files();
    let code = match run(server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, sentence }) => {
            if let Some(sentence) = sentence {
                telemetry::say(&format!("pymcp: {sentence}"));
            }
            ExitCode::from(code)
        }
    };
    telemetry::flush();
    code
}

fn run(server: fn(Parts) -> ServerBuilder) -> Result<(), Failure> {
    let sources = Sources::gather(std::env::args_os().collect()).map_err(Failure::usage)?;
    let cli = sources
        .command()
        .try_get_matches_from(&sources.arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| refusal(&error, &sources))?;
    let settings = match cli.command {
        None => cli.settings,
        Some(Command::Serve(settings)) => *settings,
        Some(Command::Docs(args)) => return docs::run(args),
    };
    telemetry::init(settings.log_level.into());
    sources.announce();
    serve::run(settings, server).map_err(|mut failure| {
        if failure.code == USAGE {
            failure.sentence = failure.sentence.map(|sentence| sources.locate(&sentence));
        }
        failure
    })
}

/// Why the program ends without success.
#[derive(Debug)]
struct Failure {
    code: u8,
    /// None if it was said already.
    sentence: Option<String>,
}

impl Failure {
    /// A setting that cannot be used.
    fn usage(sentence: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            sentence: Some(sentence.into()),
        }
    }

    /// A usage that clap has told.
    fn said(code: u8) -> Self {
        Self {
            code,
            sentence: None,
        }
    }

    /// Anything else.
    fn other(sentence: impl Into<String>) -> Self {
        Self {
            code: 1,
            sentence: Some(sentence.into()),
        }
    }
}

/// One sentence for a value that is not allowed, without the value where it may hold a secret; what clap says for everything else (help included).
fn refusal(error: &clap::Error, sources: &Sources) -> Failure {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let argument = text(ContextKind::InvalidArg).unwrap_or_default();
            let flag = argument.split_whitespace().next().unwrap_or_default();
            let (setting, secret) = match settings::variable_of(flag) {
                Some((name, secret)) => (format!("{name} ({flag})"), secret),
                None => (flag.to_owned(), false),
            };
            let allowed = match error.get(ContextKind::ValidValue) {
                // The flag stands alone.
                Some(ContextValue::Strings(values)) if values.is_empty() => {
                    return Failure::usage(format!("{setting} needs a value."));
                }
                Some(ContextValue::Strings(values)) => format!("one of {}", values.join(", ")),
                _ => std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            };
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let sentence = match secret {
                true => format!("{setting} must be {allowed}."),
                false => format!("{setting} is '{}', but must be {allowed}.", shown(value)),
            };
            Failure::usage(sources.locate(&sentence))
        }
        // Clap does not say of what; on the command line the reader sees it.
        ErrorKind::InvalidUtf8 if let Some(name) = settings::unreadable_variable() => {
            Failure::usage(format!("{name} is not valid UTF-8."))
        }
        _ => {
            let code = u8::try_from(error.exit_code()).unwrap_or(USAGE);
            match error.use_stderr() {
                true => telemetry::say(error.render().to_string().trim_end()),
                false => help(error, sources),
            }
            Failure::said(code)
        }
    }
}

/// Prints the help or the version.
fn help(error: &clap::Error, sources: &Sources) {
    // The help names every variable, also those that are empty.
    let full = Cli::command().try_get_matches_from(&sources.arguments);
    // Nobody is left to tell when stdout is closed.
    let _ = full.as_ref().err().unwrap_or(error).print();
}

/// A value as it can stand within a sentence on a terminal.
fn shown(value: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    value.chars().take(MAX_SHOWN).map(escaped).collect()
}
