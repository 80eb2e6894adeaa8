//! Which server, as the command line says it: nothing is this program's own in process, `--url` one that listens, and what
//! follows `--` is a command that serves on stdin and stdout.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use url::Url;

use super::secret::{self, Header, Secret};
use crate::settings::Files;
use crate::settings::value::timeout;
use crate::{Error, Result};

const SERVER: &str = "Which server, and how (without any of these: this program's own, in process)";

/// Where the server is, and how to talk to it.
#[derive(Debug, Clone, clap::Args)]
// An author's own may have the same name.
#[group(skip)]
#[command(next_help_heading = SERVER)]
pub(crate) struct TargetArgs {
    /// A server that listens: `http://`, `https://`, or `unix:` and the path of a socket.
    #[arg(long, value_name = "URL", conflicts_with_all = ["env_file", "config"])]
    pub(crate) url: Option<String>,

    /// How to talk to the server at the URL. Without it: sse if the path of the URL ends with `/sse`, else http.
    #[arg(long, value_name = "NAME", value_enum)]
    pub(crate) transport: Option<Over>,

    /// A header to send with each request, `Name: value`; can be repeated. A value `@FILE` is read from the file, `$NAME`
    /// from the environment variable: what is on a command line, others on the machine can see.
    #[arg(long, value_name = "HEADER", value_parser = Header::parse)]
    pub(crate) header: Vec<Header>,

    /// The token to authenticate with (`Authorization: Bearer`): `@FILE`, `$NAME`, or the token itself.
    #[arg(long, value_name = "TOKEN", value_parser = secret::bearer)]
    pub(crate) bearer: Option<Secret>,

    /// Which protocol to speak: modern (2026-07-28), legacy (`initialize`, up to 2025-11-25), or auto, which asks the
    /// server.
    #[arg(long, value_name = "ERA", value_enum, default_value = "auto")]
    pub(crate) era: EraChoice,

    /// Seconds that the server may take to answer, 1 to 3600. Progress that it tells starts them anew.
    #[arg(long, value_name = "SECONDS", value_parser = timeout, default_value = "60")]
    pub(crate) timeout: Duration,

    /// Print every message, both ways, as JSON on stderr: `→` is sent, `←` received.
    #[arg(long)]
    pub(crate) trace: bool,

    /// The directory in which the command runs.
    #[arg(long, value_name = "DIR", requires = "command")]
    pub(crate) cwd: Option<PathBuf>,

    /// An environment variable for the command; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "command")]
    pub(crate) env: Vec<(String, String)>,

    /// A command that serves on stdin and stdout, and its arguments. What it prints on stderr is passed on.
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["url", "env_file", "config"])]
    pub(crate) command: Vec<OsString>,

    #[command(flatten)]
    pub(crate) files: Files,
}

/// How to talk to a server that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Over {
    /// Streamable HTTP
    Http,
    /// HTTP+SSE of 2024-11-05, which is deprecated
    Sse,
}

/// Which era of the protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EraChoice {
    /// Modern if the server speaks it, else legacy
    Auto,
    /// `initialize` and a session
    Legacy,
    /// 2026-07-28, without sessions
    Modern,
}

/// Which server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// This program's own, in process.
    Own,
    /// Streamable HTTP.
    Http(Url),
    /// Legacy HTTP+SSE.
    Sse(Url),
    /// Streamable HTTP over a Unix socket, at this path of the server.
    #[cfg(unix)]
    Unix(PathBuf),
    /// A command and its arguments.
    Command(Vec<OsString>),
}

