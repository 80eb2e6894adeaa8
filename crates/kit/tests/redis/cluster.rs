//! A store that is a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pymcp_kit::limits::Rate;
use pymcp_kit::metrics::Metrics;
use pymcp_kit::store::redis::{Redis, RedisBuckets};
use pymcp_kit::store::{
    BucketLimits, BucketStore, BudgetStore, EndedSession, EndedSessionStore, EventStore,
    EventStream, NonceStore, Spending, StoreError, StoredEvent, TokenChange, TokenChangeStore,
};
use pymcp_kit::tasks::{RedisTasks, TaskLimits, Tasks};
use pymcp_kit::{Server, ServerBuilder};
use serde_json::json;
use serde_json::value::to_raw_value;

use super::certificates::Certificates;
use super::nodes::{self, Cluster, Node};
use super::{caller, connect, until, who};

const TTL: Duration = Duration::from_secs(60);

/// Principals enough for each node to have some.
const MANY: u32 = 24;

macro_rules! cluster {
    ($count:expr) => {
        match Cluster::start($count) {
            Some(cluster) => cluster,
            None => return,
        }
    };
}

async fn at(cluster: &Cluster, node: usize) -> Redis {
    connect(&cluster.url(node), "test").await
}

fn tasks(redis: &Redis) -> Tasks {
    let limits = TaskLimits::default();
    Tasks::new(Arc::new(RedisTasks::new(redis, limits)), limits)
}

/// Whoever has used state `number`, at the node that has it.
fn home(cluster: &Cluster, number: u32) -> (usize, String) {
    cluster.find(&format!("test:*:n:{number:032x}"))
}

/// Uses a state of each of many principals, and tells which node has those of whom.
async fn spread(cluster: &Cluster, redis: &Redis) -> BTreeMap<usize, Vec<u32>> {
    let mut homes: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for number in 0..MANY {
        let alice = caller(&name(number));
        assert_eq!(redis.claim(&alice, u128::from(number), TTL).await, Ok(true));
        homes
            .entry(home(cluster, number).0)
            .or_default()
            .push(number);
    }
    assert_eq!(homes.len(), cluster.nodes.len(), "{homes:?}");
    homes
}

fn name(number: u32) -> String {
    format!("user{number}")
}

