//! `pymcp serve`: checks the settings as a whole, then serves until the client leaves or a signal
//! comes.

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};

use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use pymcp_kit::transport::{http, stdio};
use pymcp_kit::{CacheConfig, CallLimits, Server, ServerBuilder, telemetry};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Failure;
use super::settings::{Settings, Transport};
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
    telemetry::init(settings.log_level.into());
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
        say(HINT);
    }
    tokio::select! {
        served = stdio::serve(server, tokio::io::stdin(), tokio::io::stdout()) => {
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
    let address = resolve(settings).await?;
    if !address.ip().is_loopback() && !settings.allow_unauthenticated {
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
    config
        .hosts
        .extend(settings.allowed_hosts.0.iter().cloned());
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
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::other(format!("Cannot listen on {address}: {error}.")))?;
    if !address.ip().is_loopback() && settings.state_keys.ring().is_none() {
        tracing::warn!(
            "PYMCP_STATE_KEYS is not set: questions that are open end with this process, and no other one knows them"
        );
    }
    let bound = listener
        .local_addr()
        .map_err(|error| Failure::other(error.to_string()))?;
    let path = if endpoints == Endpoints::LegacySse {
        "sse"
    } else {
        "mcp"
    };
    // Not a log message: it has to be there at any log level, for people and for programs.
    say(&format!("pymcp: listening on http://{bound}/{path}"));
    http::serve(listener, server, config, stopped.next()).await;
    Ok(())
}

/// The address to listen on: of several, IPv4 first, as the Python original does for `localhost`.
async fn resolve(settings: &Settings) -> Result<SocketAddr, Failure> {
    if let Ok(ip) = settings.host.parse::<IpAddr>() {
        return Ok((ip, settings.port).into());
    }
    let unknown = || {
        Failure::usage(format!(
            "FASTMCP_HOST (--host) is '{}', but must be a name that resolves on this machine.",
            settings.host
        ))
    };
    let found = tokio::net::lookup_host((settings.host.as_str(), settings.port))
        .await
        .map_err(|_| unknown())?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(unknown)
}

fn say(text: &str) {
    // Nobody reads it when stderr is closed, and the server works all the same.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// SIGINT and SIGTERM, from the moment of the call on.
#[cfg(unix)]
fn signals() -> Result<Signals, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::other(format!("Cannot listen for signals: {error}.")))
    };
    Ok(Signals(
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    ))
}

#[cfg(unix)]
struct Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

#[cfg(unix)]
impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

#[cfg(not(unix))]
fn signals() -> Result<Signals, Failure> {
    Ok(Signals)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
