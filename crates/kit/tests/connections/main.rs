//! Connections whose clients are slow, silent or many, and what a shutdown does to each: over
//! loopback, with few places and short times.
#![allow(clippy::unwrap_used)]

mod http2;
mod leaving;
mod places;
mod reached;
mod stage;
mod time;
mod tls;
