//! Two replicas of a server behind any balancer: what one begins the other goes on with, and together they answer as one
//! server in memory does.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use pymcp_kit::auth::{Identity, Permit};
use pymcp_kit::limits::Rate;
use pymcp_kit::protocol::Era;
use pymcp_kit::store::redis::Redis;
use pymcp_kit::testing::Client;
use pymcp_kit::{
    Ctx, Elicited, Form, Handle, KeyRing, NoArgs, Question, Result, Server, ServerBuilder,
    TaskSupport, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::nodes::Cluster;
use super::{connect, redis_server, replica, until};

#[path = "../server/client.rs"]
#[allow(dead_code)]
pub(crate) mod client;

#[derive(Deserialize, JsonSchema)]
struct Put {
    name: String,
    value: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Basket {
    basket: Handle,
}

async fn put(ctx: Ctx, args: Put) -> Result<&'static str> {
    ctx.bucket()?.set(&args.name, &args.value).await?;
    Ok("kept")
}

async fn get(ctx: Ctx, args: Named) -> Result<String> {
    let found: Option<u32> = ctx.bucket()?.get(&args.name).await?;
    Ok(format!("{found:?}"))
}

async fn forget(ctx: Ctx, args: Named) -> Result<String> {
    Ok(ctx.bucket()?.remove(&args.name).await?.to_string())
}

async fn open(ctx: Ctx, _: NoArgs) -> Result<Handle> {
    ctx.mint(std::time::Duration::from_secs(60))
}

async fn add(ctx: Ctx, args: Basket) -> Result<u32> {
    let basket = args.basket.bucket(&ctx)?;
    let items = basket.get("items").await?.unwrap_or(0) + 1;
    basket.set("items", &items).await?;
    Ok(items)
}

async fn search(_: Ctx, _: NoArgs) -> Result<&'static str> {
    Ok("found")
}

async fn work(ctx: Ctx, _: NoArgs) -> Result<String> {
    let sure = ctx.ask(Form::<bool>::new("Sure?").named("sure")).await?;
    Ok(format!("{sure:?}"))
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .tool(Tool::new("put", put))
        .tool(Tool::new("get", get))
        .tool(Tool::new("forget", forget))
        .tool(Tool::new("open", open))
        .tool(Tool::new("add", add))
        .tool(Tool::new("search", search))
        .tool(
            Tool::new("work", work)
                .asks::<bool>()
                .task(TaskSupport::Optional),
        )
        .bucket_limits(pymcp_kit::store::BucketLimits {
            values: 3,
            ..Default::default()
        })
        .change_call_limits(|limits| {
            let rates = [("search".to_owned(), Rate::per_hour(3))];
            limits.budget.tools.extend(rates);
        })
}

fn shared(redis: &Redis) -> Server {
    builder().redis(redis).build().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u32),
    Get(u8),
    Forget(u8),
    Search,
    Add,
}

fn any_step() -> impl Strategy<Value = (bool, bool, Step)> {
    let step = prop_oneof![
        (0..5_u8, 0..9_u32).prop_map(|(name, value)| Step::Put(name, value)),
        (0..5_u8).prop_map(Step::Get),
        (0..5_u8).prop_map(Step::Forget),
        Just(Step::Search),
        Just(Step::Add),
    ];
    (any::<bool>(), any::<bool>(), step)
}

/// The answer, without when to come back.
async fn answer(client: &mut Client, step: &Step, basket: &str) -> Value {
    let named = |name: &u8| json!({ "name": format!("n{name}") });
    let reply = match step {
        Step::Put(name, value) => {
            let args = json!({ "name": format!("n{name}"), "value": value });
            client.call("put", args).await
        }
        Step::Get(name) => client.call("get", named(name)).await,
        Step::Forget(name) => client.call("forget", named(name)).await,
        Step::Search => client.call("search", json!({})).await,
        Step::Add => client.call("add", json!({ "basket": basket })).await,
    };
    let result = reply.result();
    let text = result["content"][0]["text"].as_str().unwrap();
    let text = text.split("; try again in").next().unwrap();
    json!([text, result["isError"]])
}

#[test]
fn two_replicas_answer_as_one_server_in_memory() {
    let server = redis_server!();
    they_answer_as_one_in_memory([&server.url(), &server.url()]);
}

#[test]
fn two_replicas_that_share_a_cluster_answer_as_one_server_in_memory() {
    if let Some(cluster) = Cluster::start(3) {
        they_answer_as_one_in_memory([&cluster.url(0), &cluster.url(1)]);
    }
}

