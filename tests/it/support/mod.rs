//! What the tests share: the real binary, driven over its real transports.

pub mod gate;
pub mod http;
pub mod memory;
pub mod message;
pub mod process;
pub mod stdio;
