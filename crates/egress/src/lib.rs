//! The one door to the network.
//!
//! Whoever calls out does it with an [`Egress`], made once from what may be reached:
//!
//! - **Hosts**: only those that were named ([`Allow`]), compared exactly. `https:` only, except for hosts that were named
//!   as private.
//! - **Addresses**: a name is resolved here, each address is judged ([`is_public`]), and the connection goes to just
//!   those addresses. Loopback, private, link-local, translated and other special ranges are refused, except for hosts
//!   that were named as private.
//! - **Redirects**: followed by hand, at most [`Limits::redirects`] of them, each judged like a first request. Secrets
//!   stay behind when the origin changes, and to a private host leads no redirect but its own.
//! - **Bounds**: time for connecting and for all of it, bytes of the body that is sent and of the one that comes after
//!   decompression, connections.
//! - **Secrets**: a [`Secret`] goes into a header and is shown nowhere.
//! - **Proxy**: only the one that was given; the environment is not asked.
//!
//! It knows nothing of MCP, and nothing of who calls it.
//!
//! # Use
//!
//! ```no_run
//! use pymcp_egress::{Egress, Secret};
//!
//! #[derive(serde::Deserialize)]
//! struct Forecast {
//!     degrees: f64,
//! }
//!
//! # async fn weather() -> Result<(), Box<dyn std::error::Error>> {
//! // Once, at start; it reads nothing and opens nothing.
//! let egress = Egress::builder()
//!     .allow("weather.example.org")
//!     .user_agent("my-server/1.0")
//!     .build();
//! let key: Secret = std::env::var("WEATHER_KEY")?.parse()?;
//!
//! // Then wherever it is needed. What someone else chose is encoded by `query`, never by `format!`.
//! let call = egress.get("https://weather.example.org/today");
//! let call = call.query([("city", "Łódź & more")]).secret_header("x-api-key", &key);
//! let forecast: Forecast = call.receive().await?;
//! # drop(forecast.degrees);
//! # Ok(()) }
//! ```
//!
//! The guide has a tool of an MCP server that does this: `docs/guide/calling-apis.md`.
//!
//! A host that was not named is refused before anything is sent:
//!
//! ```
//! # use pymcp_egress::{Egress, Error};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let egress = Egress::builder().allow("example.org").build();
//! let refused = egress.get("https://example.com/").send().await;
//! assert!(matches!(refused, Err(Error::NotAllowed { host }) if host == "example.com"));
//! # }
//! ```
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | `call` | a request put together where it is sent: JSON, forms, secrets |
//! | `client` | [`Egress`]: the way of a request, and its bounds |
//! | `hosts` | which hosts may be reached, and by what |
//! | `address` | which addresses are public: a table, to which blocks are added |
//! | `resolver` | names become addresses, judged |
//! | `redirect` | where a response leads on to |
//! | `connect` | the HTTP client below, and TLS |
//! | `counts` | what became of requests, in numbers |
//! | `secret` | keys and tokens, which nothing shows |
//! | `proxy`, `message`, `error` | the words in between |
//! | `testing` | a server on loopback, for tests |
//!
//! A test that needs a server of its own has [`testing::Loopback`], and allows `Allow::host("127.0.0.1").private()`.

mod address;
mod call;
mod client;
mod connect;
mod counts;
mod error;
mod hosts;
mod message;
mod proxy;
mod redirect;
mod resolver;
mod secret;
pub mod testing;

/// The guide's page on calling APIs: its code is compiled, and its test runs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/calling-apis.md")]
struct Guide;

pub use address::is_public;
pub use call::Call;
pub use client::{Builder, Egress, Limits};
pub use error::Error;
pub use hosts::Allow;
pub use message::{Request, Response};
pub use proxy::{InvalidProxy, Proxy};
pub use secret::{InvalidSecret, Secret};
