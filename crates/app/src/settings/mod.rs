//! The settings that every program has, each once: flag, environment variable, key of the configuration file, default,
//! bounds and help are all read off this struct. To add one, add a field.

pub(crate) mod keys;
pub mod value;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pymcp_kit::transport::http::{Hosts, Origins, PathPrefix};
use tracing::level_filters::LevelFilter;

use self::keys::StateKeys;
use self::value::{boolean, host, hosts, origins, path_prefix, port, timeout, ttl};

/// How the server is reached and what it may use. `hide_short_help` keeps a setting out of `--help`.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Shared {
    /// How clients connect: stdio, http or sse (deprecated).
    #[arg(
        long,
        default_value = "stdio",
        value_name = "NAME",
        value_enum,
        hide_possible_values = true
    )]
    pub(crate) transport: Transport,

    /// Host name or address to listen on.
    #[arg(long, default_value = "localhost", value_name = "HOST", value_parser = host)]
    pub(crate) host: String,

    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value = "8000", value_name = "PORT", value_parser = port)]
    pub(crate) port: u16,

    /// Lowest level to log on stderr.
    ///
    /// One of NOTSET, DEBUG, INFO, WARNING, ERROR and CRITICAL: NOTSET is DEBUG, and CRITICAL logs nothing.
    #[arg(
        long,
        default_value = "INFO",
        value_name = "LEVEL",
        value_enum,
        hide_possible_values = true
    )]
    pub(crate) log_level: LogLevel,

    /// Origins of web pages that may call the server, comma-separated: `loopback` (pages of this machine), origins such
    /// as `https://app.example`, `https://*.app.example`, `http://localhost:*` or `chrome-extension://ID`, or `*` for every
    /// web page.
    #[arg(long, default_value = "loopback", value_name = "ORIGINS", value_parser = origins, hide_short_help = true, help_heading = HTTP)]
    pub(crate) cors_origins: Origins,

    /// Host names under which the server is reached, comma-separated, besides those of the loopback interface. A name
    /// without a port allows any port, `*.example.com` any subdomain.
    #[arg(long, default_value = "", value_name = "HOSTS", value_parser = hosts, hide_default_value = true, hide_short_help = true, help_heading = HTTP)]
    pub(crate) allowed_hosts: Hosts,

    /// Path before those of all endpoints, such as `/team-a`, for a proxy that passes paths on whole.
    #[arg(long, default_value = "", value_name = "PATH", value_parser = path_prefix, hide_default_value = true, hide_short_help = true, help_heading = HTTP)]
    pub(crate) path_prefix: PathPrefix,

    /// Listen on addresses that other machines can reach although no client has to authenticate.
    #[arg(long, value_parser = boolean, action = clap::ArgAction::Set, num_args = 0..=1, default_value = "false", default_missing_value = "true", value_name = "true|false", hide_short_help = true, help_heading = HTTP)]
    pub(crate) allow_unauthenticated: bool,

    /// Seconds that a request may take, 1 to 3600.
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = timeout, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) request_timeout: Duration,

    /// Seconds that a client has to answer an elicitation or another request of the server, 1 to 3600.
    #[arg(long, default_value = "600", value_name = "SECONDS", value_parser = timeout, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) ask_timeout: Duration,

    /// Seconds for which a response is cached for the same caller; 0 disables the cache.
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = ttl, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) response_cache_ttl: Duration,

    /// File with the keys that sign the state that clients carry (pending elicitations, cursors), the same for all
    /// replicas of a server: a line each, a name and at least 32 bytes in base64, the signing key first. Without it a
    /// random key is used, which is lost on restart.
    #[arg(long, default_value = "", value_name = "FILE", value_parser = keys::read, hide_default_value = true, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) state_keys: StateKeys,
}

/// Headings of `--help-all`.
const HTTP: &str = "HTTP";
const REQUESTS: &str = "Requests";

/// The files that have further settings. They can be named by flags alone, so that nothing is read by accident.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Files {
    /// File of environment variables, a NAME=VALUE a line.
    ///
    /// Flags and environment variables win over it; names that are not settings are ignored.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// TOML file with a key for each flag.
    ///
    /// As in `log-level = "DEBUG"`. Flags, environment variables and the file of `--env-file` win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// One client, on stdin and stdout.
    Stdio,
    /// Streamable HTTP at `/mcp`.
    #[value(alias = "streamable-http")]
    Http,
    /// HTTP+SSE of 2024-11-05 at `/sse`; deprecated.
    Sse,
}

/// Severities, as Python names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum LogLevel {
    Notset,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            // Below `debug` there are only the internals of libraries.
            LogLevel::Notset | LogLevel::Debug => Self::DEBUG,
            LogLevel::Info => Self::INFO,
            LogLevel::Warning => Self::WARN,
            LogLevel::Error => Self::ERROR,
            LogLevel::Critical => Self::OFF,
        }
    }
}
