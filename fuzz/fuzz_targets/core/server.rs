//! A server whose components do everything that a handler can do.

use std::time::Duration;

use pymcp_kit::{
    CallLimits, Ctx, Effect, Elicited, Error, Integer, Level, NoArgs, Prompt, Resource,
    ResourceTemplate, Result, Sample, Server, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The payload of a handler's own panic.
pub struct Deliberate;

/// Requests in flight in all; few, so that the limit is met.
pub const IN_FLIGHT: usize = 16;

/// Requests in flight on one connection.
pub const IN_FLIGHT_PER_CONNECTION: usize = 6;

/// Requests that a connection may have in flight while the other one has all of its own: no more than are still free, without the
/// last eighth (`limits::Shares`).
pub const IN_FLIGHT_BESIDE: usize = 4;

/// Time a request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    #[schemars(range(min = -100, max = 100))]
    n: Option<i32>,
    text: Option<String>,
    big: Option<Integer>,
}

impl Args {
    fn times(&self) -> i32 {
        self.n.unwrap_or(1)
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Form {
    #[schemars(range(min = 0))]
    value: f64,
    sure: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Variables {
    a: String,
    b: Option<u8>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Topic {
    topic: String,
    tone: Option<String>,
}

pub fn server() -> Server {
    Server::builder("fuzz", "1.0.0")
        .tool(Tool::new("echo", echo))
        .tool(Tool::new("cached", echo).cached())
        .tool(Tool::new("fail", fail))
        .tool(Tool::new("panic", panic))
        .tool(Tool::new("ask", ask).effects([Effect::AsksUser]).cached())
        .tool(Tool::new("ask_twice_at_once", ask_twice_at_once).effects([Effect::AsksUser]))
        .tool(Tool::new("sample", sample).effects([Effect::UsesModel]))
        .tool(Tool::new("talk", talk))
        .tool(Tool::new("large", large))
        .tool(Tool::new("hang", hang))
        .tool(Tool::new("slow", slow).timeout(Duration::from_secs(3)))
        .resource(Resource::new("data://fixed", "fixed", async |_| {
            Ok::<_, Error>("fixed")
        }))
        .template(ResourceTemplate::new("data://{a}/x{?b}", "pair", pair))
        .prompt(Prompt::new("topic", topic))
        .call_limits(CallLimits {
            timeout: TIMEOUT,
            ask_timeout: 4 * TIMEOUT,
            in_flight_per_connection: IN_FLIGHT_PER_CONNECTION,
            in_flight: IN_FLIGHT,
            result_bytes: 4096,
            ..CallLimits::default()
        })
        .build()
        .unwrap()
}

async fn echo(_: Ctx, args: Args) -> Result<(i32, Option<String>, Option<Integer>)> {
    Ok((args.times(), args.text, args.big))
}

async fn fail(_: Ctx, args: Args) -> Result<String> {
    let text = format!("failed: {}", args.text.unwrap_or_default());
    Err(match args.n {
        None => return Ok(String::from_utf8(vec![0xff])?),
        Some(0) => Error::invalid_params(text),
        Some(1) => Error::resource_not_found(text),
        Some(2) => Error::missing_capability(text, json!({ "sampling": {} })),
        Some(3) => Error::internal(text),
        Some(_) => Error::user(text),
    })
}

async fn panic(ctx: Ctx, args: Args) -> Result<()> {
    for _ in 0..args.times() {
        ctx.info("about to panic").await;
        tokio::task::yield_now().await;
    }
    std::panic::panic_any(Deliberate)
}

async fn ask(ctx: Ctx, args: Args) -> Result<Vec<Form>> {
    let mut forms = Vec::new();
    for i in 0..args.times().min(3) {
        match ctx.elicit(format!("{i}?")).await? {
            Elicited::Accepted(form) => forms.push(form),
            Elicited::Declined => {}
            Elicited::Cancelled => return Err(Error::user("cancelled")),
        }
    }
    Ok(forms)
}

async fn ask_twice_at_once(ctx: Ctx, _: NoArgs) -> Result<bool> {
    let (a, b) = tokio::join!(ctx.elicit::<f64>("a?"), ctx.elicit::<bool>("b?"));
    Ok(matches!((a?, b?), (Elicited::Accepted(a), Elicited::Accepted(true)) if a > 0.0))
}

async fn sample(ctx: Ctx, args: Args) -> Result<Option<String>> {
    Ok(ctx
        .sample(Sample::text(args.text.unwrap_or_default(), 10))
        .await?
        .text())
}

async fn talk(ctx: Ctx, args: Args) -> Result<()> {
    for i in 0..args.times() {
        ctx.log(Level::Debug, args.text.as_deref().unwrap_or_default())
            .await;
        ctx.warning(json!({ "i": i })).await;
        ctx.progress(f64::from(i % 7), Some(7.0), args.text.as_deref())
            .await;
        if i % 5 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

async fn large(_: Ctx, args: Args) -> Result<String> {
    let times = 100 * args.times().unsigned_abs() as usize;
    Ok(args.text.unwrap_or_else(|| "\n".into()).repeat(times))
}

async fn hang(ctx: Ctx, _: NoArgs) -> Result<()> {
    ctx.info("hangs").await;
    std::future::pending().await
}

async fn slow(_: Ctx, args: Args) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(args.times().unsigned_abs().into())).await;
    Ok(())
}

async fn pair(_: Ctx, variables: Variables) -> Result<String> {
    Ok(format!("{} {:?}", variables.a, variables.b))
}

async fn topic(_: Ctx, args: Topic) -> Result<String> {
    Ok(format!("{} {:?}", args.topic, args.tone))
}
