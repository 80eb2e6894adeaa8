//! The proxy that all requests go through, if there is one.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// A proxy: `http://`, `https://` or `socks5h://`, with a host, and with a user and a password or without.
///
/// A proxy resolves names by itself, so addresses are its business then; hosts are still checked here.
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

    fn from_str(_text: &str) -> Result<Self, InvalidProxy> {
        unimplemented!()
    }
}
