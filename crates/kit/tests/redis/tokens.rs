//! Tokens that are revoked at one replica, and at all, whatever their own lists have.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, Tokens};
use pymcp_kit::auth::{Authentication, Scopes};
use pymcp_kit::store::redis::Redis;
use pymcp_kit::store::{TokenChange, TokenChangeStore};
use pymcp_kit::testing::message::{modern, request};
use pymcp_kit::testing::raw::{
    Client, Events, LocalServer, Request, initialize, mirrored, patient,
};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Error, NoArgs, Server, Tool};
use serde_json::json;
use tokio::task::block_in_place;

use super::server::RedisServer;
use super::{connect, redis_server, replica, until};

/// Within this time a token that was revoked at one replica is refused by all.
const AT_ONCE: Duration = Duration::from_secs(1);

struct Replica {
    redis: Redis,
    tokens: Arc<Tokens>,
    local: LocalServer,
}

fn entries(names: &[&str]) -> Vec<TokenEntry> {
    let entry = |name: &&str| TokenEntry {
        name: (*name).into(),
        hash: TokenHash::of(name),
        scopes: Scopes::default(),
        expires: None,
    };
    names.iter().map(entry).collect()
}

/// One whose list has these.
fn serving(redis: Redis, names: &[&str]) -> Replica {
    let tokens = Arc::new(Tokens::new(entries(names)).unwrap());
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("plain", async |_, _: NoArgs| {
            Ok::<_, Error>("as ever")
        }))
        .redis(&redis)
        .build()
        .unwrap();
    let config = HttpConfig {
        auth: Authentication {
            authenticator: Some(Arc::clone(&tokens) as _),
            ..Authentication::default()
        },
        ..patient()
    };
    let local = block_in_place(|| LocalServer::start(server, config));
    Replica {
        redis,
        tokens,
        local,
    }
}

async fn start(server: &RedisServer, names: &[&str]) -> Replica {
    let replica = serving(replica(server).await, names);
    until(async || replica.redis.hears_replicas()).await;
    replica
}

impl Replica {
    /// What a request with this token gets here.
    fn status(&self, token: &str) -> u16 {
        let message = modern(request(1, "tools/list", json!({})), json!({}));
        let request = mirrored(&message).with("X-Api-Key", token);
        block_in_place(|| Client::connect(self.local.address()).ask(&request)).status
    }

    /// A subscription with this token.
    fn subscribe(&self, token: &str) -> Events {
        let wanted = json!({ "notifications": { "toolsListChanged": true } });
        let message = modern(request(1, "subscriptions/listen", wanted), json!({}));
        let request = mirrored(&message).with("X-Api-Key", token);
        block_in_place(|| {
            let mut client = Client::connect(self.local.address());
            client.send(request.bytes());
            let mut events = client.events();
            events.until("notifications/subscriptions/acknowledged");
            events
        })
    }

