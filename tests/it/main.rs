//! The integration tests: one binary, a module per capability, all over the real wire.
#![allow(clippy::unwrap_used)]

mod parity;
mod support;
