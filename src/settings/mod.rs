//! What only this server can be told, and the original's names of variables.

#[cfg(feature = "python")]
pub mod python;
#[cfg(feature = "search")]
pub mod search;

use clap::Args;
use pymcp_app::Result;

use crate::server::Services;

/// The settings of the components. Those of every server are in `pymcp-app`.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// How untrusted Python is run.
    #[cfg(feature = "python")]
    #[command(flatten)]
    pub python: python::PythonSettings,

    /// How the web is searched.
    #[cfg(feature = "search")]
    #[command(flatten)]
    pub search: search::SearchSettings,
}

impl Settings {
    /// What the components need.
    ///
    /// # Errors
    /// When settings do not fit together, or when the operating system lacks what they require.
    pub async fn services(&self) -> Result<Services> {
        Ok(Services {
            #[cfg(feature = "python")]
            python: self.python.set_up().await?,
            #[cfg(feature = "search")]
            search: self.search.set_up()?,
        })
    }
}

/// Variables of the Python original, by the flags of the settings that they stand for.
pub const ALIASES: [(&str, &str); 5] = [
    ("transport", "MCP_SERVER_TRANSPORT"),
    ("host", "FASTMCP_HOST"),
    ("port", "FASTMCP_PORT"),
    ("response-cache-ttl", "RESPONSE_CACHE_TTL"),
    ("cors-origins", "ASGI_CORS_ALLOWED_ORIGINS"),
];

/// Settings, and what they decide of the components although `pymcp.lock` is built in.
pub const DECIDES: &[(&str, &str)] = &[
    #[cfg(feature = "python")]
    (
        "python-memory",
        "tool run_python_code /definition/description",
    ),
    #[cfg(feature = "python")]
    (
        "python-timeout",
        "tool run_python_code /definition/description",
    ),
    #[cfg(feature = "python")]
    ("python-timeout", "tool run_python_code /timeoutMs"),
    #[cfg(feature = "python")]
    ("python-queue-timeout", "tool run_python_code /timeoutMs"),
    #[cfg(feature = "search")]
    ("search-timeout", "tool text_web_search /timeoutMs"),
];

/// How names of variables begin that the original alone has.
pub const PREFIXES: [&str; 5] = [
    "FASTMCP_",
    "MCP_SERVER_",
    "RESPONSE_CACHE_",
    "ASGI_CORS_",
    "DDGS_",
];
