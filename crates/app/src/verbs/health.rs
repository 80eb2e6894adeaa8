//! `health`: asks a server that listens whether it answers, for containers, which have no other program to ask with.

#[cfg_attr(not(feature = "tls"), path = "health/no_tls.rs")]
#[cfg_attr(feature = "tls", path = "health/tls.rs")]
mod tls;

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{ArgMatches, Args as _, Command};
use serde_json::json;

use crate::output::{Output, OutputArgs};
use crate::verbs::parsed;
use crate::{Error, Result, features};
use pymcp_kit::reason::reason;

pub(crate) const NAME: &str = "health";

/// Time for all of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that are looked at: its first line.
const MAX_ANSWER: u64 = 64;

/// Where a server says that it serves.
const HEALTH: &str = "/healthz";

/// Ask a server that listens whether it answers
///
/// Exit code 0 if it does, 1 if it answers with another status than 200, 3 if it does not answer.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// What to ask: `http://`, `https://` (any certificate will do) or `unix:` and the path of a socket. For the
    /// address of an endpoint the health check beside it is asked; `/readyz` says whether the server takes traffic.
    #[arg(value_name = "URL", default_value = "http://localhost:8000/healthz")]
    url: String,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let Args { url, output } = parsed::<Args>(matches)?;
    let Some(target) = Target::parse(&url) else {
        return Err(Error::setting(format!(
            "URL is '{}', but must be an address such as http://localhost:8000/healthz.",
            url.escape_debug()
        )));
    };
    if matches!(target.over, Over::Tls(..)) && !cfg!(feature = "tls") {
        let left_out = features::left_out("tls", "program");
        return Err(Error::setting(format!(
            "https:// {left_out}; ask over http:// or unix:."
        )));
    }
    let status = target.ask().map_err(|error| {
        Error::unreached(format!("{url} does not answer: {}.", reason(&error)))
            .hint("A server listens on HTTP with serve --transport http; it says its address when it does.")
    })?;
    let is_ok = status == "200";
    let output = Output::new(output);
    if output.is_json() {
        // Three digits, as `exchange` has them.
        let status: Option<u16> = status.parse().ok();
        output.value(&json!({ "url": url, "ok": is_ok, "status": status }))?;
    }
    match is_ok {
        true => Ok(()),
        false => Err(Error::other(format!("{url} answers with status {status}."))),
    }
}

/// What is asked, and over what.
#[derive(Debug, PartialEq)]
struct Target {
    over: Over,
    path: String,
}

#[derive(Debug, PartialEq)]
enum Over {
    /// A host and its port.
    Tcp(String),
    /// The same, and the host alone.
    Tls(String, String),
    Unix(PathBuf),
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        if let Some(socket) = url.strip_prefix("unix:") {
            let socket = socket.strip_prefix("//").unwrap_or(socket);
            return socket.starts_with('/').then(|| Self {
                over: Over::Unix(socket.into()),
                path: HEALTH.to_owned(),
            });
        }
        let (tls, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || !plain(authority) || !plain(path) {
            return None;
        }
        let with_port = authority
            .rsplit_once(':')
            .filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let (host, authority) = match with_port {
            Some((host, _)) => (host, authority.to_owned()),
            None => (
                authority,
                format!("{authority}:{}", if tls { 443 } else { 80 }),
            ),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Some(Self {
            over: match tls {
                true => Over::Tls(authority, host),
                false => Over::Tcp(authority),
            },
            path: beside(path),
        })
    }

    /// Sends the request, and returns the status of the answer.
    fn ask(&self) -> io::Result<String> {
        let end = Instant::now() + PATIENCE;
        match &self.over {
            Over::Tcp(authority) => self.exchange(authority, connect(authority, end)?),
            Over::Tls(authority, host) => {
                let stream = tls::encrypted(host, connect(authority, end)?)?;
                self.exchange(authority, stream)
            }
            #[cfg(unix)]
            Over::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                self.exchange("localhost", stream)
            }
            #[cfg(not(unix))]
            Over::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn exchange(&self, host: &str, mut stream: impl Read + Write) -> io::Result<String> {
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
            self.path
        );
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        status
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("it does not speak HTTP"))
    }
}

/// The path of the health check, for that of an endpoint; each other one as it is.
fn beside(path: &str) -> String {
    let ends = ["/mcp", "/sse", "/mcp/", "/sse/"];
    match ends.iter().find_map(|end| path.strip_suffix(*end)) {
        Some(prefix) => format!("{prefix}{HEALTH}"),
        None if path.len() < 2 => HEALTH.to_owned(),
        None => path.to_owned(),
    }
}

fn connect(authority: &str, end: Instant) -> io::Result<TcpStream> {
    let left = || {
        let left = end.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1))
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => {
                stream.set_write_timeout(Some(left()))?;
                stream.set_read_timeout(Some(left()))?;
                return Ok(stream);
            }
            // A name may have addresses on which nobody listens.
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_a_port_and_a_path() {
        let tcp = |authority: &str| Over::Tcp(authority.to_owned());
        let tls = |authority: &str, host: &str| Over::Tls(authority.to_owned(), host.to_owned());
        for (url, over, path) in [
            (
                "http://localhost:8000/healthz",
                tcp("localhost:8000"),
                "/healthz",
            ),
            (
                "http://localhost:8000/mcp",
                tcp("localhost:8000"),
                "/healthz",
            ),
            ("http://localhost:8000", tcp("localhost:8000"), "/healthz"),
            ("http://localhost:8000/", tcp("localhost:8000"), "/healthz"),
            ("http://[::1]:8000/a/mcp", tcp("[::1]:8000"), "/a/healthz"),
            ("http://[::1]/sse", tcp("[::1]:80"), "/healthz"),
            ("http://host/a/readyz", tcp("host:80"), "/a/readyz"),
            (
                "https://localhost:8443",
                tls("localhost:8443", "localhost"),
                "/healthz",
            ),
            ("https://[::1]/readyz", tls("[::1]:443", "::1"), "/readyz"),
            (
                "unix:/run/a.sock",
                Over::Unix("/run/a.sock".into()),
                "/healthz",
            ),
            (
                "unix:///run/a.sock",
                Over::Unix("/run/a.sock".into()),
                "/healthz",
            ),
        ] {
            let path = path.to_owned();
            assert_eq!(Target::parse(url), Some(Target { over, path }), "{url}");
        }
        for url in [
            "",
            "localhost:8000",
            "ftp://localhost/mcp",
            "http:///mcp",
            "http://a b/",
            "http://a/\r\nx: y",
            "unix:run/a.sock",
        ] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }
}
