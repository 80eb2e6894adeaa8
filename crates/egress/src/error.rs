//! Why a request got no response.

use std::fmt;

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
    /// No connection: refused, unreachable, reset, or the proxy cannot be reached.
    Unreachable {
        /// The host.
        host: String,
    },
    /// No connection that can be trusted: the certificate or the handshake.
    Tls {
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
    /// More redirects than allowed, or one that leads nowhere.
    Redirects,
    /// What came is no HTTP, ends early, or cannot be decompressed.
    Malformed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed { host } => {
                write!(f, "{host} is not among the hosts that may be reached")
            }
            Self::Insecure { host } => write!(f, "{host} may only be reached by https"),
            Self::PrivateAddress { host } => {
                write!(f, "{host} is at an address that may not be reached")
            }
            Self::Unresolvable { host } => write!(f, "{host} has no known address"),
            Self::Unreachable { host } => write!(f, "{host} cannot be reached"),
            Self::Tls { host } => write!(f, "{host} has no connection that can be trusted"),
            Self::TimedOut => write!(f, "it took too long"),
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Self::Redirects => write!(f, "it was redirected too often, or nowhere"),
            Self::Malformed => write!(f, "the answer is not valid HTTP"),
        }
    }
}

impl std::error::Error for Error {}
