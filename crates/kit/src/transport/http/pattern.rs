//! How an entry in a list of hosts or of origins is written, and which names it admits: one way for
//! both lists. An entry that no client could ever match is an error, which says what to write.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of a name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// Bytes between two dots of one.
const MAX_LABEL: usize = 63;

/// Why an entry is refused, and what to write in its place where that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) why: &'static str,
    pub(super) instead: Option<String>,
}

impl Flaw {
    fn new(why: &'static str) -> Self {
        Self { why, instead: None }
    }

    fn instead(why: &'static str, text: impl Into<String>) -> Self {
        Self {
            why,
            instead: Some(text.into()),
        }
    }

    /// Drops a suggestion that would be refused as well.
    fn usable(mut self, would: impl FnOnce(&str) -> bool) -> Self {
        self.instead = self.instead.filter(|text| would(text));
        self
    }
}

/// What a client sent: a name, and a port if it named one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    name: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `name`, `name:port` and the same with an address; `None` when it is none of these.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (name, port) = split(text)?;
        let port = match port {
            None => None,
            Some(port) => Some(number(port)?),
        };
        let sound = match bracketed(name) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.bytes().all(|b| is_plain(b) || b == b'.'),
        };
        sound.then_some(Self { name, port })
    }
}

/// The name and the text after the colon, if there is one.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':').unwrap_or(text.len()),
    };
    let (name, rest) = text.split_at(end);
    match rest {
        "" => Some((name, None)),
        _ => Some((name, Some(rest.strip_prefix(':')?))),
    }
}

fn bracketed(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.strip_suffix(']')
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A port in digits and nothing else.
fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| port.parse().ok()).flatten()
}

/// Names that an entry admits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    Any,
    /// One name, lower case.
    Name(String),
    /// `[::1]`, however it is spelled.
    V6(Ipv6Addr),
    /// All names below one: this is `.example.com`, lower case.
    Below(String),
}

impl Names {
    fn admit(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(wanted) => wanted.eq_ignore_ascii_case(name),
            Self::V6(wanted) => bracketed(name)
                .and_then(|address| address.parse().ok())
                .is_some_and(|address: Ipv6Addr| address == *wanted),
            Self::Below(suffix) => {
                let split = name.len().checked_sub(suffix.len());
                split
                    .and_then(|at| name.split_at_checked(at))
                    .is_some_and(|(labels, end)| {
                        end.eq_ignore_ascii_case(suffix)
                            && !labels.is_empty()
                            && !labels.ends_with('.')
                    })
            }
        }
    }
}

/// The port of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Unsaid,
    Any,
    Only(u16),
}

/// Whose names they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Those of DNS, and addresses.
    Dns,
    /// Those of a scheme that has its own, such as the ids of extensions.
    Own,
}

/// Reads `name`, `name:port`, `name:*` and `*.name`.
fn read(text: &str, kind: Kind) -> Result<(Names, Port), Flaw> {
    const NO_NAME: &str = "is no name or address, with or without a port";
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((_, name)) = authority.rsplit_once('@') {
        return Err(Flaw::instead("holds a user", name));
    }
    if authority.len() < text.len() {
        return Err(Flaw::instead("has a path", authority));
    }
    if !text.is_ascii() {
        return Err(Flaw::new(
            "is not in ASCII, in which browsers send it (xn--…)",
        ));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Flaw::instead("lacks its brackets", format!("[{text}]")));
    }
    let (name, port) = split(text).ok_or(Flaw::new(NO_NAME))?;
    let port = match port {
        None => Port::Unsaid,
        Some("*") => Port::Any,
        Some(port) => match number(port) {
            Some(port) if port > 0 => Port::Only(port),
            _ => return Err(Flaw::new("has a port that is neither 1 to 65535 nor *")),
        },
    };
    if let Some(address) = bracketed(name) {
        return match address.parse() {
            Ok(address) => Ok((Names::V6(address), port)),
            Err(_) => Err(Flaw::new("has no IPv6 address in its brackets")),
        };
    }
    if name == "*" && kind == Kind::Own {
        return Ok((Names::Any, port));
    }
    let (below, rest) = match name.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    if rest.contains('*') {
        return Err(Flaw::new(
            "has a * that is neither its port nor the whole beginning of a name, as in *.example.com",
        ));
    }
    if let Some(plain) = rest.strip_suffix('.').filter(|plain| is_name(plain)) {
        let star = if below { "*." } else { "" };
        let port = text.get(name.len()..).unwrap_or_default();
        return Err(Flaw::instead(
            "ends in a dot",
            format!("{star}{plain}{port}"),
        ));
    }
    if !is_name(rest) {
        return Err(Flaw::new(NO_NAME));
    }
    if kind == Kind::Dns && ends_in_number(rest) {
        if rest.parse::<Ipv4Addr>().is_err() {
            return Err(Flaw::new(
                "is no address of four numbers, such as 127.0.0.1",
            ));
        }
        if below {
            return Err(Flaw::new("has a name below an address"));
        }
    }
    let rest = rest.to_ascii_lowercase();
    let names = match below {
        true => Names::Below(format!(".{rest}")),
        false => Names::Name(rest),
    };
    Ok((names, port))
}

