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
#[cfg(any(feature = "python", feature = "search"))]
mod metrics;
pub mod middleware;
mod new;
pub mod prompts;
pub mod resources;
#[cfg(feature = "python")]
mod sandbox;
pub mod server;
pub mod settings;
pub mod tools;

use pymcp_app::App;

use settings::{ALIASES, DECIDES, PREFIXES, Settings};

/// The program, for [`server::prepare`] or another server with the same settings.
pub fn app() -> App<Settings> {
    let app = App::new("pymcp", env!("CARGO_PKG_VERSION"))
        .settings::<Settings>()
        .verb("new", new::run)
        .verb("add", new::add::run)
        .verb("docs", docs::run)
        .fact("features", features);
    #[cfg(feature = "python")]
    let app = app.fact("python sandbox", sandbox::fact);
    // Without one of these parts it is another server, which no lock is written of.
    #[cfg(all(feature = "python", feature = "search"))]
    let app = app.lock(include_str!("../pymcp.lock"));
    let app = DECIDES
        .iter()
        .fold(app, |app, (flag, place)| app.decides(*flag, *place));
    let app = ALIASES
        .into_iter()
        .fold(app, |app, (flag, variable)| app.alias(flag, variable));
    PREFIXES.into_iter().fold(app, App::warn_prefix)
}

/// The features that this program was built with.
fn features() -> String {
    let features = [
        (cfg!(feature = "python"), "python"),
        (cfg!(feature = "python-typecheck"), "python-typecheck"),
        (cfg!(feature = "search"), "search"),
        (cfg!(feature = "otlp"), "otlp"),
        (cfg!(feature = "redis"), "redis"),
    ];
    let named: Vec<_> = features
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect();
    match named.is_empty() {
        true => "none".to_owned(),
        false => named.join(", "),
    }
}
