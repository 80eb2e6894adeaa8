//! What a component does besides computing an answer, declared by its author.
//!
//! A new kind of effect is a variant here with its row in [`Effect::KINDS`] and its form in [`Effect::check`], a door in
//! `crate::doors`, and a row in `docs/guide/effects.md`.

mod declared;

pub(crate) use declared::Declared;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a host's name (RFC 1035 §2.3.4, without the dot at its end).
const MAX_HOST: usize = 253;

/// Bytes of a label of a host's name (RFC 1035 §2.3.4).
const MAX_HOST_LABEL: usize = 63;

/// One thing a component does to, or wants from, the world around it.
///
/// What is declared is what a component gets: its doors ([`Ctx::files`](crate::Ctx::files), [`Ctx::elicit`](crate::Ctx::elicit)
/// and the like) are shut without the effect that they need. In texts (manifests, locks, settings) an effect is its kind,
/// with its value after a colon:
///
/// ```
/// use pymcp_kit::Effect;
///
/// let effect: Effect = "network:api.example.org".parse().unwrap();
/// assert_eq!(effect, Effect::network("api.example.org"));
/// assert_eq!((effect.kind(), effect.value()), ("network", Some("api.example.org")));
/// assert_eq!(serde_json::to_string(&Effect::AsksUser).unwrap(), r#""asks-user""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Asks the user through the client (elicitation), or the client for what its user set up (roots).
    AsksUser,
    /// Uses the client's model (sampling).
    UsesModel,
    /// Reaches the network at this host: a name of ASCII letters in lower case, digits, `-`, `_` and dots, an IPv4
    /// address, an IPv6 address in brackets, as all of them are written in URLs, or `*` for hosts that nobody knows
    /// beforehand. Without a port.
    Network(String),
    /// Runs code that the caller wrote, in a sandbox.
    RunsUntrustedCode,
    /// Reads this file, or files below this folder: an absolute path without `.` and `..`.
    ReadsFiles(String),
    /// Writes this file, or files below this folder: an absolute path without `.` and `..`.
    WritesFiles(String),
    /// Reads this variable of the server's environment: letters, digits and `_`, with no digit first.
    Environment(String),
    /// Runs this program: an absolute path, or a name that is looked up in the system's own folders.
    Spawns(String),
    /// Draws on the operating system's randomness, so that no two answers are alike.
    Random,
    /// Depends on the time of day.
    Clock,
}

/// The effects of a component, in a stable order.
pub type Effects = BTreeSet<Effect>;

impl Effect {
    /// All kinds, in the order of [`Effects`].
    pub const KINDS: [&'static str; 10] = [
        "asks-user",
        "uses-model",
        "network",
        "runs-untrusted-code",
        "reads-files",
        "writes-files",
        "environment",
        "spawns",
        "random",
        "clock",
    ];

    /// [`Effect::Network`] at this host.
    pub fn network(host: impl Into<String>) -> Self {
        Self::Network(host.into())
    }

    /// [`Effect::ReadsFiles`] at or below this path.
    pub fn reads_files(path: impl Into<String>) -> Self {
        Self::ReadsFiles(path.into())
    }

    /// [`Effect::WritesFiles`] at or below this path.
    pub fn writes_files(path: impl Into<String>) -> Self {
        Self::WritesFiles(path.into())
    }

    /// [`Effect::Environment`] of this variable.
    pub fn environment(name: impl Into<String>) -> Self {
        Self::Environment(name.into())
    }

    /// [`Effect::Spawns`] of this program.
    pub fn spawns(program: impl Into<String>) -> Self {
        Self::Spawns(program.into())
    }

    /// Its place in [`Effect::KINDS`].
    pub(crate) const fn index(&self) -> usize {
        match self {
            Self::AsksUser => 0,
            Self::UsesModel => 1,
            Self::Network(_) => 2,
            Self::RunsUntrustedCode => 3,
            Self::ReadsFiles(_) => 4,
            Self::WritesFiles(_) => 5,
            Self::Environment(_) => 6,
            Self::Spawns(_) => 7,
            Self::Random => 8,
            Self::Clock => 9,
        }
    }

