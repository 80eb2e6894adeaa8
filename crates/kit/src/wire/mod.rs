//! Bytes ⇄ messages: bounded parsing, JSON-RPC shapes and errors.
//!
//! Nothing here knows MCP. A body goes through three steps, each cheaper to refuse than the next:
//! the size check of the transport, the envelope (`message.rs`: method and id are read, `params`
//! stays text), and the scan of that text (`scan.rs`: depth, nodes and duplicate keys are checked
//! while nothing is built). Only then does anyone deserialise it.

mod encode;
mod error;
mod id;
mod limits;
mod message;
mod scan;

pub(crate) use encode::escaped;
pub use encode::{error, notification, request, result};
pub use error::{Code, RpcError};
pub use id::Id;
pub use limits::WireLimits;
pub use message::{Body, Malformed, Message, Notification, Outcome, Request, Response, parse};
pub use scan::is_ambiguous;
pub(crate) use scan::{check, tree};
