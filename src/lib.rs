//! PyMCP: a Model Context Protocol server, and the template to start your own from.
//!
//! # Layout
//!
//! | place | what it is |
//! | --- | --- |
//! | [`server`] | the table of contents: everything that is exposed, a line each |
//! | [`tools`], [`resources`], [`prompts`] | one component a file |
//! | [`settings`] | what only this server can be told, and the original's names of variables |
//! | [`middleware`] | one step a file |
//!
//! What all of it stands on (protocol, transports, pipeline) is the crate `pymcp-kit`; the program around it (settings,
//! signals, logs, verbs) is the crate `pymcp-app`.

mod docs;
pub mod middleware;
mod new;
pub mod prompts;
pub mod resources;
pub mod server;
pub mod settings;
pub mod tools;

use pymcp_app::App;

use settings::{ALIASES, PREFIXES, Settings};

/// The program, for [`server::prepare`] or another server with the same settings.
pub fn app() -> App<Settings> {
    let app = App::new("pymcp", env!("CARGO_PKG_VERSION"))
        .settings::<Settings>()
        .verb("new", new::run)
        .verb("add", new::add::run)
        .verb("docs", docs::run);
    let app = ALIASES
        .into_iter()
        .fold(app, |app, (flag, variable)| app.alias(flag, variable));
    PREFIXES.into_iter().fold(app, App::warn_prefix)
}
