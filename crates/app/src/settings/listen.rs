//! Settings of the listener: a Unix socket, proxies, and how it ends. How they are used together is in
//! `docs/listening.md`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pymcp_kit::transport::http::{HttpConfig, TrustedProxies};

use super::HTTP;
use super::tls::TlsSettings;
use super::value::{boolean, seconds};

/// How the server is reached over HTTP, beyond host and port.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Listen {
    /// Unix socket to listen on instead of host and port: a path. Its owner and its group may connect (mode 0660).
    #[arg(long, value_name = "PATH", hide_short_help = true, help_heading = HTTP)]
    pub(crate) unix_socket: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) tls: TlsSettings,

    /// Proxies whose `Forwarded` and `X-Forwarded-For`, `-Proto` and `-Host` are believed, comma-separated: addresses,
    /// networks such as `10.0.0.0/8`, and `loopback`. Nobody's are believed otherwise.
    #[arg(long, default_value = "", value_name = "LIST", value_parser = proxies, hide_default_value = true, hide_short_help = true, help_heading = HTTP)]
    trusted_proxies: TrustedProxies,

    /// Seconds that requests in flight have at shutdown, 0 to 3600.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = drain, hide_short_help = true, help_heading = HTTP)]
    drain: Duration,

    /// Seconds at shutdown for which all is served as before while `/readyz` says 503, so that a load balancer looks
    /// elsewhere first, 0 to 3600.
    #[arg(long, default_value = "0", value_name = "SECONDS", value_parser = drain, hide_short_help = true, help_heading = HTTP)]
    drain_delay: Duration,

    /// Serve no page for people at `/`, and none to browsers at the endpoint.
    // A build without the page keeps to it anyway.
    #[cfg_attr(not(feature = "page"), arg(hide = true))]
    #[arg(long, value_parser = boolean, action = clap::ArgAction::Set, num_args = 0..=1, default_value = "false", default_missing_value = "true", value_name = "true|false", hide_short_help = true, help_heading = HTTP)]
    pub(crate) no_page: bool,
}

fn drain(text: &str) -> Result<Duration, String> {
    seconds(text, 0, 3600)
}

fn proxies(text: &str) -> Result<TrustedProxies, String> {
    TrustedProxies::parse(text).map_err(|bad| {
        format!(
            "a comma-separated list of addresses, networks such as 10.0.0.0/8, and loopback: {bad}"
        )
    })
}

impl Listen {
    /// Sets what needs no files.
    pub(crate) fn apply(&self, config: &mut HttpConfig) {
        if self.trusted_proxies != TrustedProxies::default() {
            config.trusted_proxies = self.trusted_proxies.clone();
        }
        config.drain = self.drain;
        config.drain_delay = self.drain_delay;
    }
}
