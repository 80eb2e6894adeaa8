//! The one door to the network.
//!
//! Whoever calls out does it with an [`Egress`], made once from what may be reached:
//!
//! - **Hosts**: only those that were named, compared exactly. `https:` only, except for hosts that were also named as
//!   private.
//! - **Addresses**: a name is resolved here, each address is judged ([`is_public`]), and the connection goes to just
//!   those addresses. Loopback, private, link-local, translated and other special ranges are refused, except for hosts
//!   that were named as private.
//! - **Redirects**: followed by hand, at most [`Limits::redirects`] of them, each judged like a first request. Secrets
//!   stay behind when the origin changes, and to a private host leads no redirect but its own.
//! - **Bounds**: time for connecting and for all of it, bytes of the body after decompression, connections.
//! - **Proxy**: only the one that was given; the environment is not asked.
//!
//! It knows nothing of MCP, and nothing of who calls it.
//!
//! # Use
//!
//! ```no_run
//! use http::header::{self, HeaderValue};
//! use pymcp_egress::{Egress, Request};
//! use url::Url;
//!
//! # async fn weather() -> Result<(), Box<dyn std::error::Error>> {
//! // Once, at start; it reads nothing and opens nothing.
//! let egress = Egress::builder()
//!     .hosts(["weather.example.org"])
//!     .user_agent("my-server/1.0")
//!     .build();
//!
//! // Then wherever it is needed. A part of an address that someone else chose is encoded by `Url`, never by `format!`.
//! let mut url = Url::parse("https://weather.example.org/today")?;
//! url.query_pairs_mut().append_pair("city", "Łódź & more");
//! let key = HeaderValue::from_static("Bearer 0123456789");
//! let response = egress.send(Request::get(url).secret(header::AUTHORIZATION, key)).await?;
//! let forecast = response.status.is_success().then_some(response.body);
//! # drop(forecast);
//! # Ok(()) }
//! ```
//!
//! A host that was not named is refused before anything is sent:
//!
//! ```
//! # use pymcp_egress::{Egress, Error, Request};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), url::ParseError> {
//! let egress = Egress::builder().hosts(["example.org"]).build();
//! let refused = egress.send(Request::get("https://example.com/".parse()?)).await;
//! assert!(matches!(refused, Err(Error::NotAllowed { host }) if host == "example.com"));
//! # Ok(()) }
//! ```
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | `client` | [`Egress`]: the way of a request, and its bounds |
//! | `hosts` | which hosts may be reached, and by what |
//! | `address` | which addresses are public: a table, to which blocks are added |
//! | `resolver` | names become addresses, judged |
//! | `redirect` | where a response leads on to |
//! | `connect` | the HTTP client below, and TLS |
//! | `proxy`, `message`, `error` | the words in between |
//!
//! A test that needs a server of its own names `127.0.0.1` as a host and as a private one.

mod address;
mod client;
mod connect;
mod error;
mod hosts;
mod message;
mod proxy;
mod redirect;
mod resolver;

pub use address::is_public;
pub use client::{Builder, Egress, Limits};
pub use error::Error;
pub use message::{Request, Response};
pub use proxy::{InvalidProxy, Proxy};
