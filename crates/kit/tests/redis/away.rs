//! A store that is slow, gone, full, or wants another password.

use std::time::{Duration, Instant};

use pymcp_kit::store::redis::{Redis, RedisBuckets};
use pymcp_kit::store::{BucketLimits, BucketStore, NonceStore, StoreError};
use pymcp_kit::tasks::{RedisTasks, TaskLimits, Tasks};
use pymcp_kit::testing::raw::{Client, LocalServer, mirrored, patient};
use pymcp_kit::wire::Code;
use pymcp_kit::{Ctx, Elicited, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use super::{caller, connect, redis_server, replica, until, who};

const TTL: Duration = Duration::from_secs(60);

/// Within this time of its return the store has to be used again.
const BACK: Duration = Duration::from_secs(2);

const AWAY: core::result::Result<bool, StoreError> = Err(StoreError::Unavailable);

#[tokio::test]
async fn a_store_that_died_is_refused_at_once_and_used_within_two_seconds_of_its_return() {
    let mut server = redis_server!();
    let redis = replica(&server).await;
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    for round in 0..3 {
        server.kill();
        assert_eq!(redis.claim(&alice, 2 + round, TTL).await, AWAY);
        let began = Instant::now();
        for _ in 0..1000 {
            assert_eq!(redis.claim(&alice, 2 + round, TTL).await, AWAY);
        }
        assert!(
            began.elapsed() < Duration::from_millis(250),
            "{:?}",
            began.elapsed()
        );
        assert!(!redis.is_reachable());
        server.run().unwrap();
        let back = until(async || redis.claim(&alice, 2 + round, TTL).await == Ok(true)).await;
        assert!(back < BACK, "{back:?}");
    }
}

#[tokio::test]
async fn a_store_that_hangs_costs_its_first_caller_a_quarter_of_a_second_and_does_nothing_late() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    server.stop();
    let began = Instant::now();
    assert_eq!(redis.claim(&alice, 2, TTL).await, AWAY);
    let first = began.elapsed();
    assert!(
        first >= Duration::from_millis(200) && first < Duration::from_secs(1),
        "{first:?}"
    );
    let began = Instant::now();
    for _ in 0..1000 {
        assert_eq!(redis.claim(&alice, 3, TTL).await, AWAY);
    }
    assert!(
        began.elapsed() < Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );
    server.go_on();
    let back = until(async || redis.is_used(alice.principal(), 1).await == Ok(true)).await;
    assert!(back < BACK, "{back:?}");
    // What was refused was not done a moment later.
    assert_eq!(redis.is_used(alice.principal(), 2).await, Ok(false));
    assert_eq!(redis.claim(&alice, 2, TTL).await, Ok(true));
}

#[tokio::test]
async fn a_store_that_takes_no_writes_for_a_while_does_none_late() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    server.command(&["CLIENT", "PAUSE", "1000", "WRITE"]);
    assert_eq!(redis.claim(&alice, 2, TTL).await, AWAY);
    until(async || redis.claim(&alice, 3, TTL).await == Ok(true)).await;
    assert_eq!(redis.claim(&alice, 2, TTL).await, Ok(true));
}

/// As after a failover, while the old connection still leads to the store that was demoted.
#[tokio::test]
async fn a_store_that_was_demoted_is_left_for_the_one_at_its_address() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let alice = caller("alice");
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(redis.claim(&alice, 1, TTL).await, AWAY);
    assert!(!redis.is_reachable());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    let back = until(async || redis.claim(&alice, 1, TTL).await == Ok(true)).await;
    assert!(back < BACK, "{back:?}");
}