impl TargetArgs {
    /// Which server is meant.
    ///
    /// # Errors
    /// That the URL is none, or that what is wanted does not go together.
    pub(crate) fn target(&self) -> Result<Target> {
        let Some(text) = &self.url else {
            // Verbs may have another way to say which URL.
            if self.transport.is_some() || self.bearer.is_some() || !self.header.is_empty() {
                return Err(Error::setting(
                    "--transport, --header and --bearer are for a server that listens: name it with --url.",
                ));
            }
            return Ok(match self.command.is_empty() {
                true => Target::Own,
                false => Target::Command(self.command.clone()),
            });
        };
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.starts_with('/') && self.transport != Some(Over::Sse) {
                return Ok(Target::Unix(path.into()));
            }
        }
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            return Err(Error::setting(format!(
                "--url is '{}', but must be an address such as http://localhost:8000/mcp.",
                text.escape_debug()
            )));
        };
        let path = url.path().trim_end_matches('/');
        let sse = match self.transport {
            Some(over) => over == Over::Sse,
            None => path.ends_with("/sse"),
        };
        match (sse, self.era) {
            (true, EraChoice::Modern) => Err(Error::setting(
                "--era modern does not go with HTTP+SSE, which is older.",
            )),
            (true, _) => Ok(Target::Sse(url)),
            (false, _) => Ok(Target::Http(url)),
        }
    }
}

impl fmt::Display for Target {
    /// As sentences name it: without user, password and query, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("this server"),
            Self::Http(url) | Self::Sse(url) => {
                let (origin, path) = (url.origin().ascii_serialization(), url.path());
                write!(f, "{origin}{path}")
            }
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Command(command) => {
                let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
                f.write_str(&words.join(" "))
            }
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a name and a value, such as LEVEL=debug".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        more: Vec<String>,
        #[command(flatten)]
        target: TargetArgs,
    }

    fn target(line: &[&str]) -> Result<Target, String> {
        let line = ["x"].iter().chain(line);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let target = line.target.target();
        target.map_err(|error| error.sentence().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_target_is_nothing_a_url_or_a_command() {
        let url = |text: &str| Url::parse(text).unwrap();
        let command = |words: &[&str]| Target::Command(words.iter().map(Into::into).collect());
        for (line, expected) in [
            (&["greet", "name=Bob"][..], Target::Own),
            (
                &["greet", "--url", "http://localhost:8000/mcp", "name=Bob"],
                Target::Http(url("http://localhost:8000/mcp")),
            ),
            (
                &["--url", "https://a/b/sse/"],
                Target::Sse(url("https://a/b/sse/")),
            ),
            (
                &["--url", "https://a/sse", "--transport", "http"],
                Target::Http(url("https://a/sse")),
            ),
            (
                &["--url", "http://a/x", "--transport", "sse"],
                Target::Sse(url("http://a/x")),
            ),
            (
                &["--url", "unix:///run/a.sock"],
                Target::Unix("/run/a.sock".into()),
            ),
            (
                &[
                    "greet",
                    "name=Bob",
                    "--cwd",
                    "/tmp",
                    "--",
                    "npx",
                    "-y",
                    "some-server",
                    "--url",
                ],
                command(&["npx", "-y", "some-server", "--url"]),
            ),
        ] {
            assert_eq!(target(line), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (line, named) in [
            (
                &["--url", "localhost:8000"][..],
                "--url is 'localhost:8000'",
            ),
            (&["--url", "unix:a.sock"], "--url is 'unix:a.sock'"),
            (&["--url", "ftp://a/mcp"], "--url is 'ftp://a/mcp'"),
            (&["--url", "http://a/", "--", "npx"], "--url"),
            (&["--url", "http://a/", "--env-file", "x"], "--env-file"),
            (&["--bearer", "x"], "--url"),
            (&["--cwd", "/tmp"], "COMMAND"),
            (
                &["--url", "http://a/sse", "--era", "modern"],
                "--era modern",
            ),
            (&["--env", "=x", "--", "npx"], "--env"),
        ] {
            let refused = target(line).unwrap_err();
            assert!(refused.contains(named), "{line:?}: {refused}");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_named() {
        let target = target(&[
            "--url",
            "https://u:hunter2@a.example/mcp?key=hunter2#hunter2",
        ])
        .unwrap();
        assert_eq!(target.to_string(), "https://a.example/mcp");
    }
}
