//! What metrics say of what a server keeps and refuses, and requests as spans.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pymcp_kit::audit::{Audit, AuditConfig, AuditKey};
use pymcp_kit::limits::Rate;
use pymcp_kit::metrics::Metrics;
use pymcp_kit::telemetry::{Observer, Served, Span};
use pymcp_kit::{Ctx, Effect, Error, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use super::client::{Client, soon};

#[track_caller]
fn assert_says(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.text();
    for line in lines {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
}

fn call(name: &str) -> Value {
    json!({ "name": name, "arguments": {} })
}

#[tokio::test(start_paused = true)]
async fn places_and_calls_that_wait_are_measured_while_they_last() {
    let metrics = Metrics::new();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("hang", async |_: Ctx, _: NoArgs| {
            std::future::pending::<()>().await;
            Ok::<_, Error>("never")
        }))
        .tool(Tool::new("greet", async |_: Ctx, _: NoArgs| Ok::<_, Error>("hello")).cached())
        .tool(
            Tool::new("ask", async |ctx: Ctx, _: NoArgs| {
                ctx.elicit::<bool>("Really?").await?;
                Ok::<_, Error>("asked")
            })
            .effects([Effect::AsksUser]),
        )
        .change_call_limits(|limits| {
            limits.in_flight = 100;
            limits.concurrency.in_all = Some(1);
        })
        .metrics(&metrics)
        .build()
        .unwrap();
    assert_says(
        &metrics,
        &[
            "mcp_server_places{kind=\"requests\"} 0",
            "mcp_server_places_max{kind=\"requests\"} 100",
            "mcp_server_places_max{kind=\"running_calls\"} 1",
            "mcp_server_places_max{kind=\"subscriptions\"} 512",
            "mcp_server_places_max{kind=\"blocking_handlers\"} 64",
            "mcp_server_places_max{kind=\"tasks\"} 4096",
            "mcp_server_places{kind=\"cached_responses\"} 0",
            "mcp_server_cache_bytes 0",
        ],
    );
    let client = Client::asked(&server).await;
    client.result("tools/call", call("greet")).await;
    let mut asking = client.start(2, "tools/call", call("ask"));
    soon(asking.next_event()).await;
    let mut hanging = client.start(3, "tools/call", call("hang"));
    let mut waiting = client.start(4, "tools/call", call("hang"));
    for one in [&mut hanging, &mut waiting] {
        assert!(futures_util::FutureExt::now_or_never(one.next_event()).is_none());
    }
    assert_says(
        &metrics,
        &[
            "mcp_server_places{kind=\"questions\"} 1",
            "mcp_server_places{kind=\"running_calls\"} 1",
            "mcp_server_calls_waiting 1",
            "mcp_server_places{kind=\"requests\"} 2",
            "mcp_server_requests_in_flight 2",
            "mcp_server_places{kind=\"cached_responses\"} 1",
        ],
    );
    assert!(!metrics.text().contains("\nmcp_server_cache_bytes 0\n"));
    drop((asking, hanging, waiting));
    assert_says(
        &metrics,
        &[
            "mcp_server_places{kind=\"questions\"} 0",
            "mcp_server_places{kind=\"running_calls\"} 0",
            "mcp_server_calls_waiting 0",
            "mcp_server_places{kind=\"requests\"} 0",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_refuses_is_counted() {
    let metrics = Metrics::new();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("greet", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("hello")
        }))
        .change_call_limits(|limits| limits.budget.per_principal = Some(Rate::per_minute(1)))
        .metrics(&metrics)
        .build()
        .unwrap();
    let count = || {
        let text = metrics.text();
        let before = "mcp_server_limit_refusals_total{limit=\"budget\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(before));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = count();
    let client = Client::modern(&server, json!({})).known_as("alice");
    for _ in 0..3 {
        client.result("tools/call", call("greet")).await;
    }
    // Other servers of this process count as well.
    assert!(count() >= before + 2);
}

#[tokio::test]
async fn how_far_the_audit_log_is_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(AuditConfig::new(&path, AuditKey::new(&[7; 32]).unwrap())).unwrap();
    let metrics = Metrics::new();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("greet", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("hello")
        }))
        .audit(&audit)
        .metrics(&metrics)
        .build()
        .unwrap();
    let client = Client::modern(&server, json!({}));
    client.result("tools/call", call("greet")).await;
    let sequence = audit.head().sequence;
    assert_says(
        &metrics,
        &[
            &format!("mcp_server_audit_sequence {sequence}"),
            "mcp_server_audit_failing 0",
            "mcp_server_audit_lines_lost_total 0",
        ],
    );
    audit.close();
    assert_says(&metrics, &["mcp_server_audit_failing 1"]);
}

/// The method of a request, its span, and the trace that its handler passes on.
type Heard = (&'static str, Option<Span>, Option<String>);

/// Records spans.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Heard>>>);

impl Observer for Recorder {
    fn records_spans(&self) -> bool {
        true
    }

    fn served(&self, served: &Served<'_>) {
        let trace = served.trace.map(|trace| trace.traceparent().to_owned());
        let mut heard = self.0.lock().unwrap();
        heard.push((served.method, served.span.cloned(), trace));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_a_span_that_its_handler_passes_on() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    async fn tell(ctx: Ctx, _: NoArgs) -> Result<String> {
        let trace = ctx.trace().ok_or_else(|| Error::user("None."))?;
        Ok(trace.traceparent().into())
    }
    let recorder = Recorder::default();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("tell", tell).timeout(Duration::from_secs(1)))
        .observe(recorder.clone())
        .build()
        .unwrap();
    let (client, _unsolicited) = Client::legacy(&server).await;
    recorder.0.lock().unwrap().clear();
    let traced = |parent: &str| json!({ "name": "tell", "arguments": {}, "_meta": { "traceparent": parent } });
    for (params, parent) in [
        (traced(PARENT), Some(&PARENT[36..52])),
        (call("tell"), None),
    ] {
        let told = client.result("tools/call", params).await;
        let told = told["content"][0]["text"].as_str().unwrap().to_owned();
        let (_, span, trace) = recorder.0.lock().unwrap().remove(0);
        let span = span.unwrap();
        assert_eq!(span.context().traceparent(), told);
        assert_eq!((span.parent_id(), trace), (parent, Some(told.clone())));
        assert_eq!(told.contains(&PARENT[3..35]), parent.is_some());
    }
    // Its caller does not record it.
    let unsampled = PARENT.replace("-01", "-00");
    let told = client.result("tools/call", traced(&unsampled)).await;
    assert_eq!(told["content"][0]["text"], unsampled);
    let (_, span, trace) = recorder.0.lock().unwrap().remove(0);
    assert_eq!((span, trace), (None, Some(unsampled)));
    // One that comes no further than to its params.
    client.ask_as(9, "tools/call", json!({ "name": 5 })).await;
    let (method, span, _) = recorder.0.lock().unwrap().remove(0);
    assert!(method == "tools/call" && span.is_some());
}