#[tokio::test]
async fn all_that_is_shared_is_shared_over_a_cluster_whichever_node_is_named() {
    let cluster = cluster!(3);
    let (one, other) = (at(&cluster, 0).await, at(&cluster, 2).await);
    assert_eq!((one.nodes(), other.nodes()), ((3, 3), (3, 3)));
    assert!(one.report().to_string().ends_with("a cluster of 3 nodes"));
    let places: BTreeSet<_> = cluster.nodes.iter().map(|node| node.port).collect();
    let ports = one.hosts().into_iter().map(|(_, port)| port);
    assert_eq!(ports.collect::<BTreeSet<_>>(), places);
    until(async || one.replicas() == 2 && other.replicas() == 2).await;

    spread(&cluster, &one).await;
    for number in 0..MANY {
        let (alice, number) = (caller(&name(number)), u128::from(number));
        assert_eq!(other.claim(&alice, number, TTL).await, Ok(false));
        assert_eq!(other.is_used(alice.principal(), number).await, Ok(true));
    }
    let (kept, read) = (
        RedisBuckets::new(&one, BucketLimits::default()),
        RedisBuckets::new(&other, BucketLimits::default()),
    );
    let (here, there) = (tasks(&one), tasks(&other));
    for number in 0..MANY {
        let (principal, caller) = (who(&name(number)), caller(&name(number)));
        kept.set(&principal, "x", b"1"[..].into(), TTL)
            .await
            .unwrap();
        let found = read.get(&principal, "x").await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"1"[..]));
        assert_eq!(read.remove(&principal, "x").await, Ok(true));
        let spendings = [Spending {
            name: "",
            rate: Rate::per_hour(2),
            cost: 1,
        }];
        for (redis, fits) in [(&one, true), (&other, true), (&one, false)] {
            let spent = redis.spend(&principal, &spendings).await.unwrap();
            assert_eq!(spent.is_ok(), fits);
        }
        let (worker, task) = here.create(&caller, None).await.unwrap();
        worker.handle().set_message("half way").await;
        let seen = there.get(&principal, &task.task_id).await.unwrap();
        assert_eq!(seen.status_message.as_deref(), Some("half way"));
        worker.finish(Ok(to_raw_value(&json!({})).unwrap())).await;
        let seen = there.get(&principal, &task.task_id).await.unwrap();
        assert!(seen.ending.is_some());
        let stream = EventStream {
            owner: principal,
            session: 1,
            stream: 2,
        };
        let said = StoredEvent::Message(Bytes::from_static(b"said"));
        let events = [(0, StoredEvent::Begun), (1, said.clone())];
        assert_eq!(one.append(&stream, &events, 0, TTL).await, Ok(true));
        let found = EventStore::after(&other, &stream, 0).await.unwrap();
        assert_eq!(found.unwrap().events, [(1, said)]);
    }
    let ended = EndedSession {
        nonce: 7,
        expires: 4_000_000_000,
    };
    one.add(&[ended], 100).await.unwrap();
    let (found, _) = EndedSessionStore::after(&other, "").await.unwrap();
    assert_eq!(found, [ended]);
    let revoked = TokenChange {
        id: 9,
        expires: 4_000_000_000,
        revoked: true,
    };
    one.add_changes(&[revoked], 100).await.unwrap();
    let (found, _) = other.changes_after("").await.unwrap();
    assert_eq!(found, [revoked]);
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
}

/// What one replica waits for is told wherever the task is, also while the store is asked seldom.
#[tokio::test]
async fn replicas_hear_each_other_whichever_node_their_tasks_are_at() {
    let cluster = cluster!(3);
    let (one, other) = (at(&cluster, 0).await, at(&cluster, 1).await);
    let (_server, _other) = (
        builder().redis(&one).build().unwrap(),
        builder().redis(&other).build().unwrap(),
    );
    let (here, there) = (tasks(&one), tasks(&other));
    until(async || one.hears_replicas() && other.hears_replicas()).await;
    // Both hear at the node that has the slot of the channel.
    let hearing = |node: &Node| {
        let clients = node.server.command(&["CLIENT", "LIST"]);
        clients.matches("sub=2").count()
    };
    let mut counts: Vec<_> = cluster.nodes.iter().map(hearing).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 2]);
    let mut slow = 0;
    for number in 0..12 {
        let (worker, task) = here.create(&caller(&name(number)), None).await.unwrap();
        let handle = worker.handle().clone();
        let cancelled = tokio::spawn(async move { handle.cancelled().await });
        // It waits by now.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        there
            .cancel(&who(&name(number)), &task.task_id)
            .await
            .unwrap();
        cancelled.await.unwrap();
        slow += u32::from(began.elapsed() > Duration::from_secs(1));
    }
    assert!(slow <= 2, "{slow} of 12 were not told");

    // The bus goes to another node when its own is killed, before anybody takes that one's place.
    let mut cluster = cluster;
    let heard = cluster.nodes.iter().position(|node| hearing(node) == 2);
    cluster.nodes[heard.unwrap()].server.kill();
    until(async || !one.hears_replicas() && !other.hears_replicas()).await;
    let back = until(async || one.hears_replicas() && other.hears_replicas()).await;
    assert!(back < Duration::from_secs(2), "{back:?}");
    // They meet there again when it is back, so that nobody depends on what nodes tell each other.
    let heard = heard.unwrap();
    cluster.nodes[heard].server.run().unwrap();
    until(async || hearing(&cluster.nodes[heard]) == 2).await;
    until(async || one.hears_replicas() && other.hears_replicas()).await;
}

