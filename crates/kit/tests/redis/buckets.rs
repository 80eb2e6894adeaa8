//! What is remembered between calls: the same on all replicas, within the bounds of each principal.

use std::time::Duration;

use pymcp_kit::store::redis::RedisBuckets;
use pymcp_kit::store::{BucketLimits, BucketStore, StoreError};

use super::{connect, redis_server, replica, until, who};

const TTL: Duration = Duration::from_secs(60);

fn few() -> BucketLimits {
    BucketLimits {
        principals: 1,
        values: 2,
        bytes: 20,
        value_bytes: 12,
        ttl: TTL,
    }
}

#[tokio::test]
async fn every_replica_has_what_one_was_told() {
    let server = redis_server!();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let (one, other) = (
        RedisBuckets::new(&one, few()),
        RedisBuckets::new(&other, few()),
    );
    let alice = who("alice");
    assert_eq!(one.get(&alice, "x").await, Ok(None));
    one.set(&alice, "x", b"\n1}\0"[..].into(), TTL)
        .await
        .unwrap();
    assert_eq!(
        other.get(&alice, "x").await.unwrap().as_deref(),
        Some(&b"\n1}\0"[..])
    );
    assert_eq!(other.get(&who("bob"), "x").await, Ok(None));
    assert_eq!(other.remove(&who("bob"), "x").await, Ok(false));
    assert_eq!(other.remove(&alice, "x").await, Ok(true));
    assert_eq!(one.get(&alice, "x").await, Ok(None));
    assert_eq!(one.remove(&alice, "x").await, Ok(false));
    one.set(&alice, "x", b"1"[..].into(), Duration::from_millis(30))
        .await
        .unwrap();
    until(async || other.get(&alice, "x").await == Ok(None)).await;
    let stranger = RedisBuckets::new(&connect(&server.url(), "other").await, few());
    one.set(&alice, "x", b"1"[..].into(), TTL).await.unwrap();
    assert_eq!(stranger.get(&alice, "x").await, Ok(None));
}

#[tokio::test]
async fn every_bound_holds_and_what_was_there_stays() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let store = RedisBuckets::new(&redis, few());
    let alice = who("alice");
    let set = async |name: &str, bytes: usize, ttl| {
        store.set(&alice, name, vec![7; bytes].into(), ttl).await
    };
    let full = Err(StoreError::Full);
    assert_eq!(set("x", 12, TTL).await, Ok(()));
    assert_eq!(set("x", 13, TTL).await, full, "one value");
    assert_eq!(set("y", 7, TTL).await, full, "all values");
    assert_eq!(store.get(&alice, "x").await.unwrap().unwrap().len(), 12);
    assert_eq!(set("x", 1, TTL).await, Ok(()));
    assert_eq!(set("y", 1, Duration::from_millis(30)).await, Ok(()));
    assert_eq!(set("z", 1, TTL).await, full, "the number of values");
    assert_eq!(store.set(&who("bob"), "x", [1].into(), TTL).await, Ok(()));
    // What has expired counts no more.
    until(async || set("z", 1, TTL).await == Ok(())).await;
    assert_eq!(store.remove(&alice, "z").await, Ok(true));
    assert_eq!(set("w", 12, TTL).await, Ok(()));
}

#[tokio::test]
async fn a_value_of_the_next_format_is_read() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let store = RedisBuckets::new(&redis, few());
    let alice = who("alice");
    store.set(&alice, "x", b"1"[..].into(), TTL).await.unwrap();
    let key = server.command(&["KEYS", "test:*:b:x"]);
    server.command(&["SET", &key, "2 colour=red\n5", "KEEPTTL"]);
    assert_eq!(
        store.get(&alice, "x").await.unwrap().as_deref(),
        Some(&b"5"[..])
    );
    server.command(&["SET", &key, "something else"]);
    assert_eq!(store.get(&alice, "x").await, Err(StoreError::Unavailable));
}
