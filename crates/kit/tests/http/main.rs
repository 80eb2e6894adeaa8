//! A server over loopback, and requests as other people's clients and bridges send them.

#![allow(clippy::unwrap_used)]

mod forms;
mod heads;
mod listeners;
mod sessions;
mod stage;
