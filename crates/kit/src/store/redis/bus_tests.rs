//! The bus against a real `redis-server`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::store::redis::Redis;

#[path = "../../../tests/redis/server.rs"]
#[allow(dead_code)]
mod server;

use server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<String>>,
    missed: AtomicUsize,
}

impl BusListener for Ear {
    fn hear(&self, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        self.heard.lock().unwrap().push(message);
    }

    fn missed(&self) {
        self.missed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Ear {
    fn of(redis: &Redis) -> Arc<Self> {
        let ear = Arc::new(Self::default());
        let listener: Weak<Self> = Arc::downgrade(&ear);
        redis.bus.attach(listener);
        ear
    }

    fn has(&self, message: &str) -> bool {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .any(|heard| heard == message)
    }

    fn gaps(&self) -> usize {
        self.missed.load(Ordering::SeqCst)
    }
}

async fn replica(url: &str, prefix: &str) -> Redis {
    Redis::connect(url.parse().unwrap(), prefix).await.unwrap()
}

async fn until(what: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE, "it does not become so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

fn text(message: &str) -> Bytes {
    Bytes::copy_from_slice(message.as_bytes())
}

fn count(redis: &Redis, count: fn(&Counts) -> &AtomicU64) -> u64 {
    count(&redis.bus.shared.counts).load(Ordering::SeqCst)
}

#[tokio::test]
async fn messages_reach_all_replicas_of_the_server_or_one_and_nobody_elses() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let url = server.url();
    let all = [
        replica(&url, "ours").await,
        replica(&url, "ours").await,
        replica(&url, "ours").await,
        replica(&url, "theirs").await,
    ];
    // Nobody listens, so there is no second connection.
    assert!(!server.command(&["CLIENT", "LIST"]).contains("resp=3"));
    let ears: Vec<_> = all.iter().map(Ear::of).collect();
    until(|| all.iter().all(Redis::hears_replicas)).await;
    let clients = server.command(&["CLIENT", "LIST"]);
    assert_eq!(clients.matches("sub=2").count(), 4, "{clients}");
    all[0].bus.publish(None, text("to all"));
    let to = all[1].bus.replica();
    all[0].bus.publish(Some(to), text("to one"));
    all[0].bus.publish(None, text("last"));
    all[3].bus.publish(None, text("theirs"));
    until(|| ears[..3].iter().all(|ear| ear.has("last")) && ears[3].has("theirs")).await;
    for (number, ear) in ears.iter().enumerate() {
        assert_eq!(ear.has("to all"), number < 3);
        assert_eq!(ear.has("to one"), number == 1);
        assert_eq!(ear.has("theirs"), number == 3);
    }
    assert_eq!(count(&all[0], |counts| &counts.published), 3);
    assert_eq!(count(&all[0], |counts| &counts.dropped), 0);
    assert_eq!(count(&all[1], |counts| &counts.heard), 3);
}

#[tokio::test]
async fn a_store_that_was_gone_or_hung_is_heard_again_within_two_seconds_and_the_gap_is_told() {
    let Some(mut server) = RedisServer::start(&[]) else {
        return;
    };
    let (one, other) = (
        replica(&server.url(), "test").await,
        replica(&server.url(), "test").await,
    );
    let (_one, ear) = (Ear::of(&one), Ear::of(&other));
    until(|| one.hears_replicas() && other.hears_replicas()).await;
    let both = || one.hears_replicas() && other.hears_replicas();
    for hangs in [false, true] {
        let before = ear.gaps();
        match hangs {
            true => server.stop(),
            false => server.kill(),
        }
        // A store that hangs is noticed by the probe.
        until(|| !one.hears_replicas() && !other.hears_replicas()).await;
        let began = Instant::now();
        for _ in 0..10_000 {
            one.bus.publish(None, text("nobody hears it"));
        }
        let took = began.elapsed();
        assert!(took < Duration::from_millis(250), "{took:?}");
        match hangs {
            true => server.go_on(),
            false => server.run().unwrap(),
        }
        let back = until(both).await;
        assert!(back < Duration::from_secs(2), "{back:?}");
        let again = format!("again {hangs}");
        until(|| {
            one.bus.publish(None, text(&again));
            ear.has(&again)
        })
        .await;
        assert!(ear.gaps() > before);
    }
    assert!(count(&one, |counts| &counts.dropped) >= 20_000);
    assert!(!ear.has("nobody hears it"));
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_counted_and_told_as_a_gap() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let (one, other) = (
        replica(&server.url(), "test").await,
        replica(&server.url(), "test").await,
    );
    let (_one, ear) = (Ear::of(&one), Ear::of(&other));
    until(|| one.hears_replicas() && other.hears_replicas()).await;
    let (dropped, gaps) = (count(&one, |counts| &counts.dropped), ear.gaps());
    // On this one thread nobody publishes meanwhile.
    for _ in 0..WAITING + 7 {
        one.bus.publish(None, text("many"));
    }
    assert_eq!(count(&one, |counts| &counts.dropped), dropped + 7);
    until(|| ear.gaps() == gaps + 1).await;
    let large = |bytes| Bytes::from(vec![b'x'; bytes]);
    one.bus.publish(None, large(MAX_MESSAGE + 1));
    assert_eq!(count(&one, |counts| &counts.dropped), dropped + 8);
    until(|| ear.gaps() == gaps + 2).await;
    let waiting = || one.bus.shared.waiting.load(Ordering::SeqCst);
    until(|| waiting() == 0).await;
    for _ in 0..5 {
        one.bus.publish(None, large(MAX_MESSAGE));
    }
    assert_eq!(count(&one, |counts| &counts.dropped), dropped + 9);
    until(|| waiting() == 0).await;
    // What one replica should have heard is of use to nobody else.
    until(|| ear.gaps() == gaps + 3).await;
    one.bus.publish(Some(7), large(MAX_MESSAGE + 1));
    one.bus.publish(None, text("after"));
    until(|| ear.has("after")).await;
    tokio::time::sleep(PROBE * 3 / 2).await;
    assert_eq!(ear.gaps(), gaps + 3);
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_leaves_the_rest_as_it_is() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let rules = "on >word ~test:* resetchannels -@all +@read +@write +@scripting +time +info";
    let words = ["ACL", "SETUSER", "app"]
        .into_iter()
        .chain(rules.split(' '));
    server.command(&words.collect::<Vec<_>>());
    let redis = replica(&server.url_of("app", "word"), "test").await;
    let ear = Ear::of(&redis);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(redis.is_reachable() && !redis.hears_replicas());
    assert_eq!(ear.gaps(), 0);
    let rules = ["ACL", "SETUSER", "app", "&test:*", "+subscribe", "+publish"];
    server.command(&rules);
    let redis = replica(&server.url_of("app", "word"), "test").await;
    let ear = Ear::of(&redis);
    until(|| redis.hears_replicas()).await;
    redis.bus.publish(None, text("heard"));
    until(|| ear.has("heard")).await;
}
