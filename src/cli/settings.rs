//! Every setting, once: flag, environment variable, default, bounds and help are all read off this
//! struct, the README's table included. To add one, add a field.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, ValueEnum};
use pymcp_kit::transport::http::{Hosts, Origins};
use tracing::level_filters::LevelFilter;

/// How the server is reached and what it may use.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// How clients connect: stdio, http (also called streamable-http), or sse (deprecated).
    #[arg(long, env = "MCP_SERVER_TRANSPORT", default_value = "stdio", value_name = "NAME", value_parser = transport)]
    pub transport: Transport,

    /// Name or address to listen on.
    #[arg(long, env = "FASTMCP_HOST", default_value = "localhost", value_name = "HOST", value_parser = host)]
    pub host: String,

    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "FASTMCP_PORT", default_value = "8000", value_name = "PORT", value_parser = port)]
    pub port: u16,

    /// Seconds for which an answer may be repeated to the same caller; 0 switches the cache off.
    #[arg(long, env = "RESPONSE_CACHE_TTL", default_value = "30", value_name = "SECONDS", value_parser = ttl)]
    pub response_cache_ttl: Duration,

    /// Least severe messages to log on stderr.
    #[arg(
        long,
        env = "PYMCP_LOG_LEVEL",
        default_value = "INFO",
        value_name = "LEVEL"
    )]
    pub log_level: LogLevel,

    /// Origins of web pages that may call over HTTP, comma-separated: `loopback` (pages of this
    /// machine), origins such as `https://app.example`, `https://*.app.example`, `http://localhost:*` or
    /// `chrome-extension://ID`, or `*` for every page on the web.
    #[arg(long, env = "ASGI_CORS_ALLOWED_ORIGINS", default_value = "loopback", value_name = "ORIGINS", value_parser = origins)]
    pub cors_origins: Origins,

    /// Names under which the server is reached over HTTP, comma-separated, besides the loopback ones;
    /// a name without a port allows any port, `*.example.com` any subdomain.
    #[arg(long, env = "PYMCP_ALLOWED_HOSTS", default_value = "", value_name = "HOSTS", value_parser = hosts, hide_default_value = true)]
    pub allowed_hosts: Hosts,

    /// Seconds that one request may take, 1 to 3600.
    #[arg(long, env = "PYMCP_REQUEST_TIMEOUT", default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub request_timeout: Duration,

    /// Seconds that a client has to answer a question of a tool, 1 to 3600.
    #[arg(long, env = "PYMCP_ASK_TIMEOUT", default_value = "600", value_name = "SECONDS", value_parser = seconds)]
    pub ask_timeout: Duration,

    /// File with the keys that sign what clients carry for the server (open questions, cursors), for
    /// servers that share their clients: a line each, a name and 32 or more bytes in base64, the
    /// signing key first. Without it a key is made up at each start.
    #[arg(long, env = "PYMCP_STATE_KEYS", default_value = "", value_name = "FILE", value_parser = super::keys::read, hide_default_value = true)]
    pub state_keys: super::keys::StateKeys,

    /// Listen beyond this machine although nobody has to authenticate.
    #[arg(long, env = "PYMCP_ALLOW_UNAUTHENTICATED", value_parser = flag, action = clap::ArgAction::Set, num_args = 0..=1, default_value = "false", default_missing_value = "true", value_name = "true|false")]
    pub allow_unauthenticated: bool,

    /// File of further settings, a `VARIABLE=value` a line; flags and environment variables win over it.
    /// Names that are no settings are passed over. Without this flag no file is used.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,

    /// How untrusted Python is run.
    #[cfg(feature = "python")]
    #[command(flatten)]
    pub python: super::python::PythonSettings,

    /// How the web is searched.
    #[cfg(feature = "search")]
    #[command(flatten)]
    pub search: super::search::SearchSettings,
}

/// The environment variable behind a flag such as `--port`, and whether its value is secret: whether it is kept out of
/// the help, and so out of everything else.
pub(super) fn variable_of(flag: &str) -> Option<(String, bool)> {
    let command = super::Cli::command();
    let long = flag.trim_start_matches('-');
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(long))?;
    let name = argument.get_env()?.to_string_lossy().into_owned();
    Some((name, argument.is_hide_env_values_set()))
}

/// An environment variable of a setting whose value is no text.
pub(super) fn unreadable_variable() -> Option<String> {
    let command = super::Cli::command();
    let mut variables = command
        .get_arguments()
        .filter_map(|argument| argument.get_env());
    let found = variables
        .find(|name| matches!(std::env::var(name), Err(std::env::VarError::NotUnicode(_))))?;
    Some(found.to_string_lossy().into_owned())
}

/// How clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One client, on stdin and stdout.
    Stdio,
    /// Streamable HTTP at `/mcp`.
    Http,
    /// HTTP+SSE of 2024-11-05 at `/sse`; deprecated.
    Sse,
}

/// Severities, as the Python original names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
#[allow(missing_docs)]
pub enum LogLevel {
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

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "stdio" => Ok(Transport::Stdio),
        "http" | "streamable-http" => Ok(Transport::Http),
        "sse" => Ok(Transport::Sse),
        _ => Err("one of stdio, http, streamable-http and sse".into()),
    }
}

pub(super) fn host(text: &str) -> Result<String, String> {
    let plain = text.trim();
    let name = !plain.is_empty()
        && plain.len() <= 253
        && plain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    match name || plain.parse::<IpAddr>().is_ok() {
        true => Ok(plain.to_owned()),
        false => Err("a host name or an IP address".into()),
    }
}

fn hosts(text: &str) -> Result<Hosts, String> {
    Hosts::parse(text).map_err(|bad| {
        format!("a comma-separated list of host names, with or without ports, and patterns such as *.example.com: {bad}")
    })
}

fn port(text: &str) -> Result<u16, String> {
    text.trim()
        .parse()
        .map_err(|_| "a whole number from 0 to 65535".into())
}

fn ttl(text: &str) -> Result<Duration, String> {
    bounded(text, 0, 86_400)
}

fn seconds(text: &str) -> Result<Duration, String> {
    bounded(text, 1, 3600)
}

pub(super) fn bounded(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    whole(text, least, most, "seconds ").map(Duration::from_secs)
}

/// A whole number of `what` (`"seconds "`, or nothing) within bounds.
pub(super) fn whole(text: &str, least: u64, most: u64, what: &str) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let of = if what.is_empty() { "" } else { "of " };
            Err(format!("a whole number {of}{what}from {least} to {most}"))
        }
    }
}

fn origins(text: &str) -> Result<Origins, String> {
    Origins::parse(text).map_err(|bad| {
        format!(
            "a comma-separated list of loopback, * and origins such as https://app.example: {bad}"
        )
    })
}

fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".into()),
    }
}
