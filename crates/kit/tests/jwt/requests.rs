//! Every way of asking without a good token, over every way to ask: HTTP/1.1 and HTTP/2, both eras, single answers, streams
//! of events and batches, and HTTP+SSE.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pymcp_kit::transport::http::Endpoints;
use ring::hmac;
use serde_json::{Value, json};

use super::issuer::{Documents, Signer, at, claims, unsigned, with};
use super::wire::{Body, Door, Sent, VERSIONS, call, initialize};

/// A way to ask, and what stands in the answer of somebody who may.
struct Kind {
    name: &'static str,
    sent: Sent,
    answer: &'static str,
}

fn kind(name: &'static str, sent: Sent, answer: &'static str) -> Kind {
    Kind { name, sent, answer }
}

/// Calls say who calls.
const WHO: &str = "\"text\":\"https://login.example/tenant#ali\"";

/// Ways to ask at `/mcp`, in sessions of somebody with this token.
async fn streamable(door: &Door, token: &str) -> Vec<Kind> {
    let latest = door.session("2025-11-25", token).await;
    let batches = door.session("2025-03-26", token).await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let listen =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": listen });
    let batch = json!([call(1, "whoami"), call(2, "whoami")]);
    let of = |sent: Sent, session: &str| sent.with("mcp-session-id", session);
    let get = Sent::new("GET", "/mcp", Body::None).with("accept", "text/event-stream");
    let delete = Sent::new("DELETE", "/mcp", Body::None);
    vec![
        kind("a modern call", Sent::modern(call(1, "whoami")), WHO),
        kind("a modern stream", Sent::modern(call(1, "slowly")), WHO),
        kind(
            "a subscription",
            Sent::modern(listen),
            "subscriptions/acknowledged",
        ),
        kind(
            "a handshake",
            Sent::post(initialize("2025-11-25")),
            "\"serverInfo\"",
        ),
        kind(
            "a legacy call",
            of(Sent::post(call(1, "whoami")), &latest),
            WHO,
        ),
        kind(
            "a legacy stream",
            of(Sent::post(call(2, "slowly")), &latest),
            WHO,
        ),
        kind("a batch", of(Sent::post(batch), &batches), WHO),
        kind("a stream of a session", of(get, &latest), "retry: "),
        kind("the end of a session", of(delete, &batches), ""),
    ]
}

/// Ways to ask where HTTP+SSE of 2024-11-05 is served.
fn old() -> Vec<Kind> {
    let get = Sent::new("GET", "/sse", Body::None);
    let mut post = Sent::post(initialize("2024-11-05"));
    post.target = "/messages/?session_id=none".to_owned();
    vec![
        kind("an SSE stream", get, "event: endpoint"),
        kind("an SSE message", post, ""),
    ]
}

/// A way to be nobody: the headers, what follows the target, and what comes of it.
struct Case {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    query: String,
    status: u16,
    /// What the challenge says.
    error: Option<&'static str>,
    /// What the sentence says.
    why: &'static str,
}

fn invalid(name: &'static str, token: String, why: &'static str) -> Case {
    Case {
        name,
        headers: vec![("authorization", format!("Bearer {token}"))],
        query: String::new(),
        status: 401,
        error: Some("invalid_token"),
        why,
    }
}

