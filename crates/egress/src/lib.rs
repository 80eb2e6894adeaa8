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
//!   stay behind when the origin changes.
//! - **Bounds**: time for connecting and for all of it, bytes of the body after decompression, connections.
//! - **Proxy**: only the one that was given; the environment is not asked.
//!
//! It knows nothing of MCP, and nothing of who calls it.

mod address;
mod client;
mod error;
mod message;
mod proxy;
mod resolver;

pub use address::is_public;
pub use client::{Builder, Egress, Limits};
pub use error::Error;
pub use message::{Request, Response};
pub use proxy::{InvalidProxy, Proxy};
