//! What `examples/everything` shows, over the wire and in both eras: the very components that its readers
//! copy, driven in memory and over HTTP.
#![allow(clippy::unwrap_used)]

mod asking;
mod changes;
mod client;
mod content;
mod notes;
mod work;

// Its `main` is for people; the tests want the rest.
#[path = "../../examples/everything/components/mod.rs"]
mod components;

use pymcp_kit::Server;

fn server() -> Server {
    components::builder().build().unwrap()
}
