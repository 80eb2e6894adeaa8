//! The server that the official conformance suite is run against: the whole program, with the
//! components that the suite asks for by name instead of its own.
//!
//! ```text
//! cargo build --workspace --locked --example conformance && tests/conformance/run
//! ```
//!
//! Only the components differ: transports, sessions, pipeline and settings are those of `pymcp`.

mod asking;
mod live;
mod media;
mod prompts;
mod resources;
mod rounds;
mod schemas;
mod tasks;
mod tools;

use std::process::ExitCode;

use pymcp_app::App;
use pymcp_kit::{Server, ServerBuilder};

/// Where this file is: the suite starts the server in another folder.
const SKILLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/conformance/skills");

fn main() -> ExitCode {
    App::new("conformance", env!("CARGO_PKG_VERSION")).run(async |()| Ok(server()))
}

fn server() -> ServerBuilder {
    let server = Server::builder("pymcp-conformance", env!("CARGO_PKG_VERSION"));
    // The suite calls the first tool of all without arguments.
    let server = tools::add(server);
    let server = schemas::add(server);
    let server = live::add(server);
    let server = asking::add(server);
    let server = rounds::add(server);
    let server = tasks::add(server);
    let server = prompts::add(server);
    resources::add(server).skills_folder(SKILLS)
}
