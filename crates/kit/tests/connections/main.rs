//! Connections whose clients are slow, silent or many, and what a shutdown does to each: over
//! loopback, with few places and short times.
#![allow(clippy::unwrap_used)]

mod leaving;
mod places;
mod stage;
mod time;
