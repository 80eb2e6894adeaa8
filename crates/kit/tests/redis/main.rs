//! What replicas share, on a real `redis-server`: each test starts one where it is on the PATH.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod away;
mod buckets;
mod budgets;
mod bus;
mod certificates;
mod cluster;
mod cost;
mod events;
mod nodes;
mod nonces;
mod replicas;
mod server;
mod sessions;
mod stopped;
mod tasks;
mod tls;
mod tokens;

use std::time::{Duration, Instant};

use pymcp_kit::Principal;
use pymcp_kit::core::Connection;
use pymcp_kit::limits::Caller;
use pymcp_kit::store::redis::Redis;

use server::RedisServer;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to it, as one replica of the server "test".
async fn replica(server: &RedisServer) -> Redis {
    connect(&server.url(), "test").await
}

async fn connect(url: &str, prefix: &str) -> Redis {
    Redis::connect(url.parse().unwrap(), prefix).await.unwrap()
}

fn who(name: &str) -> Principal {
    Principal::authenticated(name)
}

fn caller(name: &str) -> Caller {
    Connection::stateless(who(name)).caller().clone()
}

/// Asks until it is so, and says how long that took.
async fn until(what: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !what().await {
        assert!(began.elapsed() < PATIENCE, "it does not become so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// A server where there is one to be had; otherwise the test ends here.
macro_rules! redis_server {
    ($($option:expr),*) => {
        match $crate::server::RedisServer::start(&[$($option),*]) {
            Some(server) => server,
            None => return,
        }
    };
}
use redis_server;
