//! Tasks that one replica runs, and clients that come to another.

use std::collections::BTreeMap;
use std::time::Duration;

use pymcp_kit::store::redis::Redis;
use pymcp_kit::store::{BudgetStore, StoreError};
use pymcp_kit::tasks::{AskError, Change, RedisTasks, TaskLimits, TaskStore, Tasks};
use pymcp_kit::wire::Code;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{PATIENCE, caller, redis_server, replica, until, who};

fn tasks(redis: &Redis, limits: TaskLimits) -> Tasks {
    Tasks::new(std::sync::Arc::new(RedisTasks::new(redis, limits)), limits)
}

fn raw(value: Value) -> Box<RawValue> {
    to_raw_value(&value).unwrap()
}

#[tokio::test]
async fn a_task_is_begun_here_and_polled_answered_and_ended_there() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let limits = TaskLimits::default();
    let (here, there) = (tasks(&one, limits), tasks(&other, limits));
    let alice = caller("alice");
    let (worker, task) = here.create(&alice, None).await.unwrap();
    let id = &*task.task_id;
    let see = async || there.get(&who("alice"), id).await.unwrap();
    assert_eq!(see().await.version, 1);
    let stranger = there.get(&who("bob"), id).await.err().unwrap();
    assert_eq!(stranger.code, Code::INVALID_PARAMS);
    worker.handle().set_message("half way").await;
    assert_eq!(see().await.status_message.as_deref(), Some("half way"));

    let handle = worker.handle().clone();
    let asking =
        tokio::spawn(async move { handle.ask("sure", raw(json!({ "method": "x" }))).await });
    until(async || see().await.requests.contains_key("sure")).await;
    let answers = BTreeMap::from([("sure".into(), raw(json!({ "action": "accept" })))]);
    there.update(&who("alice"), id, answers).await.unwrap();
    let answer = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.get(), r#"{"action":"accept"}"#);

    worker.finish(Ok(raw(json!({ "content": [] })))).await;
    let ended: Value = serde_json::to_value(see().await.detailed()).unwrap();
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["result"], json!({ "content": [] }));
}

#[tokio::test]
async fn work_hears_within_a_second_that_another_replica_cancelled_it() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let limits = TaskLimits::default();
    let (here, there) = (tasks(&one, limits), tasks(&other, limits));
    let (worker, task) = here.create(&caller("alice"), None).await.unwrap();
    let handle = worker.handle().clone();
    let cancelled = tokio::spawn(async move { handle.cancelled().await });
    let handle = worker.handle().clone();
    let asking = tokio::spawn(async move { handle.ask("sure", raw(json!({}))).await });
    until(async || {
        let seen = there.get(&who("alice"), &task.task_id).await.unwrap();
        !seen.requests.is_empty()
    })
    .await;
    let began = std::time::Instant::now();
    there.cancel(&who("alice"), &task.task_id).await.unwrap();
    timeout(PATIENCE, cancelled).await.unwrap().unwrap();
    let asked = timeout(PATIENCE, asking).await.unwrap().unwrap();
    assert_eq!(asked.err(), Some(AskError::Ended));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    worker.finish(Ok(raw(json!({})))).await;
    let seen = there.get(&who("alice"), &task.task_id).await.unwrap();
    let seen = serde_json::to_value(seen.detailed()).unwrap();
    assert_eq!(seen["status"], "cancelled");
}

#[tokio::test]
async fn changes_at_the_same_time_are_made_one_after_another() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let limits = TaskLimits::default();
    let stores = [
        RedisTasks::new(&one, limits),
        RedisTasks::new(&other, limits),
    ];
    let (_worker, task) = tasks(&one, limits)
        .create(&caller("alice"), None)
        .await
        .unwrap();
    let (owner, id) = (who("alice"), &*task.task_id);
    let asks = (0..10).map(|number| {
        let key = format!("q{number}").into();
        let request = raw(json!({}));
        stores[number % 2].change(&owner, id, Change::Ask { key, request })
    });
    for asked in futures_util::future::join_all(asks).await {
        assert!(asked.unwrap().is_some());
    }
    let record = stores[0].get(&owner, id).await.unwrap().unwrap();
    assert_eq!((record.requests.len(), record.version), (10, 11));
}

