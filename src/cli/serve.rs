//! `pymcp serve`: checks the settings as a whole, then serves until the client leaves or a signal
//! comes.

use std::io::IsTerminal as _;

use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use pymcp_kit::transport::{http, stdio};
use pymcp_kit::{CacheConfig, CallLimits, Server, ServerBuilder, telemetry};
use tokio::runtime::Runtime;

use super::settings::{Settings, Transport};
use super::signals::signals;
use super::{Failure, listen};
use crate::server::Parts;

/// What a person reads who starts the program in a terminal.
const HINT: &str = "\
pymcp is waiting for an MCP client on stdin; it is meant to be started by one.
  From a client:  {\"mcpServers\": {\"pymcp\": {\"command\": \"pymcp\"}}}
  Over HTTP:      pymcp serve --transport http
  By hand:        npx @modelcontextprotocol/inspector pymcp
Press Ctrl-C to stop.";

pub(super) fn run(
    settings: Settings,
    components: fn(Parts) -> ServerBuilder,
) -> Result<(), Failure> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    crate::memory::give_back();
    let parts = parts(&settings)?;
    let server = build(&settings, components(parts.clone()))?;
    let runtime = Runtime::new()
        .map_err(|error| Failure::other(format!("The runtime cannot start: {error}.")))?;
    let served = runtime.block_on(async {
        ready(&settings, &parts).await?;
        match settings.transport {
            Transport::Stdio => serve_stdio(server).await,
            Transport::Http => serve_http(server, &settings, Endpoints::Streamable).await,
            Transport::Sse => serve_http(server, &settings, Endpoints::LegacySse).await,
        }
    });
    #[cfg(feature = "python")]
    runtime.block_on(parts.python.pool.close());
    // A read of stdin that is under way cannot be interrupted, and must not keep us here.
    runtime.shutdown_background();
    served
}

/// What the components need, set up from the settings.
fn parts(settings: &Settings) -> Result<Parts, Failure> {
    #[cfg(not(any(feature = "python", feature = "search")))]
    let _ = settings;
    Ok(Parts {
        #[cfg(feature = "python")]
        python: settings.python.set_up(),
        #[cfg(feature = "search")]
        search: settings.search.set_up()?,
    })
}

/// Sees to it that what the settings demand is there before anybody is served.
async fn ready(settings: &Settings, parts: &Parts) -> Result<(), Failure> {
    #[cfg(feature = "python")]
    if settings.python.requires_sandbox() {
        let found = parts.python.pool.probe().await;
        found.map_err(|failure| {
            Failure::other(format!(
                "PYMCP_PYTHON_SANDBOX (--python-sandbox) is 'require', and {}",
                failure.message
            ))
        })?;
    }
    #[cfg(not(feature = "python"))]
    let _ = (settings, parts);
    Ok(())
}

fn build(settings: &Settings, components: ServerBuilder) -> Result<Server, Failure> {
    let components = match settings.state_keys.ring() {
        Some(keys) => components.keys(keys),
        None => components,
    };
    components
        .cache(CacheConfig {
            ttl: settings.response_cache_ttl,
            ..CacheConfig::default()
        })
        .call_limits(CallLimits {
            timeout: settings.request_timeout,
            ask_timeout: settings.ask_timeout,
            ..CallLimits::default()
        })
        .build()
        .map_err(|error| Failure::other(error.to_string()))
}

async fn serve_stdio(server: Server) -> Result<(), Failure> {
    let mut stopped = signals()?;
    if std::io::stdin().is_terminal() {
        telemetry::say(HINT);
    }
    tokio::select! {
        served = stdio::serve_process(server) => {
            served.map_err(|error| Failure::other(format!("The connection on stdin and stdout failed: {error}.")))
        }
        () = stopped.next() => Ok(()),
    }
}

async fn serve_http(
    server: Server,
    settings: &Settings,
    endpoints: Endpoints,
) -> Result<(), Failure> {
    let mut stopped = signals()?;
    let addresses = listen::addresses(&settings.host).await?;
    let beyond = addresses.iter().any(|address| !address.is_loopback());
    if beyond && !settings.allow_unauthenticated {
        return Err(Failure::usage(format!(
            "FASTMCP_HOST (--host) is '{}', which is reached from beyond this machine, and nobody has to \
             authenticate; listen on localhost, or accept that with --allow-unauthenticated.",
            settings.host
        )));
    }
    let mut config = HttpConfig {
        endpoints,
        origins: settings.cors_origins.clone(),
        ..HttpConfig::default()
    };
    config.hosts.add(settings.allowed_hosts.clone());
    if config.origins.allow_any() {
        tracing::warn!(
            "ASGI_CORS_ALLOWED_ORIGINS is '*': every web page its users open may call this server"
        );
    }
    if endpoints == Endpoints::LegacySse {
        tracing::warn!(
            "the transport sse is deprecated by the protocol; use http where the client can"
        );
    }
    let listeners = listen::listen(&settings.host, &addresses, settings.port)?;
    if beyond && settings.state_keys.ring().is_none() {
        tracing::warn!(
            "PYMCP_STATE_KEYS is not set: questions that are open end with this process, and no other one knows them"
        );
    }
    let path = if endpoints == Endpoints::LegacySse {
        "sse"
    } else {
        "mcp"
    };
    let mut urls = Vec::new();
    for listener in &listeners {
        let bound = listener
            .local_addr()
            .map_err(|error| Failure::other(error.to_string()))?;
        urls.push(format!("http://{bound}/{path}"));
    }
    // Not a log message: it has to be there at any log level, for people and for programs.
    telemetry::say(&format!("pymcp: listening on {}", urls.join(" and ")));
    http::serve(listeners, server, config, stopped.next()).await;
    Ok(())
}
