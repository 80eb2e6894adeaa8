//! How the keys of an issuer are fetched: the kit has no HTTP client of its own.

use std::fmt;

use bytes::Bytes;

use crate::store::BoxFuture;

/// Gets what is at a URL. The program gives it, with its own rules of what may be reached.
///
/// It is asked for documents of the issuer alone: its metadata and its keys. It should bound the size of each: what has
/// more than [`JwtAuthenticator::MAX_DOCUMENT`](super::JwtAuthenticator::MAX_DOCUMENT) is not read. All documents of one
/// attempt have 15 s.
pub trait Fetch: Send + Sync + 'static {
    /// The body of the response to a `GET` of this URL, if its status is 200.
    ///
    /// # Errors
    /// Why there is none, for the log.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Bytes, FetchError>>;
}

/// Why something was not fetched: a clause without a full stop, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError(pub String);

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}