#[tokio::test]
async fn one_caller_has_its_share_and_the_oldest_that_have_ended_go() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let limits = TaskLimits {
        tasks_per_caller: 3,
        bytes_per_caller: 100,
        ..TaskLimits::default()
    };
    let tasks = tasks(&redis, limits);
    let alice = caller("alice");
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(tasks.create(&alice, None).await.unwrap());
    }
    let refused = tasks.create(&alice, None).await.err().unwrap();
    assert_eq!(refused.code, Code::BUSY);
    assert!(tasks.create(&caller("bob"), None).await.is_ok());
    let (worker, first) = workers.remove(0);
    worker.finish(Ok(raw(json!("x".repeat(80))))).await;
    let (worker, second) = workers.remove(0);
    // It has no room beside the first, which has ended and goes for it.
    worker.finish(Ok(raw(json!("y".repeat(80))))).await;
    let there = async |id: &str| tasks.get(&who("alice"), id).await.is_ok();
    assert!(!there(&first.task_id).await && there(&second.task_id).await);
    let (worker, third) = workers.remove(0);
    let asked = worker
        .handle()
        .ask("much", raw(json!("z".repeat(200))))
        .await;
    assert_eq!(asked.err(), Some(AskError::Store(StoreError::Full)));
    // What ends a task is never refused.
    worker.finish(Ok(raw(json!("z".repeat(200))))).await;
    let ended = tasks.get(&who("alice"), &third.task_id).await.unwrap();
    let ended = serde_json::to_value(ended.detailed()).unwrap();
    assert_eq!(ended["status"], "failed");
    drop(tasks.create(&alice, None).await.unwrap());
}

#[tokio::test]
async fn a_task_ends_with_its_time() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let tasks = tasks(&redis, TaskLimits::default());
    let alice = caller("alice");
    let (worker, task) = tasks
        .create(&alice, Some(Duration::from_secs(1)))
        .await
        .unwrap();
    timeout(PATIENCE, worker.handle().cancelled())
        .await
        .unwrap();
    assert!(tasks.get(&who("alice"), &task.task_id).await.is_err());
    assert_eq!(server.command(&["KEYS", "test:*:t:*"]), "");
}

#[tokio::test]
async fn a_task_of_the_next_format_is_changed_and_keeps_what_this_one_does_not_know() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let limits = TaskLimits::default();
    let store = RedisTasks::new(&redis, limits);
    let (_worker, task) = tasks(&redis, limits)
        .create(&caller("alice"), None)
        .await
        .unwrap();
    let key = server.command(&["KEYS", "test:*:t:*"]);
    let stored =
        || -> Value { serde_json::from_str(&server.command(&["HGET", &key, "record"])).unwrap() };
    let mut next = stored();
    assert_eq!(next["format"], 1);
    next["format"] = json!(2);
    next["progress"] = json!({ "done": 3, "of": 4 });
    server.command(&["HSET", &key, "record", &next.to_string()]);
    let (owner, id) = (who("alice"), &*task.task_id);
    let change = Change::Message("on".into());
    let changed = store.change(&owner, id, change).await.unwrap().unwrap();
    assert!(changed.visible);
    let kept = stored();
    assert_eq!(kept["format"], 2);
    assert_eq!(kept["progress"], json!({ "done": 3, "of": 4 }));
    assert_eq!(kept["status_message"], "on");
    // What only a later release understands is refused, and not guessed.
    next["readers"] = json!(2);
    server.command(&["HSET", &key, "record", &next.to_string()]);
    let refused = store.get(&owner, id).await.err();
    assert_eq!(refused, Some(StoreError::Unavailable));
}

/// A replica of its own thread, which begins a task and is killed while that works.
fn killed(url: &str, name: &'static str) -> String {
    let url = url.to_owned();
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let id = runtime.block_on(async {
            let redis = super::connect(&url, "test").await;
            let (worker, task) = tasks(&redis, TaskLimits::default())
                .create(&caller(name), None)
                .await
                .unwrap();
            // It says nothing any more, as one that is killed.
            std::mem::forget(worker);
            task.task_id.to_string()
        });
        drop(runtime);
        id
    });
    running.join().unwrap()
}

