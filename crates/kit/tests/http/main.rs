//! A server over loopback, and requests as other people's clients and bridges send them.

#![allow(clippy::unwrap_used)]

mod card;
mod door;
mod flood;
mod forms;
mod heads;
mod heartbeat;
mod listeners;
mod named;
mod page;
mod refusals;
mod routes;
mod sealed;
mod sessions;
mod stage;
