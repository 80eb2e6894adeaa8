//! A whole server in memory: what it hands out, what it tells, what it keeps to and what it refuses.
//!
//! The clock is paused wherever something has a time limit, so nothing here takes as long as it says.

#![allow(clippy::unwrap_used)]

mod adding;
mod answers;
mod arguments;
mod asking;
mod batches;
mod blocking;
mod bounds;
mod client;
mod contents;
mod errors;
mod habits;
mod heartbeat;
mod listening;
mod logs;
mod pages;
mod params;
mod questions;
mod session;
mod state;
mod switching;
mod tasks;