/// What is wrong with a request, whatever it asks for. `a` and `r` are keys of the issuer, `r` of RSA.
fn cases(a: &Signer, r: &Signer) -> Vec<Case> {
    let good = a.token(&claims());
    let body = claims().to_string();
    let changed = |changes: Value| a.token(&with(changes));
    let stranger = Signer::new("a", "ES256");
    let unknown = Signer::new("secret-kid", "ES256");
    let hs = |secret: &[u8]| {
        let signed = unsigned(r#"{"alg":"HS256","kid":"r"}"#, &body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let modulus = URL_SAFE_NO_PAD
        .decode(r.jwk()["n"].as_str().unwrap())
        .unwrap();
    let none = format!("{}.", unsigned(r#"{"alg":"none"}"#, &body));
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let missing = |name, query: &str| Case {
        name,
        headers: Vec::new(),
        query: query.to_owned(),
        status: 401,
        error: None,
        why: "An access token is needed",
    };
    let twice = |name, headers| Case {
        name,
        headers,
        query: String::new(),
        status: 400,
        error: Some("invalid_request"),
        why: "",
    };
    vec![
        missing("no principal", ""),
        missing("the token in the query", &format!("access_token={good}")),
        Case {
            headers: vec![("authorization", "Basic YWxpOnNlY3JldA==".to_owned())],
            ..missing("another scheme", "")
        },
        Case {
            headers: vec![("cookie", format!("access_token={good}"))],
            ..missing("the token in a cookie", "")
        },
        invalid("wrong", "opensesame".to_owned(), "not a signed"),
        invalid(
            "another's signature",
            stranger.token(&claims()),
            "signature is wrong",
        ),
        invalid("expired", changed(json!({ "exp": at(-61) })), "has expired"),
        invalid(
            "not yet",
            changed(json!({ "nbf": at(65) })),
            "not valid yet",
        ),
        invalid(
            "another audience",
            changed(json!({ "aud": "https://other.example/mcp" })),
            "not for this server",
        ),
        invalid(
            "another issuer",
            changed(json!({ "iss": "https://other.example/tenant" })),
            "another issuer",
        ),
        invalid("no algorithm", none, "no algorithm"),
        invalid(
            "HS256 with the public key",
            hs(&modulus),
            "an algorithm that is not",
        ),
        invalid(
            "HS256 with the document",
            hs(r.jwk().to_string().as_bytes()),
            "an algorithm",
        ),
        invalid(
            "an unknown key",
            unknown.token(&claims()),
            "does not publish",
        ),
        invalid(
            "large",
            stranger.token(&with(json!({ "x": "a".repeat(8_000) }))),
            "signature is wrong",
        ),
        twice("two headers", vec![bearer(&good), bearer(&good)]),
        twice("two ways", vec![bearer(&good), ("x-api-key", good.clone())]),
        Case {
            status: 403,
            error: Some("insufficient_scope"),
            why: "lacks a scope",
            ..invalid("no scope", changed(json!({ "scope": "other" })), "")
        },
        Case {
            status: 431,
            error: None,
            why: "",
            ..invalid("huge", changed(json!({ "x": "a".repeat(13_000) })), "")
        },
    ]
}

/// The same with no good token: of what has a body, nothing but the announcement is sent.
fn spoilt(kind: &Kind, case: &Case) -> Sent {
    let mut sent = kind.sent.clone();
    if let Body::Whole(_) = sent.body {
        sent.body = Body::Never;
    }
    if !case.query.is_empty() {
        let joint = if sent.target.contains('?') { '&' } else { '?' };
        sent.target = format!("{}{joint}{}", sent.target, case.query);
    }
    sent.headers.extend(case.headers.clone());
    sent
}

/// That all ways to ask are refused, and in the same way.
async fn refused(door: &Door, kinds: &[Kind], case: &Case) {
    let before = door.calls();
    let mut first = None;
    for kind in kinds {
        for version in VERSIONS {
            let shown = format!("{} {version:?} {}", case.name, kind.name);
            // The body never comes, so whoever waits for it is found here.
            let response = door.ask(version, &spoilt(kind, case), "").await;
            assert_eq!(response.status, case.status, "{shown}: {response:?}");
            if case.status == 431 {
                continue;
            }
            let challenge = response.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Bearer "), "{shown}: {challenge}");
            assert!(
                challenge.contains("scope=\"stock:read\""),
                "{shown}: {challenge}"
            );
            let path = if door_is_old(kind) { "/sse" } else { "/mcp" };
            let metadata = format!(
                "resource_metadata=\"http://localhost/.well-known/oauth-protected-resource{path}\""
            );
            assert!(challenge.contains(&metadata), "{shown}: {challenge}");
            let error = case.error.map(|error| format!("error=\"{error}\""));
            let names = error.is_none_or(|error| challenge.contains(&error));
            assert!(
                names && challenge.contains("error=") == case.error.is_some(),
                "{shown}"
            );
            let answer: Value = serde_json::from_str(&response.body).unwrap();
            let sentence = answer["error"]["message"].as_str().unwrap();
            assert!(
                sentence.contains(case.why) && sentence.ends_with('.'),
                "{shown}: {sentence}"
            );
            let said = format!("{challenge} {}", response.body);
            for secret in [
                "eyJ",
                "#ali",
                "opensesame",
                "secret-kid",
                "other.example",
                "tenant",
            ] {
                assert!(!said.contains(secret), "{shown}: {said}");
            }
            // Nothing tells whether what was asked for is there.
            let first = first.get_or_insert_with(|| said.clone());
            assert_eq!(&said, first, "{shown}");
        }
    }
    assert_eq!(door.calls(), before, "{}", case.name);
}

fn door_is_old(kind: &Kind) -> bool {
    !kind.sent.target.starts_with("/mcp")
}

/// That all ways to ask are served.
async fn served(door: &Door, kinds: &[Kind], token: &str) {
    for kind in kinds {
        for version in VERSIONS {
            let sent = kind.sent.clone().bearer(token);
            // The first session has ended by then.
            let (status, answer) = match (kind.name, version) {
                ("the end of a session", super::wire::Version::Http2) => (404, "No such session"),
                ("an SSE message", _) => (404, "No such session"),
                _ => (200, kind.answer),
            };
            let response = door.ask(version, &sent, answer).await;
            let shown = format!("{version:?} {}: {response:?}", kind.name);
            assert_eq!(response.status, status, "{shown}");
            assert!(response.body.contains(answer), "{shown}");
        }
    }
}

#[tokio::test]
async fn nobody_is_served_without_a_good_token_however_they_ask() {
    let (a, r) = (Signer::new("a", "ES256"), Signer::new("r", "RS256"));
    let documents = Documents::of(&[&a, &r]);
    let token = a.token(&claims());
    let new = Door::of(&documents, Endpoints::Streamable);
    let kinds = streamable(&new, &token).await;
    let before = documents.count();
    for case in cases(&a, &r) {
        refused(&new, &kinds, &case).await;
    }
    // However much is refused, the issuer is not asked for it.
    assert_eq!(documents.count(), before);
    served(&new, &kinds, &token).await;

    let door = Door::of(&documents, Endpoints::LegacySse);
    served(&door, &old(), &token).await;
    for case in cases(&a, &r) {
        refused(&door, &old(), &case).await;
    }
}

#[tokio::test]
async fn somebody_elses_session_is_nobodys_however_they_ask() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let door = Door::of(&documents, Endpoints::Streamable);
    let kinds = streamable(&door, &signer.token(&claims())).await;
    let eve = signer.token(&with(json!({ "sub": "eve" })));
    let before = door.calls();
    for kind in &kinds {
        let of_a_session = kind
            .sent
            .headers
            .iter()
            .any(|(name, _)| *name == "mcp-session-id");
        for version in VERSIONS.into_iter().filter(|_| of_a_session) {
            let response = door.ask(version, &kind.sent.clone().bearer(&eve), "").await;
            assert_eq!(
                response.status, 404,
                "{version:?} {}: {response:?}",
                kind.name
            );
        }
    }
    assert_eq!(door.calls(), before);
}

#[tokio::test]
async fn keys_are_rotated_under_every_way_to_ask() {
    let (old, kept, new) = (
        Signer::new("old", "ES256"),
        Signer::new("kept", "ES256"),
        Signer::new("new", "ES256"),
    );
    let documents = Documents::of(&[&old, &kept]);
    let door = Door::of(&documents, Endpoints::Streamable);
    let withdrawn = old.token(&claims());
    let mut kinds = streamable(&door, &withdrawn).await;
    kinds.retain(|kind| kind.name != "the end of a session");
    served(&door, &kinds, &withdrawn).await;

    documents.publish(&[&kept, &new]);
    // A key that is not known is asked for once in 30 s.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    for signer in [&new, &kept] {
        served(&door, &kinds, &signer.token(&claims())).await;
    }
    refused(
        &door,
        &kinds,
        &invalid("withdrawn", withdrawn, "does not publish"),
    )
    .await;
}

#[tokio::test]
async fn an_issuer_out_of_reach_is_503_however_they_ask() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let token = signer.token(&claims());
    let with_keys = Door::of(&documents, Endpoints::Streamable);
    let kinds = streamable(&with_keys, &token).await;
    let down = Arc::new(Documents::default());
    let door = Door::of(&down, Endpoints::Streamable);
    for kind in &kinds {
        for version in VERSIONS {
            let sent = spoilt(kind, &invalid("good", token.clone(), ""));
            let response = door.ask(version, &sent, "").await;
            assert_eq!(
                response.status, 503,
                "{version:?} {}: {response:?}",
                kind.name
            );
            let after = response.header("retry-after").unwrap().parse::<u64>();
            assert!((1..=5).contains(&after.unwrap()));
            assert!(response.header("www-authenticate").is_none());
        }
    }
    // A token that is none needs no keys.
    refused(
        &door,
        &kinds,
        &invalid("wrong", "opensesame".to_owned(), "not a signed"),
    )
    .await;
    assert_eq!(door.calls(), 0);
}
