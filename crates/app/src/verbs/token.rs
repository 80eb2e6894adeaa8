//! `token`: makes, lists and revokes the tokens that clients authenticate with.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::auth::Scopes;
use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, new_token};
use pymcp_kit::telemetry;
use serde_json::json;

use crate::output::{Output, OutputArgs};
use crate::program::Program;
use crate::tokens::time::{Expiry, expiry, written};
use crate::tokens::{Problem, edit, format};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "token";

/// Make, list and revoke the tokens that clients authenticate with
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Debug, clap::Subcommand)]
enum Asked {
    /// Make a token and print it, this once, with the lines for the file of --auth-tokens
    ///
    /// The token is the first line on stdout. Without --file the lines to add to the file follow after an empty one.
    New {
        /// Whose it is: 1 to 64 letters, digits, dots, dashes, underscores and @.
        #[arg(value_name = "NAME")]
        name: String,
        /// A scope that it has; can be given several times.
        #[arg(long, value_name = "SCOPE", value_parser = scope)]
        scope: Vec<String>,
        /// When it expires: 90d, 2027-01-31 (its beginning in UTC), 2027-01-31T12:00:00Z or never.
        #[arg(long, value_name = "WHEN", default_value = "90d", value_parser = expiry)]
        expires: Expiry,
        /// The file to add it to; made if there is none.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print name, scopes, expiry and state of each token of a file
    List {
        /// The file of tokens.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove a token from a file: servers that use the file refuse it within a second
    Revoke {
        /// Whose it is.
        #[arg(value_name = "NAME")]
        name: String,
        /// The file of tokens.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME)).subcommand_required(true)
}

pub(crate) fn run(matches: &ArgMatches, program: &Program) -> Result<()> {
    let Args { asked } = parsed::<Args>(matches)?;
    match asked {
        Asked::New {
            name,
            scope,
            expires: Expiry(expires),
            file,
            output,
        } => {
            if !TokenEntry::is_name(&name) {
                return Err(Error::setting(format!(
                    "NAME is '{}', but must be 1 to {} letters, digits, dots, dashes, underscores and @.",
                    name.chars().take(100).collect::<String>().escape_debug(),
                    TokenEntry::MAX_NAME
                )));
            }
            let scopes = Scopes::new(scope).map_err(|bad| Error::setting(format!("{bad}.")))?;
            let entry = |hash| TokenEntry {
                name,
                hash,
                scopes,
                expires,
            };
            make(entry, file.as_deref(), program, Output::new(output))
        }
        Asked::List { file, output } => list(&file, Output::new(output)),
        Asked::Revoke { name, file } => revoke(&name, &file, program),
    }
}

fn make(
    entry: impl FnOnce(TokenHash) -> TokenEntry,
    file: Option<&Path>,
    program: &Program,
    output: Output,
) -> Result<()> {
    let token = new_token(program.name())?;
    let entry = entry(TokenHash::of(&token));
    let lines = format::written(&entry);
    if let Some(file) = file {
        edit::add(file, &entry).map_err(|problem| failed(&problem, file))?;
    }
    if output.is_json() {
        let answer = json!({
            "token": token, "name": entry.name, "scopes": entry.scopes.iter().collect::<Vec<_>>(),
            "expires": entry.expires.map(written), "file": file, "lines": lines,
        });
        let text = serde_json::to_string(&answer)?;
        return print(output, &text);
    }
    let Some(file) = file else {
        return print(output, format!("{token}\n\n{lines}").trim_end());
    };
    print(output, &token)?;
    let until = match entry.expires {
        Some(expires) => format!("expires {}", written(expires)),
        None => "does not expire".to_owned(),
    };
    telemetry::say(&format!(
        "{}: {} has the token '{}' now, which {until}; the token itself is shown only this once.",
        program.name(),
        file.display(),
        entry.name
    ));
    Ok(())
}

fn list(file: &Path, output: Output) -> Result<()> {
    let entries = edit::entries(file).map_err(|problem| failed(&problem, file))?;
    let now = SystemTime::now();
    let state = |entry: &TokenEntry| match entry.has_expired(now) {
        true => "expired",
        false => "active",
    };
    if output.is_json() {
        let entries = entries.iter().map(|entry| {
            json!({
                "name": entry.name, "scopes": entry.scopes.iter().collect::<Vec<_>>(),
                "expires": entry.expires.map(written), "state": state(entry),
            })
        });
        return output.value(&json!({ "tokens": entries.collect::<Vec<_>>() }));
    }
    let rows = entries.iter().map(|entry| {
        let scopes = match entry.scopes.is_empty() {
            true => "-".to_owned(),
            false => entry.scopes.iter().collect::<Vec<_>>().join(","),
        };
        let expires = entry.expires.map_or_else(|| "never".into(), written);
        [entry.name.clone(), scopes, expires, state(entry).to_owned()]
    });
    output.table(["NAME", "SCOPES", "EXPIRES", "STATE"], rows)
}

fn revoke(name: &str, file: &Path, program: &Program) -> Result<()> {
    match edit::remove(file, name).map_err(|problem| failed(&problem, file))? {
        true => telemetry::say(&format!(
            "{}: {} has the token '{name}' no more; servers that use it refuse it within a second.",
            program.name(),
            file.display()
        )),
        false => {
            let shown = name.chars().take(100).collect::<String>();
            return Err(Error::other(format!(
                "{} has no token '{}'.",
                file.display(),
                shown.escape_debug()
            )));
        }
    }
    Ok(())
}

fn failed(problem: &Problem, file: &Path) -> Error {
    Error::other(problem.of(file.display()))
}

fn scope(text: &str) -> Result<String, String> {
    match Scopes::new([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a word of visible ASCII without quotes and backslashes".into()),
    }
}

/// Prints a token. One that nobody saw is lost, so a reader that has left is a failure.
fn print(output: Output, text: &str) -> Result<()> {
    output.line(text).map_err(|error| match error.sentence() {
        Some(_) => error,
        None => Error::other("The token cannot be printed: nobody reads it any more."),
    })
}
