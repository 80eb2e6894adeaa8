//! The official SDK's client, forced to a revision: it answers questions in either way by itself.

// Sampling and roots are deprecated since 2026-07-28, and clients of today have them.
#![allow(deprecated)]

use std::sync::atomic::Ordering;

use pymcp_kit::testing::raw::{LocalServer, patient};
use rmcp::model::{
    CallToolRequestParams, ClientConfig, ContentBlock, CreateMessageRequestParams,
    CreateMessageResult, ElicitRequestParams, ElicitResult, ErrorData, Implementation,
    ListRootsResult, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::{able, traveller, trips};

/// Lets rmcp's client be made: reqwest panics when TLS is in the tree and nobody chose whose cryptography it uses.
fn choose_cryptography() {
    // Another test may have done it already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}

/// The traveller at the SDK's client.
struct Host(ProtocolVersion);

fn say<T: DeserializeOwned>(method: &str, params: &Value) -> Result<T, ErrorData> {
    Ok(serde_json::from_value(traveller(method, params)).unwrap())
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let capabilities = serde_json::from_value(able()).unwrap();
        ClientConfig::new(capabilities, Implementation::new("sdk", "1.0"))
            .with_protocol_version(self.0.clone())
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let params = serde_json::to_value(request).unwrap();
        say("elicitation/create", &params)
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        say("sampling/createMessage", &json!({}))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        say("roots/list", &json!({}))
    }
}

async fn travel<E: std::error::Error + Send + Sync + 'static, A>(
    transport: impl IntoTransport<RoleClient, E, A>,
    version: ProtocolVersion,
) {
    let lifecycle = match version == ProtocolVersion::V_2026_07_28 {
        true => ClientLifecycleMode::Discover {
            preferred_versions: vec![version.clone()],
        },
        false => ClientLifecycleMode::Initialize,
    };
    let host = Host(version.clone());
    let client = host.serve_with_lifecycle(transport, lifecycle).await;
    let client = client.unwrap();
    assert_eq!(client.peer_info().unwrap().protocol_version, version);
    let arguments = json!({ "to": "Crete" }).as_object().unwrap().clone();
    let call = CallToolRequestParams::new("trip").with_arguments(arguments);
    let result = client.call_tool(call).await.unwrap();
    let [ContentBlock::Text(text)] = &result.content[..] else {
        panic!("{result:?}")
    };
    let expected = "3 days in Crete: O sea! From file:///home/ada to Tent (5).";
    assert_eq!(text.text, expected);
    client.cancel().await.unwrap();
}

const VERSIONS: [ProtocolVersion; 5] = [
    ProtocolVersion::V_2024_11_05,
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

#[tokio::test]
async fn in_memory() {
    for version in VERSIONS {
        let (server, counts) = trips();
        travel(pymcp_kit::testing::connect(&server), version).await;
        assert_eq!(counts.tickets.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn over_http() {
    choose_cryptography();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for version in VERSIONS {
        let (server, counts) = trips();
        let served = LocalServer::start(server, patient());
        let uri = format!("http://{}/mcp", served.address());
        runtime.block_on(async {
            travel(StreamableHttpClientTransport::from_uri(uri), version).await;
        });
        assert_eq!(counts.tickets.load(Ordering::SeqCst), 1);
    }
}