    /// Its kind: one of [`Effect::KINDS`].
    pub const fn kind(&self) -> &'static str {
        Self::KINDS[self.index()]
    }

    /// The host, path, variable or program that it is about, for kinds that are about one.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Network(value)
            | Self::ReadsFiles(value)
            | Self::WritesFiles(value)
            | Self::Environment(value)
            | Self::Spawns(value) => Some(value),
            Self::AsksUser
            | Self::UsesModel
            | Self::RunsUntrustedCode
            | Self::Random
            | Self::Clock => None,
        }
    }

    /// Whether its value has the form that its kind wants. A server with any other is not built.
    ///
    /// # Errors
    /// Why not, in words that go on after "cannot be served: ".
    pub fn check(&self) -> Result<(), InvalidEffect> {
        let (fits, wanted) = match self {
            Self::Network(host) => (
                is_host(host),
                "a host as URLs have it: a name in lower case, an address, or '*', without scheme, port and path",
            ),
            Self::ReadsFiles(path) | Self::WritesFiles(path) => {
                (is_path(path), "an absolute path without '.' and '..'")
            }
            Self::Environment(name) => (
                is_variable(name),
                "the name of a variable: letters, digits and '_', with no digit first",
            ),
            Self::Spawns(program) => (
                is_path(program) || is_program(program),
                "a program: an absolute path without '.' and '..', or a name alone",
            ),
            _ => return Ok(()),
        };
        match fits {
            true => Ok(()),
            false => Err(InvalidEffect(format!(
                "the value of its effect '{}' is not {wanted}",
                self.to_string().escape_debug()
            ))),
        }
    }
}

/// Whether URLs have a host in this form; the one way to write it.
fn is_host(host: &str) -> bool {
    if host == "*" {
        return true;
    }
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|it| it.parse().ok());
        return address.is_some_and(|it: Ipv6Addr| format!("[{it}]") == host);
    }
    let is_label = |label: &str| {
        (1..=MAX_HOST_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    // A dot at its end is part of the name in URLs.
    let name = host.strip_suffix('.').unwrap_or(host);
    // What ends in a number is an address in all URLs (URL Standard §3.5).
    let is_address = host.bytes().last().is_some_and(|b| b.is_ascii_digit())
        && host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match is_address {
        true => host.parse::<Ipv4Addr>().is_ok(),
        false => name.len() <= MAX_HOST && name.split('.').all(is_label),
    }
}

fn is_path(path: &str) -> bool {
    let relative = |name: &str| matches!(name, "." | "..");
    Path::new(path).is_absolute()
        && !path.chars().any(char::is_control)
        && !path.split(std::path::is_separator).any(relative)
}

fn is_variable(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn is_program(name: &str) -> bool {
    let separates = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    !matches!(name, "" | "." | "..") && name.trim() == name && !name.contains(separates)
}

impl fmt::Display for Effect {
    /// The kind, and after a colon the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self.value() {
            Some(value) => write!(f, ":{value}"),
            None => Ok(()),
        }
    }
}

/// A text is no effect, or an effect's value has not the form that its kind wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEffect(String);

impl fmt::Display for InvalidEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidEffect {}

impl FromStr for Effect {
    type Err = InvalidEffect;

    /// What [`Display`](fmt::Display) writes. The value is not looked at: see [`Effect::check`].
    fn from_str(text: &str) -> Result<Self, InvalidEffect> {
        let (kind, value) = match text.split_once(':') {
            Some((kind, value)) => (kind, Some(value.to_owned())),
            None => (text, None),
        };
        match (kind, value) {
            ("asks-user", None) => Ok(Self::AsksUser),
            ("uses-model", None) => Ok(Self::UsesModel),
            ("network", Some(host)) => Ok(Self::Network(host)),
            ("runs-untrusted-code", None) => Ok(Self::RunsUntrustedCode),
            ("reads-files", Some(path)) => Ok(Self::ReadsFiles(path)),
            ("writes-files", Some(path)) => Ok(Self::WritesFiles(path)),
            ("environment", Some(name)) => Ok(Self::Environment(name)),
            ("spawns", Some(program)) => Ok(Self::Spawns(program)),
            ("random", None) => Ok(Self::Random),
            ("clock", None) => Ok(Self::Clock),
            (kind, value) if Self::KINDS.contains(&kind) => Err(InvalidEffect(match value {
                Some(_) => format!("The effect '{kind}' has no value; write '{kind}'."),
                None => format!("The effect '{kind}' needs a value after a colon."),
            })),
            _ => Err(InvalidEffect(format!(
                "'{}' is no effect; the kinds are {}.",
                text.escape_debug(),
                Self::KINDS.join(", ")
            ))),
        }
    }
}

