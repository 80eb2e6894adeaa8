//! Streams that outlive their connection, over HTTP: who gets them, what of them, and who does not.

#![allow(clippy::unwrap_used)]

mod bounds;
mod delivery;
mod questions;
mod stage;
