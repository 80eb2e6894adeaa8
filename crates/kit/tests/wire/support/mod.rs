//! What tests of the wire share, these and those of the program (`tests/it`): a program driven over its real
//! transports, and servers in memory and over loopback.
//!
//! Whoever includes it says what is started: `crate::program()`, and `crate::FOREIGN_PREFIXES`, which of the tester's own
//! environment variables do not reach it.

pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod stdio;
