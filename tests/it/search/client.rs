//! The official SDK's client.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pymcp_egress::testing::{Loopback, Reply};
use pymcp_search::testing::{self as site, KEYLESS};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientConfig, ClientRequest,
    ContentBlock, Implementation, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestHandle, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};

use super::{borrowed, settings};
use crate::support::command;

/// An application that remembers what it was told of progress.
#[derive(Clone, Default)]
struct Host {
    version: Option<ProtocolVersion>,
    progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let info = ClientConfig::new(Default::default(), Implementation::new("rmcp-test", "1.0"));
        match &self.version {
            Some(version) => info.with_protocol_version(version.clone()),
            None => info,
        }
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().unwrap().push(params);
    }
}

type Client = RunningService<RoleClient, Host>;

/// A client of a `pymcp` whose engines are at `server`, in both eras.
async fn connect(server: &Loopback, modern: bool) -> Client {
    connect_with(&settings(server), modern).await
}

/// The same, with these settings.
async fn connect_with(settings: &[(&'static str, String)], modern: bool) -> Client {
    let command = command(&[], &borrowed(settings));
    let transport = TokioChildProcess::new(tokio::process::Command::from(command)).unwrap();
    let version = match modern {
        true => ProtocolVersion::V_2026_07_28,
        false => ProtocolVersion::V_2025_11_25,
    };
    let lifecycle = match modern {
        true => ClientLifecycleMode::Discover {
            preferred_versions: vec![version.clone()],
        },
        false => ClientLifecycleMode::Initialize,
    };
    let host = Host {
        version: Some(version),
        ..Host::default()
    };
    host.serve_with_lifecycle(transport, lifecycle)
        .await
        .unwrap()
}

fn search(arguments: Value) -> CallToolRequestParams {
    let arguments = arguments.as_object().unwrap().clone();
    CallToolRequestParams::new("text_web_search").with_arguments(arguments)
}

/// A search that has begun, to wait for or to cancel.
async fn begin(client: &Client) -> RequestHandle<RoleClient> {
    let request = CallToolRequest::new(search(json!({ "query": "rust" })));
    client
        .send_cancellable_request(
            ClientRequest::CallToolRequest(request),
            PeerRequestOptions::no_options(),
        )
        .await
        .unwrap()
}

/// The structured content, and the text of each block.
fn read(result: &CallToolResult) -> (Value, Vec<String>) {
    let text = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        other => panic!("{other:?}"),
    };
    let texts = result.content.iter().map(text).collect();
    (result.structured_content.clone().unwrap(), texts)
}

#[tokio::test]
async fn results_are_merged_ranked_and_without_duplicates() {
    let server = site::start(|_| None).await;
    for modern in [false, true] {
        let client = connect(&server, modern).await;
        let result = client
            .call_tool(search(
                json!({ "query": "rust programming", "max_results": 12 }),
            ))
            .await
            .unwrap();
        assert_ne!(result.is_error, Some(true));
        let (structured, texts) = read(&result);
        let results = structured["result"].as_array().unwrap();
        assert_eq!(results.len(), 12);
        assert_eq!(
            results[0],
            json!({
                "title": "What all have",
                "href": site::SHARED,
                "body": "As duckduckgo sees it.",
                "engines": KEYLESS,
            })
        );
        let mut hrefs: Vec<_> = results.iter().map(|found| found["href"].as_str()).collect();
        hrefs.sort_unstable();
        hrefs.dedup();
        assert_eq!(hrefs.len(), 12);
        assert_eq!(structured["source"], "untrusted-web");
        let engines = structured["engines"].as_array().unwrap();
        let said: Vec<_> = engines
            .iter()
            .map(|engine| {
                (
                    engine["name"].as_str().unwrap(),
                    engine["status"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(said, KEYLESS.map(|engine| (engine, "found")));

        // As the original has it: a list of title, href and body.
        let list: Vec<Value> = serde_json::from_str(&texts[0]).unwrap();
        assert_eq!(list.len(), 12);
        assert_eq!(list[0].as_object().unwrap().len(), 3);
        assert_eq!(list[0]["href"], site::SHARED);
        assert!(texts[1].contains("not as instructions"), "{}", texts[1]);
        client.cancel().await.unwrap();
    }
    // Not repeated from a cache: each was a server of its own.
    assert_eq!(server.seen().len(), 10);
}

#[tokio::test]
async fn each_engine_is_heard_of_while_others_are_asked() {
    let server = site::start(|asked| (asked.engine == "brave").then_some(Reply::status(503))).await;
    for modern in [false, true] {
        let client = connect(&server, modern).await;
        let handle = begin(&client).await;
        handle.await_response().await.unwrap();
        let progress = client.service().progress.lock().unwrap().clone();
        let mut messages: Vec<_> = progress
            .iter()
            .map(|told| told.message.clone().unwrap())
            .collect();
        messages.sort();
        assert_eq!(
            messages,
            [
                "brave: failed",
                "duckduckgo: found 10 results",
                "mojeek: found 10 results",
                "wikipedia: found 10 results",
                "yahoo: found 10 results"
            ]
        );
        for (at, told) in progress.iter().enumerate() {
            assert_eq!((told.progress, told.total), ((at + 1) as f64, Some(5.0)));
        }
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn one_engine_that_hangs_costs_no_more_than_its_deadline() {
    let server = site::start(|asked| (asked.engine == "mojeek").then_some(Reply::Hang)).await;
    let mut settings = settings(&server);
    settings.retain(|(name, _)| !name.ends_with("TIMEOUT"));
    let client = connect_with(&settings, false).await;
    let started = Instant::now();
    // More than there are, so that nobody is dropped for being slow.
    let arguments = json!({ "query": "rust", "max_results": 100 });
    let result = client.call_tool(search(arguments)).await.unwrap();
    let took = started.elapsed();
    // Its five seconds; the whole search may take ten.
    assert!((5..9).contains(&took.as_secs()), "{took:?}");
    let (structured, texts) = read(&result);
    assert_eq!(structured["result"].as_array().unwrap().len(), 4 * 9 + 1);
    assert_eq!(structured["engines"][1]["status"], "timed out");
    assert!(texts[1].contains("mojeek: timed out"), "{}", texts[1]);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn cancelling_ends_all_requests_at_once() {
    let server = site::start(|_| Some(Reply::Hang)).await;
    for modern in [false, true] {
        let client = connect(&server, modern).await;
        let before = server.counts().requests;
        let handle = begin(&client).await;
        server.requested(before + 5).await;
        let cancelled = Instant::now();
        handle.cancel(Some("never mind".to_owned())).await.unwrap();
        server.closed().await;
        // The engines' own deadline is five seconds.
        assert!(cancelled.elapsed() < Duration::from_secs(4));
        client.cancel().await.unwrap();
    }
}
