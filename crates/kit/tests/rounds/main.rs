//! The state and the answers that a modern client brings along: what counts of them, and what never makes a component
//! run; and questions beside whatever else a component does.

#![allow(clippy::unwrap_used)]

mod bounds;
mod responses;
mod sealed;
mod spawned;
mod stage;
