//! The official SDK's own client: somebody else's reading of the protocol, over every transport and in both eras.

// Sampling and logging are deprecated since 2026-07-28, and clients of today have them.
#![allow(deprecated)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, ContentBlock, CreateMessageRequestParams,
    CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode,
    ErrorData, GetPromptRequestParams, Implementation, LoggingMessageNotificationParam,
    ProtocolVersion, ReadResourceRequestParams, ResourceContents, SamplingMessage,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService, ServiceError};
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};

use crate::support::{command, over_http};

/// Lets rmcp's client be made: reqwest panics when TLS is in the tree and nobody chose whose cryptography it uses.
fn choose_cryptography() {
    // Another test may have done it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An application with a user who gives a number and a model that talks like a pirate.
#[derive(Clone)]
struct Host {
    version: ProtocolVersion,
    logs: Arc<AtomicUsize>,
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let capabilities = json!({ "elicitation": { "form": {} }, "sampling": {} });
        let capabilities = serde_json::from_value(capabilities).unwrap();
        ClientConfig::new(capabilities, Implementation::new("rmcp-test", "1.0"))
            .with_protocol_version(self.version.clone())
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams {
            message,
            requested_schema,
            ..
        } = request
        else {
            panic!("a form was not asked for");
        };
        assert!(message.contains("kappa"), "{message}");
        assert!(requested_schema.properties.contains_key("value"));
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "value": 2.5 })))
    }

    async fn create_message(
        &self,
        request: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        assert_eq!(request.messages.len(), 1);
        let message = SamplingMessage::assistant_text("Arr, the sea be wide!");
        Ok(CreateMessageResult::new(message, "pirate".to_owned()))
    }

    async fn on_logging_message(
        &self,
        message: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        assert!(message.data["msg"].is_string(), "{message:?}");
        self.logs.fetch_add(1, Ordering::Relaxed);
    }
}

type Client = RunningService<RoleClient, Host>;

const LEGACY: [ProtocolVersion; 4] = [
    ProtocolVersion::V_2024_11_05,
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
];

/// Connects once in every way there is, with a transport of its own each time, and uses everything.
async fn use_everything<T, E, A>(mut transport: impl FnMut() -> T)
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    for version in LEGACY {
        let host = Host {
            version: version.clone(),
            logs: Arc::default(),
        };
        let logs = Arc::clone(&host.logs);
        let client = host
            .serve_with_lifecycle(transport(), ClientLifecycleMode::Initialize)
            .await
            .unwrap();
        let server = client.peer_info().unwrap();
        assert_eq!(server.protocol_version, version);
        plain(&client).await;
        asking(&client).await;
        assert!(logs.load(Ordering::Relaxed) >= 3, "{version}");
        client.cancel().await.unwrap();
    }
    let modern = || vec![ProtocolVersion::V_2026_07_28];
    for lifecycle in [
        ClientLifecycleMode::Discover {
            preferred_versions: modern(),
        },
        ClientLifecycleMode::Auto {
            preferred_versions: modern(),
            legacy_version: None,
        },
    ] {
        let host = Host {
            version: ProtocolVersion::V_2026_07_28,
            logs: Arc::default(),
        };
        let logs = Arc::clone(&host.logs);
        let client = host
            .serve_with_lifecycle(transport(), lifecycle)
            .await
            .unwrap();
        assert_eq!(
            client.peer_info().unwrap().protocol_version,
            ProtocolVersion::V_2026_07_28
        );
        plain(&client).await;
        asking(&client).await;
        // No request asked for them.
        assert_eq!(logs.load(Ordering::Relaxed), 0);
        client.cancel().await.unwrap();
    }
}

/// The two tools that ask: the client said that it can be asked, in whichever way its revision has.
async fn asking(client: &Client) {
    let drawn = call(client, "vonmises_random", json!({ "mu": 1.0 })).await;
    let drawn = structured(drawn.unwrap());
    assert!(
        drawn
            .as_f64()
            .is_some_and(|drawn| (0.0..std::f64::consts::TAU).contains(&drawn)),
        "{drawn}"
    );
    let summary = call(
        client,
        "pirate_summary",
        json!({ "text": "The sea is wide." }),
    )
    .await
    .unwrap();
    assert_eq!(text(&summary), "Arr, the sea be wide!");
}

