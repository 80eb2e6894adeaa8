//! The program: its subcommands, one a file. Bare `pymcp` is `pymcp serve`.

mod docs;
mod keys;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "search")]
mod search;
mod serve;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use pymcp_kit::ServerBuilder;

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
    if let Err(sentence) = load_env_file() {
        return fail(USAGE, &sentence);
    }
    let cli = match Cli::command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let done = match cli.command {
        None => serve::run(cli.settings, server),
        Some(Command::Serve(settings)) => serve::run(*settings, server),
        Some(Command::Docs(args)) => docs::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, sentence }) => fail(code, &sentence),
    }
}

/// Why the program ends without success.
struct Failure {
    code: u8,
    sentence: String,
}

impl Failure {
    /// A setting that cannot be used.
    fn usage(sentence: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            sentence: sentence.into(),
        }
    }

    /// Anything else.
    fn other(sentence: impl Into<String>) -> Self {
        Self {
            code: 1,
            sentence: sentence.into(),
        }
    }
}

/// Reads `.env` of the working directory, if there is one; the real environment wins.
fn load_env_file() -> Result<(), String> {
    match dotenvy::from_path(".env") {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        Err(dotenvy::Error::LineParse(_, column)) => {
            // The line itself may hold a secret.
            Err(format!(
                ".env has a line that is not NAME=VALUE (near its character {column})."
            ))
        }
        Err(error) => Err(format!(".env cannot be read: {error}.")),
    }
}

/// One sentence for a value that is not allowed, without the value where it may hold a secret; what clap says for everything else (help included).
fn refuse(error: &clap::Error) -> ExitCode {
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
                    return fail(USAGE, &format!("{setting} needs a value."));
                }
                Some(ContextValue::Strings(values)) => format!("one of {}", values.join(", ")),
                _ => std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            };
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let sentence = match secret {
                true => format!("{setting} must be {allowed}."),
                false => format!("{setting} is '{value}', but must be {allowed}."),
            };
            fail(USAGE, &sentence)
        }
        // Clap does not say of what; on the command line the reader sees it.
        ErrorKind::InvalidUtf8 if let Some(name) = settings::unreadable_variable() => {
            fail(USAGE, &format!("{name} is not valid UTF-8."))
        }
        _ => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
        }
    }
}

fn fail(code: u8, sentence: &str) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "pymcp: {sentence}");
    ExitCode::from(code)
}
