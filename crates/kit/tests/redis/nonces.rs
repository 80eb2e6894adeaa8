//! Used states: claimed once, whoever asks and however often at once.

use std::time::Duration;

use futures_util::future::join_all;
use pymcp_kit::store::{NonceStore, StoreError};

use super::{caller, connect, redis_server, replica, until, who};

const TTL: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_replayed_at_all_replicas_at_once_is_served_once_a_thousand_times() {
    let server = redis_server!();
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(replica(&server).await);
    }
    let alice = caller("alice");
    for round in 0..1000_u128 {
        let claims = replicas
            .iter()
            .map(|replica| replica.claim(&alice, round, TTL));
        let claimed = join_all(claims).await;
        let served = claimed.iter().filter(|claim| **claim == Ok(true)).count();
        assert_eq!(served, 1, "{round}: {claimed:?}");
        assert!(claimed.iter().all(Result::is_ok), "{claimed:?}");
    }
    for replica in &replicas {
        assert_eq!(replica.is_used(alice.principal(), 7).await, Ok(true));
        assert_eq!(replica.claim(&alice, 7, TTL).await, Ok(false));
    }
}

#[tokio::test]
async fn a_nonce_is_its_principals_and_its_servers_and_ends() {
    let server = redis_server!();
    let (ours, theirs) = (
        replica(&server).await,
        connect(&server.url(), "other").await,
    );
    let (alice, bob) = (caller("alice"), caller("bob"));
    assert_eq!(ours.claim(&alice, 1, TTL).await, Ok(true));
    assert_eq!(ours.is_used(bob.principal(), 1).await, Ok(false));
    assert_eq!(ours.claim(&bob, 1, TTL).await, Ok(true));
    assert_eq!(theirs.is_used(&who("alice"), 1).await, Ok(false));
    assert_eq!(theirs.claim(&alice, 1, TTL).await, Ok(true));
    assert_eq!(
        ours.claim(&alice, 2, Duration::from_millis(30)).await,
        Ok(true)
    );
    until(async || ours.is_used(alice.principal(), 2).await == Ok(false)).await;
    assert_eq!(ours.claim(&alice, 3, Duration::MAX).await, Ok(true));
    // All that is there ends, and names nobody.
    for key in server.command(&["KEYS", "*"]).lines() {
        assert!(
            key.starts_with("test:{") || key.starts_with("other:{"),
            "{key}"
        );
        assert!(!key.contains("alice"), "{key}");
        assert_ne!(server.command(&["PTTL", key]), "-1", "{key}");
    }
}

#[tokio::test]
async fn one_caller_can_use_up_no_more_than_its_share() {
    let server = redis_server!();
    let replica = replica(&server).await;
    let alice = caller("alice");
    assert_eq!(replica.claim(&alice, 1, TTL).await, Ok(true));
    // As if it had claimed all that it may.
    for key in server.command(&["KEYS", "test:*:c:*"]).lines() {
        server.command(&["SET", key, "131072", "KEEPTTL"]);
    }
    assert_eq!(replica.claim(&alice, 2, TTL).await, Err(StoreError::Full));
    assert_eq!(replica.claim(&alice, 1, TTL).await, Ok(false));
    assert_eq!(replica.is_used(alice.principal(), 2).await, Ok(false));
    assert_eq!(replica.claim(&caller("bob"), 2, TTL).await, Ok(true));
}
