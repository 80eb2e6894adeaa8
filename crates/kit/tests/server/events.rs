//! One event for each request, whatever becomes of it.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pymcp_kit::audit::{Audit, AuditConfig, AuditKey};
use pymcp_kit::telemetry::{CacheUse, Lasting, Observer, Outcome, Refused, Served};
use pymcp_kit::{Ctx, Effect, Elicited, Error, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use crate::client::{Client, able, soon};
use crate::logs::Logs;

/// What an observer has heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Event>>>);

#[derive(Debug, PartialEq)]
struct Event {
    method: &'static str,
    component: Option<String>,
    unknown: Option<String>,
    outcome: Outcome,
    code: Option<i32>,
    cache: Option<CacheUse>,
    client: Option<String>,
    revision: &'static str,
    trace: Option<String>,
    in_session: bool,
    answered: bool,
}

impl Observer for Heard {
    fn served(&self, served: &Served<'_>) {
        self.0.lock().unwrap().push(Event {
            method: served.method,
            component: served
                .component
                .map(|one| format!("{} {}", one.kind, one.name)),
            unknown: served.unknown.map(str::to_owned),
            outcome: served.outcome,
            code: served.code,
            cache: served.cache,
            client: served
                .client
                .map(|(name, version)| format!("{name} {version}")),
            revision: served.revision,
            trace: served.trace.map(|trace| trace.trace_id().to_owned()),
            in_session: served.session.is_some(),
            answered: served.bytes > 0,
        });
    }
}

impl Heard {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The only one.
    #[track_caller]
    fn one(&self) -> Event {
        let mut events = self.take();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

async fn greet(_: Ctx, _: NoArgs) -> Result<String> {
    Ok("hello".into())
}

async fn fail(_: Ctx, _: NoArgs) -> Result<String> {
    Err(Error::user("Mend it."))
}

async fn ours(_: Ctx, _: NoArgs) -> Result<String> {
    Err(Error::internal("detail"))
}

async fn wrong(_: Ctx, _: NoArgs) -> Result<String> {
    Err(Error::invalid_params("No."))
}

async fn panics(_: Ctx, _: NoArgs) -> Result<String> {
    panic!("at the disco")
}

async fn hang(_: Ctx, _: NoArgs) -> Result<String> {
    std::future::pending().await
}

async fn asks(ctx: Ctx, _: NoArgs) -> Result<String> {
    match ctx.elicit::<bool>("Really?").await? {
        Elicited::Accepted(_) => Ok("yes".into()),
        _ => Ok("no".into()),
    }
}

fn server() -> (Server, Heard) {
    let heard = Heard::default();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("greet", greet).cached())
        .tool(Tool::new("fail", fail))
        .tool(Tool::new("ours", ours))
        .tool(Tool::new("wrong", wrong))
        .tool(Tool::new("panics", panics))
        .tool(Tool::new("hang", hang).timeout(Duration::from_secs(1)))
        .tool(Tool::new("asks", asks).effects([Effect::AsksUser]))
        .change_call_limits(|limits| limits.in_flight_per_connection = 2)
        .observe(heard.clone())
        .build()
        .unwrap();
    (server, heard)
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_one_event_that_names_the_tool() {
    let (server, heard) = server();
    for client in Client::both(&server).await {
        heard.take();
        for (tool, outcome, code) in [
            ("greet", Outcome::Ok, None),
            ("fail", Outcome::ToolError, None),
            ("ours", Outcome::Error, Some(-32603)),
            ("wrong", Outcome::Error, Some(-32602)),
            ("panics", Outcome::Panic, Some(-32603)),
            ("hang", Outcome::Timeout, None),
        ] {
            client.ask("tools/call", named(tool)).await;
            let event = heard.one();
            assert_eq!((event.outcome, event.code), (outcome, code), "{tool}");
            assert_eq!(event.component, Some(format!("tool {tool}")));
            assert_eq!(event.method, "tools/call");
            assert!(event.answered);
        }
        client.ask("tools/call", named("greet")).await;
        assert_eq!(heard.one().cache, Some(CacheUse::Hit));
        client.ask("tools/list", json!({})).await;
        let event = heard.one();
        assert_eq!((event.component, event.cache), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn what_there_is_not_is_named_as_it_came_and_cut() {
    let (server, heard) = server();
    let client = Client::modern(&server, json!({}));
    let long = "x".repeat(1000);
    client.ask("tools/call", named(&long)).await;
    let event = heard.one();
    assert_eq!((event.component, event.code), (None, Some(-32602)));
    assert_eq!(event.unknown, Some("x".repeat(128)));
    client.ask("no/such", json!({})).await;
    let event = heard.one();
    assert_eq!((event.method, event.code), ("other", Some(-32601)));
    assert_eq!(event.unknown.as_deref(), Some("no/such"));
    // Params that cannot be read still say which tool.
    client
        .ask("tools/call", json!({ "name": "greet", "arguments": 5 }))
        .await;
    let event = heard.one();
    assert_eq!(
        (event.component.as_deref(), event.code),
        (Some("tool greet"), Some(-32602))
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_no_answer_is_an_event_too() {
    let (server, heard) = server();
    let (client, _unsolicited) = Client::legacy(&server).await;
    let event = heard.one();
    assert_eq!(
        (event.method, event.client.as_deref()),
        ("initialize", Some("test 1.0"))
    );
    let mut cancelled = client.start(1, "tools/call", named("hang"));
    let dropped = client.start(2, "tools/call", named("hang"));
    // The third is one too many.
    let refused = client
        .try_start(3, "tools/call", named("hang"))
        .err()
        .unwrap();
    assert!(refused["error"]["code"] == -31001, "{refused}");
    let event = heard.one();
    assert_eq!((event.outcome, event.code), (Outcome::Error, Some(-31001)));
    assert_eq!(event.component.as_deref(), Some("tool hang"));
    client.cancel(1);
    assert!(soon(cancelled.next_event()).await.is_none());
    let event = heard.one();
    assert_eq!(
        (event.outcome, event.answered, event.in_session),
        (Outcome::Cancelled, false, true)
    );
    drop(cancelled);
    drop(dropped);
    assert_eq!(heard.one().outcome, Outcome::Disconnected);
    assert_eq!(event.revision, "2025-11-25");
}

/// The handler hears of it while it runs, and ends.
#[tokio::test(start_paused = true)]
async fn what_ends_because_it_is_cancelled_has_no_answer() {
    let client: Arc<OnceLock<Client>> = Arc::default();
    let cancels = Arc::clone(&client);
    let ends = Tool::new("ends", move |ctx: Ctx, _: NoArgs| {
        let cancels = Arc::clone(&cancels);
        async move {
            cancels.get().unwrap().cancel(1);
            ctx.cancelled().await;
            Ok::<_, Error>("never heard")
        }
    });
    let heard = Heard::default();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let key = AuditKey::new(&[7; 32]).unwrap();
    let audit = Audit::open(AuditConfig::new(&log, key)).unwrap();
    let server = Server::builder("test", "1.0.0")
        .tool(ends)
        .observe(heard.clone())
        .audit(&audit)
        .build()
        .unwrap();
    let (legacy, _unsolicited) = Client::legacy(&server).await;
    let client = client.get_or_init(|| legacy);
    heard.one();
    let mut exchange = client.start(1, "tools/call", named("ends"));
    assert!(soon(exchange.next_event()).await.is_none());
    let event = heard.one();
    assert_eq!((event.outcome, event.answered), (Outcome::Cancelled, false));
    let _ = audit.close();
    let lines = std::fs::read_to_string(log).unwrap();
    assert!(lines.contains(r#""outcome":"cancelled""#), "{lines}");
}

#[tokio::test(start_paused = true)]
async fn a_round_of_questions_is_no_failure() {
    let (server, heard) = server();
    let client = Client::modern(&server, able());
    client.result("tools/call", named("asks")).await;
    assert_eq!(heard.one().outcome, Outcome::InputRequired);
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_request_is_the_handler_s_and_the_event_s_and_goes_on_in_questions() {
    async fn tell(ctx: Ctx, _: NoArgs) -> Result<String> {
        Ok(ctx
            .trace()
            .map_or("none", |trace| trace.traceparent())
            .into())
    }
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let heard = Heard::default();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("tell", tell))
        .tool(Tool::new("asks", asks).effects([Effect::AsksUser]))
        .observe(heard.clone())
        .build()
        .unwrap();
    let client = Client::asked(&server).await;
    heard.take();
    let traced = |name: &str, parent: Value| json!({ "name": name, "_meta": { "traceparent": parent, "tracestate": "a=1" } });
    let told = client
        .result("tools/call", traced("tell", json!(PARENT)))
        .await;
    assert_eq!(told["content"][0]["text"], PARENT);
    assert_eq!(
        heard.one().trace.as_deref(),
        Some("0af7651916cd43dd8448eb211c80319c")
    );
    for bad in [
        json!("00-x"),
        json!(5),
        json!(null),
        json!(format!("{PARENT}\n")),
    ] {
        let told = client.result("tools/call", traced("tell", bad)).await;
        assert_eq!(told["content"][0]["text"], "none");
        assert_eq!(heard.one().trace, None);
    }
    for (parent, expected) in [
        (
            json!(PARENT),
            json!({ "traceparent": PARENT, "tracestate": "a=1" }),
        ),
        (json!("x"), json!(null)),
    ] {
        let mut asking = client.start(7, "tools/call", traced("asks", parent));
        let Some(pymcp_kit::core::Event::Message(question)) = soon(asking.next_event()).await
        else {
            panic!("no question");
        };
        let question: Value = serde_json::from_slice(&question).unwrap();
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(question["params"]["_meta"], expected);
    }
}

#[tokio::test]
async fn refusals_and_sessions_are_told() {
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);
    impl Observer for Told {
        fn refused(&self, refused: &Refused<'_>) {
            self.0.lock().unwrap().push(refused.reason.to_owned());
        }
        fn opened(&self, what: Lasting) {
            self.0.lock().unwrap().push(format!("opened {what:?}"));
        }
        fn closed(&self, what: Lasting, _: Duration) {
            self.0.lock().unwrap().push(format!("closed {what:?}"));
        }
    }
    let told = Told::default();
    let server = Server::builder("test", "1.0.0")
        .observe(told.clone())
        .build()
        .unwrap();
    assert!(server.parse(b"{").is_err());
    let (client, unsolicited) = Client::legacy(&server).await;
    // Once, also for one that introduces itself again.
    client.connection.close();
    drop((client, unsolicited));
    let session = r#"Session { revision: "2025-11-25", transport: Stdio }"#;
    let expected = [
        "malformed".to_owned(),
        format!("opened {session}"),
        format!("closed {session}"),
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_log_has_a_line_for_each_request_without_its_arguments() {
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("fail", fail))
        .build()
        .unwrap();
    let client = Client::modern(&server, json!({}));
    let (logs, _guard) = Logs::keep();
    client
        .ask(
            "tools/call",
            json!({ "name": "fail", "arguments": { "secret": "hunter2" } }),
        )
        .await;
    client.ask("tools/call", named("fail")).await;
    let lines = logs.take();
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(" request "))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for field in [
        "method=\"tools/call\"",
        "component=\"fail\"",
        "outcome=\"tool_error\"",
        "request_id=\"1\"",
        "revision=\"2026-07-28\"",
        "transport=\"stdio\"",
        " ms=",
        " bytes=",
    ] {
        assert!(lines[1].contains(field), "{field}: {}", lines[1]);
    }
    assert!(!lines[0].contains("hunter2"), "{}", lines[0]);
    for method in ["tools/call", "prompts/get", "hunter2"] {
        client.ask(method, named("hunter2")).await;
        let line = logs.take().concat();
        assert!(
            line.contains("outcome=\"error\"") && !line.contains("hunter2"),
            "{line}"
        );
    }
}
