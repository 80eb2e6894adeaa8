//! Legacy sessions that are ended with `DELETE` at one replica, and at all.

use std::time::Duration;

use pymcp_kit::store::redis::Redis;
use pymcp_kit::store::{EndedSession, EndedSessionStore};
use pymcp_kit::testing::raw::{Client, LocalServer, Session, patient};
use pymcp_kit::{Ctx, KeyRing, NoArgs, Result, Server, Tool};
use serde_json::json;

use super::{redis_server, replica, until};

async fn listening(redis: &Redis) -> LocalServer {
    async fn plain(_: Ctx, _: NoArgs) -> Result<&'static str> {
        Ok("as ever")
    }
    let server = Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .tool(Tool::new("plain", plain))
        .redis(redis)
        .build()
        .unwrap();
    let start = tokio::task::spawn_blocking(move || LocalServer::start(server, patient()));
    start.await.unwrap()
}

/// What a call in the session gets here.
async fn status(session: &Session, at: &LocalServer) -> u16 {
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "plain" },
    });
    let (request, address) = (session.request(&message), at.address());
    let asked = tokio::task::spawn_blocking(move || Client::connect(address).ask(&request));
    asked.await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_ended_here_is_over_everywhere_within_a_second() {
    let mut server = redis_server!("--appendonly", "yes", "--appendfsync", "always");
    let (one, other) = (replica(&server).await, replica(&server).await);
    let (here, there) = (listening(&one).await, listening(&other).await);
    let open = async || {
        let address = here.address();
        let open = move || Session::open(address, "2025-11-25", json!({}));
        tokio::task::spawn_blocking(open).await.unwrap()
    };
    let end = async |session: Session| {
        tokio::task::spawn_blocking(move || {
            assert_eq!(session.end().status, 200);
            session
        })
        .await
        .unwrap()
    };
    let (first, kept) = (open().await, open().await);
    for session in [&first, &kept] {
        assert_eq!(status(session, &here).await, 200);
        assert_eq!(status(session, &there).await, 200);
    }
    let first = end(first).await;
    assert_eq!(status(&first, &here).await, 404);
    let took = until(async || status(&first, &there).await == 404).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(status(&kept, &there).await, 200);
    // One that starts later has heard of it as well.
    let late = listening(&replica(&server).await).await;
    until(async || status(&first, &late).await == 404).await;
    assert_eq!(status(&kept, &late).await, 200);
    // What is ended while the store is away is told when it is back.
    server.kill();
    until(async || !one.is_reachable()).await;
    let kept = end(kept).await;
    assert_eq!(status(&kept, &there).await, 200);
    server.run().unwrap();
    until(async || status(&kept, &there).await == 404).await;
}

#[tokio::test]
async fn the_log_of_ended_sessions_is_read_in_parts_and_bounded() {
    let server = redis_server!();
    let redis = replica(&server).await;
    assert_eq!(redis.after("").await.unwrap(), (Vec::new(), String::new()));
    let expires = u64::MAX / 1_000_000;
    let all: Vec<_> = (0..2500)
        .map(|nonce| EndedSession { nonce, expires })
        .collect();
    for some in all.chunks(500) {
        redis.add(some, 100_000).await.unwrap();
    }
    let (mut read, mut position) = (Vec::new(), String::new());
    loop {
        let (some, next) = redis.after(&position).await.unwrap();
        if next == position {
            break;
        }
        assert!(some.len() <= 1000);
        read.extend(some);
        position = next;
    }
    assert_eq!(read, all);
    redis.add(&all[..1], 100).await.unwrap();
    let kept: usize = server.command(&["XLEN", "test:{}:ended"]).parse().unwrap();
    assert!((100..400).contains(&kept), "{kept}");
    assert_ne!(server.command(&["PTTL", "test:{}:ended"]), "-1");
}
