//! A whole server in memory: what it hands out, what it tells, what it keeps to and what it refuses.
//!
//! The clock is paused wherever something has a time limit, so nothing here takes as long as it says.

#![allow(clippy::unwrap_used)]

mod adding;
mod answers;
mod arguments;
mod asking;
mod audited;
mod batches;
mod blocking;
mod bounds;
mod cached;
mod client;
mod contents;
mod doors;
mod errors;
mod events;
mod habits;
mod heartbeat;
mod limits;
mod listening;
mod logs;
mod manifest;
mod measured;
mod pages;
mod params;
mod questions;
mod remembering;
mod retained;
mod session;
mod state;
mod switching;
mod tasks;