impl Serialize for Effect {
    /// As the text that [`Display`](fmt::Display) writes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Effect {
    /// From the text that [`Display`](fmt::Display) writes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, in order.
    fn all() -> [Effect; 10] {
        [
            Effect::AsksUser,
            Effect::UsesModel,
            Effect::network("api.example.org"),
            Effect::RunsUntrustedCode,
            Effect::reads_files("/srv/data"),
            Effect::writes_files("/srv/out:1"),
            Effect::environment("HOME"),
            Effect::spawns("git"),
            Effect::Random,
            Effect::Clock,
        ]
    }

    #[test]
    fn each_kind_is_written_and_read_back() {
        let all = all();
        assert_eq!(all.each_ref().map(Effect::kind), Effect::KINDS);
        assert!(all.is_sorted(), "{all:?}");
        for effect in all {
            let text = effect.to_string();
            assert_eq!(text.parse(), Ok(effect.clone()));
            assert_eq!(serde_json::to_value(&effect).unwrap(), text);
            assert_eq!(
                serde_json::from_value::<Effect>(text.into()).unwrap(),
                effect
            );
        }
    }

    #[test]
    fn other_texts_are_no_effects() {
        for (text, why) in [
            (
                "network",
                "The effect 'network' needs a value after a colon.",
            ),
            (
                "random:4",
                "The effect 'random' has no value; write 'random'.",
            ),
            ("", "'' is no effect; the kinds are asks-user, "),
            ("Network:x", "'Network:x' is no effect; "),
        ] {
            let error = text.parse::<Effect>().unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn values_have_one_form() {
        let host = "a".repeat(63);
        for good in [
            Effect::AsksUser,
            Effect::network("localhost"),
            Effect::network("a_b.xn--bcher-kva.example"),
            Effect::network(host.as_str()),
            Effect::network("192.0.2.1"),
            Effect::network("[2001:db8::1]"),
            Effect::network("api.example.org."),
            Effect::network("*"),
            Effect::environment("_A1"),
            Effect::spawns("git"),
            Effect::spawns("clang-19.exe"),
        ] {
            assert_eq!(good.check(), Ok(()), "{good}");
        }
        for bad in [
            Effect::network(""),
            Effect::network("API.example.org"),
            Effect::network("bücher.example"),
            Effect::network("https://api.example.org"),
            Effect::network("api.example.org:443"),
            Effect::network("api..example"),
            Effect::network("*.example.org"),
            Effect::network("192.0.2.256"),
            Effect::network("2130706433"),
            Effect::network("2001:db8::1"),
            Effect::network("[2001:DB8::1]"),
            Effect::network(format!("{host}a.example")),
            Effect::network(format!("{host}.{host}.{host}.{host}")),
            Effect::reads_files("data"),
            Effect::writes_files(""),
            Effect::environment(""),
            Effect::environment("1A"),
            Effect::environment("A=B"),
            Effect::spawns(""),
            Effect::spawns(".."),
            Effect::spawns("bin/git"),
            Effect::spawns("git "),
        ] {
            let why = bad.check().unwrap_err().to_string();
            assert!(why.contains(&format!("'{bad}'")), "{why}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_are_absolute_and_go_down_only() {
        for good in ["/", "/srv/data/", "/srv/.hidden/..data"] {
            assert_eq!(Effect::reads_files(good).check(), Ok(()));
            assert_eq!(Effect::spawns(good).check(), Ok(()));
        }
        for bad in ["/srv/../etc", "/srv/./data", "/..", "/srv/\ndata", "~/data"] {
            assert!(Effect::writes_files(bad).check().is_err(), "{bad}");
        }
        // Nothing of it is written to a terminal as it is.
        let why = Effect::reads_files("/a\u{1b}[31m").check().unwrap_err();
        assert!(!why.to_string().contains('\u{1b}'), "{why}");
    }
}
