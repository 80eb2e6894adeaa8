//! The server core: one message in, its answers out.
//!
//! It is sans-I/O. A transport hands over a [`Connection`] and a parsed message and gets a
//! [`Reply`]: nothing, an answer, or a [`Call`] to poll. stdio, HTTP, SSE, tests and fuzzers drive
//! the very same code.

mod batch;
mod builder;
mod bus;
mod call;
mod client;
mod connection;
mod drive;
mod endpoint;
mod era;
mod heartbeat;
mod inbound;
mod listen;
mod method;
mod outbox;
mod peer;
mod server;
mod subscriptions;
mod task;

pub use batch::Batch;
pub use builder::{BuildError, CallLimits, ServerBuilder};
pub use call::{Answer, Call, Event, Exchange, Reply};
pub(crate) use client::Text;
pub use client::{ClientCapabilities, ClientInfo};
pub(crate) use connection::{Answers, AskOutcome};
pub use connection::{Connection, SessionKey, Unsolicited};
pub use era::{Era, HttpSignals, LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION, Route, classify};
pub use inbound::Inbound;
pub use peer::PeerInfo;
pub use server::Server;

pub(crate) use bus::{Bus, News};
pub(crate) use outbox::{Outbox, Queued};
pub(crate) use server::Inner;
