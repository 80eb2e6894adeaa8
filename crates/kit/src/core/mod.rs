//! The server core: one message in, its answers out.
//!
//! It is sans-I/O. A transport hands over a [`Connection`] and a parsed message and gets a
//! [`Reply`]: nothing, an answer, or a [`Call`] to poll. stdio, HTTP, SSE, tests and fuzzers drive
//! the very same code.

mod audited;
mod batch;
mod builder;
mod call;
mod capabilities;
mod drive;
mod endpoint;
mod heartbeat;
mod inbound;
mod listen;
mod method;
mod pinned;
mod replicas;
mod server;
mod slot;
mod subscriptions;
mod task;
mod watch;

pub(crate) use audited::refused as audit_refused;
pub use batch::Batch;
pub use builder::ServerBuilder;
pub use call::{Answer, Call, Event, Exchange, Reply};
pub use inbound::Inbound;
pub use server::Server;

// What a transport or a test needs beside the core.
pub use crate::build_error::BuildError;
pub use crate::connection::{Connection, SessionKey, Unsolicited};
pub use crate::limits::CallLimits;
pub use crate::protocol::{
    ClientCapabilities, ClientInfo, Era, HttpSignals, LATEST_LEGACY, LEGACY_VERSIONS,
    MODERN_VERSION, PeerInfo, Route, classify,
};
