//! A server whose components ask and count, and a client of it that can be told to lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::try_join_all;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event, Exchange, ServerBuilder};
use pymcp_kit::{
    Ctx, Effect, Elicited, Error, Form, NoArgs, Principal, Prompt, Question, Resource, Result,
    Server, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

/// All that clients are told of a state that does not count.
const REFUSED: &str = "\"requestState\" is invalid or has expired; make the call again without it.";

/// What the components have done.
#[derive(Default)]
pub(crate) struct Counts {
    /// Runs of all components.
    pub(crate) runs: AtomicUsize,
    /// Times that the work behind `once` was done.
    pub(crate) charges: AtomicUsize,
}

#[derive(Deserialize, JsonSchema)]
struct Order {
    item: String,
}

#[derive(Deserialize, JsonSchema)]
struct Size {
    n: usize,
}

async fn order(ctx: Ctx, order: Order, counts: Arc<Counts>) -> Result<String> {
    counts.runs.fetch_add(1, Ordering::SeqCst);
    let amount = Form::<u8>::new("How many?").named("amount");
    let Elicited::Accepted(amount) = ctx.ask(amount).await? else {
        return Ok("nothing".to_owned());
    };
    let charge = async {
        counts.charges.fetch_add(1, Ordering::SeqCst);
        Ok(format!("{amount} {}", order.item))
    };
    let receipt = ctx.once("receipt", charge).await?;
    let wrapped = match ctx.ask(Form::<bool>::new("Wrap it?").named("wrap")).await? {
        Elicited::Accepted(true) => "wrapped",
        _ => "as it is",
    };
    Ok(format!("{receipt}, {wrapped}"))
}

/// Asks `n` questions at once.
async fn wide(ctx: Ctx, size: Size) -> Result<String> {
    let questions = (0..size.n).map(|i| ctx.ask(Form::<bool>::new("?").named(format!("q{i}"))));
    Ok(format!("{} answers", try_join_all(questions).await?.len()))
}

/// Asks `n` questions one after another.
async fn deep(ctx: Ctx, size: Size) -> Result<String> {
    for i in 0..size.n {
        ctx.ask(Form::<bool>::new("?").named(format!("q{i}")))
            .await?;
    }
    Ok(format!("{} rounds", size.n))
}

/// Asks after it has put `n` bytes into the state.
async fn heavy(ctx: Ctx, size: Size) -> Result<String> {
    let kept = ctx.once("kept", async { Ok("x".repeat(size.n)) }).await?;
    ctx.ask(Form::<String>::new("?").named("text")).await?;
    ctx.ask(Form::<bool>::new("?").named("more")).await?;
    Ok(format!("{} bytes", kept.len()))
}

/// Asks the same question in other words each time.
async fn fickle(ctx: Ctx, counts: Arc<Counts>) -> Result<&'static str> {
    let run = counts.runs.fetch_add(1, Ordering::SeqCst);
    let question = Form::<bool>::new(format!("This is run {run}, right?"));
    ctx.ask(question.named("run")).await?;
    Ok("answered")
}

/// The components; `order` is a tool, a prompt and a resource.
pub(crate) fn builder(name: &str) -> (ServerBuilder, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    let ordering = || {
        let counts = Arc::clone(&counts);
        move |ctx: Ctx, args: Order| order(ctx, args, Arc::clone(&counts))
    };
    let (reading, asking_anew, silent) = (ordering(), Arc::clone(&counts), Arc::clone(&counts));
    let builder = Server::builder(name, "1.0.0")
        .tool(Tool::new("order", ordering()).effects([Effect::AsksUser]))
        .tool(Tool::new("reorder", ordering()).effects([Effect::AsksUser]))
        .tool(Tool::new("wide", wide).effects([Effect::AsksUser]))
        .tool(Tool::new("deep", deep).effects([Effect::AsksUser]))
        .tool(Tool::new("heavy", heavy).effects([Effect::AsksUser]))
        .tool(
            Tool::new("fickle", move |ctx: Ctx, _: NoArgs| {
                fickle(ctx, Arc::clone(&asking_anew))
            })
            .effects([Effect::AsksUser]),
        )
        .tool(Tool::new("silent", move |_: Ctx, _: NoArgs| {
            silent.runs.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Error>("done"))
        }))
        .prompt(Prompt::new("order", ordering()).effects([Effect::AsksUser]))
        .resource(
            Resource::new("data://order", "order", move |ctx: Ctx| {
                let item = "tea".to_owned();
                reading(ctx, Order { item })
            })
            .effects([Effect::AsksUser]),
        );
    (builder, counts)
}