#[tokio::test]
async fn a_task_whose_replica_was_killed_has_failed_half_a_minute_later_and_not_before() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let limits = TaskLimits::default();
    let all = [tasks(&one, limits), tasks(&other, limits)];
    let id = killed(&server.url(), "alice");
    let earlier = killed(&server.url(), "bob");
    // As an earlier release has written it.
    let key = server.command(&["KEYS", &format!("test:*:t:{earlier}")]);
    assert_eq!(server.command(&["HDEL", &key, "worker"]), "1");
    // One of a replica that is there all the time.
    let (worker, own) = all[0].create(&caller("alice"), None).await.unwrap();
    let status = async |tasks: &Tasks, name: &str, id: &str| {
        let seen = tasks.get(&who(name), id).await.unwrap();
        serde_json::to_value(seen.detailed()).unwrap()
    };
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(24) {
        for tasks in &all {
            assert_eq!(status(tasks, "alice", &id).await["status"], "working");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    until(async || status(&all[1], "alice", &id).await["status"] == "failed").await;
    assert!(began.elapsed() < Duration::from_secs(40));
    for tasks in &all {
        let ended = status(tasks, "alice", &id).await;
        let said = ended["error"]["message"].as_str().unwrap();
        assert!(said.contains("make the call again"), "{ended}");
        assert_eq!(ended["statusMessage"], said);
        assert_eq!(status(tasks, "bob", &earlier).await["status"], "working");
        assert_eq!(
            status(tasks, "alice", &own.task_id).await["status"],
            "working"
        );
    }
    // One that is only cut off for a while, so that it is not counted any more, ends its tasks when it is back.
    let rights = "on >s3cr3t ~* &* +@all";
    let words = ["ACL", "SETUSER", "app"].into_iter();
    server.command(&words.chain(rights.split(' ')).collect::<Vec<_>>());
    let cut = super::connect(&server.url_of("app", "s3cr3t"), "test").await;
    let (cut_off, its) = tasks(&cut, limits)
        .create(&caller("alice"), None)
        .await
        .unwrap();
    server.command(&["ACL", "SETUSER", "app", "off"]);
    server.command(&["CLIENT", "KILL", "USER", "app"]);
    until(async || other.replicas() == 3).await;
    until(async || other.replicas() == 2).await;
    let finishing = tokio::spawn(cut_off.finish(Ok(raw(json!({})))));
    for _ in 0..10 {
        let seen = status(&all[1], "alice", &its.task_id).await;
        assert_eq!(seen["status"], "working");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.command(&["ACL", "SETUSER", "app", "on"]);
    finishing.await.unwrap();
    let ended = status(&all[1], "alice", &its.task_id).await;
    assert_eq!(ended["status"], "completed");
    // A list that was lost says nothing of who is gone, until each has had the time to be in it again.
    server.command(&["DEL", "test:{}:replicas"]);
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        assert_eq!(
            status(&all[1], "alice", &own.task_id).await["status"],
            "working"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.finish(Ok(raw(json!({})))).await;
    let ended = status(&all[1], "alice", &own.task_id).await;
    assert_eq!(ended["status"], "completed");
}

/// It was away for so long that another replica took it for gone.
#[tokio::test]
async fn work_that_comes_back_to_a_task_that_has_failed_ends_and_changes_nothing() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let limits = TaskLimits::default();
    let (here, there) = (tasks(&one, limits), RedisTasks::new(&other, limits));
    let (worker, task) = here.create(&caller("alice"), None).await.unwrap();
    let handle = worker.handle().clone();
    let ended = tokio::spawn(async move { handle.cancelled().await });
    let (error, message) = (
        raw(json!({ "code": -32603, "message": "gone" })),
        "gone".to_owned(),
    );
    let change = Change::Fail { error, message };
    let (owner, id) = (who("alice"), &*task.task_id);
    there.change(&owner, id, change).await.unwrap().unwrap();
    timeout(PATIENCE, ended).await.unwrap().unwrap();
    worker.handle().set_message("still at it").await;
    worker.finish(Ok(raw(json!({ "content": [] })))).await;
    let seen = here.get(&owner, id).await.unwrap();
    assert_eq!(seen.status_message.as_deref(), Some("gone"));
    let seen = serde_json::to_value(seen.detailed()).unwrap();
    assert_eq!(seen["status"], "failed");
}
