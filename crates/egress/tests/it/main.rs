//! The door against servers on loopback that misbehave. A file for each of its promises.
#![allow(
    clippy::unwrap_used,
    reason = "these are tests, though not all of it is marked as one"
)]

mod apis;
mod bodies;
mod environment;
mod hosts;
mod names;
mod proxies;
mod redirects;
mod times;
mod tls;
mod tool;

use std::time::Duration;

use pymcp_egress::{Allow, Builder, Egress, Error, Limits, Request, Response};

/// Limits that a test can reach soon. The times are still long, for those that should not.
fn limits() -> Limits {
    Limits {
        time: Duration::from_secs(20),
        connect: Duration::from_secs(10),
        body: 64 << 10,
        request: 64 << 10,
        redirects: 3,
        concurrent: 8,
    }
}

/// A short time for the whole of a request, for tests that wait for its end; long enough for a request to be sent on a
/// busy machine.
fn hurried() -> Limits {
    Limits {
        time: Duration::from_secs(1),
        ..limits()
    }
}

/// A door to 127.0.0.1, by `http:` too.
fn builder() -> Builder {
    Egress::builder()
        .allow(Allow::host("127.0.0.1").private())
        .limits(limits())
}

/// Gets an address through such a door.
async fn get(url: &str) -> Result<Response, Error> {
    send(builder(), url).await
}

/// Gets an address through a door.
async fn send(builder: Builder, url: &str) -> Result<Response, Error> {
    builder
        .build()
        .send(Request::get(url.parse().unwrap()))
        .await
}

/// The error for this host, made by the variant's constructor.
macro_rules! refused {
    ($variant:ident, $host:expr) => {
        pymcp_egress::Error::$variant {
            host: $host.to_owned(),
        }
    };
}
use refused;
