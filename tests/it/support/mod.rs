//! What the tests share: the real binary, driven over its real transports.

pub mod stdio;
