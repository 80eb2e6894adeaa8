//! A server over loopback, and requests as other people's clients and bridges send them.

#![allow(clippy::unwrap_used)]

mod forms;
mod heads;
mod heartbeat;
mod listeners;
mod named;
mod routes;
mod sessions;
mod stage;
