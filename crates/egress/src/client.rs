//! The door itself.

use std::sync::Arc;
use std::time::Duration;

use crate::{Error, Proxy, Request, Response};

/// What one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For all of it: connecting, redirects, the body.
    pub time: Duration,
    /// For one connection.
    pub connect: Duration,
    /// Bytes of the body after decompression.
    pub body: usize,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Requests that are under way at once, of all callers; one more waits.
    pub concurrent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            body: 2 << 20,
            redirects: 3,
            concurrent: 64,
        }
    }
}

/// The door to the network. Cheap to clone; nothing is set up before the first request.
#[derive(Debug, Clone)]
pub struct Egress(Arc<Inner>);

#[derive(Debug)]
struct Inner {}

/// What an [`Egress`] is made from.
#[derive(Debug, Clone, Default)]
pub struct Builder {}

impl Egress {
    /// Nothing may be reached until it is allowed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Sends a request and reads the whole response. Dropping the future ends it at once.
    ///
    /// # Errors
    /// When there is no whole response within the bounds.
    pub async fn send(&self, _request: Request) -> Result<Response, Error> {
        unimplemented!()
    }
}

impl Builder {
    /// Lets these hosts be reached: names or addresses, without a port, compared exactly.
    pub fn hosts<T: Into<String>>(self, _hosts: impl IntoIterator<Item = T>) -> Self {
        unimplemented!()
    }

    /// Of the hosts, those that may be at private addresses and may be spoken to by `http:`.
    pub fn private_hosts<T: Into<String>>(self, _hosts: impl IntoIterator<Item = T>) -> Self {
        unimplemented!()
    }

    /// The proxy for all requests.
    pub fn proxy(self, _proxy: Option<Proxy>) -> Self {
        unimplemented!()
    }

    /// What the requests say they come from (RFC 9110 §10.1.5).
    pub fn user_agent(self, _text: &str) -> Self {
        unimplemented!()
    }

    /// What one request may take.
    pub fn limits(self, _limits: Limits) -> Self {
        unimplemented!()
    }

    /// The door.
    pub fn build(self) -> Egress {
        Egress(Arc::new(Inner {}))
    }
}
