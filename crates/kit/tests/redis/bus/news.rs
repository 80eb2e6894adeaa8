//! Changes of lists, resources and tasks that are made at one replica and heard at all.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pymcp_kit::Kind;
use pymcp_kit::core::Unsolicited;
use pymcp_kit::tasks::{RedisTasks, TaskLimits, Tasks};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::super::replicas::client::{Client, able, accept};
use super::super::server::RedisServer;
use super::super::{PATIENCE, caller, connect, redis_server, until, who};
use super::{Replica, SILENCE, builder, hear_each_other, replicas};

const LISTS: [&str; 3] = [
    "notifications/tools/list_changed",
    "notifications/resources/list_changed",
    "notifications/prompts/list_changed",
];

/// The next notification on the stream of a legacy client.
async fn told(stream: &mut Unsolicited) -> Value {
    let message = timeout(PATIENCE, stream.recv()).await.unwrap().unwrap();
    serde_json::from_slice(&message).unwrap()
}

fn wanted() -> Value {
    json!({
        "toolsListChanged": true,
        "resourcesListChanged": true,
        "promptsListChanged": true,
        "resourceSubscriptions": ["data://c"],
    })
}

#[tokio::test]
async fn what_a_handler_says_of_lists_and_resources_is_heard_once_at_every_replica() {
    let server = redis_server!();
    let all: [Replica; 3] = replicas(&server).await;
    let mut modern = Vec::new();
    let mut legacy = Vec::new();
    for one in &all {
        let client = Client::modern(&one.server, able());
        modern.push(client.listen(wanted()).await);
        let (client, stream) = Client::legacy(&one.server).await;
        let uri = json!({ "uri": "data://c" });
        client.result("resources/subscribe", uri).await;
        legacy.push((client, stream));
    }
    for (number, one) in all.iter().enumerate() {
        let components = one.server.components();
        components.changed(Kind::Template);
        // Nobody wants to hear of it.
        components.updated("data://d");
        components.updated("DATA://c");
        for listening in &mut modern {
            assert_eq!(listening.hear().await["method"], LISTS[1], "{number}");
            assert_eq!(listening.hear().await["params"]["uri"], "data://c");
        }
        for (_, stream) in &mut legacy {
            assert_eq!(told(stream).await["method"], LISTS[1], "{number}");
            assert_eq!(told(stream).await["params"]["uri"], "data://c");
        }
    }
    // A replica of a later release says more, and things that nobody here knows.
    for message in [
        r#"{"readers":1,"from":9,"kind":"painted","colour":1}"#,
        r#"{"readers":2,"from":9,"kind":"changed","list":"tools"}"#,
        "nonsense",
        r#"{"readers":1,"from":9,"kind":"updated","uri":"data://c","colour":[1]}"#,
    ] {
        server.command(&["PUBLISH", "test:{}:bus", message]);
    }
    for (listening, (_, stream)) in modern.iter_mut().zip(&mut legacy) {
        assert_eq!(listening.hear().await["params"]["uri"], "data://c");
        assert_eq!(told(stream).await["params"]["uri"], "data://c");
    }
    // A replica's own components are no news to the others.
    assert!(all[0].server.components().switch(Kind::Tool, "wait", false));
    assert_eq!(modern[0].hear().await["method"], LISTS[0]);
    assert_eq!(told(&mut legacy[0].1).await["method"], LISTS[0]);
    sleep(SILENCE).await;
    for (listening, (_, stream)) in modern.iter_mut().zip(&mut legacy) {
        assert!(listening.is_silent());
        assert!(stream.try_recv().is_err());
    }
}

#[tokio::test]
async fn without_the_bus_each_tells_its_own_and_then_everybody_is_told_to_look_again() {
    let mut server = redis_server!();
    let all: [Replica; 2] = replicas(&server).await;
    let [here, there] = &all;
    let mut modern = Client::modern(&there.server, able()).listen(wanted()).await;
    let (client, mut legacy) = Client::legacy(&there.server).await;
    // More than wait for a client at a time.
    for number in 0..100 {
        let uri = json!({ "uri": format!("data://{number}") });
        client.result("resources/subscribe", uri).await;
    }
    server.kill();
    until(async || !here.redis.hears_replicas() && !there.redis.hears_replicas()).await;
    there.server.components().changed(Kind::Tool);
    assert_eq!(modern.hear().await["method"], LISTS[0]);
    assert_eq!(told(&mut legacy).await["method"], LISTS[0]);
    here.server.components().changed(Kind::Prompt);
    sleep(SILENCE).await;
    assert!(modern.is_silent() && legacy.try_recv().is_err());
    server.run().unwrap();
    hear_each_other(&all).await;
    for expected in LISTS {
        assert_eq!(modern.hear().await["method"], expected);
    }
    assert_eq!(modern.hear().await["params"]["uri"], "data://c");
    for expected in LISTS {
        assert_eq!(told(&mut legacy).await["method"], expected);
    }
    let mut uris = std::collections::BTreeSet::new();
    while uris.len() < 100 {
        let message = told(&mut legacy).await;
        if let Some(uri) = message["params"]["uri"].as_str() {
            uris.insert(uri.to_owned());
        }
    }
}

