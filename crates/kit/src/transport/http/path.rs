//! Paths of the server: where its endpoints begin, and those that its author adds.

use std::fmt;
use std::str::FromStr;

/// Where the server says that it serves.
pub(super) const HEALTH: &str = "/healthz";

/// Where the server says that it takes traffic.
pub(super) const READY: &str = "/readyz";

/// Where the Server Card is, of either endpoint.
pub(super) const CARD: &str = "/mcp/server-card";
pub(super) const SSE_CARD: &str = "/sse/server-card";

/// Bytes of a path.
const MAX_PATH: usize = 256;

/// What the path of every endpoint begins with: nothing, or `/team-a`, so that `/mcp` is
/// `/team-a/mcp`. For a proxy that serves several servers under one name and passes paths on whole.
///
/// Written with or without the slashes around it; kept as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathPrefix(String);

/// A path that cannot be served, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPath {
    path: String,
    why: &'static str,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.path, self.why)
    }
}

impl std::error::Error for BadPath {}

impl FromStr for PathPrefix {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let path = text.trim_matches('/');
        if path.is_empty() {
            return match text.len() {
                0 | 1 => Ok(Self::default()),
                _ => Err(bad(text, EMPTY_SEGMENT)),
            };
        }
        let path = format!("/{path}");
        match flaw(&path) {
            None => Ok(Self(path)),
            Some(why) => Err(bad(text, why)),
        }
    }
}

impl PathPrefix {
    /// What is left of a path below it; `None` for a path that is not.
    pub(super) fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.0)
    }

    /// It, as a path without a slash at its end; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const EMPTY_SEGMENT: &str = "has an empty part between two slashes; write each slash once.";

fn bad(path: &str, why: &'static str) -> BadPath {
    BadPath {
        path: path.chars().take(MAX_PATH).collect(),
        why,
    }
}

/// Why no request could be for this path, as clients write paths (RFC 3986 §3.3).
fn flaw(path: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    if path.len() > MAX_PATH {
        return Some("is too long; a path has at most 256 bytes.");
    }
    if !path.starts_with('/') {
        return Some("is no path; write it with a slash before it, such as /health.");
    }
    if !path.bytes().all(allowed) {
        return Some(
            "holds characters that a path here cannot have; use letters, digits, '-', '.', '_', '~' and slashes.",
        );
    }
    if path.contains("//") {
        return Some(EMPTY_SEGMENT);
    }
    let dots = path.split('/').any(|part| matches!(part, "." | ".."));
    dots.then_some("has a part '.' or '..', which clients resolve; write the path without it.")
}

/// Checks the path of a route.
///
/// # Errors
/// What it is or has that it must not: the rest of a sentence about it.
pub(super) fn check_route(path: &str) -> Result<(), &'static str> {
    if matches!(
        path.trim_end_matches('/'),
        "/mcp" | "/sse" | "/messages" | CARD | SSE_CARD
    ) {
        return Err("is one of the protocol's; choose another one.");
    }
    if matches!(path, HEALTH | READY) {
        return Err("is a probe's, which every server answers; choose another one.");
    }
    flaw(path).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_as_people_write_it() {
        for (text, prefix) in [
            ("", ""),
            ("/", ""),
            ("team-a", "/team-a"),
            ("/team-a", "/team-a"),
            ("/team-a/", "/team-a"),
            ("a/b.c/~d", "/a/b.c/~d"),
        ] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().as_str(), prefix);
        }
        for (text, why) in [
            ("//", "empty part"),
            ("/a//b", "empty part"),
            ("/a/../b", "'..'"),
            (".", "'.'"),
            ("/a b", "characters"),
            ("/a%20b", "characters"),
            ("/a?b", "characters"),
            ("/\u{e9}", "characters"),
            ("https://example.com/a", "empty part"),
            (&"a".repeat(300), "too long"),
        ] {
            let error = text.parse::<PathPrefix>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn only_what_is_below_a_prefix_is_left() {
        let prefix: PathPrefix = "/team-a".parse().unwrap();
        assert_eq!(prefix.strip("/team-a/mcp"), Some("/mcp"));
        // No endpoint has such a path.
        assert_eq!(prefix.strip("/team-ab/mcp"), Some("b/mcp"));
        assert_eq!(prefix.strip("/mcp"), None);
        assert_eq!(PathPrefix::default().strip("/mcp"), Some("/mcp"));
    }

    #[test]
    fn a_route_takes_no_path_of_the_protocol() {
        for path in ["/", "/health", "/.well-known/x", "/mcp/x", "/hooks/"] {
            assert_eq!(check_route(path), Ok(()), "{path}");
        }
        for path in [
            "/mcp",
            "/mcp/",
            "/sse",
            "/messages/",
            "/mcp/server-card",
            "/healthz",
            "/readyz",
            "health",
            "",
            "/a/./b",
            "/{id}",
        ] {
            assert!(check_route(path).is_err(), "{path}");
        }
    }
}