fn is_name(text: &str) -> bool {
    let is_label =
        |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_plain);
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

/// What ends so is an address to browsers (<https://url.spec.whatwg.org/#ends-in-a-number-checker>),
/// and they send all of them as four numbers.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// An entry of the list of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPattern {
    names: Names,
    /// `None`: any.
    port: Option<u16>,
}

impl HostPattern {
    pub(super) fn parse(entry: &str) -> Result<Self, Flaw> {
        if matches!(entry, "*" | "*:*") {
            return Err(Flaw::new(
                "would serve every host, which is what DNS rebinding needs; name the hosts, or a pattern such as *.example.com",
            ));
        }
        if let Some((_, authority)) = entry.split_once("://") {
            let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
            let flaw = Flaw::instead("is an address of the web and no host", host);
            return Err(flaw.usable(Self::accepts));
        }
        let (names, port) = read(entry, Kind::Dns).map_err(|flaw| flaw.usable(Self::accepts))?;
        let port = match port {
            Port::Unsaid | Port::Any => None,
            Port::Only(port) => Some(port),
        };
        Ok(Self { names, port })
    }

    fn accepts(entry: &str) -> bool {
        Self::parse(entry).is_ok()
    }

    pub(super) fn admits(&self, host: Authority<'_>) -> bool {
        let port = match (self.port, host.port) {
            (None, _) => true,
            // Clients leave out the port that is their scheme's own, and only they know which that is.
            (Some(wanted), None) => matches!(wanted, 80 | 443),
            (Some(wanted), Some(port)) => wanted == port,
        };
        port && self.names.admit(host.name)
    }
}

/// The port that an origin of this scheme leaves out.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

/// What `Origin` holds (RFC 6454 §6.2), `null` aside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Some(Self {
            scheme,
            authority: Authority::read(authority)?,
        })
    }
}

/// An entry of the list of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OriginPattern {
    /// Lower case.
    scheme: String,
    names: Names,
    any_port: bool,
    /// The one port, that of the scheme if the entry has none.
    port: Option<u16>,
}

impl OriginPattern {
    pub(super) fn parse(entry: &str) -> Result<Self, Flaw> {
        if entry.eq_ignore_ascii_case("null") {
            return Err(Flaw::new(
                "is what any page without an origin sends, and so names none; serve the page from an origin",
            ));
        }
        let Some((scheme, authority)) = entry.split_once("://") else {
            return Err(without_scheme(entry));
        };
        let scheme = scheme.to_ascii_lowercase();
        match &*scheme {
            "*" => {
                return Err(Flaw {
                    why: "names no scheme",
                    instead: supposed(authority),
                });
            }
            "ws" | "wss" => {
                let origin = format!("http{}://{authority}", &scheme[2..]);
                return Err(Flaw::instead("is no page", origin).usable(Self::accepts));
            }
            "ftp" => return Err(Flaw::new("has a scheme from which browsers load no pages")),
            "file" => {
                return Err(Flaw::new(
                    "has no origin; pages from files send \"null\", as any other page can",
                ));
            }
            _ => {}
        }
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !is_scheme {
            return Err(Flaw::new("has no scheme such as https"));
        }
        let default = default_port(&scheme);
        if default.is_some() && matches!(authority, "*" | "*:*") {
            return Err(Flaw::instead("is every page on the web", "*"));
        }
        let kind = default.map_or(Kind::Own, |_| Kind::Dns);
        let (names, port) = read(authority, kind).map_err(|flaw| {
            let origin = flaw.instead.map(|name| format!("{scheme}://{name}"));
            let flaw = Flaw {
                instead: origin,
                ..flaw
            };
            flaw.usable(Self::accepts)
        })?;
        Ok(Self {
            names,
            any_port: port == Port::Any,
            port: match port {
                Port::Only(port) => Some(port),
                Port::Unsaid | Port::Any => default,
            },
            scheme,
        })
    }

    fn accepts(entry: &str) -> bool {
        Self::parse(entry).is_ok()
    }

    pub(super) fn admits(&self, origin: Origin<'_>) -> bool {
        let port = || origin.authority.port.or(default_port(origin.scheme));
        self.scheme.eq_ignore_ascii_case(origin.scheme)
            && self.names.admit(origin.authority.name)
            && (self.any_port || self.port == port())
    }
}

fn without_scheme(entry: &str) -> Flaw {
    Flaw {
        why: "is no origin, which begins with a scheme",
        instead: supposed(entry),
    }
}

/// The origin that somebody means who wrote no scheme.
fn supposed(authority: &str) -> Option<String> {
    let name = split(authority).map_or("", |(name, _)| name);
    let local = name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok()
        || bracketed(name).is_some();
    let scheme = if local { "http" } else { "https" };
    let origin = format!("{scheme}://{authority}");
    OriginPattern::accepts(&origin).then_some(origin)
}