fn they_answer_as_one_in_memory(stores: [&str; 2]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let replicas = runtime.block_on(async {
        [
            shared(&connect(stores[0], "test").await),
            shared(&connect(stores[1], "test").await),
        ]
    });
    let run = AtomicUsize::new(0);
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(&vec(any_step(), 1..40), |steps| {
        // Nobody who was there before.
        let run = run.fetch_add(1, Ordering::SeqCst);
        runtime.block_on(async {
            let alone = builder().build().unwrap();
            let known_as = |server: &Server, name: &str| {
                let permit = Permit::of(Identity::new(format!("{name}{run}")));
                Client::with_permit(server, Era::Modern, permit)
            };
            for who in ["ada", "bob"] {
                let mut one = known_as(&alone, who);
                let mut two = [known_as(&replicas[0], who), known_as(&replicas[1], who)];
                let basket = one.call("open", json!({})).await;
                let basket = basket.result()["content"][0]["text"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                for (other, whose, step) in &steps {
                    if *whose == (who == "ada") {
                        let expected = answer(&mut one, step, &basket).await;
                        let replica = &mut two[usize::from(*other)];
                        assert_eq!(answer(replica, step, &basket).await, expected, "{step:?}");
                    }
                }
            }
        });
        Ok(())
    });
    tried.unwrap();
}

#[tokio::test]
async fn elicitations_cross_replicas_and_each_answer_counts_once() {
    let server = redis_server!();
    async fn ask(ctx: Ctx, _: NoArgs) -> Result<String> {
        let first = ctx
            .ask(Form::<u8>::new("How many?").named("amount"))
            .await?;
        let second = ctx.ask(Form::<bool>::new("Sure?").named("sure")).await?;
        Ok(match (first, second) {
            (Elicited::Accepted(amount), Elicited::Accepted(sure)) => format!("{amount} {sure}"),
            _ => "nothing".into(),
        })
    }
    let mut clients = Vec::new();
    for _ in 0..2 {
        let redis = replica(&server).await;
        let server = Server::builder("test", "1.0.0")
            .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
            .tool(Tool::new("ask", ask).asks::<u8>())
            .redis(&redis)
            .build()
            .unwrap();
        clients.push(client::Client::modern(&server, client::able()).known_as("ada"));
    }
    let round = |state: &Value, name: &str, value: Value| {
        let answers = json!({ name: client::accept(value) });
        json!({ "name": "ask", "requestState": state, "inputResponses": answers })
    };
    for turn in 0..50 {
        let (here, there) = (&clients[turn % 2], &clients[(turn + 1) % 2]);
        let first = here.result("tools/call", json!({ "name": "ask" })).await;
        let amount = round(&first["requestState"], "amount", json!(turn));
        let second = there.result("tools/call", amount.clone()).await;
        let sure = round(&second["requestState"], "sure", json!(true));
        let done = here.result("tools/call", sure.clone()).await;
        assert_eq!(done["content"][0]["text"], format!("{turn} true"), "{done}");
        for replayed in [amount, sure] {
            for client in &clients {
                let refused = client.ask("tools/call", replayed.clone()).await;
                assert_eq!(refused["error"]["code"], -32602, "{refused}");
            }
        }
    }
}

#[tokio::test]
async fn a_task_that_one_replica_runs_is_answered_at_the_other() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let here = client::Client::modern(&shared(&one), client::able()).known_as("ada");
    let there = client::Client::modern(&shared(&other), client::able()).known_as("ada");
    let begun = here.result("tools/call", json!({ "name": "work" })).await;
    assert_eq!(begun["resultType"], "task", "{begun}");
    let task = json!({ "taskId": begun["taskId"] });
    let see = async || there.result("tasks/get", task.clone()).await;
    until(async || see().await["status"] == "input_required").await;
    let mut answered = task.clone();
    answered["inputResponses"] = json!({ "sure": client::accept(true) });
    there.result("tasks/update", answered).await;
    until(async || see().await["status"] == "completed").await;
    let ended = see().await;
    assert_eq!(
        ended["result"]["content"][0]["text"], "Accepted(true)",
        "{ended}"
    );
    let bob = client::Client::modern(&shared(&other), client::able()).known_as("bob");
    let refused = bob.ask("tasks/get", task).await;
    assert_eq!(refused["error"]["code"], -32602);
}

#[tokio::test]
async fn servers_with_other_prefixes_share_a_store_without_seeing_each_other() {
    let server = redis_server!();
    let ours = shared(&connect(&server.url(), "ours").await);
    let theirs = shared(&connect(&server.url(), "theirs").await);
    let ada = |server: &Server| {
        Client::with_permit(server, Era::Modern, Permit::of(Identity::new("ada")))
    };
    let (mut ours, mut theirs) = (ada(&ours), ada(&theirs));
    ours.call("put", json!({ "name": "x", "value": 1 }))
        .await
        .text();
    assert_eq!(
        ours.call("get", json!({ "name": "x" })).await.text(),
        "Some(1)"
    );
    assert_eq!(
        theirs.call("get", json!({ "name": "x" })).await.text(),
        "None"
    );
}

#[tokio::test]
async fn a_store_of_the_authors_own_goes_first() {
    use pymcp_kit::store::{BucketLimits, MemoryBuckets};
    let server = redis_server!();
    let redis = replica(&server).await;
    let own = builder()
        .bucket_store(MemoryBuckets::new(BucketLimits::default()))
        .redis(&redis)
        .build()
        .unwrap();
    let mut ada = Client::with_permit(&own, Era::Modern, Permit::of(Identity::new("ada")));
    ada.call("put", json!({ "name": "x", "value": 1 }))
        .await
        .text();
    assert_eq!(server.command(&["KEYS", "test:*:b:*"]), "");
    ada.call("search", json!({})).await.text();
    assert_ne!(server.command(&["KEYS", "test:*:r:*"]), "");
}
