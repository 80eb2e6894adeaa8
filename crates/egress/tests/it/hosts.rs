//! Only hosts that were named, and only by `https:`.

use http::header::{self, HeaderName, HeaderValue};
use pymcp_egress::{Allow, Egress, Request};

use super::{builder, get, limits, refused, send};
use pymcp_egress::testing::{Loopback, Page, Reply};

#[tokio::test]
async fn a_host_that_was_named_is_reached() {
    let page = Page::new("hello").status(418).header("X-Answer", "42");
    let server = Loopback::replying([page.whole()]).await;
    let response = get(&server.url("/path?query")).await.unwrap();
    assert_eq!(response.status, 418);
    assert_eq!(response.headers["x-answer"], "42");
    assert_eq!(response.body, "hello");
    assert_eq!(response.url.as_str(), server.url("/path?query"));

    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/path?query")
    );
    assert_eq!(
        seen.header("host"),
        Some(format!("127.0.0.1:{}", server.port()).as_str())
    );
    assert_eq!(seen.header("accept-encoding"), Some("gzip,br"));
    assert_eq!(seen.header("user-agent"), None);
}

#[tokio::test]
async fn others_are_not() {
    let server = Loopback::replying([]).await;
    let port = server.port();
    for (url, error) in [
        (
            format!("http://127.0.0.2:{port}/"),
            refused!(NotAllowed, "127.0.0.2"),
        ),
        (
            format!("http://localhost:{port}/"),
            refused!(NotAllowed, "localhost"),
        ),
        (
            format!("http://localhost.:{port}/"),
            refused!(NotAllowed, "localhost."),
        ),
        (
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            refused!(NotAllowed, "[::ffff:7f00:1]"),
        ),
        (
            format!("http://user@127.0.0.1:{port}/"),
            refused!(Credentials, "127.0.0.1"),
        ),
        (
            format!("ftp://127.0.0.1:{port}/"),
            refused!(Insecure, "127.0.0.1"),
        ),
    ] {
        assert_eq!(get(&url).await.unwrap_err(), error);
    }
    assert_eq!(server.counts().opened, 0);
}

#[tokio::test]
async fn an_address_that_is_not_private_by_name_is_refused_in_every_spelling() {
    let server = Loopback::replying([]).await;
    let port = server.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
    ] {
        let named = Egress::builder().hosts([host]).limits(limits());
        let secure = send(named.clone(), &format!("https://{host}:{port}/")).await;
        assert_eq!(
            secure.unwrap_err(),
            refused!(PrivateAddress, "127.0.0.1"),
            "{host}"
        );
        let plain = send(named, &format!("http://{host}:{port}/")).await;
        assert_eq!(
            plain.unwrap_err(),
            refused!(Insecure, "127.0.0.1"),
            "{host}"
        );
    }
    let mapped = Egress::builder()
        .hosts(["[::ffff:127.0.0.1]"])
        .limits(limits());
    let mapped = send(mapped, &format!("https://[::ffff:127.0.0.1]:{port}/")).await;
    assert_eq!(
        mapped.unwrap_err(),
        refused!(PrivateAddress, "[::ffff:7f00:1]")
    );
    assert_eq!(server.counts().opened, 0);
}

#[tokio::test]
async fn every_spelling_of_a_private_host_reaches_it() {
    let server = Loopback::start(|_| Reply::ok("here")).await;
    for host in ["2130706433", "0x7f.1", "127.0.0.1."] {
        let response = get(&format!("http://{host}:{}/", server.port()))
            .await
            .unwrap();
        assert_eq!(response.body, "here", "{host}");
    }
}

#[tokio::test]
async fn headers_are_the_callers_but_for_those_of_the_connection() {
    let server = Loopback::replying([Reply::ok("")]).await;
    let url = server.url("/").parse().unwrap();
    let mut request = Request::form(url, [("q", "a&b=c d\u{e9}")])
        .header(
            HeaderName::from_static("x-mine"),
            HeaderValue::from_static("mine"),
        )
        .secret(header::COOKIE, HeaderValue::from_static("region=uk"));
    for name in [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "proxy-authorization",
        "expect",
    ] {
        request = request.header(
            HeaderName::from_static(name),
            HeaderValue::from_static("example.com"),
        );
    }
    let egress = builder().user_agent("tests/1.0\r\nX-Injected: yes").build();
    egress.send(request).await.unwrap();

    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.body, b"q=a%26b%3Dc+d%C3%A9");
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen.header("x-mine"), Some("mine"));
    assert_eq!(seen.header("cookie"), Some("region=uk"));
    assert_eq!(seen.header("user-agent"), Some("tests/1.0X-Injected: yes"));
    assert_eq!(seen.header("x-injected"), None);
    assert!(
        seen.headers.iter().all(|(_, value)| value != "example.com"),
        "{:?}",
        seen.headers
    );
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Loopback::start(|_| Reply::ok("again")).await;
    let egress = builder().build();
    for _ in 0..3 {
        egress
            .send(Request::get(server.url("/").parse().unwrap()))
            .await
            .unwrap();
    }
    assert_eq!((server.counts().opened, server.counts().requests), (1, 3));
}

#[tokio::test]
async fn what_becomes_of_requests_is_counted() {
    let server = Loopback::start(|_| Reply::ok("here")).await;
    let egress = Egress::builder()
        .allow(Allow::host("127.0.0.1").private())
        .allow("10.0.0.1")
        .limits(limits())
        .build();
    let here = format!("http://127.0.0.1:{}/", server.port());
    for (url, is_answered) in [
        (&*here, true),
        (&here, true),
        ("https://other.example/", false),
        ("https://10.0.0.1/", false),
    ] {
        assert_eq!(egress.clone().get(url).send().await.is_ok(), is_answered);
    }
    let counted: Vec<_> = egress.requests().filter(|(_, count)| *count > 0).collect();
    assert_eq!(
        counted,
        [("ok", 2), ("not_allowed", 1), ("private_address", 1)]
    );
}