#[tokio::test]
async fn a_node_that_is_killed_makes_only_its_own_slots_unavailable_and_at_once() {
    let mut cluster = cluster!(3);
    let redis = at(&cluster, 0).await;
    let metrics = Metrics::new();
    let _server = builder().redis(&redis).metrics(&metrics).build().unwrap();
    let homes = spread(&cluster, &redis).await;
    cluster.nodes[1].server.kill();
    let use_one = async |number: u32, state: u128| {
        let alice = caller(&name(number));
        redis.claim(&alice, state, TTL).await
    };
    until(async || !redis.is_reachable()).await;
    assert_eq!(redis.nodes(), (2, 3));
    let text = metrics.text();
    for line in [
        "mcp_server_store_nodes{state=\"up\"} 2",
        "mcp_server_store_nodes{state=\"away\"} 1",
        "mcp_server_store_up 0",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let began = Instant::now();
    for round in 0..100 {
        for (node, all) in &homes {
            let expected = match node {
                1 => Err(StoreError::Unavailable),
                _ => Ok(true),
            };
            assert_eq!(use_one(all[0], 1000 + round).await, expected);
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2));
    // The others go on also when they have found out.
    nodes::until(|| {
        let nodes = cluster.nodes[0].server.command(&["CLUSTER", "NODES"]);
        nodes.contains("fail")
    });
    assert_eq!(use_one(homes[&0][0], 5000).await, Ok(true));
    cluster.nodes[1].server.run().unwrap();
    let back = until(async || use_one(homes[&1][0], 5001).await == Ok(true)).await;
    assert!(back < Duration::from_secs(5), "{back:?}");
    until(async || redis.is_reachable()).await;
}

/// No state is used twice and no task is lost while the slot of their principal moves, whichever replica they come to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_while_it_is_used_loses_nothing_and_serves_nothing_twice() {
    let cluster = cluster!(3);
    let all = [at(&cluster, 0).await, at(&cluster, 1).await];
    let (alice, owner) = (caller("alice"), who("alice"));
    assert_eq!(
        all[0].claim(&alice, u128::from(u32::MAX), TTL).await,
        Ok(true)
    );
    let (mut from, key) = home(&cluster, u32::MAX);
    let (here, there) = (tasks(&all[0]), tasks(&all[1]));
    let (worker, task) = here.create(&alice, None).await.unwrap();
    let counts: Arc<(AtomicU32, AtomicU32, AtomicBool)> = Arc::default();
    let (used, refused, stop) = &*counts;
    let (user, replicas) = (alice.clone(), all.clone());
    let counted = Arc::clone(&counts);
    let using = tokio::spawn(async move {
        let (alice, all, (used, refused, stop)) = (user, replicas, &*counted);
        let mut state = 0;
        let mut served = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let mut times = 0;
            // Until both replicas say that it is used.
            let mut known = [false; 2];
            while known != [true; 2] {
                for (index, redis) in all.iter().enumerate() {
                    match redis.claim(&alice, state, TTL).await {
                        Ok(true) => times += 1,
                        Ok(false) => known[index] = true,
                        Err(_) => {
                            refused.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    }
                }
            }
            served.push(times);
            used.fetch_add(1, Ordering::SeqCst);
            state += 1;
        }
        served
    });
    for round in 0..6 {
        let before = used.load(Ordering::SeqCst);
        until(async || used.load(Ordering::SeqCst) > before + 20).await;
        let to = (from + 1) % 3;
        tokio::task::block_in_place(|| {
            cluster.move_slot(&key, from, to, || {
                // Somebody asks meanwhile.
                std::thread::sleep(Duration::from_millis(20));
            });
        });
        from = to;
        let message = format!("round {round}");
        until(async || {
            worker.handle().set_message(&*message).await;
            let seen = there.get(&owner, &task.task_id).await;
            seen.is_ok_and(|seen| seen.status_message.as_deref() == Some(&*message))
        })
        .await;
    }
    stop.store(true, Ordering::SeqCst);
    let served = using.await.unwrap();
    // An answer that was lost on its way counts as none, and never as a second one.
    assert!(served.iter().all(|times| *times <= 1), "{served:?}");
    let lost = served.iter().filter(|times| **times == 0).count();
    assert_eq!(lost, 0, "no connection broke");
    assert!(served.len() > 100, "{}", served.len());
    assert!(refused.load(Ordering::SeqCst) > 0, "it was on its way");
    assert_eq!(home(&cluster, 0).0, from);
}