/// Everything that asks nothing.
async fn plain(client: &Client) {
    let listed = client.list_all_tools().await.unwrap();
    let names: Vec<_> = listed.iter().map(|tool| &*tool.name).collect();
    let server = pymcp::server::build(Default::default()).unwrap();
    assert_eq!(
        names,
        server
            .registry()
            .tools()
            .map(|tool| tool.name())
            .collect::<Vec<_>>()
    );
    let listed = client.list_all_resources().await.unwrap();
    let uris: Vec<_> = listed.iter().map(|resource| &*resource.uri).collect();
    assert_eq!(uris, ["data://logo", "data://logo_svg"]);
    let listed = client.list_all_resource_templates().await.unwrap();
    assert_eq!(listed[0].uri_template, "data://modulo10/{number}");
    let listed = client.list_all_prompts().await.unwrap();
    assert_eq!(listed[0].name, "code_prompt");

    let greeting = call(client, "greet", json!({ "name": "Ada" }))
        .await
        .unwrap();
    assert!(text(&greeting).starts_with("Hello, Ada!"), "{greeting:?}");
    assert_eq!(structured(greeting.clone()), text(&greeting));
    let password = structured(
        call(client, "generate_password", json!({ "length": 20 }))
            .await
            .unwrap(),
    );
    assert_eq!(password.as_str().unwrap().len(), 20);
    let count = structured(
        call(client, "permutations", json!({ "n": 25 }))
            .await
            .unwrap(),
    );
    assert_eq!(count, "15511210043330985984000000");
    let refused = call(client, "permutations", json!({ "n": 0 }))
        .await
        .unwrap();
    assert_eq!(refused.is_error, Some(true));

    for (uri, holds) in [
        ("data://logo", "sha3_512"),
        ("data://logo_svg", "<svg"),
        ("data://modulo10/7", "❼"),
    ] {
        let read = client
            .read_resource(ReadResourceRequestParams::new(uri))
            .await
            .unwrap();
        let [ResourceContents::TextResourceContents { text, .. }] = &read.contents[..] else {
            panic!("{read:?}")
        };
        assert!(text.contains(holds), "{uri}");
    }
    let arguments = json!({ "task": "sort a list" })
        .as_object()
        .unwrap()
        .clone();
    let prompt = client
        .get_prompt(GetPromptRequestParams::new("code_prompt").with_arguments(arguments))
        .await
        .unwrap();
    assert!(
        serde_json::to_string(&prompt.messages)
            .unwrap()
            .contains("sort a list")
    );

    assert_eq!(
        code(call(client, "no_such_tool", json!({})).await),
        ErrorCode::INVALID_PARAMS
    );
    let unknown = client
        .get_prompt(GetPromptRequestParams::new("no_such_prompt"))
        .await;
    assert_eq!(code(unknown), ErrorCode::INVALID_PARAMS);
    let unknown = client
        .read_resource(ReadResourceRequestParams::new("data://no_such"))
        .await;
    let modern = client.peer_info().unwrap().protocol_version == ProtocolVersion::V_2026_07_28;
    let expected = if modern {
        ErrorCode::INVALID_PARAMS
    } else {
        ErrorCode::RESOURCE_NOT_FOUND
    };
    assert_eq!(code(unknown), expected);
}

async fn call(
    client: &Client,
    tool: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    let arguments = arguments.as_object().unwrap().clone();
    client
        .call_tool(CallToolRequestParams::new(tool).with_arguments(arguments))
        .await
}

fn text(result: &CallToolResult) -> &str {
    match &result.content[..] {
        [ContentBlock::Text(text)] => &text.text,
        other => panic!("{other:?}"),
    }
}

fn structured(result: CallToolResult) -> Value {
    result.structured_content.unwrap_or_default()["result"].clone()
}

fn code<T: std::fmt::Debug>(outcome: Result<T, ServiceError>) -> ErrorCode {
    match outcome {
        Err(ServiceError::McpError(error)) => error.code,
        other => panic!("no error of the protocol: {other:?}"),
    }
}

#[tokio::test]
async fn in_memory() {
    let server = pymcp::server::build(Default::default()).unwrap();
    use_everything(|| pymcp_kit::testing::connect(&server)).await;
}

#[tokio::test]
async fn the_binary_as_a_child_process() {
    use_everything(|| {
        let command = tokio::process::Command::from(command(&[], &[]));
        TokioChildProcess::new(command).unwrap()
    })
    .await;
}

#[tokio::test]
async fn the_binary_over_http() {
    choose_cryptography();
    let server = over_http(&[], &[]);
    let uri = format!("http://{}/mcp", server.address());
    use_everything(|| StreamableHttpClientTransport::from_uri(uri.clone())).await;
}