#[tokio::test]
async fn a_full_store_refuses_what_is_new_and_still_tells_what_it_has() {
    let server = redis_server!("--maxmemory-policy", "noeviction");
    let redis = replica(&server).await;
    let buckets = RedisBuckets::new(&redis, BucketLimits::default());
    let limits = TaskLimits::default();
    let tasks = Tasks::new(std::sync::Arc::new(RedisTasks::new(&redis, limits)), limits);
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    buckets
        .set(&who("alice"), "x", b"1"[..].into(), TTL)
        .await
        .unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(redis.claim(&alice, 2, TTL).await, Err(StoreError::Full));
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(false));
    assert_eq!(redis.is_used(alice.principal(), 2).await, Ok(false));
    let set = buckets.set(&who("alice"), "x", b"2"[..].into(), TTL).await;
    assert_eq!(set, Err(StoreError::Full));
    let kept = buckets.get(&who("alice"), "x").await.unwrap();
    assert_eq!(kept.as_deref(), Some(&b"1"[..]));
    let refused = tasks.create(&alice, None).await.err().unwrap();
    assert_eq!(refused.code, Code::BUSY);
    assert!(redis.is_reachable());
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(redis.claim(&alice, 2, TTL).await, Ok(true));
}

#[tokio::test]
async fn a_user_needs_few_rights_and_a_password_that_was_changed_is_missed_at_the_next_connection()
{
    let server = redis_server!();
    let rights = "on >s3cr3t ~test:* -@all +@read +@write +@scripting +time +info";
    let words: Vec<_> = ["ACL", "SETUSER", "app"]
        .into_iter()
        .chain(rights.split(' '))
        .collect();
    assert_eq!(server.command(&words), "OK");
    let redis = connect(&server.url_of("app", "s3cr3t"), "test").await;
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    let limits = TaskLimits::default();
    let tasks = Tasks::new(std::sync::Arc::new(RedisTasks::new(&redis, limits)), limits);
    let (worker, task) = tasks.create(&alice, None).await.unwrap();
    worker.handle().set_message("on").await;
    assert!(tasks.get(&who("alice"), &task.task_id).await.is_ok());
    let buckets = RedisBuckets::new(&redis, BucketLimits::default());
    buckets
        .set(&who("alice"), "x", b"1"[..].into(), TTL)
        .await
        .unwrap();
    assert_eq!(buckets.remove(&who("alice"), "x").await, Ok(true));
    // Another server's keys are not this one's.
    let theirs = connect(&server.url_of("app", "s3cr3t"), "other").await;
    assert_eq!(theirs.claim(&alice, 1, TTL).await, AWAY);

    server.command(&["ACL", "SETUSER", "app", "resetpass", ">other"]);
    assert_eq!(redis.claim(&alice, 2, TTL).await, Ok(true));
    server.command(&["CLIENT", "KILL", "USER", "app"]);
    until(async || !redis.is_reachable()).await;
    let error = Redis::connect(server.url_of("app", "s3cr3t").parse().unwrap(), "test").await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cannot be used") && !error.contains("s3cr3t"),
        "{error}"
    );
    server.command(&["ACL", "SETUSER", "app", ">s3cr3t"]);
    let back = until(async || redis.claim(&alice, 3, TTL).await == Ok(true)).await;
    assert!(back < BACK, "{back:?}");
}

#[tokio::test]
async fn what_cannot_be_used_is_said_at_start() {
    let why = async |url: &str, prefix: &str| {
        let connected = Redis::connect(url.parse().unwrap(), prefix).await;
        connected.unwrap_err().to_string()
    };
    let gone = why("unix:///nowhere/redis.sock?pass=s3cr3t", "test").await;
    assert!(
        gone.starts_with("The store at unix:///nowhere/redis.sock cannot be used: "),
        "{gone}"
    );
    assert!(!gone.contains("s3cr3t"), "{gone}");
    assert!(why("redis://127.0.0.1:1", "a:b").await.contains("prefix"));
    let server = redis_server!("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru");
    let redis = replica(&server).await;
    let report = redis.report();
    assert!(report.product.starts_with("Redis ") || report.product.starts_with("Valkey "));
    assert_eq!(
        (&*report.eviction, report.max_memory),
        ("allkeys-lru", 100 << 20)
    );
    assert_eq!(report.warnings().len(), 2, "{:?}", report.warnings());
    assert_eq!(redis.address().to_string(), server.url());
}

