//! Searches over the real door, with engines on loopback that are as good and as bad as they come.
#![allow(clippy::unwrap_used)]

mod answers;
mod support;
mod trouble;
