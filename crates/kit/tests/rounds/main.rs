//! The state and the answers that a modern client brings along: what counts of them, and what never makes a component
//! run.

#![allow(clippy::unwrap_used)]

mod bounds;
mod responses;
mod sealed;
mod stage;
