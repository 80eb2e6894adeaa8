//! What replicas tell each other at once, over a real store.

mod cost;
mod news;
mod sessions;
pub(crate) mod stage;

use std::time::Duration;

use pymcp_kit::store::redis::Redis;
use pymcp_kit::{
    Ctx, Effect, Elicited, Error, Form, KeyRing, NoArgs, Prompt, Question, Resource, Result,
    Sample, Server, ServerBuilder, TaskSupport, Tool,
};

use super::server::RedisServer;
use super::{replica, until};

/// Longer than what must not be heard would take.
const SILENCE: Duration = Duration::from_millis(300);

async fn work(ctx: Ctx, _: NoArgs) -> Result<String> {
    let sure = ctx.ask(Form::<bool>::new("Sure?").named("sure")).await?;
    Ok(format!("{sure:?}"))
}

async fn wait(ctx: Ctx, _: NoArgs) -> Result<&'static str> {
    ctx.cancelled().await;
    Ok("never heard")
}

async fn order(ctx: Ctx, _: NoArgs) -> Result<String> {
    match ctx.elicit::<u8>("How many?").await? {
        Elicited::Accepted(number) => Ok(format!("{number} ordered")),
        _ => Ok("nothing".into()),
    }
}

async fn both(ctx: Ctx, _: NoArgs) -> Result<String> {
    let Elicited::Accepted(number) = ctx.elicit::<u8>("How many?").await? else {
        return Ok("nothing".into());
    };
    let said = ctx.sample(Sample::text("Greet me.", 10)).await?;
    Ok(format!("{number} {}", said.text().unwrap_or_default()))
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .tool(
            Tool::new("work", work)
                .asks::<bool>()
                .task(TaskSupport::Optional),
        )
        .tool(Tool::new("wait", wait))
        .tool(Tool::new("order", order).asks::<u8>())
        .tool(
            Tool::new("both", both)
                .asks::<u8>()
                .effects([Effect::AsksUser, Effect::UsesModel]),
        )
        .prompt(Prompt::new("b", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("b".to_owned())
        }))
        .resource(Resource::new("data://c", "c", async |_: Ctx| {
            Ok::<_, Error>("c")
        }))
}

/// A replica of the server, with its connections to the store.
struct Replica {
    redis: Redis,
    server: Server,
}

/// So many replicas that hear each other, and have told all that was to be told at their start.
async fn replicas<const N: usize>(server: &RedisServer) -> [Replica; N] {
    let mut all = Vec::new();
    for _ in 0..N {
        let redis = replica(server).await;
        let server = builder().redis(&redis).build().unwrap();
        all.push(Replica { redis, server });
    }
    hear_each_other(&all).await;
    tokio::time::sleep(3 * SILENCE).await;
    all.try_into().ok().unwrap()
}

async fn hear_each_other(all: &[Replica]) {
    until(async || all.iter().all(|one| one.redis.hears_replicas())).await;
}