    /// The `GET` stream of a legacy session with this token.
    fn listen(&self, token: &str) -> Events {
        let hello = initialize("2025-11-25", json!({})).to_string();
        let hello = Request::post(hello).with("X-Api-Key", token);
        block_in_place(|| {
            let opened = Client::connect(self.local.address()).ask(&hello);
            let id = opened.header("Mcp-Session-Id").unwrap();
            let stream = Request::new("GET", "/mcp")
                .with("Accept", "text/event-stream")
                .with("X-Api-Key", token)
                .with("Mcp-Session-Id", id)
                .with("MCP-Protocol-Version", "2025-11-25");
            let mut client = Client::connect(self.local.address());
            client.send(stream.bytes());
            client.events()
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_at_one_replica_is_refused_and_ends_at_all_within_a_second() {
    let server = redis_server!();
    let both = ["ci", "other"];
    let (one, other) = (start(&server, &both).await, start(&server, &both).await);
    let (subscription, stream) = (other.subscribe("ci"), other.listen("ci"));
    let kept = other.listen("other");
    assert_eq!((one.status("ci"), other.status("ci")), (200, 200));

    let revoked = std::time::Instant::now();
    one.tokens.replace(entries(&["other"])).unwrap();
    assert_eq!(one.status("ci"), 401);
    until(async || other.status("ci") == 401).await;
    block_in_place(|| {
        let mut subscription = subscription;
        let end = subscription.answer();
        assert_eq!(end["result"]["resultType"], "complete");
        stream.for_each(drop);
    });
    assert!(revoked.elapsed() < AT_ONCE, "{:?}", revoked.elapsed());
    assert_eq!(other.status("other"), 200);
    drop(kept);

    // One that starts with an old list never accepts it, and one that reads an old list again neither.
    let late = start(&server, &both).await;
    assert_eq!((late.status("ci"), late.status("other")), (401, 200));
    late.tokens
        .replace(entries(&["ci", "other", "new"]))
        .unwrap();
    assert_eq!((late.status("ci"), late.status("new")), (401, 200));
    // Another server's tokens are not this one's.
    let stranger = serving(connect(&server.url(), "other").await, &both);
    assert_eq!(stranger.status("ci"), 200);

    // Whoever adds it again means it, for all that have it in their lists.
    one.tokens.replace(entries(&both)).unwrap();
    assert_eq!(one.status("ci"), 200);
    let took = until(async || other.status("ci") == 200 && late.status("ci") == 200).await;
    assert!(took < AT_ONCE, "{took:?}");
    // What was refused before starts anew.
    let stream = other.listen("ci");
    late.tokens.replace(entries(&["other"])).unwrap();
    block_in_place(|| stream.for_each(drop));
    until(async || one.status("ci") == 401).await;
    // Neither token nor hash is in the store, and all of it ends.
    let log = server.command(&["XRANGE", "test:{}:tokens", "-", "+"]);
    let hash = TokenHash::of("ci").to_string();
    let digits = hash.strip_prefix("sha256:").unwrap();
    assert!(
        log.contains("token") && !log.contains("ci") && !log.contains(&digits[..32]),
        "{log}"
    );
    assert_ne!(server.command(&["PTTL", "test:{}:tokens"]), "-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_the_own_list_decides_and_others_are_told_when_it_is_back() {
    let mut server = redis_server!("--appendonly", "yes", "--appendfsync", "always");
    let both = ["ci", "other"];
    let (one, other) = (start(&server, &both).await, start(&server, &both).await);
    one.tokens.replace(entries(&["other"])).unwrap();
    until(async || other.status("ci") == 401).await;
    server.kill();
    until(async || !one.redis.is_reachable() && !other.redis.is_reachable()).await;
    // What was heard before stays.
    assert_eq!(other.status("ci"), 401);
    one.tokens.replace(Vec::new()).unwrap();
    assert_eq!((one.status("other"), other.status("other")), (401, 200));
    server.run().unwrap();
    until(async || other.status("other") == 401).await;
    assert_eq!(other.status("ci"), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_bus_it_takes_no_longer_than_a_second_either() {
    let server = redis_server!();
    let rights = "on >s3cr3t ~test:* resetchannels -@all +@read +@write +@scripting +time +info";
    let words = ["ACL", "SETUSER", "app"].into_iter();
    let words: Vec<_> = words.chain(rights.split(' ')).collect();
    assert_eq!(server.command(&words), "OK");
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let redis = connect(&server.url_of("app", "s3cr3t"), "test").await;
        replicas.push(serving(redis, &["ci"]));
    }
    assert_eq!(replicas[1].status("ci"), 200);
    assert!(!replicas[1].redis.hears_replicas());
    replicas[0].tokens.replace(Vec::new()).unwrap();
    let took = until(async || replicas[1].status("ci") == 401).await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn the_log_of_revoked_tokens_is_read_in_parts_and_bounded() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let empty = redis.changes_after("").await.unwrap();
    assert_eq!(empty, (Vec::new(), String::new()));
    let all: Vec<_> = (0..2500)
        .map(|id| TokenChange {
            id,
            expires: u64::MAX / 1_000_000,
            revoked: id % 3 != 0,
        })
        .collect();
    for some in all.chunks(1000) {
        redis.add_changes(some, 100_000).await.unwrap();
    }
    let (mut read, mut position) = (Vec::new(), String::new());
    loop {
        let (some, next) = redis.changes_after(&position).await.unwrap();
        if next == position {
            break;
        }
        assert!(some.len() <= 1000);
        read.extend(some);
        position = next;
    }
    assert_eq!(read, all);
    // What a later release says is passed over.
    let strange = ["XADD", "test:{}:tokens", "*", "token"];
    for entry in ["1f:9999999999:7", "1f:9999999999", "1f", "x:1:1", ""] {
        server.command(&[&strange[..], &[entry]].concat());
    }
    assert!(redis.changes_after(&position).await.unwrap().0.is_empty());
    redis.add_changes(&all[..1], 100).await.unwrap();
    let kept: usize = server.command(&["XLEN", "test:{}:tokens"]).parse().unwrap();
    assert!((100..400).contains(&kept), "{kept}");
}
