//! What a collector reads, in OpenTelemetry's own messages, and what it can do to the server: nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::store::BoxFuture;
use crate::telemetry::{ComponentName, Observers, Outcome, TraceContext, Transport};

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Answer = Result<ExportTraceServiceResponse, Undelivered>;

/// A collector that answers in turn, and then always takes what it gets.
#[derive(Default)]
struct Fake {
    answers: Mutex<Vec<Answer>>,
    got: Mutex<Vec<ExportTraceServiceRequest>>,
    heard: Notify,
    attempts: AtomicUsize,
    silent: bool,
}

impl Fake {
    fn answering(answers: Vec<Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers),
            ..Self::default()
        })
    }

    fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        let resources = got.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        let got = self.got.lock().unwrap();
        let size = |request: &ExportTraceServiceRequest| {
            request.resource_spans[0].scope_spans[0].spans.len()
        };
        got.iter().map(size).collect()
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl Collector for Fake {
    fn post(&self, message: Bytes) -> BoxFuture<'_, Result<Bytes, Undelivered>> {
        Box::pin(async move {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            self.heard.notify_one();
            if self.silent {
                std::future::pending::<()>().await;
            }
            let answer = {
                let mut answers = self.answers.lock().unwrap();
                match answers.is_empty() {
                    true => Ok(ExportTraceServiceResponse::default()),
                    false => answers.remove(0),
                }
            };
            let answer = answer?;
            let request = ExportTraceServiceRequest::decode(message).unwrap();
            self.got.lock().unwrap().push(request);
            Ok(answer.encode_to_vec().into())
        })
    }
}

fn config() -> TracesConfig {
    TracesConfig::new("zebra", "1.0.0")
}

