//! What replicas tell each other at once, over a real store.

mod news;

use std::time::Duration;

use pymcp_kit::store::redis::Redis;
use pymcp_kit::{
    Ctx, Error, Form, KeyRing, NoArgs, Prompt, Question, Resource, Result, Server, ServerBuilder,
    TaskSupport, Tool,
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

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .tool(
            Tool::new("work", work)
                .asks::<bool>()
                .task(TaskSupport::Optional),
        )
        .tool(Tool::new("wait", wait))
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
    tokio::time::sleep(2 * SILENCE).await;
    all.try_into().ok().unwrap()
}

async fn hear_each_other(all: &[Replica]) {
    until(async || all.iter().all(|one| one.redis.hears_replicas())).await;
}
