//! The proxy that all requests go through, if there is one.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// How long the text of a proxy may be, in bytes.
const MAX_TEXT: usize = 1024;

/// How long its user and its password may be each, in bytes as written; SOCKS has no room for more (RFC 1929 §2).
const MAX_CREDENTIAL: usize = 255;

/// A proxy: `http://`, `https://` or `socks5h://`, with a host, and with a user and a password or without. At most
/// 1024 bytes; the user and the password at most 255 bytes each.
///
/// A proxy resolves names by itself, so the addresses behind names are its business then; hosts, and addresses that
/// stand in place of a host, are still checked here. Its own address may be a private one: whoever runs the program
/// named it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

/// What is wrong with the text of a proxy; never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidProxy;

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as http://proxy.example:3128, https://… or socks5h://…")
    }
}

impl std::error::Error for InvalidProxy {}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.scheme())
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        if text.len() > MAX_TEXT {
            return Err(InvalidProxy);
        }
        let mut url = Url::parse(text).map_err(|_| InvalidProxy)?;
        let plain = matches!(url.scheme(), "http" | "https" | "socks5h")
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.port() != Some(0)
            && url.username().len() <= MAX_CREDENTIAL
            && url
                .password()
                .is_none_or(|password| password.len() <= MAX_CREDENTIAL);
        if !plain {
            return Err(InvalidProxy);
        }
        // `Url` leaves the host of `socks5h:` as it was written.
        let host = url
            .host_str()
            .and_then(|host| Host::parse(host).ok())
            .ok_or(InvalidProxy)?;
        url.set_host(Some(&host.to_string()))
            .map_err(|_| InvalidProxy)?;
        // reqwest reads it as this type, and goes without a proxy when it cannot.
        url.as_str()
            .parse::<http::Uri>()
            .map_err(|_| InvalidProxy)?;
        Ok(Self(url))
    }
}

impl Proxy {
    /// Its host, as [`Url::host_str`] writes it.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Its TCP port: that of its scheme if none is written, 1080 for SOCKS (RFC 1928 §3).
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(1080)
    }

    /// It, for all requests of a client.
    pub(crate) fn for_client(&self) -> reqwest::Result<reqwest::Proxy> {
        reqwest::Proxy::all(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read() {
        for (text, host) in [
            ("http://proxy.example", "proxy.example"),
            ("http://proxy.example:3128/", "proxy.example"),
            ("https://user:p%40ss@proxy.example:443", "proxy.example"),
            ("HTTP://user@PROXY.example", "proxy.example"),
            ("socks5h://127.0.0.1:9150", "127.0.0.1"),
            ("socks5h://user:password@Proxy.Example", "proxy.example"),
            ("socks5h://[::1]:1080", "[::1]"),
            ("socks5h://127.1", "127.0.0.1"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.host(), host, "{text}");
            assert!(proxy.for_client().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_proxy_has_a_host_and_a_port() {
        for (text, host, port) in [
            ("http://proxy.example:3128", "proxy.example", 3128),
            ("http://proxy.example", "proxy.example", 80),
            ("https://user:word@proxy.example/", "proxy.example", 443),
            ("socks5h://127.0.0.1", "127.0.0.1", 1080),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        let long_host = format!("http://{}", "a".repeat(MAX_TEXT));
        let long_user = format!("http://{}@proxy.example", "u".repeat(MAX_CREDENTIAL + 1));
        let long_password = format!("http://u:{}@proxy.example", "p".repeat(MAX_CREDENTIAL + 1));
        for text in [
            "",
            "proxy.example",
            "proxy.example:3128",
            "//proxy.example",
            "socks5://proxy.example",
            "socks4a://proxy.example",
            "ftp://proxy.example",
            "file:///etc/passwd",
            "http://",
            "http://:3128",
            "http://proxy.example:0",
            "http://proxy.example:99999",
            "http://proxy.example/path",
            "http://proxy.example/?query",
            "http://proxy.example/#fragment",
            "http://proxy example",
            "socks5h://",
            "socks5h:proxy.example",
            "socks5h://a%20b:1080",
            "socks5h://proxy.example/path",
            &long_host,
            &long_user,
            &long_password,
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(InvalidProxy), "{text}");
        }
    }

    #[test]
    fn nothing_shows_its_password() {
        let proxy: Proxy = "http://user:hunter2@proxy.example".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "http");
    }
}
