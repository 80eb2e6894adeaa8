//! Which hosts may be reached, and how.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use crate::{Error, is_public};

/// The hosts that may be reached, written as [`Url::host_str`] writes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) allowed: BTreeSet<String>,
    pub(crate) private: BTreeSet<String>,
}

/// A host that may be reached: a name or an address, without a port, compared exactly.
///
/// It is reached by `https:`, and only where it has public addresses, unless it is [private](Self::private):
///
/// ```
/// use pymcp_egress::{Allow, Egress};
///
/// let egress = Egress::builder()
///     .allow("api.example.org")
///     .allow(Allow::host("stock.internal.example").private())
///     .build();
/// # drop(egress);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// In the form in which it is compared; none for what is no host.
    host: Option<String>,
    private: bool,
}

impl Allow {
    /// This host: `api.example.org`, `192.0.2.1`, `::1`.
    pub fn host(host: impl Into<String>) -> Self {
        Self {
            host: normal(&host.into()),
            private: false,
        }
    }

    /// It may be at private addresses (loopback and link-local ones as well) and be spoken to by `http:`. That counts
    /// for this host alone; no other one leads to it by a redirect.
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }
}

impl From<&str> for Allow {
    fn from(host: &str) -> Self {
        Self::host(host)
    }
}

impl From<String> for Allow {
    fn from(host: String) -> Self {
        Self::host(host)
    }
}

impl Hosts {
    pub(crate) fn add(&mut self, Allow { host, private }: Allow) {
        let Some(host) = host else {
            return;
        };
        if private {
            self.private.insert(host.clone());
        }
        self.allowed.insert(host);
    }

    /// Judges an address before anything is sent or looked up.
    ///
    /// A name is judged again when it is resolved ([`may_be_at`](Self::may_be_at)); a host that is an address never
    /// gets there, so it is judged here. [`Url`] has brought its odd spellings (`2130706433`, `0x7f.1`) into one form.
    pub(crate) fn judge(&self, url: &Url) -> Result<(), Error> {
        let host = shown(url);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Insecure { host });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Credentials { host });
        }
        let name = url.host_str().unwrap_or_default();
        if !self.allowed.contains(name) {
            return Err(Error::NotAllowed { host });
        }
        if url.scheme() == "http" && !self.private.contains(name) {
            return Err(Error::Insecure { host });
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if self.may_be_at(name, address) {
            Ok(())
        } else {
            Err(Error::PrivateAddress { host })
        }
    }

    /// Judges where a response leads on to, before that is judged like any other address.
    ///
    /// A private host is there for who was set up to ask it. Another host must not send us there, nor it itself to
    /// another of its ports, where who knows what is listening.
    pub(crate) fn judge_redirect(&self, from: &Url, to: &Url) -> Result<(), Error> {
        let is_private = to
            .host_str()
            .is_some_and(|host| self.private.contains(host));
        if is_private && from.origin() != to.origin() {
            return Err(Error::Redirects);
        }
        Ok(())
    }

    /// Whether a host that was named may be reached at this address.
    pub(crate) fn may_be_at(&self, name: &str, address: IpAddr) -> bool {
        is_public(address) || self.private.contains(name)
    }
}

/// A host in the form in which it is compared. What is no host at all is none: nothing could be equal to it.
fn normal(host: &str) -> Option<String> {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => Some(format!("[{address}]")),
        Err(_) => Host::parse(host).ok().map(|host| host.to_string()),
    }
}

/// The host as errors name it. After a redirect it is a stranger's text, so it has to be of a length that a name can
/// have (RFC 1035 §2.3.4).
pub(crate) fn shown(url: &Url) -> String {
    match url.host_str() {
        Some(host) if !host.is_empty() && host.len() <= 253 => host.to_owned(),
        _ => "this address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let mut hosts = Hosts::default();
        for host in [
            "example.org",
            "Search.EXAMPLE.net",
            "[2606:4700::1111]",
            "192.0.2.1",
            "[::ffff:127.0.0.1]",
            "b\u{fc}cher.example",
            "not a host",
            "example.com:8080",
        ] {
            hosts.add(host.into());
        }
        for host in ["127.0.0.1", "::1", "lan.example.com"] {
            hosts.add(Allow::host(host).private());
        }
        hosts
    }

    fn judge(text: &str) -> Result<(), Error> {
        hosts().judge(&Url::parse(text).unwrap())
    }

    #[test]
    fn hosts_that_were_named_pass() {
        for text in [
            "https://example.org/",
            "https://EXAMPLE.org/path?query#fragment",
            "https://example.org:8443/",
            "https://search.example.net/",
            "https://xn--bcher-kva.example/",
            "https://[2606:4700::1111]/",
            // A path: the host ends at the backslash.
            "https://example.org\\@example.com/",
            "http://lan.example.com/",
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            // Other spellings of 127.0.0.1.
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
        ] {
            assert_eq!(judge(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn others_do_not() {
        for text in [
            "https://example.com/",
            "https://example.com:8080/",
            "https://www.example.org/",
            "https://example.org.example.com/",
            "https://example.org./",
            "https://localhost/",
            "https://private.example.com/",
            "https://0.0.0.0/",
            "https://0xa000001/",
            "https://[::]/",
            "https://[::7f00:1]/",
        ] {
            assert!(
                matches!(judge(text), Err(Error::NotAllowed { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn http_is_for_private_hosts_and_other_schemes_are_for_none() {
        for text in [
            "http://example.org/",
            "http://search.example.net/",
            "ftp://example.org/",
            "ws://127.0.0.1/",
            "file:///etc/passwd",
            "data:text/plain,hello",
            "gopher://127.0.0.1/",
            "unix:/run/socket",
        ] {
            assert!(matches!(judge(text), Err(Error::Insecure { .. })), "{text}");
        }
    }

    #[test]
    fn an_address_is_judged_though_it_was_named() {
        for text in [
            "https://192.0.2.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
        ] {
            assert!(
                matches!(judge(text), Err(Error::PrivateAddress { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_private_host_itself_leads_to_itself() {
        let led = |from: &str, to: &str| {
            hosts().judge_redirect(&Url::parse(from).unwrap(), &Url::parse(to).unwrap())
        };
        for (from, to) in [
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/other"),
            ("https://example.org/", "https://search.example.net/"),
            ("http://127.0.0.1:8080/", "https://example.org/"),
        ] {
            assert_eq!(led(from, to), Ok(()), "{to}");
        }
        for (from, to) in [
            ("https://example.org/", "http://127.0.0.1:8080/"),
            ("https://example.org/", "https://lan.example.com/"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:6379/"),
            ("http://127.0.0.1:8080/", "http://2130706433:6379/"),
            ("http://127.0.0.1:8080/", "http://[::1]:8080/"),
            ("http://lan.example.com/", "https://lan.example.com/"),
        ] {
            assert_eq!(led(from, to), Err(Error::Redirects), "{to}");
        }
    }

    #[test]
    fn a_user_is_not_sent() {
        for text in [
            "https://user@example.org/",
            "https://user:password@example.org/",
            "https://:password@example.org/",
        ] {
            assert!(
                matches!(judge(text), Err(Error::Credentials { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_names_only_what_can_be_a_host() {
        let long = Url::parse(&format!("https://{}example/", "a.".repeat(200))).unwrap();
        let Err(Error::NotAllowed { host }) = hosts().judge(&long) else {
            panic!("it was never named");
        };
        assert_eq!(host, "this address");
    }
}
