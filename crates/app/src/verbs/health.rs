//! `health`: asks a server that listens whether it answers, for containers, which have no other program to ask with.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};

use crate::{Error, Result};

pub(crate) const NAME: &str = "health";

/// Time for all of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that are looked at: its first line.
const MAX_ANSWER: u64 = 64;

/// Ask a server that listens whether it answers: exit code 0 if it does, else 1
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Address of its endpoint.
    #[arg(value_name = "URL", default_value = "http://localhost:8000/mcp")]
    url: String,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let Args { url } =
        Args::from_arg_matches(matches).map_err(|error| Error::setting(error.to_string()))?;
    let Some((authority, path)) = parts(&url) else {
        return Err(Error::setting(format!(
            "URL is '{}', but must be an address such as http://localhost:8000/mcp.",
            url.escape_debug()
        )));
    };
    let status = ask(&authority, path)
        .map_err(|error| Error::other(format!("{url} does not answer: {error}.")))?;
    match status.as_str() {
        "200" => Ok(()),
        _ => Err(Error::other(format!("{url} answers with status {status}."))),
    }
}

/// The host with its port, and the path.
fn parts(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/mcp"),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let authority = match has_port {
        true => authority.to_owned(),
        false if authority.is_empty() => return None,
        false => format!("{authority}:80"),
    };
    (plain(&authority) && plain(path)).then_some((authority, path))
}

/// Sends the smallest request that passes through the whole server, and returns the status of the answer.
fn ask(authority: &str, path: &str) -> io::Result<String> {
    let end = Instant::now() + PATIENCE;
    let left = || {
        let left = end.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1))
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => stream,
            // A name may have addresses on which nobody listens.
            Err(error) => {
                last = error;
                continue;
            }
        };
        stream.set_write_timeout(Some(left()))?;
        stream.set_read_timeout(Some(left()))?;
        stream.write_all(request(authority, path).as_bytes())?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        return status
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("it does not speak HTTP"));
    }
    Err(last)
}

fn request(authority: &str, path: &str) -> String {
    const VERSION: &str = "2026-07-28";
    const METHOD: &str = "server/discover";
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{METHOD}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{VERSION}","io.modelcontextprotocol/clientInfo":{{"name":"{NAME}","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: {VERSION}\r\nmcp-method: {METHOD}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_a_path() {
        let of = |url| parts(url).map(|(authority, path)| (authority, path.to_owned()));
        for (url, authority, path) in [
            ("http://localhost:8000/mcp", "localhost:8000", "/mcp"),
            ("http://localhost:8000", "localhost:8000", "/mcp"),
            ("http://[::1]:8000/a/mcp", "[::1]:8000", "/a/mcp"),
            ("http://[::1]/mcp", "[::1]:80", "/mcp"),
            ("http://host/mcp", "host:80", "/mcp"),
        ] {
            assert_eq!(
                of(url),
                Some((authority.to_owned(), path.to_owned())),
                "{url}"
            );
        }
        for url in [
            "",
            "localhost:8000",
            "https://localhost/mcp",
            "http:///mcp",
            "http://a b/",
            "http://a/\r\nx: y",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
