//! Streamable HTTP, over TCP and over Unix sockets.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use url::{Host, Url};

use super::target::TargetArgs;
use super::wire::Wire;
use crate::{Error, Result};

/// Redirects that are followed, and only to the same origin: `/mcp` to `/mcp/`.
const MAX_REDIRECTS: usize = 3;

/// Where servers of this project serve.
#[cfg(unix)]
const ENDPOINT: &str = "http://localhost/mcp";

/// A connection is made with the first message.
///
/// # Errors
/// That no client can be made.
pub(super) fn connect(url: &Url, args: &TargetArgs) -> Result<Wire> {
    let transport =
        StreamableHttpClientTransport::with_client(client(url, args)?, config(url.as_str(), args));
    Ok(Wire::http(transport))
}

/// The same over a Unix socket.
#[cfg(unix)]
pub(super) fn connect_unix(path: &std::path::Path, args: &TargetArgs) -> Wire {
    let path = path.to_string_lossy();
    let client = rmcp::transport::UnixSocketHttpClient::new(&path, ENDPOINT);
    Wire::unix(StreamableHttpClientTransport::with_client(
        client,
        config(ENDPOINT, args),
    ))
}

fn config(url: &str, args: &TargetArgs) -> StreamableHttpClientTransportConfig {
    let headers = args.header.iter().cloned();
    let headers = headers.map(|header| (header.name, header.value)).collect();
    let config = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(headers);
    match &args.bearer {
        Some(token) => config.auth_header(token.expose()),
        None => config,
    }
}

/// The headers that somebody asked for.
pub(crate) fn headers(args: &TargetArgs) -> HeaderMap {
    let headers = args.header.iter().cloned();
    let mut headers: HeaderMap = headers.map(|header| (header.name, header.value)).collect();
    let token = args.bearer.as_ref();
    let token =
        token.and_then(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok());
    if let Some(mut token) = token {
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
    headers
}

/// A client for this URL and what is below its origin.
///
/// # Errors
/// That it cannot be made: the certificates of the system cannot be read.
pub(super) fn client(url: &Url, args: &TargetArgs) -> Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .connect_timeout(args.timeout)
        .redirect(Policy::custom(within_origin));
    if is_loopback(url) {
        client = client.no_proxy();
    }
    client = match url.scheme() {
        // Fails where it is chosen already.
        "https" => {
            let _ = ring::default_provider().install_default();
            client
        }
        // Without TLS the certificates of the system need not be read, which takes longer than a call.
        _ => client.tls_backend_preconfigured(no_certificates()?),
    };
    client
        .build()
        .map_err(|error| Error::other(format!("An HTTP client cannot be made: {error}.")))
}

fn no_certificates() -> Result<rustls::ClientConfig> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(config
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn within_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let previous = attempt.previous();
    let same = previous
        .first()
        .is_some_and(|first| first.origin() == attempt.url().origin());
    match same && previous.len() <= MAX_REDIRECTS {
        true => attempt.follow(),
        false => attempt.stop(),
    }
}

/// Whether a URL is of this machine, where no proxy is of use.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
