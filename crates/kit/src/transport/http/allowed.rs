//! The hosts and the origins that are served.

use super::pattern::{Authority, Flaw, HostPattern, Origin, OriginPattern};

/// Names of this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// An entry of a list that cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    entry: String,
    flaw: Flaw,
}

impl std::fmt::Display for BadEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}' {}", self.entry, self.flaw.why)?;
        match &self.flaw.instead {
            Some(instead) => write!(f, "; write {instead}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BadEntry {}

impl BadEntry {
    pub(super) fn new(entry: &str, why: &'static str) -> Self {
        bad(entry)(Flaw { why, instead: None })
    }
}

/// Hosts under which the server is reached: what `Host` may say (RFC 9110 §7.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(Vec<HostPattern>);

impl Hosts {
    /// Those of this machine, on any port.
    pub fn loopback() -> Self {
        // Each of them is a pattern.
        Self(
            LOOPBACK
                .iter()
                .flat_map(|name| HostPattern::parse(name))
                .collect(),
        )
    }

    /// Reads a comma-separated list: `example.com` and `example.com:*` (any port),
    /// `example.com:8443` (80 and 443 also where the client names none), `*.example.com` (every
    /// name below it, not itself), addresses such as `192.0.2.1` and `[2001:db8::1]`, `loopback`.
    ///
    /// # Errors
    /// The first entry that is none of these, or that no client could match.
    pub fn parse(list: &str) -> Result<Self, BadEntry> {
        let mut hosts = Self::default();
        for entry in entries(list) {
            match entry {
                "loopback" => hosts.add(Self::loopback()),
                _ => hosts.0.push(HostPattern::parse(entry).map_err(bad(entry))?),
            }
        }
        Ok(hosts)
    }

    /// Serves these as well.
    pub fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// `None` when it is no host at all.
    pub(super) fn allow(&self, host: &str) -> Option<bool> {
        let host = Authority::read(host)?;
        Some(self.0.iter().any(|pattern| pattern.admits(host)))
    }
}

/// Origins (RFC 6454) that may call: the CORS list and the Origin check are the same list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    any: bool,
    patterns: Vec<OriginPattern>,
}

impl Origins {
    /// Pages served from this machine, on any port.
    pub fn loopback() -> Self {
        let patterns = ["http", "https"].iter().flat_map(|scheme| {
            // Each of them is a pattern.
            LOOPBACK
                .iter()
                .flat_map(move |name| OriginPattern::parse(&format!("{scheme}://{name}:*")))
        });
        Self {
            any: false,
            patterns: patterns.collect(),
        }
    }

    /// Reads a comma-separated list: `loopback`, `*` (every page on the web), origins such as
    /// `https://app.example`, with another port than the scheme's own as `http://app.example:8080`,
    /// with any as `http://localhost:*`; `https://*.example.com` (every name below it, not itself);
    /// origins of other schemes, such as `chrome-extension://…`, with `vscode-webview://*` for all
    /// of one scheme.
    ///
    /// # Errors
    /// The first entry that is none of these, or that no page could match.
    pub fn parse(list: &str) -> Result<Self, BadEntry> {
        let mut origins = Self::default();
        for entry in entries(list) {
            match entry {
                "*" => origins.any = true,
                "loopback" => origins.patterns.extend(Self::loopback().patterns),
                _ => {
                    let pattern = OriginPattern::parse(entry).map_err(bad(entry))?;
                    origins.patterns.push(pattern);
                }
            }
        }
        Ok(origins)
    }

    /// Whether every page on the web may call.
    pub fn allow_any(&self) -> bool {
        self.any
    }

    pub(super) fn allow(&self, origin: &str) -> bool {
        self.any
            || Origin::read(origin)
                .is_some_and(|origin| self.patterns.iter().any(|pattern| pattern.admits(origin)))
    }
}

/// The entries of a comma-separated list.
pub(super) fn entries(list: &str) -> impl Iterator<Item = &str> {
    let entries = list.split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

fn bad(entry: &str) -> impl FnOnce(Flaw) -> BadEntry {
    let entry = entry.to_owned();
    move |flaw| BadEntry { entry, flaw }
}

#[cfg(test)]
#[path = "allowed_tests.rs"]
mod tests;
