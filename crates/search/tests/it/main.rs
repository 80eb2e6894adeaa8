//! Searches over the real door, with engines on loopback that are as good and as bad as they come.
#![allow(clippy::unwrap_used)]

#[path = "../engines/mod.rs"]
mod engines;
#[path = "../../../egress/tests/loopback/mod.rs"]
mod loopback;
#[path = "../site/mod.rs"]
mod site;

mod answers;
mod support;
mod trouble;
