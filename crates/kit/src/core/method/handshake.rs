//! `initialize` and `server/discover`: who is there, and what there is.

use std::sync::Arc;

use rmcp::model::{
    DiscoverResult, ExtensionCapabilities, InitializeRequestParams, InitializeResult, JsonObject,
    ProtocolVersion, SKILLS_EXTENSION_ID, TASKS_EXTENSION_ID,
};

use crate::component::CacheHint;
use crate::core::era::{Era, LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION};
use crate::core::peer::PeerInfo;
use crate::core::server::Server;
use crate::middleware::{Target, complete_modern, server_info};
use crate::wire::RpcError;

use super::{Incoming, json, skills};

/// Bytes of what a legacy client says of itself.
const MAX_INTRODUCTION: usize = 16 << 10;

pub(super) fn initialize(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let mut params: InitializeRequestParams = incoming.typed()?;
    if incoming.params.map_or(0, str::len) > MAX_INTRODUCTION {
        // Pictures are most of a long introduction, and nobody here looks at them.
        params.client_info.icons = None;
        let kept = json(&(&params.capabilities, &params.client_info))?;
        if kept.len() > MAX_INTRODUCTION {
            return Err(RpcError::invalid_params(format!(
                "\"capabilities\" and \"clientInfo\" can have {MAX_INTRODUCTION} bytes: they are kept for as long as the session lasts."
            )));
        }
    }
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
    let mut result = InitializeResult::new(inner.capabilities.clone());
    result.protocol_version = protocol_version(version);
    result.server_info = inner.facts.server.clone();
    result.instructions = inner.instructions.clone();
    let (connection, server) = (Arc::clone(incoming.connection), server.clone());
    Ok(incoming.protocol(move || {
        if connection.set_peer(peer) {
            server.components().bus.remember(&connection);
        }
        json(&result)
    }))
}

pub(super) fn discover(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    let inner = server.inner();
    let versions = std::iter::once(MODERN_VERSION)
        .chain(LEGACY_VERSIONS)
        .map(protocol_version)
        .collect();
    let mut result = DiscoverResult::new(versions, inner.capabilities.clone());
    let mut extensions = ExtensionCapabilities::new();
    if server.registry().has_tasks() {
        extensions.insert(TASKS_EXTENSION_ID.into(), JsonObject::new());
    }
    if inner.skills.is_some() {
        extensions.insert(SKILLS_EXTENSION_ID.into(), skills::settings());
    }
    if !extensions.is_empty() {
        result.capabilities.extensions = Some(extensions);
    }
    result.instructions = inner.instructions.clone();
    let result = serde_json::to_value(result).map_err(|_| RpcError::internal())?;
    let hint = CacheHint {
        ttl: std::time::Duration::from_secs(60),
        public: false,
    };
    let result = complete_modern(result, hint, &server_info(&inner.facts));
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
