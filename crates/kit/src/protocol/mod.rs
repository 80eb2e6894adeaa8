//! Facts of the protocol that everything else goes by: its two eras and their revisions, its kinds and
//! lists, what a client says of itself. Nothing here knows of a server.

mod client;
mod era;
mod kind;
mod level;
mod list;
mod peer;

pub use client::{ClientCapabilities, ClientInfo};
pub(crate) use client::{MAX_INTRODUCTION, Members, Text, is_short};
pub use era::{Era, HttpSignals, LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION, Route, classify};
pub(crate) use era::{classify_meta, names_protocol_version};
pub use kind::Kind;
pub use level::Level;
pub use list::List;
pub use peer::PeerInfo;
pub(crate) use peer::{Introduced, RequestMeta};

/// The `_meta` key under which modern results name the server.
pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
