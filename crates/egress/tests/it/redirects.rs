//! Redirects are followed by hand, each judged as a first request.

use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use pymcp_egress::{Error, Limits, Request};

use super::{builder, get, limits, refused, send};
use pymcp_egress::testing::{Loopback, Page, Reply};

const X_KEY: HeaderName = HeaderName::from_static("x-key");

fn key() -> HeaderValue {
    HeaderValue::from_static("0123456789")
}

#[tokio::test]
async fn they_are_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server =
            Loopback::replying([Reply::redirect(status, "/there?x=1"), Reply::ok("there")]).await;
        let response = get(&server.url("/here")).await.unwrap();
        assert_eq!(response.body, "there", "{status}");
        assert_eq!(response.url.as_str(), server.url("/there?x=1"));
        assert_eq!(server.seen()[1].target, "/there?x=1");
    }
}

#[tokio::test]
async fn a_form_becomes_a_get_or_stays() {
    for (status, method, body) in [
        (303, "GET", ""),
        (302, "GET", ""),
        (307, "POST", "q=rust"),
        (308, "POST", "q=rust"),
    ] {
        let server = Loopback::replying([Reply::redirect(status, "/there"), Reply::ok("")]).await;
        let form = Request::form(server.url("/").parse().unwrap(), [("q", "rust")]);
        assert_eq!(form.method, Method::POST);
        builder().build().send(form).await.unwrap();
        let [_, seen] = server.seen().try_into().unwrap();
        assert_eq!(seen.method, method, "{status}");
        assert_eq!(String::from_utf8(seen.body).unwrap(), body, "{status}");
    }
}

#[tokio::test]
async fn each_is_judged() {
    let other = Loopback::replying([]).await;
    let port = other.port();
    for (location, error) in [
        (
            format!("http://127.0.0.2:{port}/"),
            refused!(NotAllowed, "127.0.0.2"),
        ),
        (
            format!("http://[::1]:{port}/"),
            refused!(NotAllowed, "[::1]"),
        ),
        (
            format!("https://169.254.169.254:{port}/latest/meta-data"),
            refused!(PrivateAddress, "169.254.169.254"),
        ),
        (
            format!("http://example.org:{port}/"),
            refused!(Insecure, "example.org"),
        ),
        (
            format!("//example.com:{port}/"),
            refused!(NotAllowed, "example.com"),
        ),
        (
            format!("https://user:password@example.org:{port}/"),
            refused!(Credentials, "example.org"),
        ),
        (
            "file:///etc/passwd".to_owned(),
            refused!(Insecure, "this address"),
        ),
        (
            format!("ftp://example.org:{port}/"),
            refused!(Insecure, "example.org"),
        ),
        (
            "data:text/plain,hello".to_owned(),
            refused!(Insecure, "this address"),
        ),
        ("http://".to_owned(), Error::Redirects),
    ] {
        let server = Loopback::replying([Reply::redirect(302, location.clone())]).await;
        // An address of the metadata services was named, by mistake, but not as private.
        let named = builder().hosts(["example.org", "169.254.169.254"]);
        assert_eq!(
            send(named, &server.url("/")).await.unwrap_err(),
            error,
            "{location}"
        );
    }
    assert_eq!(other.counts().opened, 0);
}

#[tokio::test]
async fn a_name_that_a_redirect_leads_to_is_resolved_and_judged() {
    let other = Loopback::replying([]).await;
    let location = format!("https://example.org:{}/", other.port());
    let server = Loopback::replying([Reply::redirect(302, location)]).await;
    let named = builder()
        .hosts(["example.org"])
        .resolver(|_| async { Ok(vec![[127, 0, 0, 1].into()]) });
    assert_eq!(
        send(named, &server.url("/")).await.unwrap_err(),
        refused!(PrivateAddress, "example.org")
    );
    assert_eq!(other.counts().opened, 0);
}

#[tokio::test]
async fn there_is_an_end_to_them() {
    let server = Loopback::start(|_| Reply::redirect(302, "/again")).await;
    assert_eq!(get(&server.url("/")).await.unwrap_err(), Error::Redirects);
    assert_eq!(server.counts().requests, 1 + limits().redirects);

    let chain = Loopback::start(|seen| match seen.path().len() {
        4.. => Reply::ok("the end"),
        length => Reply::redirect(302, format!("/{}", "a".repeat(length))),
    })
    .await;
    assert_eq!(get(&chain.url("/")).await.unwrap().body, "the end");
    let none = builder().limits(Limits {
        redirects: 0,
        ..limits()
    });
    assert_eq!(
        send(none, &chain.url("/")).await.unwrap_err(),
        Error::Redirects
    );
    let nowhere = Loopback::replying([Reply::status(302)]).await;
    assert_eq!(get(&nowhere.url("/")).await.unwrap_err(), Error::Redirects);
}

#[tokio::test]
async fn other_statuses_are_answers() {
    for status in [300, 304, 305] {
        let page = Page::new("")
            .status(status)
            .header("Location", "http://127.0.0.2/");
        let server = Loopback::replying([page.whole()]).await;
        assert_eq!(get(&server.url("/")).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn secrets_stay_where_they_belong() {
    let server = Loopback::replying([Reply::redirect(302, "/again"), Reply::ok("there")]).await;
    let request = Request::get(server.url("/").parse().unwrap())
        .secret(X_KEY, key())
        .header(header::COOKIE, HeaderValue::from_static("a=b"));
    assert_eq!(builder().build().send(request).await.unwrap().body, "there");
    for seen in server.seen() {
        assert_eq!(seen.header("x-key"), Some("0123456789"));
        assert_eq!(seen.header("cookie"), Some("a=b"));
        assert_eq!(seen.header("referer"), None);
    }
}

#[tokio::test]
async fn nobody_is_led_to_what_else_a_private_host_has() {
    for status in [301, 302, 303, 307, 308] {
        let other = Loopback::start(|_| Reply::ok("reached")).await;
        let location = other.url("/");
        let server = Loopback::start(move |_| Reply::redirect(status, location.clone())).await;
        assert_eq!(
            get(&server.url("/")).await.unwrap_err(),
            Error::Redirects,
            "{status}"
        );
        assert_eq!(other.counts().opened, 0);
    }
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_read() {
    let endless = Page::new("").status(302).header("Location", "/there");
    let replies = [
        Reply::Endless(endless, vec![b'x'; 4096]),
        Reply::ok("there"),
    ];
    let server = Loopback::replying(replies).await;
    let egress = builder().build();
    let response = egress
        .send(Request::get(server.url("/").parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(response.body, "there");
    let counts = server
        .until("the first connection is closed", |counts| counts.open == 1)
        .await;
    assert_eq!(counts.opened, 2);
}
