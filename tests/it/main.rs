//! The integration tests: one binary, a module per capability, all over the real wire.
#![allow(clippy::unwrap_used)]

mod authoring;
mod cli;
mod eras;
mod everything;
mod flood;
mod http;
mod legacy_sse;
mod parity;
#[cfg(feature = "python")]
mod python;
mod rmcp_client;
#[cfg(feature = "search")]
mod search;
mod sessions;
mod slopes;
mod snapshots;
mod stdio;
mod support;
mod transcripts;
mod traps;
mod weaknesses;
