//! What the tests share: the real binary, driven over its real transports.

pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod link;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod stdio;