/// Longer than everything that has a time limit of its own.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What comes while the clock, which is to be paused, has nothing else to wait for.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

/// One client of a server; no component here waits for anything but answers.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) counts: Arc<Counts>,
    connection: Arc<Connection>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of("test", |builder| builder)
    }

    pub(crate) fn of(name: &str, change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (builder, counts) = builder(name);
        Self {
            server: change(builder).build().unwrap(),
            counts,
            connection: Connection::stateless(Principal::ANONYMOUS),
        }
    }

    /// The same server as somebody else sees it.
    pub(crate) fn seen_by(&self, principal: Principal) -> Self {
        Self {
            server: self.server.clone(),
            counts: Arc::clone(&self.counts),
            connection: Connection::stateless(principal),
        }
    }

    pub(crate) fn runs(&self) -> usize {
        self.counts.runs.load(Ordering::SeqCst)
    }

    /// The answer to a request of a client that can fill in forms.
    pub(crate) fn request(&self, method: &str, params: Value) -> Value {
        self.send(&modern(method, params))
    }

    pub(crate) fn send(&self, message: &str) -> Value {
        let mut exchange = match self.begin(message) {
            Ok(exchange) => exchange,
            Err(answer) => return answer,
        };
        let event = exchange.next_event().now_or_never();
        answer(event.expect("an answer at once"))
    }

    /// What there is to poll, or the answer that is there already.
    fn begin(&self, message: &str) -> Result<Exchange, Value> {
        match self.server.parse(message.as_bytes()) {
            Ok(body) => self
                .server
                .receive(
                    &self.connection,
                    &Permit::unrestricted_as(self.connection.principal().clone()),
                    body,
                )
                .into_exchange()
                .map_err(|answer| serde_json::from_slice(&answer.unwrap().body).unwrap()),
            Err(malformed) => Err(json!({ "error": { "code": malformed.error.code.0 } })),
        }
    }

    /// A call of a tool that waits for more than answers.
    pub(crate) fn begin_call(&self, params: Value) -> Exchange {
        let begun = self.begin(&modern("tools/call", params));
        begun.unwrap_or_else(|answer| panic!("it did not begin: {answer}"))
    }

    /// The answer to such a call.
    pub(crate) async fn wait_for(&self, params: Value) -> Value {
        let mut exchange = self.begin_call(params);
        answer(soon(exchange.next_event()).await)
    }

    pub(crate) fn call(&self, params: Value) -> Value {
        self.request("tools/call", params)
    }

    /// The state after the first round of an order.
    pub(crate) fn ordered(&self) -> String {
        state(&self.call(tea()))
    }

    /// Nothing ran, and the client learns nothing of why.
    #[track_caller]
    pub(crate) fn refuses(&self, method: &str, params: Value) {
        let before = self.runs();
        let answer = self.request(method, params);
        let expected = json!({ "code": -32602, "message": REFUSED });
        assert_eq!(answer["error"], expected, "{answer}");
        assert_eq!(self.runs(), before, "it ran");
    }
}

/// The answer that this event has to be.
#[track_caller]
pub(crate) fn answer(event: Option<Event>) -> Value {
    match event {
        Some(Event::Answer(answer)) => serde_json::from_slice(&answer.body).unwrap(),
        other => panic!("no answer: {other:?}"),
    }
}

/// A request of a client that can fill in forms.
fn modern(method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// The order that most tests make.
pub(crate) fn tea() -> Value {
    json!({ "name": "order", "arguments": { "item": "tea" } })
}

/// The call again, with what the client carries and its answers.
pub(crate) fn again(mut call: Value, state: impl Into<Value>, responses: Value) -> Value {
    call["requestState"] = state.into();
    call["inputResponses"] = responses;
    call
}

/// What a user says who fills in a form of one field.
pub(crate) fn accept(value: impl Into<Value>) -> Value {
    json!({ "action": "accept", "content": { "value": value.into() } })
}

/// The names of the questions of a round.
#[track_caller]
pub(crate) fn asked(answer: &Value) -> Vec<&str> {
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let requests = answer["result"]["inputRequests"].as_object().unwrap();
    requests.keys().map(String::as_str).collect()
}

#[track_caller]
pub(crate) fn state(answer: &Value) -> String {
    let state = answer["result"]["requestState"].as_str();
    state.unwrap_or_else(|| panic!("no state: {answer}")).into()
}

/// The text of a tool's result, and whether it is an error.
#[track_caller]
pub(crate) fn text(answer: &Value) -> (&str, bool) {
    let text = answer["result"]["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {answer}"));
    (text, answer["result"]["isError"] == true)
}