#[tokio::test]
async fn a_node_that_comes_later_is_found_when_a_slot_moves_there() {
    let mut cluster = cluster!(2);
    let redis = at(&cluster, 0).await;
    let alice = caller("alice");
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(true));
    let (from, key) = home(&cluster, 1);
    let Some(third) = Node::start() else { return };
    third.meet(&cluster.nodes[0]);
    cluster.nodes.push(third);
    cluster.settle();
    assert_eq!(redis.nodes(), (2, 2));
    cluster.move_slot(&key, from, 2, || {});
    let began = Instant::now();
    assert_eq!(redis.claim(&alice, 1, TTL).await, Ok(false));
    assert!(began.elapsed() < Duration::from_millis(300));
    assert_eq!(redis.claim(&alice, 2, TTL).await, Ok(true));
    assert_eq!(redis.nodes(), (3, 3));
}

#[tokio::test]
async fn a_follower_takes_the_place_of_a_node_that_died() {
    let mut cluster = cluster!(3);
    let Some(follower) = Node::start() else {
        return;
    };
    follower.meet(&cluster.nodes[0]);
    cluster.nodes.push(follower);
    cluster.settle();
    let leader = cluster.nodes[1].id();
    nodes::until(|| {
        let words = ["CLUSTER", "REPLICATE", &leader];
        cluster.nodes[3].server.command(&words) == "OK"
    });
    nodes::until(|| {
        let info = cluster.nodes[3].server.command(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    });
    nodes::until(|| {
        let slots = cluster.nodes[0].server.command(&["CLUSTER", "SLOTS"]);
        slots.contains(&cluster.nodes[3].port.to_string())
    });
    // Whoever names the follower finds the others.
    let redis = at(&cluster, 3).await;
    assert_eq!(redis.nodes(), (3, 3));
    assert_eq!(redis.hosts().len(), 4);
    let mut mine = None;
    for number in 0..MANY {
        let alice = caller(&name(number));
        assert_eq!(redis.claim(&alice, u128::from(number), TTL).await, Ok(true));
        let keys = cluster.nodes[1]
            .server
            .command(&["KEYS", &format!("test:*:n:{number:032x}")]);
        if !keys.is_empty() {
            mine = Some(number);
        }
    }
    let mine = mine.unwrap();
    nodes::until(|| {
        let keys = format!("test:*:n:{mine:032x}");
        !cluster.nodes[3].server.command(&["KEYS", &keys]).is_empty()
    });
    cluster.nodes[1].server.kill();
    let alice = caller(&name(mine));
    let away = redis.claim(&alice, 7000, TTL).await;
    assert_eq!(away, Err(StoreError::Unavailable));
    until(async || redis.claim(&alice, 7000, TTL).await == Ok(true)).await;
    // What was used before is still used.
    assert_eq!(redis.claim(&alice, u128::from(mine), TTL).await, Ok(false));
    until(async || redis.is_reachable()).await;
    assert_eq!(redis.nodes(), (3, 3));

    // The other comes back, follows, and is given its place again by an operator: that takes a moment.
    cluster.nodes[1].server.run().unwrap();
    nodes::until(|| {
        let info = cluster.nodes[1].server.command(&["INFO", "replication"]);
        info.contains("role:slave") && info.contains("master_link_status:up")
    });
    nodes::until(|| cluster.nodes[1].server.command(&["CLUSTER", "FAILOVER"]) == "OK");
    let mut state = 8000;
    let role = || cluster.nodes[1].server.command(&["ROLE"]);
    while role().starts_with("slave") {
        // The one that it takes over from lets its clients wait meanwhile.
        state += 1;
        let _ = redis.claim(&alice, state, TTL).await;
    }
    let back = until(async || redis.claim(&alice, 9_000_000, TTL).await == Ok(true)).await;
    assert!(back < Duration::from_secs(3), "{back:?}");
    until(async || redis.is_reachable()).await;
    assert_eq!(redis.claim(&alice, u128::from(mine), TTL).await, Ok(false));
    assert_eq!(redis.nodes(), (3, 3));
}

#[tokio::test]
async fn what_is_unfit_of_a_cluster_is_said_at_the_start() {
    let Some(lonely) = Node::start() else { return };
    let refused = async |url: &str| {
        let connected = Redis::connect(url.parse().unwrap(), "test").await;
        connected.unwrap_err().to_string()
    };
    let said = refused(&lonely.url()).await;
    assert!(said.contains("no slots yet"), "{said}");
    let mut cluster = cluster!(2);
    let rights =
        "on >s3cr3t ~test:* resetchannels &test:* -@all +@read +@write +@scripting +time +info";
    for node in &cluster.nodes {
        let words = ["ACL", "SETUSER", "app"];
        let words: Vec<_> = words.into_iter().chain(rights.split(' ')).collect();
        node.ok(&words);
    }
    let url = format!("redis://app:s3cr3t@127.0.0.1:{}", cluster.nodes[0].port);
    let said = refused(&url).await;
    assert!(
        said.contains("+cluster|slots") && !said.contains("s3cr3t"),
        "{said}"
    );
    for node in &cluster.nodes {
        node.ok(&[
            "ACL",
            "SETUSER",
            "app",
            "+cluster|slots",
            "+cluster|info",
            "+subscribe",
            "+publish",
        ]);
    }
    let redis = connect(&url, "test").await;
    assert!(redis.is_reachable());
    redis.check_bus().await.unwrap();
    let said = refused(&format!("{}/2", cluster.url(0))).await;
    assert!(said.contains("cannot be used"), "{said}");
    // One node with another policy is enough for a warning, and one that is away for another.
    cluster.nodes[1].ok(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let said = at(&cluster, 0).await.report().warnings();
    assert!(format!("{said:?}").contains("allkeys-lru"), "{said:?}");
    cluster.nodes[1].server.kill();
    let redis = at(&cluster, 0).await;
    let said = format!("{:?}", redis.report().warnings());
    assert!(said.contains("does not answer"), "{said}");
    assert_eq!(redis.nodes(), (1, 2));
}

/// The map names nodes by their addresses, for which their certificates have to be.
#[tokio::test]
async fn nodes_are_reached_over_tls_by_what_the_map_calls_them() {
    let certificates = Certificates::of("127.0.0.1", (2100, 1, 1));
    let start = || {
        Node::with(|port, options| {
            let options = [
                &["--tls-cluster", "yes", "--tls-replication", "yes"],
                options,
            ];
            certificates.store_at(port, false, &options.concat())
        })
    };
    let Some(mut cluster) = Cluster::of(2, start) else {
        return;
    };
    let url = |node: &Node| {
        let ca = certificates.path("ca.pem");
        format!("rediss://127.0.0.1:{}?ca={ca}", node.port)
    };
    let redis = connect(&url(&cluster.nodes[0]), "test").await;
    assert_eq!(redis.nodes(), (2, 2));
    redis.check_bus().await.unwrap();
    let homes = spread(&cluster, &redis).await;
    cluster.nodes[1].server.kill();
    until(async || redis.nodes() == (1, 2)).await;
    cluster.nodes[1].server.run().unwrap();
    let alice = caller(&name(homes[&1][0]));
    until(async || redis.claim(&alice, 1000, TTL).await == Ok(true)).await;
}
