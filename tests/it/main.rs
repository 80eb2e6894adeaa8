//! The integration tests: one binary, a module per capability, all over the real wire. They are about PyMCP: that it does
//! as the original does, its own components and settings, its binary. What the kit does whatever a server serves is tested
//! in `crates/kit/tests`, what every program does in `crates/app/tests`.
#![allow(clippy::unwrap_used)]

mod cli;
#[cfg(all(feature = "python", feature = "search"))]
mod lock;
mod parity;
#[cfg(feature = "python")]
mod python;
mod rmcp_client;
#[cfg(feature = "search")]
mod search;
mod slopes;
mod snapshots;
mod support;
mod weaknesses;
