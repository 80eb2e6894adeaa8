//! How traces get to a collector: the kit has no HTTP client of its own.

use std::time::Duration;

use bytes::Bytes;

use crate::store::BoxFuture;

/// Posts messages to a collector. The program gives it, with its own rules of what may be reached.
pub trait Collector: Send + Sync + 'static {
    /// Posts a message (`application/x-protobuf`) and returns the body of the response, if its status is one of success.
    /// It is dropped when it takes longer than [`TracesConfig::timeout`](super::TracesConfig::timeout).
    ///
    /// # Errors
    /// The collector has not taken it.
    fn post(&self, message: Bytes) -> BoxFuture<'_, Result<Bytes, Undelivered>>;
}

/// Why a collector has not taken a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// A clause without a full stop, for the log.
    pub why: String,
    /// Whether it is worth another attempt (OTLP: no connection, or a status of 429, 502, 503 or 504), and after what time
    /// at least: what `Retry-After` says, or zero.
    pub again: Option<Duration>,
}
