//! PyMCP: a Model Context Protocol server, and the template to start your own from.
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`server`] | the table of contents: everything that is exposed, a line each |
//! | [`tools`], [`resources`], [`prompts`] | one component a file |
//! | [`middleware`] | one step a file |
//! | [`cli`] | the program: one subcommand a file |
//!
//! What all of it stands on (protocol, transports, pipeline) is the crate `pymcp-kit`.

pub mod cli;
pub mod middleware;
pub mod prompts;
pub mod resources;
pub mod server;
pub mod tools;
