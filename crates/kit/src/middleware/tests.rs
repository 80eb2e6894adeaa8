//! The pipeline as a whole: what its steps promise together, and in their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::{Event, Server, ServerBuilder};
use crate::limits::CallLimits;
use crate::{Elicited, NoArgs, Principal, Resource, Tool};

#[derive(Deserialize, JsonSchema)]
struct Count {
    /// Anything.
    #[serde(default)]
    n: u8,
}

/// A server whose tool `count` is cached and counts its runs.
fn counting() -> (Arc<AtomicUsize>, ServerBuilder) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let tool = Tool::new("count", move |_: Ctx, args: Count| {
        let run = counter.fetch_add(1, Ordering::Relaxed);
        async move {
            match args.n {
                9 => Err(Error::user("nine")),
                _ => Ok(run as u64),
            }
        }
    });
    (
        runs,
        Server::builder("test", "0.0.0").tool(tool.description("Counts.").cached()),
    )
}

struct Client {
    server: Server,
    connection: Arc<Connection>,
}

impl Client {
    async fn new(builder: ServerBuilder) -> Self {
        let client = Self {
            server: builder.build().unwrap(),
            connection: Connection::new(Principal::ANONYMOUS),
        };
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "t", "version": "0"},
        });
        client.ask("initialize", params).await;
        client
    }

    /// Sends a request, answers every question with `{"value": 1}`, and gives the response.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let text = request.to_string();
        let body = self.server.parse(text.as_bytes()).unwrap();
        let mut exchange = match self
            .server
            .receive(&self.connection, &Permit::unrestricted(), body)
            .into_exchange()
        {
            Ok(exchange) => exchange,
            Err(answer) => return serde_json::from_slice(&answer.unwrap().body).unwrap(),
        };
        loop {
            match exchange.next_event().await.expect("an answer") {
                Event::Answer(answer) => return serde_json::from_slice(&answer.body).unwrap(),
                Event::Release => {}
                Event::Message(message) => {
                    let message: Value = serde_json::from_slice(&message).unwrap();
                    let answer = json!({
                        "jsonrpc": "2.0",
                        "id": message["id"],
                        "result": {"action": "accept", "content": {"value": 1}},
                    });
                    // The client takes its time, more of it than a call has.
                    tokio::time::sleep(Duration::from_millis(80)).await;
                    let text = answer.to_string();
                    let body = self.server.parse(text.as_bytes()).unwrap();
                    assert!(
                        self.server
                            .receive(&self.connection, &Permit::unrestricted(), body)
                            .into_exchange()
                            .is_err()
                    );
                }
            }
        }
    }

    async fn call(&self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments}))
            .await["result"]
            .clone()
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn one_question_however_it_is_spelled_is_answered_once() {
    let (runs, builder) = counting();
    let client = Client::new(builder).await;
    let first = client.call("count", json!({"n": 5})).await;
    for same in [
        json!({"n": "5"}),
        json!({"n": 5.0}),
        json!({"n": 5, "unknown": true}),
    ] {
        assert_eq!(client.call("count", same).await, first);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    client.call("count", json!({"n": 6})).await;
    client.call("count", json!({})).await;
    assert_eq!(runs.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn errors_and_a_cache_without_time_are_never_repeated() {
    let (runs, builder) = counting();
    let client = Client::new(builder).await;
    for _ in 0..2 {
        assert_eq!(client.call("count", json!({"n": 9})).await["isError"], true);
        assert_eq!(
            client.call("count", json!({"n": 300})).await["isError"],
            true
        );
    }
    assert_eq!(
        runs.load(Ordering::Relaxed),
        2,
        "and what is out of bounds does not run"
    );
    let (runs, builder) = counting();
    let off = CacheConfig {
        ttl: Duration::ZERO,
        ..CacheConfig::default()
    };
    let client = Client::new(builder.cache(off)).await;
    client.call("count", json!({})).await;
    client.call("count", json!({})).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

/// Sees every call, as it was sent; refuses one, answers another, and panics at a third.
struct Author(Arc<AtomicUsize>);

impl Middleware for Author {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        self.0.fetch_add(1, Ordering::Relaxed);
        next.run(request)
    }

    fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let RequestKind::Tool(tool) = &request.kind else {
            unreachable!()
        };
        if tool.arguments.values.contains_key("refuse") {
            return Box::pin(async { Err(Error::invalid_params("refused")) });
        }
        assert!(!tool.arguments.values.contains_key("panic"));
        next.run(request)
    }

    fn on_list<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        match request.kind {
            RequestKind::List(List::Prompts, _) => Box::pin(async {
                Ok(Response::Encoded {
                    json: r#"{"prompts":["mine"]}"#.into(),
                    is_error: false,
                })
            }),
            _ => next.run(request),
        }
    }
}

#[tokio::test]
async fn an_authors_step_stands_before_the_cache_and_behind_the_panic_guard() {
    let (runs, builder) = counting();
    let seen = Arc::new(AtomicUsize::new(0));
    let builder = builder
        .middleware(Author(Arc::clone(&seen)))
        .prompt(Prompt::new("theirs", |_: Ctx, _: NoArgs| async {
            Ok::<_, Error>(String::new())
        }));
    let client = Client::new(builder).await;
    for _ in 0..3 {
        client.call("count", json!({})).await;
    }
    assert_eq!(
        (seen.load(Ordering::Relaxed), runs.load(Ordering::Relaxed)),
        (4, 1),
        "initialize too"
    );
    let call = |arguments: Value| {
        client.ask(
            "tools/call",
            json!({"name": "count", "arguments": arguments}),
        )
    };
    // Cached or not, what the step refuses is refused.
    assert_eq!(call(json!({"refuse": 1})).await["error"]["code"], -32602);
    assert_eq!(call(json!({"panic": 1})).await["error"]["code"], -32603);
    assert_eq!(
        client.ask("prompts/list", json!({})).await["result"]["prompts"],
        json!(["mine"])
    );
    assert!(client.ask("tools/list", json!({})).await["result"]["tools"].is_array());
}

async fn never(_: Ctx, _: NoArgs) -> Result<u8> {
    std::future::pending().await
}

async fn patient(ctx: Ctx, _: NoArgs) -> Result<f64> {
    match ctx.elicit::<f64>("How much?").await? {
        Elicited::Accepted(value) => Ok(value),
        _ => Err(Error::user("no")),
    }
}

#[tokio::test]
async fn time_is_bounded_and_the_clients_own_does_not_count() {
    let limits = CallLimits {
        timeout: Duration::from_millis(40),
        ..CallLimits::default()
    };
    let builder = Server::builder("test", "0.0.0")
        .tool(Tool::new("never", never))
        .tool(
            Tool::new("patient", patient)
                .effects([crate::component::Effect::AsksUser])
                .cached(),
        )
        .call_limits(limits);
    let client = Client::new(builder).await;
    let late = client.call("never", json!({})).await;
    assert!(
        late["isError"] == true && text(&late).contains("40 ms"),
        "{late}"
    );
    assert_eq!(text(&client.call("patient", json!({})).await), "1.0");
}

#[derive(Serialize, JsonSchema)]
struct Wrong {
    #[schemars(range(max = 1))]
    n: u8,
}

#[tokio::test]
async fn results_are_bounded_and_keep_their_word() {
    let limits = CallLimits {
        result_bytes: 500,
        ..CallLimits::default()
    };
    let builder = Server::builder("test", "0.0.0")
        .tool(Tool::new("large", |_: Ctx, _: NoArgs| async {
            Ok::<_, Error>("x".repeat(1000))
        }))
        .tool(Tool::new("wrong", |_: Ctx, _: NoArgs| async {
            Ok::<_, Error>(Wrong { n: 2 })
        }))
        .resource(Resource::new("x://large", "large", |_: Ctx| async {
            Ok::<_, Error>("x".repeat(1000))
        }))
        .call_limits(limits);
    let client = Client::new(builder).await;
    let large = client.call("large", json!({})).await;
    assert!(
        large["isError"] == true && text(&large).contains("500 bytes"),
        "{large}"
    );
    let read = client
        .ask("resources/read", json!({"uri": "x://large"}))
        .await;
    assert_eq!(read["error"]["code"], -32603);
    let wrong = client.ask("tools/call", json!({"name": "wrong"})).await;
    assert_eq!(wrong["error"]["code"], -32603, "{wrong}");
}
