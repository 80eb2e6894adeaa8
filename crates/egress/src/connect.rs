//! The HTTP client below the door, with everything off that the door does itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;

use crate::client::Builder;
use crate::hosts::Hosts;
use crate::resolver::{Names, Resolver};

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(15);

/// Connections that are kept for each host. Hosts are bounded by those that were named.
const MAX_IDLE: usize = 2;

/// Sets up the client.
pub(crate) fn client(setup: &Builder, hosts: Arc<Hosts>) -> io::Result<reqwest::Client> {
    let names = match &setup.proxy {
        Some(proxy) => Names::Proxy(proxy.host().to_owned()),
        None => Names::Hosts(hosts),
    };
    let lookup = setup.lookup.clone();
    // Codings that other crates of the program may have switched on in reqwest are off here, too.
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls().map_err(io::Error::other)?)
        .dns_resolver(Resolver { lookup, names })
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .no_deflate()
        .no_zstd()
        .connect_timeout(setup.limits.connect)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE);
    if let Some(proxy) = &setup.proxy {
        client = client.proxy(proxy.for_client().map_err(io::Error::other)?);
    }
    if let Some(user_agent) = &setup.user_agent {
        client = client.user_agent(user_agent.clone());
    }
    client.build().map_err(io::Error::other)
}

/// TLS 1.2 or 1.3 by ring, without making ring the choice of the whole process.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(provider.clone())?;
    // "Dangerous" is to judge certificates in a way of one's own; this one is the operating system's.
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
