//! The issuer's keys: found, rotated, out of reach.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::Server;
use pymcp_kit::auth::Denied;
use pymcp_kit::auth::jwt::{JwtAuthenticator, JwtConfig};
use pymcp_kit::metrics::Metrics;
use serde_json::json;
use tokio::time::advance;

use super::issuer::{
    Documents, ISSUER, Signer, ask, authenticator, claims, config, sentence, with,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Documents that one fetch of the keys asks for: metadata under two names, and the keys.
const A_FETCH: usize = 3;

/// Lets what was begun beside the requests come to its end.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

fn unavailable(asked: Result<pymcp_kit::auth::Identity, Denied>) -> Duration {
    match asked {
        Err(Denied::Unavailable { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_bring_about_one_fetch() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let authenticator = Arc::new(authenticator(config(), &documents));
    assert_eq!(documents.count(), 0);
    let asked: Vec<_> = (0..50)
        .map(|n| {
            let token = signer.token(&with(json!({"sub": n.to_string()})));
            let authenticator = Arc::clone(&authenticator);
            tokio::spawn(async move { ask(&authenticator, &token).await })
        })
        .collect();
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
    assert_eq!(documents.count(), A_FETCH);
    authenticator.prefetch();
    settle().await;
    assert_eq!(documents.count(), A_FETCH);
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_ahead_where_that_is_asked_for_and_from_where_they_are() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let jwks = Some(format!("{ISSUER}/keys"));
    let authenticator = authenticator(JwtConfig { jwks, ..config() }, &documents);
    authenticator.prefetch();
    settle().await;
    assert_eq!(documents.count(), 1);
    documents.go_down();
    assert!(ask(&authenticator, &signer.token(&claims())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_and_a_withdrawn_one_ends_what_it_opened() {
    let (old, new) = (Signer::new("a", "ES256"), Signer::new("b", "ES256"));
    let documents = Documents::of(&[&old]);
    let authenticator = authenticator(config(), &documents);
    let token = old.token(&claims());
    let before = ask(&authenticator, &token).await.unwrap();
    advance(seconds(31)).await;

    documents.publish(&[&old, &new]);
    assert!(ask(&authenticator, &new.token(&claims())).await.is_ok());
    assert_eq!(documents.count(), 2 * A_FETCH);
    assert!(ask(&authenticator, &token).await.is_ok());
    assert!(!before.revoked.is_cancelled());
    advance(seconds(31)).await;

    // The same name and another key.
    let third = Signer::new("a", "ES256");
    documents.publish(&[&third, &new]);
    advance(seconds(600)).await;
    // Old keys go on counting while others are fetched beside.
    assert!(ask(&authenticator, &token).await.is_ok());
    settle().await;
    assert!(before.revoked.is_cancelled());
    assert!(sentence(ask(&authenticator, &token).await).contains("signature is wrong"));
    assert!(ask(&authenticator, &third.token(&claims())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_knows_bring_about_a_fetch_every_30_seconds() {
    let (signer, stranger) = (Signer::new("a", "ES256"), Signer::new("x", "ES256"));
    let documents = Documents::of(&[&signer]);
    let authenticator = authenticator(config(), &documents);
    for round in 1..=3 {
        for n in 0..100 {
            let header = json!({"alg": "ES256", "kid": n.to_string()}).to_string();
            let token = stranger.sign(&header, &claims().to_string());
            let said = sentence(ask(&authenticator, &token).await);
            assert!(said.contains("does not publish"), "{said}");
        }
        assert_eq!(documents.count(), round * A_FETCH);
        advance(seconds(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_was_never_reached_is_503_until_it_is() {
    let signer = Signer::new("a", "ES256");
    let documents = Arc::new(Documents::default());
    let authenticator = authenticator(config(), &documents);
    let token = signer.token(&claims());
    assert_eq!(unavailable(ask(&authenticator, &token).await), seconds(5));
    assert_eq!(documents.count(), 3);
    // It is not asked again before that.
    advance(seconds(3)).await;
    assert_eq!(unavailable(ask(&authenticator, &token).await), seconds(2));
    assert_eq!(documents.count(), 3);
    // What is no token needs no keys.
    assert!(sentence(ask(&authenticator, "a.b.c").await).contains("not a signed"));

    documents.publish(&[&signer]);
    advance(seconds(2)).await;
    assert!(ask(&authenticator, &token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_their_issuer_by_an_hour() {
    let (signer, other) = (Signer::new("a", "ES256"), Signer::new("b", "ES256"));
    let documents = Documents::of(&[&signer]);
    let authenticator = authenticator(config(), &documents);
    let remembered = signer.token(&with(json!({"exp": 9e9})));
    assert!(ask(&authenticator, &remembered).await.is_ok());
    documents.go_down();

    advance(seconds(3590)).await;
    let fresh = signer.token(&with(json!({"sub": "eve", "exp": 9e9})));
    assert!(ask(&authenticator, &fresh).await.is_ok());
    assert!(ask(&authenticator, &remembered).await.is_ok());
    settle().await;
    // The issuer may have published that key: nobody can say.
    advance(seconds(5)).await;
    unavailable(ask(&authenticator, &other.token(&claims())).await);

    advance(seconds(5)).await;
    unavailable(ask(&authenticator, &fresh).await);
    unavailable(ask(&authenticator, &remembered).await);

    documents.publish(&[&signer]);
    advance(seconds(5)).await;
    assert!(ask(&authenticator, &remembered).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_keys_leaves_those_before_in_place() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let authenticator = authenticator(config(), &documents);
    let token = signer.token(&claims());
    assert!(ask(&authenticator, &token).await.is_ok());
    let many: Vec<_> = (0..65).map(|_| signer.jwk()).collect();
    let large = "a".repeat(JwtAuthenticator::MAX_DOCUMENT);
    for broken in [
        json!({"keys": []}),
        json!({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}),
        json!({ "keys": many }),
        json!({"keys": [signer.jwk()], "x": large}),
        json!([]),
    ] {
        documents.put(&format!("{ISSUER}/keys"), &broken);
        advance(seconds(600)).await;
        assert!(ask(&authenticator, &token).await.is_ok());
        settle().await;
        let other = signer.token(&with(json!({"sub": "eve"})));
        assert!(ask(&authenticator, &other).await.is_ok());
    }
    // One that is unknown does not spoil the others.
    let new = Signer::new("b", "EdDSA");
    let keys = json!([{"kty": "AKP", "kid": "z"}, 1, new.jwk(), signer.jwk()]);
    documents.put(&format!("{ISSUER}/keys"), &json!({ "keys": keys }));
    advance(seconds(600)).await;
    assert!(ask(&authenticator, &token).await.is_ok());
    settle().await;
    assert!(ask(&authenticator, &token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_or_panics_is_over_in_the_end() {
    use bytes::Bytes;
    use pymcp_kit::auth::jwt::{Fetch, FetchError};
    use std::pin::Pin;

    struct Never;
    struct Broken;
    type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

    impl Fetch for Never {
        fn fetch<'a>(&'a self, _: &'a str) -> Fetched<'a> {
            Box::pin(std::future::pending())
        }
    }

    impl Fetch for Broken {
        fn fetch<'a>(&'a self, _: &'a str) -> Fetched<'a> {
            Box::pin(async { panic!("on purpose") })
        }
    }

    let doors: [Arc<dyn Fetch>; 2] = [Arc::new(Never), Arc::new(Broken)];
    for door in doors {
        let authenticator = JwtAuthenticator::new(config(), door).unwrap();
        let token = Signer::new("a", "ES256").token(&claims());
        for _ in 0..2 {
            unavailable(ask(&authenticator, &token).await);
            advance(seconds(5)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_does_not_stop_the_fetch() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let authenticator = authenticator(config(), &documents);
    let token = signer.token(&claims());
    {
        let asked = ask(&authenticator, &token);
        tokio::pin!(asked);
        assert!(futures_util::poll!(asked).is_pending());
    }
    settle().await;
    assert!(ask(&authenticator, &token).await.is_ok());
    assert_eq!(documents.count(), A_FETCH);
}

#[tokio::test(start_paused = true)]
async fn fetches_are_counted_by_what_came_of_them() {
    let metrics = Metrics::new();
    let _server = Server::builder("test", "1.0.0").metrics(&metrics).build();
    let count = |result: &str| {
        let before = format!("mcp_server_issuer_key_fetches_total{{result=\"{result}\"}} ");
        let text = metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(&before));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = ["ok", "failed"].map(count);
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let authenticator = authenticator(config(), &documents);
    assert!(ask(&authenticator, &signer.token(&claims())).await.is_ok());
    documents.go_down();
    advance(seconds(600)).await;
    authenticator.prefetch();
    settle().await;
    // Other tests of this process count as well.
    assert!(count("ok") > before[0] && count("failed") > before[1]);
}
