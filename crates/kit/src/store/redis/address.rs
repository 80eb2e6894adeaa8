//! Where the store is, with a password that nothing shows.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use url::Url;

use super::tls::Trust;

/// Bytes that an address may have.
const MAX_BYTES: usize = 4096;

/// Where a store is: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, the same with `rediss` for TLS, or
/// `unix:///PATH[?db=DATABASE&user=USER&pass=PASSWORD]`; `valkey`, `valkeys` and `redis+unix` are taken as well. A user or
/// password with special characters is percent-encoded. `Display` and `Debug` show neither.
///
/// With TLS, `?ca=PATH` names a file of the certificates (PEM) that may have signed that of the store, instead of what the
/// machine trusts, and `cert=PATH&key=PATH` what a store is shown that asks its clients for a certificate.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) info: ConnectionInfo,
    /// How it is known, where it is reached over TLS.
    pub(super) trust: Option<Trust>,
    shown: String,
    secret: bool,
}

/// A text that is no [`RedisAddress`]; the text itself is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAddress;

impl RedisAddress {
    /// Whether there is a password in it, which others on the machine can read on a command line.
    pub fn has_password(&self) -> bool {
        self.secret
    }

    /// Its host and port; none for a Unix socket.
    pub fn host(&self) -> Option<(&str, u16)> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => Some((host, *port)),
            _ => None,
        }
    }
}

impl FromStr for RedisAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(BadAddress);
        }
        let url = Url::parse(text).map_err(|_| BadAddress)?;
        let unix = matches!(url.scheme(), "unix" | "redis+unix" | "valkey+unix");
        let tls = matches!(url.scheme(), "rediss" | "valkeys");
        // A fragment would switch the verification of certificates off.
        if url.fragment().is_some() || (!unix && !tls && url.query().is_some()) {
            return Err(BadAddress);
        }
        if unix && !matches!(url.host_str(), None | Some("")) {
            return Err(BadAddress);
        }
        let trust = match tls {
            true => Some(trust(&url)?),
            false => None,
        };
        let plain = match (tls, text.split_once("://")) {
            // TLS comes below the connection.
            (true, Some((_, rest))) => {
                let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
                format!("redis://{rest}")
            }
            _ => text.to_owned(),
        };
        let info = plain.into_connection_info().map_err(|_| BadAddress)?;
        if !info.addr().is_supported() {
            return Err(BadAddress);
        }
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let secret = settings.password().is_some();
        let shown = match unix {
            true => format!("unix://{}", url.path()),
            false => {
                let database = url.path().trim_end_matches('/');
                format!("{}://{}{database}", url.scheme(), info.addr())
            }
        };
        Ok(Self {
            info: info.set_redis_settings(settings),
            trust,
            shown,
            secret,
        })
    }
}

/// What the query of an address with TLS says.
fn trust(url: &Url) -> Result<Trust, BadAddress> {
    let (mut ca, mut cert, mut key) = (None, None, None);
    for (name, value) in url.query_pairs() {
        let place = match &*name {
            "ca" => &mut ca,
            "cert" => &mut cert,
            "key" => &mut key,
            _ => return Err(BadAddress),
        };
        if value.is_empty() || place.replace(PathBuf::from(&*value)).is_some() {
            return Err(BadAddress);
        }
    }
    let own = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err(BadAddress),
    };
    Ok(Trust { ca, own })
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a URL such as redis://localhost:6379, rediss://user:password@redis.example:6380/0?ca=/etc/redis/ca.pem or unix:///run/redis.sock, special characters percent-encoded",
        )
    }
}

impl std::error::Error for BadAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_passwords_are_shown_nowhere() {
        for (text, shown, secret) in [
            ("redis://localhost", "redis://localhost:6379", false),
            (
                "redis://127.0.0.1:7000/2",
                "redis://127.0.0.1:7000/2",
                false,
            ),
            (
                " rediss://app:s3cr3t@redis.example:6380/0 ",
                "rediss://redis.example:6380/0",
                true,
            ),
            ("valkey://:s3cr3t@cache", "valkey://cache:6379", true),
            (
                "rediss://:s3cr3t@h:1?ca=/a%20b/ca.pem&cert=c&key=k",
                "rediss://h:1",
                true,
            ),
            ("redis://:s3cr3t%40x@[::1]:1/", "redis://::1:1", true),
            ("unix:///run/redis.sock", "unix:///run/redis.sock", false),
            (
                "redis+unix:///run/redis.sock?db=1&pass=s3cr3t",
                "unix:///run/redis.sock",
                true,
            ),
        ] {
            let address: RedisAddress = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.has_password(), secret, "{text}");
            assert!(!format!("{address:?} {address:#?}").contains("s3cr3t"));
        }
        for bad in [
            "",
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis://h/one",
            "redis://h?protocol=9&pass=s3cr3t",
            "rediss://:s3cr3t@h/#insecure",
            "rediss://:s3cr3t@h/?insecure=true",
            "rediss://h?ca=",
            "rediss://h?ca=a&ca=b",
            "rediss://h?cert=a",
            "redis://h?ca=a",
            "rediss://",
            "unix://relative/redis.sock",
        ] {
            let error = bad.parse::<RedisAddress>().unwrap_err();
            assert!(!error.to_string().contains("s3cr3t"));
        }
    }
}
