//! The integration tests: one binary, a module per capability, all over the real wire. What the kit does whatever a
//! server serves is tested in `crates/kit/tests`.
#![allow(clippy::unwrap_used)]

mod cli;
mod everything;
mod parity;
mod process;
#[cfg(feature = "python")]
mod python;
mod rmcp_client;
#[cfg(feature = "search")]
mod search;
mod slopes;
mod snapshots;
// Shared with the tests of the kit, which use more of it.
#[allow(dead_code, unused_imports)]
#[path = "../../crates/kit/tests/wire/support/mod.rs"]
mod support;
mod weaknesses;

use std::path::PathBuf;

/// Settings of the tester's own shell must not reach the server under test.
const FOREIGN_PREFIXES: [&str; 8] = [
    "PYMCP_",
    "MCP_",
    "FASTMCP_",
    "ASGI_",
    "RESPONSE_CACHE_",
    "DDGS_",
    "SEARXNG_",
    "BRAVE_",
];

/// The binary, or another one to be tested in its place.
fn program() -> PathBuf {
    let named = std::env::var_os("PYMCP_TEST_BINARY");
    named.map_or_else(|| env!("CARGO_BIN_EXE_pymcp").into(), PathBuf::from)
}
