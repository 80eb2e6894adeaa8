//! What became of requests, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Response};

/// What can become of a request, as words for metrics.
const OUTCOMES: [&str; 9] = [
    "ok",
    "not_allowed",
    "private_address",
    "unreachable",
    "tls",
    "timed_out",
    "too_large",
    "redirects",
    "invalid",
];

/// By outcome.
#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; OUTCOMES.len()]);

impl Counts {
    pub(crate) fn count(&self, result: &Result<Response, Error>) {
        let outcome = match result {
            Ok(_) => 0,
            Err(Error::NotAllowed { .. } | Error::Insecure { .. } | Error::Credentials { .. }) => 1,
            Err(Error::PrivateAddress { .. }) => 2,
            Err(Error::Unresolvable { .. } | Error::Unreachable { .. }) => 3,
            Err(Error::Tls { .. }) => 4,
            Err(Error::TimedOut) => 5,
            Err(Error::TooLarge { .. } | Error::RequestTooLarge { .. }) => 6,
            Err(Error::Redirects) => 7,
            Err(
                Error::Address
                | Error::Method
                | Error::Header { .. }
                | Error::Unwritable
                | Error::Status { .. }
                | Error::NotJson { .. }
                | Error::Malformed,
            ) => 8,
        };
        self.0[outcome].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        OUTCOMES.into_iter().zip(counts)
    }
}
