//! `audit`: whether an audit log is as it was written, its head, and the hash of a value to search it for.

use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{ArgMatches, Command, Subcommand};
use pymcp_kit::audit::{self, Digest, Head, Verified};
use serde_json::{Value, json};

use crate::output::{Output, OutputArgs};
use crate::settings::audit as settings;
use crate::verbs::parsed;
use crate::{Error, Result};
use pymcp_kit::reason::reason;

pub(crate) const NAME: &str = "audit";

/// Bytes of a value.
const MAX_VALUE: u64 = 16 << 20;

#[derive(Debug, Subcommand)]
enum Verb {
    /// Look for lines that were edited, removed, moved or cut: exit code 0 if there are none, 1 if there are, 2 if it
    /// cannot be said
    Verify {
        /// Files of the log, the oldest first.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Hash of a line that was noted elsewhere: without it nobody can know whether the last line was edited, lines
        /// after it were cut, or the log was rewritten as a whole.
        #[arg(long, value_name = "HASH")]
        expected_head: Option<Digest>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the hash and the number of the last line
    Head {
        /// File of the log.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the hash that the log has of a value
    Hash {
        /// JSON of an argument or of all arguments; a text that is no JSON is that text. `-` reads it from stdin, so that no
        /// list of processes has it.
        #[arg(value_name = "VALUE")]
        value: String,
        /// File with the key of the log: that of --audit-key, or the file of --audit with `.key`.
        #[arg(long, value_name = "FILE")]
        audit_key: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) fn command() -> Command {
    let command = Command::new(NAME)
        .about("Verify and search audit logs")
        .subcommand_required(true)
        .arg_required_else_help(true);
    Verb::augment_subcommands(command)
}

pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let verb = parsed::<Verb>(matches)?;
    match verb {
        Verb::Verify {
            files,
            expected_head,
            output,
        } => verify(&files, expected_head, Output::new(output)),
        Verb::Head { file, output } => {
            let head = audit::head(&file).map_err(|error| unreadable(&file, &error))?;
            let output = Output::new(output);
            match output.is_json() {
                true => output.value(&of_head(&head)),
                false => output.line(head),
            }
        }
        Verb::Hash {
            value,
            audit_key,
            output,
        } => {
            let key = settings::read(&audit_key).map_err(|what| {
                Error::setting(format!(
                    "--audit-key is '{}', which {what}.",
                    audit_key.display()
                ))
            })?;
            let value = match value.as_str() {
                "-" => stdin()?,
                _ => value,
            };
            let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
            let (hash, output) = (key.hash(&value).to_string(), Output::new(output));
            match output.is_json() {
                true => output.value(&json!({ "hash": hash })),
                false => output.line(hash),
            }
        }
    }
}

fn verify(files: &[PathBuf], expected: Option<Digest>, output: Output) -> Result<()> {
    let verified =
        audit::verify(files, expected).map_err(|(file, error)| unreadable(&file, &error))?;
    match output.is_json() {
        true => output.value(&as_json(&verified))?,
        false => output.line(report(&verified).join("\n"))?,
    }
    match verified.findings.is_empty() {
        true => Ok(()),
        false => Err(Error::printed(1)),
    }
}

fn as_json(verified: &Verified) -> Value {
    let findings = verified.findings.iter().map(|finding| {
        json!({ "file": finding.file, "line": finding.line, "message": format!("{finding}.") })
    });
    json!({
        "ok": verified.findings.is_empty(), "findings": findings.collect::<Vec<_>>(),
        "lines": verified.lines, "first": verified.first, "head": of_head(&verified.head),
        "closed": verified.closed, "after_expected": verified.after_expected,
    })
}

fn of_head(head: &Head) -> Value {
    json!({ "hash": head.hash.to_string(), "sequence": head.sequence })
}

fn report(verified: &Verified) -> Vec<String> {
    let findings = verified.findings.iter();
    let mut lines: Vec<_> = findings.map(|finding| format!("{finding}.")).collect();
    lines.push(format!(
        "{} lines from {} on; head {}",
        verified.lines, verified.first, verified.head
    ));
    if verified.first > 1 {
        lines.push("The file before the first one was not looked at.".into());
    }
    lines.push(match verified.after_expected {
        Some(0) => "The last line has the expected head.".into(),
        Some(after) => format!(
            "{after} lines follow the one with the expected head; compare them with a later head."
        ),
        None => "Only a head that was noted elsewhere (--expected-head) shows whether the last line was edited, lines after \
                 it were cut, or all was rewritten."
            .into(),
    });
    lines
}

fn unreadable(file: &std::path::Path, error: &io::Error) -> Error {
    Error::setting(format!(
        "{} cannot be read: {}.",
        file.display(),
        reason(error)
    ))
}

fn stdin() -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_VALUE).read_to_string(&mut text);
    read.map_err(|error| Error::setting(format!("stdin cannot be read: {}.", reason(&error))))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