#[tokio::test]
async fn the_status_of_a_task_is_heard_at_every_replica_by_whose_it_is() {
    let server = redis_server!();
    let [runs, hears, answers]: [Replica; 3] = replicas(&server).await;
    let ada = |one: &Replica| Client::modern(&one.server, able()).known_as("ada");
    let begun = ada(&runs)
        .result("tools/call", json!({ "name": "work" }))
        .await;
    let id = begun["taskId"].as_str().unwrap().to_owned();
    let task = json!({ "taskIds": [id] });
    let bob = Client::modern(&hears.server, able()).known_as("bob");
    let mut bob = bob.listen(task.clone()).await;
    let mut listening = ada(&hears).listen(task).await;
    let status = async || -> Value {
        let get = json!({ "taskId": id });
        ada(&hears).result("tasks/get", get).await["status"].clone()
    };
    until(async || status().await == "input_required").await;
    let update = json!({ "taskId": id, "inputResponses": { "sure": accept(true) } });
    ada(&answers).result("tasks/update", update).await;
    loop {
        let told = listening.hear().await;
        assert_eq!(told["method"], "notifications/tasks");
        assert_eq!(told["params"]["taskId"], *id);
        if told["params"]["status"] == "completed" {
            break;
        }
    }
    assert!(bob.is_silent());
}

#[tokio::test]
async fn work_hears_at_once_what_is_done_at_another_replica_and_nobody_asks_for_versions() {
    let server = redis_server!();
    let [runs, other]: [Replica; 2] = replicas(&server).await;
    let limits = TaskLimits::default();
    let tasks = |one: &Replica| Tasks::new(Arc::new(RedisTasks::new(&one.redis, limits)), limits);
    let (here, there) = (tasks(&runs), tasks(&other));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let (worker, task) = here.create(&caller("ada"), None).await.unwrap();
        let handle = worker.handle().clone();
        let waiting = tokio::spawn(async move { handle.cancelled().await });
        waits.push((worker, task, waiting));
    }
    server.command(&["CONFIG", "RESETSTAT"]);
    sleep(Duration::from_secs(2)).await;
    for (worker, task, waiting) in waits {
        there.cancel(&who("ada"), &task.task_id).await.unwrap();
        timeout(PATIENCE, waiting).await.unwrap().unwrap();
        drop(worker);
    }
    let asked = server.command(&["INFO", "commandstats"]);
    let versions = asked.lines().find(|line| line.starts_with("cmdstat_hget:"));
    let versions: usize = versions.map_or(0, |line| {
        let calls = line.split("calls=").nth(1).unwrap();
        calls.split(',').next().unwrap().parse().unwrap()
    });
    // Two in each cancellation, and one look at most, in case a replica dies before it tells. Twice a second would be 40.
    assert!(versions <= 2 * 8 + 8, "{versions}");
}

/// Its client waits for news, and asks nobody.
#[tokio::test]
async fn who_listens_for_a_task_is_told_that_its_replica_is_gone_for_good() {
    let server = redis_server!();
    let [hears]: [Replica; 1] = replicas(&server).await;
    let id = work_of_a_replica_that_is_killed(&server);
    hears_that_it_failed(&hears, &id).await;
}

/// There are never fewer: the next one begins when the one before it is silent.
#[tokio::test]
async fn who_listens_for_a_task_is_told_that_its_replica_was_replaced() {
    let server = redis_server!();
    let [hears]: [Replica; 1] = replicas(&server).await;
    let id = work_of_a_replica_that_is_killed(&server);
    let list = server.command(&["KEYS", "*replicas*"]).trim().to_owned();
    let scores = server.command(&["ZRANGE", &list, "0", "-1", "WITHSCORES"]);
    let times = scores.lines().skip(1).step_by(2);
    let killed = times.map(|time| time.parse().unwrap()).min().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let silent = Duration::from_micros(killed) + Duration::from_secs(10);
    sleep(silent.saturating_sub(now)).await;
    let until = silent + Duration::from_secs(600);
    let another = ["ZADD", &list, &until.as_micros().to_string(), "another"];
    assert_eq!(server.command(&another).trim(), "1");
    hears_that_it_failed(&hears, &id).await;
}

/// Returns its task.
fn work_of_a_replica_that_is_killed(server: &RedisServer) -> String {
    let url = server.url();
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let redis = connect(&url, "test").await;
            let server = builder().redis(&redis).build().unwrap();
            let ada = Client::modern(&server, able()).known_as("ada");
            let begun = ada.result("tools/call", json!({ "name": "work" })).await;
            begun["taskId"].as_str().unwrap().to_owned()
        })
    });
    killed.join().unwrap()
}

async fn hears_that_it_failed(hears: &Replica, id: &str) {
    let ada = Client::modern(&hears.server, able()).known_as("ada");
    let mut listening = ada.listen(json!({ "taskIds": [id] })).await;
    sleep(Duration::from_secs(25)).await;
    let failed = async {
        loop {
            let told = listening.hear().await;
            assert_eq!(told["params"]["taskId"], *id);
            if told["params"]["status"] == "failed" {
                break;
            }
        }
    };
    timeout(PATIENCE, failed).await.unwrap();
}
