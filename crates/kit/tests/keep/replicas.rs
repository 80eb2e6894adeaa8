//! What sessions leave behind that move from one replica to another: nothing.

use std::time::Duration;

use pymcp_kit::session::SessionLimits;
use pymcp_kit::store::redis::Redis;
use pymcp_kit::testing::raw::{Client, LocalServer, Session, patient};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{KeyRing, Server};
use serde_json::json;
use tokio::runtime::Runtime;

use super::MEMORY;
use super::stage::alone;

#[path = "../redis/server.rs"]
#[allow(dead_code)]
mod server;

use server::RedisServer;

/// Sessions until everything has the size that it keeps, and those that are weighed: ten bytes of each would show.
const FIRST: usize = 1000;
const WEIGHED: usize = 3000;
const NOISE: usize = 30 << 10;

fn listening(url: &str, runtime: &Runtime) -> (LocalServer, Redis) {
    let connecting = Redis::connect(url.parse().unwrap(), "test");
    let redis = runtime.block_on(connecting).unwrap();
    let server = Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .redis(&redis)
        .build()
        .unwrap();
    let sessions = SessionLimits {
        remembered: 32,
        ..SessionLimits::default()
    };
    let config = HttpConfig {
        sessions,
        ..patient()
    };
    (LocalServer::start(server, config), redis)
}

/// The least of some looks: what is on its way counts not.
fn weight() -> usize {
    let looks = (0..20).map(|_| {
        std::thread::sleep(Duration::from_millis(25));
        MEMORY.allocated()
    });
    looks.min().unwrap()
}

#[test]
fn sessions_that_move_leave_nothing_behind() {
    let _alone = alone();
    let Some(store) = RedisServer::start(&[]) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let url = store.url();
    let (here, there) = (listening(&url, &runtime), listening(&url, &runtime));
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let serve = |count: usize| {
        for _ in 0..count {
            let session = Session::plain(here.0.address());
            let mut client = Client::connect(there.0.address());
            assert_eq!(client.ask(&session.request(&ping)).status, 200);
        }
    };
    serve(FIRST);
    let before = weight();
    serve(WEIGHED);
    let after = weight();
    assert!(after <= before + NOISE, "{before} bytes, then {after}");
}
