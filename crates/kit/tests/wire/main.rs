//! The kit over the real wire: raw bytes over HTTP and stdio, to servers in this process and to a fixture that is one of
//! its own (`examples/fixture`).

#![allow(clippy::unwrap_used)]

mod eras;
#[path = "../../examples/fixture/server.rs"]
mod fixture;
mod flood;
mod http;
mod legacy_sse;
mod sessions;
mod stdio;
mod support;
mod testing;
mod transcripts;
mod traps;