/// What a task ended with waits for the store, however long that is away.
#[tokio::test]
async fn the_end_of_a_task_is_not_lost_while_the_store_is_away() {
    let mut server = redis_server!("--appendonly", "yes", "--appendfsync", "always");
    let redis = replica(&server).await;
    let limits = TaskLimits::default();
    let tasks = Tasks::new(std::sync::Arc::new(RedisTasks::new(&redis, limits)), limits);
    let (worker, task) = tasks.create(&caller("alice"), None).await.unwrap();
    server.kill();
    until(async || !redis.is_reachable()).await;
    let refused = tasks.create(&caller("alice"), None).await.err().unwrap();
    assert_eq!(refused.code, Code::BUSY);
    assert!(refused.retry_after.is_some());
    let result = serde_json::value::to_raw_value(&json!({ "content": [] })).unwrap();
    let finishing = tokio::spawn(worker.finish(Ok(result)));
    server.run().unwrap();
    finishing.await.unwrap();
    let ended = tasks.get(&who("alice"), &task.task_id).await.unwrap();
    let ended = serde_json::to_value(ended.detailed()).unwrap();
    assert_eq!(ended["status"], "completed");
}

async fn order(ctx: Ctx, _: NoArgs) -> Result<String> {
    match ctx.elicit::<u8>("How many?").await? {
        Elicited::Accepted(number) => Ok(format!("{number} ordered")),
        _ => Ok("nothing".into()),
    }
}

async fn plain(_: Ctx, _: NoArgs) -> Result<&'static str> {
    Ok("as ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_what_must_not_be_guessed_is_503_and_all_else_goes_on() {
    let mut server = redis_server!();
    let redis = replica(&server).await;
    let serving = Server::builder("test", "1.0.0")
        .tool(Tool::new("order", order).asks::<u8>())
        .tool(Tool::new("plain", plain))
        .redis(&redis)
        .build()
        .unwrap();
    let call = |params: Value| {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        });
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
    };
    let start = tokio::task::spawn_blocking(move || LocalServer::start(serving, patient()));
    let http = start.await.unwrap();
    let address = http.address();
    let ask = async |message: Value| {
        let asked = move || Client::connect(address).ask(&mirrored(&message));
        let asked = tokio::task::spawn_blocking(asked);
        asked.await.unwrap()
    };
    let round = ask(call(json!({ "name": "order" }))).await.message();
    let state = round["result"]["requestState"].as_str().unwrap().to_owned();
    let requests = round["result"]["inputRequests"].as_object().unwrap();
    let key = requests.keys().next().unwrap().clone();
    let field = requests[&key]["params"]["requestedSchema"]["properties"]
        .as_object()
        .unwrap();
    let field = field.keys().next().unwrap().clone();
    let answers = json!({ key: { "action": "accept", "content": { field: 3 } } });
    let second = json!({ "name": "order", "requestState": state, "inputResponses": answers });
    server.kill();
    for _ in 0..3 {
        let refused = ask(call(second.clone())).await;
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("retry-after"), Some("2"));
        assert_eq!(refused.message()["error"]["code"], Code::BUSY.0);
        let began = Instant::now();
        let plain = ask(call(json!({ "name": "plain" }))).await.message();
        assert_eq!(plain["result"]["content"][0]["text"], "as ever", "{plain}");
        assert!(
            began.elapsed() < Duration::from_millis(200),
            "{:?}",
            began.elapsed()
        );
    }
    server.run().unwrap();
    until(async || redis.is_reachable()).await;
    let done = ask(call(second.clone())).await.message();
    assert_eq!(done["result"]["content"][0]["text"], "3 ordered", "{done}");
    let again = ask(call(second)).await.message();
    assert_eq!(again["error"]["code"], Code::INVALID_PARAMS.0, "{again}");
}
