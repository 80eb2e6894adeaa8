//! What an author can choose, asked for on a terminal only.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::ValueEnum;
use pymcp_app::{Error, Result};

/// Answers that are tried before the questions are given up.
const TRIES: usize = 3;

/// A part that a server can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Part {
    /// A tool that runs untrusted Python in a sandbox.
    Python,
    /// A tool that searches the web.
    Search,
    /// A tool that asks an API, with a secret.
    Egress,
    /// Traces for a collector of OpenTelemetry (--otlp-endpoint).
    Otlp,
    /// A store that replicas share, on Redis or Valkey (--store).
    Redis,
    /// Manifests of Kubernetes.
    Kubernetes,
}

impl Part {
    /// The feature of `pymcp-app` that it is, if it is one.
    pub(super) fn feature(self) -> Option<&'static str> {
        match self {
            Self::Otlp => Some("otlp"),
            Self::Redis => Some("redis"),
            Self::Python | Self::Search | Self::Egress | Self::Kubernetes => None,
        }
    }
}

/// How clients connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TransportName {
    /// One client, on stdin and stdout.
    #[default]
    Stdio,
    /// Many clients, over streamable HTTP.
    Http,
}

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    pub(super) parts: BTreeSet<Part>,
    pub(super) transport: TransportName,
}

impl Choices {
    /// What was said on the command line; the rest is asked for where a person can answer, else it is the default.
    pub(super) fn ask(
        parts: Option<Vec<Part>>,
        transport: Option<TransportName>,
        yes: bool,
    ) -> Result<Self> {
        let asks = !yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        let parts = match parts {
            Some(parts) => parts,
            None if asks => question(
                "Parts to begin with (python, search, egress, otlp, redis, kubernetes; empty for none)",
                several,
            )?,
            None => Vec::new(),
        };
        let transport = match transport {
            Some(transport) => transport,
            None if asks => question("Transport (stdio or http; empty for stdio)", one)?,
            None => TransportName::default(),
        };
        Ok(Self {
            parts: parts.into_iter().collect(),
            transport,
        })
    }
}

/// Asks on stderr, which a pipe behind stdout leaves to the person.
fn question<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T> {
    for _ in 0..TRIES {
        let mut out = io::stderr().lock();
        // A terminal that is gone shows below, when nothing comes from it.
        let _ = write!(out, "{text}: ").and_then(|()| out.flush());
        let mut line = String::new();
        let length = io::stdin().lock().read_line(&mut line);
        if length.is_ok_and(|length| length == 0) {
            break;
        }
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(why) => drop(writeln!(out, "{why}")),
        }
    }
    Err(Error::setting(
        "The question was not answered; say it with a flag, or take the defaults with --yes.",
    ))
}

fn several(text: &str) -> Result<Vec<Part>, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words
        .map(|word| {
            Part::from_str(word, true).map_err(|_| {
                format!("'{word}' is none of python, search, egress, otlp, redis and kubernetes.")
            })
        })
        .collect()
}

fn one(text: &str) -> Result<TransportName, String> {
    match text {
        "" => Ok(TransportName::default()),
        text => TransportName::from_str(text, true)
            .map_err(|_| format!("'{text}' is none of stdio and http.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_any_case_and_refused_with_what_is_allowed() {
        assert_eq!(several(""), Ok(Vec::new()));
        assert_eq!(
            several("Python, egress"),
            Ok(vec![Part::Python, Part::Egress])
        );
        assert!(several("ruby").unwrap_err().contains("python, search"));
        assert_eq!(one(""), Ok(TransportName::Stdio));
        assert_eq!(one("HTTP"), Ok(TransportName::Http));
        assert!(one("carrier pigeon").unwrap_err().contains("stdio"));
    }
}
