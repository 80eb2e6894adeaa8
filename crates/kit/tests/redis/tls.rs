//! A store over TLS: who is trusted, what is said of who is not, and the same rights as without.

use std::time::Duration;

use pymcp_kit::Server;
use pymcp_kit::store::redis::{Redis, RedisBuckets};
use pymcp_kit::store::{BucketLimits, BucketStore, NonceStore};

use super::certificates::Certificates;
use super::server::RedisServer;
use super::{caller, connect, until};

const TTL: Duration = Duration::from_secs(60);

const LATER: (i32, u8, u8) = (2100, 1, 1);

async fn why(url: &str) -> String {
    let connected = Redis::connect(url.parse().unwrap(), "test").await;
    connected.unwrap_err().to_string()
}

#[tokio::test]
async fn a_store_is_reached_over_tls_by_a_user_of_few_rights_and_again_when_it_is_back() {
    let certificates = Certificates::of("localhost", LATER);
    let Some((mut server, port)) = certificates.store(false, &[]) else {
        return;
    };
    let allow = |server: &RedisServer| {
        let rights = "on >s3cr3t~w ~test:* &test:* -@all +@read +@write +@scripting +time +info +subscribe +publish";
        let words = ["ACL", "SETUSER", "app"].into_iter();
        let words: Vec<_> = words.chain(rights.split(' ')).collect();
        assert_eq!(server.command(&words), "OK");
    };
    allow(&server);
    let at = format!("localhost:{port}");
    let ca = certificates.path("client.pem");
    std::fs::copy(certificates.path("ca.pem"), &ca).unwrap();
    let url = format!("rediss://app:s3cr3t%7Ew@{at}?ca={ca}");
    let (one, other) = (connect(&url, "test").await, connect(&url, "test").await);
    assert_eq!(one.address().to_string(), format!("rediss://{at}"));
    let alice = caller("alice");
    assert_eq!(one.claim(&alice, 1, TTL).await, Ok(true));
    assert_eq!(other.claim(&alice, 1, TTL).await, Ok(false));
    let buckets = RedisBuckets::new(&one, BucketLimits::default());
    let large = vec![7; 16_000];
    buckets
        .set(alice.principal(), "x", large.clone().into(), TTL)
        .await
        .unwrap();
    let found = RedisBuckets::new(&other, BucketLimits::default());
    let found = found.get(alice.principal(), "x").await.unwrap();
    assert_eq!(found.as_deref(), Some(&large[..]));
    // The bus is on a connection of its own.
    let served = Server::builder("test", "1.0.0")
        .redis(&one)
        .build()
        .unwrap();
    until(async || one.hears_replicas()).await;
    // Whom to trust was read at the start: a confined process could not read it again.
    std::fs::remove_file(&ca).unwrap();
    server.kill();
    until(async || !one.is_reachable() && !one.hears_replicas()).await;
    server.run().unwrap();
    allow(&server);
    until(async || one.is_reachable() && one.hears_replicas()).await;
    assert_eq!(one.claim(&alice, 2, TTL).await, Ok(true));
    drop(served);

    std::fs::copy(certificates.path("ca.pem"), &ca).unwrap();
    let wrong = why(&url.replace("s3cr3t", "an0ther")).await;
    assert!(
        wrong.contains("cannot be used") && !wrong.contains("an0ther") && !wrong.contains("s3cr3t"),
        "{wrong}"
    );
}

#[tokio::test]
async fn who_is_not_to_be_trusted_is_told_in_a_sentence() {
    let certificates = Certificates::of("localhost", LATER);
    let Some((server, port)) = certificates.store(false, &[]) else {
        return;
    };
    let file = |name: &str| certificates.path(name);
    let (ca, other, key) = (file("ca.pem"), file("other.pem"), file("key.pem"));
    let untrusted = "its certificate is signed by nobody who is trusted here; name the file of its CA with ?ca=PATH.";
    let gone = format!(
        "{} cannot be read: there is no such file or folder.",
        file("gone.pem")
    );
    let empty = format!("{key} has no certificates in PEM.");
    for (query, host, said) in [
        (String::new(), "localhost", untrusted),
        (format!("?ca={other}"), "localhost", untrusted),
        (
            format!("?ca={ca}"),
            "127.0.0.1",
            "its certificate is for another name than that of the URL.",
        ),
        (format!("?ca={}", file("gone.pem")), "localhost", &gone),
        (format!("?ca={key}"), "localhost", &empty),
    ] {
        let at = format!("rediss://{host}:{port}");
        let error = why(&format!("rediss://:s3cr3t@{host}:{port}{query}")).await;
        assert_eq!(error, format!("The store at {at} cannot be used: {said}"));
    }
    drop(server);
    let expired = Certificates::of("localhost", (2020, 1, 1));
    let Some((_server, port)) = expired.store(false, &[]) else {
        return;
    };
    let error = why(&format!(
        "rediss://localhost:{port}?ca={}",
        expired.path("ca.pem")
    ))
    .await;
    assert!(
        error.ends_with("cannot be used: its certificate has expired."),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_asks_for_a_certificate_is_shown_one() {
    let certificates = Certificates::of("localhost", LATER);
    let Some((_server, port)) = certificates.store(true, &[]) else {
        return;
    };
    let file = |name: &str| certificates.path(name);
    let url = format!("rediss://localhost:{port}?ca={}", file("ca.pem"));
    let error = why(&url).await;
    let said = "cannot be used: it asks for a certificate; name one with ?cert=PATH&key=PATH.";
    assert!(error.ends_with(said), "{error}");
    let own = |key: &str| format!("{url}&cert={}&key={}", file("cert.pem"), file(key));
    let redis = connect(&own("key.pem"), "test").await;
    assert_eq!(redis.claim(&caller("alice"), 1, TTL).await, Ok(true));
    let error = why(&own("cert.pem")).await;
    assert!(error.ends_with("has no private key in PEM."), "{error}");
}
