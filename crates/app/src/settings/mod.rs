//! The settings that every program has, each once: flag, environment variable, key of the configuration file, default,
//! bounds and help are all read off this struct. To add one, add a field.

pub(crate) mod audit;
pub(crate) mod auth;
#[cfg_attr(not(feature = "jwt"), path = "no_jwt.rs")]
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod lock;
pub(crate) mod log;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
pub(crate) mod pinned;
pub(crate) mod selection;
#[cfg(feature = "redis")]
pub(crate) mod store;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
pub(crate) mod tls;
pub mod value;
#[cfg(any(feature = "jwt", feature = "otlp"))]
pub(crate) mod web;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pymcp_kit::transport::http::{Hosts, Origins, PathPrefix};
use pymcp_kit::{Server, ServerBuilder};
use tracing::level_filters::LevelFilter;

use self::audit::AuditSettings;
use self::auth::Auth;
use self::jwt::Jwt;
use self::keys::StateKeys;
use self::limits::Limits;
use self::listen::Listen;
use self::lock::LockSettings;
use self::log::LogFormat;
use self::selection::SelectionSettings;
use self::value::{
    boolean, host, hosts, metrics_address, origins, path_prefix, port, timeout, ttl,
};
use crate::confine::{self, Needs};
use crate::{Error, Result};

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

    /// Format of the log on stderr: text, or json (an object a line).
    #[arg(
        long,
        default_value = "text",
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = OBSERVABILITY
    )]
    pub(crate) log_format: LogFormat,

    /// Address and port at which `GET /metrics` is served, such as `127.0.0.1:9464`. Nobody has to authenticate there: on
    /// addresses that other machines can reach, everybody who does can read it.
    #[arg(long, value_name = "HOST:PORT", value_parser = metrics_address, hide_short_help = true, help_heading = OBSERVABILITY)]
    pub(crate) metrics_address: Option<SocketAddr>,

    #[cfg(feature = "otlp")]
    #[command(flatten)]
    pub(crate) otlp: otlp::Otlp,

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

    #[command(flatten)]
    pub(crate) auth: Auth,

    #[command(flatten)]
    pub(crate) listen: Listen,

    /// Seconds that a request may take, 1 to 3600.
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = timeout, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) request_timeout: Duration,

    /// Seconds that a client has to answer an elicitation or another request of the server, 1 to 3600.
    #[arg(long, default_value = "600", value_name = "SECONDS", value_parser = timeout, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) ask_timeout: Duration,

    /// Seconds for which a response is cached for the same caller; 0 disables the cache.
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = ttl, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) response_cache_ttl: Duration,

    /// File with the keys that sign what clients carry (session ids, pending elicitations, cursors), the same for all
    /// replicas of a server: a line each, a name and at least 32 bytes in base64, the signing key first. Only its owner
    /// may be able to read it; "keys new FILE" writes one. Without it a random key is used, which is lost on restart.
    #[arg(long, default_value = "", value_name = "FILE", value_parser = keys::read, hide_default_value = true, hide_short_help = true, help_heading = REQUESTS)]
    pub(crate) state_keys: StateKeys,

    #[cfg(feature = "redis")]
    #[command(flatten)]
    pub(crate) store: store::Store,

    #[command(flatten)]
    pub(crate) jwt: Jwt,

    #[command(flatten)]
    pub(crate) audit: AuditSettings,

    #[command(flatten)]
    pub(crate) limits: Limits,

    /// Whether the operating system keeps from the server what it has no need of (files, the network, programs): auto (as
    /// far as it can), require (in full, or the server does not start) or off. Linux only.
    #[arg(long, default_value = "auto", value_name = "MODE", value_enum, hide_possible_values = true, hide_short_help = true, help_heading = CONFINEMENT)]
    pub(crate) confine: confine::Mode,

    #[command(flatten)]
    pub(crate) selection: SelectionSettings,

    #[command(flatten)]
    pub(crate) lock: LockSettings,

    /// The resolved settings that a lock pins, by their flags.
    #[arg(skip)]
    pub(crate) pinned: Vec<(String, serde_json::Value)>,
}

impl Shared {
    /// Whether a store is named that replicas share.
    #[cfg(feature = "redis")]
    pub(crate) fn has_store(&self) -> bool {
        self.store.is_set()
    }

    /// Without the feature `redis` there is none.
    #[cfg(not(feature = "redis"))]
    pub(crate) fn has_store(&self) -> bool {
        false
    }

    /// The server that an author made, with what the settings say of it.
    ///
    /// # Errors
    /// What the server's definitions have wrong, or a list of components that there are not.
    pub(crate) fn build(&self, server: ServerBuilder, needs: &Needs) -> Result<Server> {
        let server = self.selection.apply(server)?;
        let server = server.configuration("confine", confine::configuration(self, needs));
        let server = match self.state_keys.ring() {
            Some(keys) => server.keys(keys),
            None => server,
        };
        let pinned = self.pinned.iter().cloned();
        let server = pinned.fold(server, |server, (flag, value)| {
            server.configuration(format!("--{flag}"), value)
        });
        server
            .change_cache(|cache| cache.ttl = self.response_cache_ttl)
            .change_call_limits(|limits| {
                limits.timeout = self.request_timeout;
                limits.ask_timeout = self.ask_timeout;
                self.limits.of_calls(limits);
            })
            .build()
            .map_err(|error| Error::other(error.to_string()))
    }
}

/// Headings of `--help-all`.
const HTTP: &str = "HTTP";
const REQUESTS: &str = "Requests";
const OBSERVABILITY: &str = "Observability";
const CONFINEMENT: &str = "Confinement";
#[cfg(feature = "redis")]
const REPLICAS: &str = "Replicas";

/// The files that have further settings. They can be named by flags alone, so that nothing is read by accident.
#[derive(Debug, Clone, Default, Args)]
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

impl Files {
    /// The flags that name them.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = OsString> {
        let flag = |flag: &str, file: &Option<PathBuf>| {
            let file = file.as_ref()?;
            let mut argument = OsString::from(flag);
            argument.push(file);
            Some(argument)
        };
        let flags = [
            flag("--env-file=", &self.env_file),
            flag("--config=", &self.config),
        ];
        flags.into_iter().flatten()
    }
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
