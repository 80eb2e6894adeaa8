//! Why a request got no response.

use std::fmt;
use std::io;

use http::StatusCode;
use url::Url;

use crate::hosts::shown;
use crate::resolver::Refused;

/// Why a request got no response. Each is one sentence without the address, path or query, so that it can be shown to
/// whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The host is not among those that may be reached.
    NotAllowed {
        /// The host.
        host: String,
    },
    /// `http:` to a host that is not named as private, or another scheme.
    Insecure {
        /// The host.
        host: String,
    },
    /// The address holds a user or a password. Secrets go into headers ([`Request::secret`](crate::Request::secret)).
    Credentials {
        /// The host.
        host: String,
    },
    /// The host is, or resolves to, an address that may not be reached.
    PrivateAddress {
        /// The host.
        host: String,
    },
    /// The name has no address, or cannot be looked up.
    Unresolvable {
        /// The host.
        host: String,
    },
    /// No connection: refused, unreachable, reset, or the proxy cannot be reached or does not let it through.
    Unreachable {
        /// The host.
        host: String,
    },
    /// No connection that can be trusted: the certificate, the handshake, or no authorities known to this system.
    Tls {
        /// The host.
        host: String,
    },
    /// The address cannot be read: it is not absolute, or malformed.
    Address,
    /// `CONNECT` or `TRACE`.
    Method,
    /// A header whose name or value no request can carry.
    Header {
        /// Its name.
        name: String,
    },
    /// The body cannot be written as JSON.
    Unwritable,
    /// The body of the request is larger than allowed.
    RequestTooLarge {
        /// The bytes that it may have.
        limit: usize,
    },
    /// The status is not a success, and had to be ([`Response::success`](crate::Response::success)).
    Status {
        /// The host.
        host: String,
        /// The status.
        status: StatusCode,
    },
    /// The body is not the JSON that was expected.
    NotJson {
        /// The host.
        host: String,
    },
    /// Not done in time.
    TimedOut,
    /// The body, decompressed, is larger than allowed.
    TooLarge {
        /// The bytes that it may have.
        limit: usize,
    },
    /// More redirects than allowed, or one that leads nowhere, or where none may lead.
    Redirects,
    /// What came is no HTTP, ends early, has too many headers, or cannot be decompressed. Also for an address that is too
    /// long to be sent (64 KiB).
    Malformed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed { host } => {
                write!(f, "{host} is not among the hosts that may be reached")
            }
            Self::Insecure { host } => write!(f, "{host} may only be reached by https"),
            Self::Credentials { host } => {
                write!(
                    f,
                    "{host} may only be reached without a user or a password in the address"
                )
            }
            Self::PrivateAddress { host } => {
                write!(f, "{host} is at an address that may not be reached")
            }
            Self::Unresolvable { host } => write!(f, "{host} has no known address"),
            Self::Unreachable { host } => write!(f, "{host} cannot be reached"),
            Self::Tls { host } => write!(f, "{host} has no connection that can be trusted"),
            Self::Address => write!(f, "the address is not an absolute URL"),
            Self::Method => write!(f, "CONNECT and TRACE cannot be sent"),
            Self::Header { name } => {
                write!(
                    f,
                    "the header {name:?} has a name or a value that cannot be sent"
                )
            }
            Self::Unwritable => write!(f, "the body of the request cannot be written as JSON"),
            Self::RequestTooLarge { limit } => {
                write!(f, "the body of the request is larger than {limit} bytes")
            }
            Self::Status { host, status } => write!(f, "{host} answered with the status {status}"),
            Self::NotJson { host } => {
                write!(f, "the answer of {host} is not the JSON that was expected")
            }
            Self::TimedOut => write!(f, "it took too long"),
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Self::Redirects => write!(
                f,
                "it was redirected too often, or to where no redirect may lead"
            ),
            Self::Malformed => write!(f, "the answer is not valid HTTP"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What an error of the HTTP client means.
    pub(crate) fn from_client(error: reqwest::Error, url: &Url) -> Self {
        let host = shown(url);
        let error = error.without_url();
        tracing::debug!(%host, ?error, "no response");
        match find::<Refused>(&error) {
            Some(Refused::Private) => Self::PrivateAddress { host },
            Some(Refused::Unresolvable) => Self::Unresolvable { host },
            Some(Refused::Proxy) => Self::Unreachable { host },
            None if find::<rustls::Error>(&error).is_some() => Self::Tls { host },
            None if error.is_timeout() => Self::TimedOut,
            None if error.is_connect() => Self::Unreachable { host },
            None => Self::Malformed,
        }
    }
}

/// The first error of this type among those that led to `error`.
fn find<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error names the sources of what it was made from, and not that itself.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
