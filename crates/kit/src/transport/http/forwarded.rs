//! Who is behind a proxy: `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto`, `-Host`, believed
//! from those proxies alone that are trusted.
//!
//! Each proxy adds whom it heard from at the right. So they are read from the right: as long as the
//! one that said it is trusted, what it said counts, and the first address that is not trusted is the
//! client's. What stands further left is the client's own, and could be anything.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};
use ipnet::IpNet;

use super::allowed::{self, BadEntry};
use super::reply::{self, Refusal};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What `loopback` stands for.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// The address of who connects to a Unix socket.
pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The proxies whose word counts for who calls, by their addresses. Default: none; then nothing that a
/// request says of itself is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads a comma-separated list: addresses such as `192.0.2.1` and `2001:db8::1`, networks such as
    /// `10.0.0.0/8`, and `loopback`, which includes those who connect to a Unix socket.
    ///
    /// # Errors
    /// The first entry that is none of these, or that is every address.
    pub fn parse(list: &str) -> Result<Self, BadEntry> {
        let mut networks = Vec::new();
        for entry in allowed::entries(list) {
            if entry == "loopback" {
                networks.extend(LOOPBACK.iter().filter_map(|net| net.parse::<IpNet>().ok()));
                continue;
            }
            let network = match entry.parse::<IpAddr>() {
                Ok(address) => IpNet::from(address.to_canonical()),
                Err(_) => entry.parse().map_err(|_| {
                    let why = "is no address, network (10.0.0.0/8) or loopback";
                    BadEntry::new(entry, why)
                })?,
            };
            if network.prefix_len() == 0 {
                let why =
                    "is every address, so that clients could say what they are; name the proxies";
                return Err(BadEntry::new(entry, why));
            }
            networks.push(network);
        }
        Ok(Self(networks))
    }

    /// Whether a proxy at this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address that the connections of this one are counted for: a proxy has those of its clients.
    pub(super) fn counted(&self, address: IpAddr) -> IpAddr {
        match self.contains(address) {
            true => LOCAL,
            false => address,
        }
    }

    /// What the proxies say of a request that comes from `peer`; nothing where that is not trusted.
    ///
    /// `Forwarded` and `X-Forwarded-*` must not contradict each other: a proxy sets one of them, and
    /// who sends the other could be anyone.
    pub(super) fn read(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
    ) -> Result<Option<Forwarded>, Refusal> {
        if !self.contains(peer) {
            return Ok(None);
        }
        let standard = self.standard(peer, headers)?;
        let common = self.common(peer, headers)?;
        let (Some(one), Some(other)) = (&standard, &common) else {
            return Ok(standard.or(common));
        };
        // Where one names nobody, the other's word is no better.
        let agree = (one.address == other.address || !headers.contains_key(&FOR))
            && agree(&one.https, &other.https)
            && agree(&one.host, &other.host);
        if !agree {
            let why = "Forwarded and X-Forwarded-* contradict each other; let the proxy set one of them and remove the other.";
            return Err(reply::refuse(StatusCode::BAD_REQUEST, why));
        }
        Ok(Some(Forwarded {
            address: one.address,
            https: one.https.or(other.https),
            host: one.host.clone().or_else(|| other.host.clone()),
        }))
    }

    /// What `Forwarded` says.
    fn standard(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<Forwarded>, Refusal> {
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            // Else a quote that a client opens would swallow what the proxy adds after it.
            let read = line.to_str().ok().and_then(elements_of);
            elements.extend(read.ok_or_else(|| malformed("The header Forwarded is malformed."))?);
        }
        let nodes = elements.iter().map(|element| element.node).collect();
        let (address, at) = self.behind(peer, nodes);
        Ok(at.map(|at| {
            let element = elements.swap_remove(at);
            Forwarded {
                address,
                https: element.https,
                host: element.host,
            }
        }))
    }

    /// What `X-Forwarded-*` says.
    fn common(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<Forwarded>, Refusal> {
        let nodes = list(headers, &FOR)?;
        let protos = list(headers, &PROTO)?;
        let hosts = list(headers, &HOST)?;
        if nodes.is_empty() && protos.is_empty() && hosts.is_empty() {
            return Ok(None);
        }
        let (address, at) = self.behind(peer, nodes.iter().map(|text| node(text)).collect());
        // A proxy that keeps a list of these adds to it as it does to the addresses; others set one.
        let beside = |values: &[&str]| match at {
            Some(at) if values.len() == nodes.len() => values.get(at).copied().map(str::to_owned),
            _ => values.last().copied().map(str::to_owned),
        };
        Ok(Some(Forwarded {
            address,
            https: beside(&protos).and_then(|proto| is_https(&proto)),
            host: beside(&hosts).map(Arc::from),
        }))
    }

    /// The client's address, and which entry has it: the leftmost that a trusted one has said. No
    /// address where that one doesn't say it.
    fn behind(&self, peer: IpAddr, nodes: Vec<Option<IpAddr>>) -> (Option<IpAddr>, Option<usize>) {
        let (mut address, mut at) = (peer, None);
        for (index, node) in nodes.into_iter().enumerate().rev() {
            if !self.contains(address) {
                break;
            }
            at = Some(index);
            match node {
                Some(node) => address = node,
                None => break,
            }
        }
        ((address != peer).then_some(address), at)
    }
}

fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

fn malformed(why: &'static str) -> Refusal {
    reply::refuse(StatusCode::BAD_REQUEST, why)
}

/// What trusted proxies say of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The client's; `None` where they do not say it.
    pub(super) address: Option<IpAddr>,
    /// Whether it came to them over TLS; `None` where they do not say it.
    pub(super) https: Option<bool>,
    /// What it named as `Host`; `None` where they do not say it.
    pub(super) host: Option<Arc<str>>,
}

/// The values of a header that is a list, of all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, Refusal> {
    let mut values = Vec::new();
    for line in headers.get_all(name) {
        let line = line.to_str();
        let line = line.map_err(|_| malformed("A header X-Forwarded-* is malformed."))?;
        values.extend(line.split(',').map(str::trim));
    }
    Ok(values)
}

fn is_https(proto: &str) -> Option<bool> {
    match proto {
        _ if proto.eq_ignore_ascii_case("https") => Some(true),
        _ if proto.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

/// An address with or without a port; `None` for `unknown`, `_hidden` and anything else (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => address,
            // IPv6 without brackets, as it stands in X-Forwarded-For.
            _ => text,
        },
    };
    let address = address.parse::<IpAddr>().ok()?;
    Some(address.to_canonical())
}

/// One element of `Forwarded`.
#[derive(Debug, Default, PartialEq)]
struct Element {
    node: Option<IpAddr>,
    https: Option<bool>,
    host: Option<Arc<str>>,
}

/// Reads a line of `Forwarded` (RFC 7239 §4); `None` if it is malformed.
fn elements_of(line: &str) -> Option<Vec<Element>> {
    let mut elements = vec![Element::default()];
    let mut rest = line.trim_start();
    loop {
        let length = rest.bytes().take_while(|&byte| is_token(byte)).count();
        let (name, after) = rest.split_at(length);
        rest = after;
        if !name.is_empty() {
            let (value, after) = value_of(rest.strip_prefix('=')?)?;
            rest = after;
            let element = elements.last_mut()?;
            match name.to_ascii_lowercase().as_str() {
                "for" => element.node = node(&value),
                "proto" => element.https = is_https(&value),
                "host" => element.host = Some(value.into()),
                _ => {}
            }
        }
        rest = rest.trim_start();
        match rest.as_bytes().first() {
            None => return Some(elements),
            Some(b';') => {}
            Some(b',') => elements.push(Element::default()),
            Some(_) => return None,
        }
        rest = rest[1..].trim_start();
    }
}

/// A token or a quoted string at the begin, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let length = text.bytes().take_while(|&byte| is_token(byte)).count();
        let (value, rest) = text.split_at(length);
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &quoted[at + 1..])),
            (_, '\\') => value.push(characters.next()?.1),
            (_, character) => value.push(character),
        }
    }
}

/// Whether a byte may be in a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[path = "forwarded_tests.rs"]
mod tests;
