//! The table of contents: every tool, resource, prompt and middleware, one line each.

use pymcp_app::{Prepared, Result};
use pymcp_kit::{BuildError, Server, ServerBuilder};

#[cfg(any(feature = "python", feature = "search"))]
use crate::metrics;
use crate::middleware::fastmcp_habits;
#[cfg(feature = "python")]
use crate::sandbox;
use crate::settings::Settings;
use crate::{prompts, resources, tools};

/// What the components need that is set from outside.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Where `run_python_code` runs its code.
    #[cfg(feature = "python")]
    pub python: tools::run_python_code::Python,
    /// With what `text_web_search` searches.
    #[cfg(feature = "search")]
    pub search: tools::text_web_search::WebSearch,
}

/// The server with everything it exposes and the default limits.
pub fn builder(services: Services) -> ServerBuilder {
    let server = Server::builder("pymcp-template", env!("CARGO_PKG_VERSION"));
    let server = fastmcp_habits::with_habits(server)
        .instructions("A simple MCP server for testing purposes.")
        .tool(tools::greet::tool())
        .tool(tools::generate_password::tool());
    #[cfg(feature = "search")]
    let server = server.tool(tools::text_web_search::tool(services.search));
    let server = server.tool(tools::permutations::tool());
    #[cfg(feature = "python")]
    let server = {
        let result_bytes = services.python.result_bytes();
        server
            .change_call_limits(|calls| calls.result_bytes = calls.result_bytes.max(result_bytes))
            .tool(tools::run_python_code::tool(services.python))
    };
    #[cfg(not(any(feature = "python", feature = "search")))]
    let Services {} = services;
    server
        .tool(tools::pirate_summary::tool())
        .tool(tools::vonmises_random::tool())
        .resource(resources::logo::resource())
        .resource(resources::logo_svg::resource())
        .template(resources::modulo10::template())
        .prompt(prompts::code_prompt::prompt())
}

/// [`builder`], built.
///
/// # Errors
/// When a component cannot be served as it is described; a test holds that there is none.
pub fn build(services: Services) -> Result<Server, BuildError> {
    builder(services).build()
}

/// [`builder`] with the services that the settings ask for, as the program serves it.
///
/// # Errors
/// When the settings cannot be used.
pub async fn prepare(settings: Settings) -> Result<Prepared> {
    let services = settings.services().await?;
    #[cfg(feature = "python")]
    let pool = services.python.pool.clone();
    #[cfg(feature = "search")]
    let search = services.search.search().clone();
    let server = Prepared::from(builder(services));
    #[cfg(feature = "search")]
    let server = server.ports(search.ports().iter().copied());
    #[cfg(feature = "search")]
    let server = server.register_metrics(|registry| {
        registry.register_collector(Box::new(metrics::SearchMetrics(search)));
    });
    #[cfg(feature = "python")]
    let server = {
        let counted = metrics::PythonMetrics(pool.clone());
        server
            .check("python-sandbox", sandbox::check(pool.clone()))
            .register_metrics(|registry| registry.register_collector(Box::new(counted)))
            .on_exit(async move { pool.close().await })
    };
    Ok(server)
}
