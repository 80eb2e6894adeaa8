//! APIs: JSON there and back, all methods, keys that are sent and not shown.

use std::collections::BTreeMap;

use http::Method;
use pymcp_egress::{Allow, Egress, Error, Limits, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{builder, limits, refused};
use pymcp_egress::testing::{Loopback, Page, Reply};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

fn tea() -> Order {
    Order {
        item: "tea \u{1f375}".to_owned(),
        count: 2,
    }
}

#[tokio::test]
async fn json_goes_there_and_comes_back() {
    let server = Loopback::start(|seen| Page::new(seen.body.clone()).whole()).await;
    let egress = builder().build();
    let url = server.url("/orders");
    let back: Order = egress.post(&url).json(&tea()).receive().await.unwrap();
    assert_eq!(back, tea());
    let response = egress.put(&url).json(&tea()).send().await.unwrap();
    assert_eq!(response.json::<Order>(), Ok(tea()));

    let [posted, put] = server.seen().try_into().unwrap();
    assert_eq!(
        (posted.method.as_str(), put.method.as_str()),
        ("POST", "PUT")
    );
    assert_eq!(posted.header("content-type"), Some("application/json"));
    assert_eq!(posted.header("accept"), Some("application/json"));
    let sent: serde_json::Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!(sent, json!({ "item": "tea \u{1f375}", "count": 2 }));
}

#[tokio::test]
async fn every_method_but_two_is_sent() {
    let server = Loopback::start(|seen| match seen.method.as_str() {
        // It has the headers of a body that does not come.
        "HEAD" => Reply::Raw(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Encoding: gzip\r\n\r\n"
                .to_vec(),
        ),
        _ => Reply::ok("fine"),
    })
    .await;
    let egress = builder().build();
    let url = server.url("/");
    let purge = Method::from_bytes(b"PURGE").unwrap();
    for call in [
        egress.get(&url),
        egress.post(&url),
        egress.put(&url),
        egress.patch(&url),
        egress.delete(&url),
        egress.request(purge, &url),
    ] {
        let shown = format!("{call:?}");
        assert_eq!(call.send().await.unwrap().body, "fine", "{shown}");
    }
    let head = egress.head(&url).send().await.unwrap();
    assert!(head.status.is_success() && head.body.is_empty());
    let seen: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(
        seen,
        ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE", "HEAD"]
    );
    for method in [Method::CONNECT, Method::TRACE] {
        let refused = egress.request(method, &url).send().await;
        assert_eq!(refused.unwrap_err(), Error::Method);
    }
    assert_eq!(server.counts().requests, 7);
}

#[tokio::test]
async fn what_others_chose_is_encoded() {
    let server = Loopback::start(|_| Reply::ok("")).await;
    let egress = builder().build();
    let url = server.url("/find?a=b");
    let call = egress.get(&url).query([("q", "x&y=z/../ \u{e9}")]);
    call.send().await.unwrap();
    let form = egress.post(&url).form([("q", "a&b")]).header("x-mine", "m");
    form.send().await.unwrap();
    let text = egress.post(&url).body("text/plain", "a text");
    text.send().await.unwrap();
    let [found, form, text] = server.seen().try_into().unwrap();
    assert_eq!(found.target, "/find?a=b&q=x%26y%3Dz%2F..%2F+%C3%A9");
    assert_eq!(
        (form.body.as_slice(), form.header("x-mine")),
        (&b"q=a%26b"[..], Some("m"))
    );
    assert_eq!(text.header("content-type"), Some("text/plain"));
    assert_eq!(text.body, b"a text");
}

#[tokio::test]
async fn a_secret_is_sent_and_shown_nowhere() {
    let elsewhere = Loopback::start(|_| Reply::ok("{}")).await;
    let away = elsewhere.url("/");
    let server = Loopback::start(move |seen| match seen.path() {
        "/away" => Page::new(Vec::new())
            .status(302)
            .header("Location", &away)
            .whole(),
        _ => Reply::ok("{}"),
    })
    .await;
    let key: Secret = "hunter2".parse().unwrap();
    let egress = builder().build();
    let call = |path: &str| {
        let call = egress.post(server.url(path));
        call.secret_header("x-api-key", &key)
            .bearer(&key)
            .json(&json!({ "n": 1 }))
    };
    assert!(!format!("{:?} {key:?}", call("/")).contains("hunter2"));
    call("/").send().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("x-api-key"), Some("hunter2"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer hunter2"));
    // Another port is another origin, and to a private host nobody leads.
    let error = call("/away").send().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    assert_eq!(elsewhere.counts().requests, 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_before_anything_is_sent() {
    let server = Loopback::replying([]).await;
    let egress = builder().build();
    let url = server.url("/");
    let header = |name: &str| Error::Header {
        name: name.to_owned(),
    };
    let large = "x".repeat(limits().request - 1);
    for (call, error) in [
        (egress.get("/orders"), Error::Address),
        (egress.get(""), Error::Address),
        (egress.get(&url).header("a b", "c"), header("a b")),
        (egress.get(&url).header("a", "hunter2\n"), header("a")),
        (
            egress.post(&url).json(&BTreeMap::from([((1, 2), 3)])),
            Error::Unwritable,
        ),
        (
            egress.post(&url).json(&large),
            Error::RequestTooLarge {
                limit: limits().request,
            },
        ),
        // The first error counts.
        (egress.get("x").header("a b", "c").json(&1), Error::Address),
    ] {
        let found = call.send().await.unwrap_err();
        assert!(!found.to_string().contains("hunter2"));
        assert_eq!(found, error);
    }
    assert_eq!(server.counts().opened, 0);
    // One byte less fits.
    let server = Loopback::start(|_| Reply::ok("")).await;
    let call = egress.post(server.url("/")).json(&large[1..]);
    call.send().await.unwrap();
    assert_eq!(server.seen()[0].body.len(), limits().request);
}

#[tokio::test]
async fn an_answer_has_to_be_what_was_expected() {
    let server = Loopback::start(|seen| match seen.path() {
        "/404" => Page::new(Vec::from(r#"{"item":"hunter2"}"#))
            .status(404)
            .whole(),
        "/type" => Reply::ok(r#"{"item":"hunter2","count":"hunter2"}"#),
        "/cut" => Reply::ok(r#"{"item":"hunter2""#),
        "/empty" => Reply::ok(""),
        _ => Page::new(vec![b'1'; limits().body + 1]).whole(),
    })
    .await;
    let egress = builder().build();
    let receive = async |path: &str| {
        let received = egress.get(server.url(path)).receive::<Order>().await;
        let error = received.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        error
    };
    let error = receive("/404").await;
    assert!(
        matches!(&error, Error::Status { host, status } if host == "127.0.0.1" && *status == 404)
    );
    assert_eq!(
        error.to_string(),
        "127.0.0.1 answered with the status 404 Not Found"
    );
    for path in ["/type", "/cut", "/empty"] {
        assert_eq!(
            receive(path).await,
            refused!(NotJson, "127.0.0.1"),
            "{path}"
        );
    }
    let limit = limits().body;
    assert_eq!(receive("/large").await, Error::TooLarge { limit });
}

#[tokio::test]
async fn one_private_host_opens_nothing_else() {
    let server = Loopback::start(|_| Reply::ok("here")).await;
    let port = server.port();
    let egress = Egress::builder()
        .allow("public.example")
        .allow(Allow::host("Internal.EXAMPLE").private())
        .resolver(|_| async { Ok(vec![[127, 0, 0, 1].into()]) })
        .limits(Limits::default())
        .build();
    let get = async |url: String| egress.get(url).send().await;
    let here = get(format!("http://internal.example:{port}/")).await;
    assert_eq!(here.unwrap().body, "here");
    assert_eq!(
        get(format!("https://public.example:{port}/"))
            .await
            .unwrap_err(),
        refused!(PrivateAddress, "public.example")
    );
    assert_eq!(
        get(format!("http://public.example:{port}/"))
            .await
            .unwrap_err(),
        refused!(Insecure, "public.example")
    );
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
    ] {
        assert!(matches!(get(url).await, Err(Error::NotAllowed { .. })));
    }
    assert_eq!(server.counts().opened, 1);
}