/// A request that ended, with this trace of its caller.
fn serve(traces: &Traces, caller: Option<&str>, change: impl FnOnce(&mut Served<'_>)) {
    let observers = Observers::new(vec![Arc::new(traces.clone())]);
    let caller = caller.and_then(|caller| TraceContext::parse(caller, Some("a=1")));
    let trace = observers.trace(caller);
    let mut served = Served {
        method: "tools/call",
        component: Some(ComponentName {
            kind: "tool",
            name: "greet",
        }),
        unknown: None,
        outcome: Outcome::Ok,
        code: None,
        duration: Duration::from_millis(30),
        bytes: 120,
        cache: None,
        principal: Some("ali"),
        session: Some(7),
        client: Some(("client", "1")),
        request_id: "\"seven\"",
        trace: trace.as_ref().map(|trace| trace.context()),
        span: trace.as_ref().and_then(|trace| trace.span()),
        revision: "2026-07-28",
        transport: Transport::Http,
    };
    change(&mut served);
    observers.served(&served);
}

fn attributes(span: &Span) -> Vec<(&str, &str)> {
    span.attributes
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            match value {
                Some(Value::StringValue(value)) => (pair.key.as_str(), value.as_str()),
                other => panic!("{}: {other:?}", pair.key),
            }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_a_span_in_the_trace_of_its_caller_with_the_attributes_of_the_conventions() {
    let collector = Fake::answering(Vec::new());
    let traces = Traces::start(config(), Arc::clone(&collector) as _);
    serve(&traces, Some(PARENT), |_| {});
    serve(&traces, None, |served| {
        served.method = "prompts/get";
        served.component = Some(ComponentName {
            kind: "prompt",
            name: "recipe",
        });
        served.outcome = Outcome::Error;
        served.code = Some(-32602);
        served.request_id = "5";
        served.revision = "2025-11-25";
        served.transport = Transport::Stdio;
    });
    serve(&traces, None, |served| {
        served.method = "resources/read";
        served.component = Some(ComponentName {
            kind: "resource",
            name: "zebra://stripes",
        });
        served.outcome = Outcome::Timeout;
    });
    serve(&traces, None, |served| {
        served.component = None;
        served.unknown = Some("made up");
    });
    traces.close(Duration::from_secs(2)).await;

    let resource = collector.got.lock().unwrap()[0].resource_spans[0].clone();
    let said = resource.resource.unwrap();
    let names: Vec<_> = said
        .attributes
        .iter()
        .map(|pair| pair.key.as_str())
        .collect();
    assert_eq!(names, ["service.name", "service.version"]);
    let scope = resource.scope_spans[0].scope.clone().unwrap();
    assert_eq!(scope.name, "pymcp-kit");

    let spans = collector.spans();
    let [call, prompt, resource, unknown] = &spans[..] else {
        panic!("{spans:?}");
    };
    assert_eq!(call.name, "tools/call greet");
    assert_eq!((call.kind, call.status.clone()), (2, None));
    assert_eq!(hex(&call.trace_id), &PARENT[3..35]);
    assert_eq!(hex(&call.parent_span_id), &PARENT[36..52]);
    assert_eq!((call.span_id.len(), &*call.trace_state), (8, "a=1"));
    assert_eq!(call.flags, 0x301);
    assert_eq!(
        call.end_time_unix_nano - call.start_time_unix_nano,
        30_000_000
    );
    assert_eq!(
        attributes(call),
        [
            ("mcp.method.name", "tools/call"),
            ("mcp.protocol.version", "2026-07-28"),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "greet"),
            ("jsonrpc.request.id", "seven"),
            ("network.transport", "tcp"),
            ("network.protocol.name", "http"),
        ]
    );
    assert_eq!(prompt.name, "prompts/get recipe");
    assert!(prompt.parent_span_id.is_empty() && prompt.trace_id.len() == 16);
    assert_eq!(
        (prompt.status.clone().unwrap().code, prompt.flags),
        (2, 0x101)
    );
    assert_eq!(
        attributes(prompt),
        [
            ("mcp.method.name", "prompts/get"),
            ("mcp.protocol.version", "2025-11-25"),
            ("gen_ai.prompt.name", "recipe"),
            ("jsonrpc.request.id", "5"),
            ("rpc.response.status_code", "-32602"),
            ("error.type", "-32602"),
            ("network.transport", "pipe"),
        ]
    );
    assert_eq!(resource.name, "resources/read");
    assert!(attributes(resource).contains(&("mcp.resource.uri", "zebra://stripes")));
    assert!(attributes(resource).contains(&("error.type", "timeout")));
    assert_eq!(unknown.name, "tools/call");
    let whole = format!("{spans:?}");
    for secret in ["made up", "ali", "client"] {
        assert!(!whole.contains(secret), "{secret}");
    }
    assert_eq!((traces.exported(), traces.dropped()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_does_not_record_is_not_sent() {
    let collector = Fake::answering(Vec::new());
    let traces = Traces::start(config(), Arc::clone(&collector) as _);
    serve(&traces, Some(&PARENT.replace("-01", "-00")), |served| {
        assert!(served.trace.is_some() && served.span.is_none());
    });
    traces.close(Duration::from_secs(2)).await;
    assert_eq!((collector.attempts(), traces.exported()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn spans_go_when_there_is_a_batch_or_the_first_has_waited() {
    let collector = Fake::answering(Vec::new());
    let traces = Traces::start(
        TracesConfig {
            batch: 3,
            ..config()
        },
        Arc::clone(&collector) as _,
    );
    let began = Instant::now();
    serve(&traces, None, |_| {});
    collector.heard.notified().await;
    assert_eq!(began.elapsed(), config().delay);
    for _ in 0..3 {
        serve(&traces, None, |_| {});
    }
    collector.heard.notified().await;
    assert_eq!(began.elapsed(), config().delay, "at once");
    assert_eq!(collector.sizes(), [1, 3]);
    // What is left goes in batches at the end, and what comes after that nowhere.
    for _ in 0..2 {
        serve(&traces, None, |_| {});
    }
    traces.close(Duration::from_secs(2)).await;
    assert_eq!(collector.sizes(), [1, 3, 2]);
    serve(&traces, None, |_| {});
    assert_eq!((traces.exported(), traces.dropped()), (6, 1));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_costs_spans_and_holds_up_nothing() {
    let collector = Arc::new(Fake {
        silent: true,
        ..Fake::default()
    });
    let traces = Traces::start(
        TracesConfig {
            queue: 10,
            batch: 5,
            ..config()
        },
        Arc::clone(&collector) as _,
    );
    for _ in 0..5 {
        serve(&traces, None, |_| {});
    }
    collector.heard.notified().await;
    for _ in 0..15 {
        serve(&traces, None, |_| {});
    }
    assert_eq!(traces.dropped(), 5, "ten wait");
    let began = Instant::now();
    traces.close(Duration::from_secs(2)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(
        traces.dropped(),
        20,
        "what waits and what is under way as well"
    );
    assert_eq!(traces.exported(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_attempt_is_made_where_that_may_help() {
    let no = |again| Undelivered {
        why: "it answered 503".into(),
        again,
    };
    let partly = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "no room".into(),
        }),
    };
    let collector = Fake::answering(vec![
        Err(no(Some(Duration::ZERO))),
        Err(no(Some(Duration::from_secs(9)))),
        Ok(partly),
        Err(no(None)),
    ]);
    let traces = Traces::start(config(), Arc::clone(&collector) as _);
    let began = Instant::now();
    for _ in 0..2 {
        serve(&traces, None, |_| {});
    }
    for _ in 0..3 {
        collector.heard.notified().await;
    }
    let waited = Duration::from_secs(1 + 9);
    assert_eq!(began.elapsed(), config().delay + waited);
    serve(&traces, None, |_| {});
    traces.close(Duration::from_secs(2)).await;
    assert_eq!(collector.attempts(), 4);
    assert_eq!((traces.exported(), traces.dropped()), (1, 2));

    // The collector is gone: so many attempts, and then these spans are.
    let collector = Fake::answering(vec![Err(no(Some(Duration::ZERO))); 9]);
    let traces = Traces::start(config(), Arc::clone(&collector) as _);
    let metrics = Metrics::new();
    traces.measure(std::slice::from_ref(&metrics));
    serve(&traces, None, |_| {});
    for _ in 0..4 {
        collector.heard.notified().await;
    }
    serve(&traces, None, |_| {});
    collector.heard.notified().await;
    assert_eq!(collector.attempts(), 5);
    let text = metrics.text();
    assert!(
        text.contains("mcp_server_spans_total{result=\"failed\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn it_ends_with_its_last_clone() {
    let collector = Fake::answering(Vec::new());
    let traces = Traces::start(config(), Arc::clone(&collector) as _);
    let ended = traces.0.ended.clone();
    serve(&traces, None, |_| {});
    drop(traces);
    ended.cancelled().await;
    assert_eq!(collector.sizes(), [1]);
}
