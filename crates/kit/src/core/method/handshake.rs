//! `initialize` and `server/discover`: who is there, and what there is.

use std::sync::Arc;

use rmcp::model::{DiscoverResult, InitializeResult, ProtocolVersion};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::component::{CacheHint, complete_modern};
use crate::core::capabilities::capabilities;
use crate::core::server::Server;
use crate::core::watch::transport;
use crate::manifest;
use crate::middleware::{RequestKind, server_info};
use crate::protocol::{
    ClientCapabilities, ClientInfo, Era, LATEST_LEGACY, LEGACY_VERSIONS, MAX_INTRODUCTION,
    MODERN_VERSION, PeerInfo, is_short,
};
use crate::telemetry::Lasting;
use crate::wire::RpcError;

use super::{Incoming, json};

/// What a legacy client says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Introduction {
    protocol_version: String,
    capabilities: ClientCapabilities,
    client_info: ClientInfo,
}

impl Introduction {
    /// Refuses one that is too long.
    fn check_size(params: &str) -> Result<(), RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw<'a> {
            #[serde(borrow)]
            capabilities: &'a RawValue,
            #[serde(borrow)]
            client_info: &'a RawValue,
        }
        // Nearly all are short, and those that are not are read once more.
        let short = params.len() <= MAX_INTRODUCTION
            || serde_json::from_str::<Raw<'_>>(params)
                .is_ok_and(|raw| is_short(raw.capabilities, Some(raw.client_info)));
        match short {
            true => Ok(()),
            false => Err(RpcError::invalid_params(format!(
                "\"capabilities\" and \"clientInfo\" can have {MAX_INTRODUCTION} bytes together, \"icons\" aside."
            ))),
        }
    }
}

pub(super) fn initialize(
    server: &Server,
    incoming: &Incoming<'_>,
) -> Result<RequestKind, RpcError> {
    let params: Introduction = incoming.typed()?;
    Introduction::check_size(incoming.params.unwrap_or_default())?;
    let proposed = params.protocol_version.as_str();
    let version = LEGACY_VERSIONS
        .into_iter()
        .find(|known| *known == proposed)
        .unwrap_or(LATEST_LEGACY);
    let peer = Arc::new(PeerInfo {
        era: Era::Legacy,
        version,
        capabilities: params.capabilities,
        client: Some(params.client_info),
    });
    let inner = server.inner();
    let (exposed, digest) = {
        let snapshot = inner.components();
        (snapshot.exposed, snapshot.digest)
    };
    let mut result = InitializeResult::new(capabilities(exposed));
    result
        .meta
        .get_or_insert_default()
        .insert(manifest::META.into(), serde_json::json!(digest));
    result.protocol_version = protocol_version(version);
    result.server_info = inner.facts.server.clone();
    result.instructions = inner.instructions.clone();
    let opened = Lasting::Session {
        revision: version,
        transport: transport(incoming.http.is_some()),
    };
    let (connection, server) = (Arc::clone(incoming.connection), server.clone());
    Ok(incoming.protocol(move || {
        if connection.set_peer(peer) {
            server.components().bus.remember(&connection);
            connection.keep_open(server.inner().observers.open(opened));
        }
        json(&result)
    }))
}

pub(super) fn discover(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let inner = server.inner();
    let versions = std::iter::once(MODERN_VERSION)
        .chain(LEGACY_VERSIONS)
        .map(protocol_version)
        .collect();
    let (digest, capabilities) = server.shown();
    let mut result = DiscoverResult::new(versions, capabilities);
    result.instructions = inner.instructions.clone();
    let result = serde_json::to_value(result).map_err(|_| RpcError::internal())?;
    let hint = CacheHint {
        ttl: std::time::Duration::from_secs(60),
        public: false,
    };
    let mut result = complete_modern(result, hint, &server_info(&inner.facts));
    result["_meta"][manifest::META] = serde_json::json!(digest);
    Ok(incoming.protocol(move || json(&result)))
}

fn protocol_version(version: &str) -> ProtocolVersion {
    ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .find(|known| known.as_str() == version)
        .cloned()
        .unwrap_or_default()
}

/// A client that has not introduced itself.
pub(super) fn stranger() -> Arc<PeerInfo> {
    Arc::new(PeerInfo {
        era: Era::Legacy,
        version: LATEST_LEGACY,
        capabilities: Default::default(),
        client: None,
    })
}
