//! Nothing takes longer than it may, and what is not waited for any more ends at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pymcp_egress::{Egress, Error, Limits, Request};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{builder, hurried, limits, refused, send};
use pymcp_egress::testing::{Loopback, Page, Reply};

/// Far more than a hurried request takes on a busy machine, and far less than one that waits for its server.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn whatever_stalls_is_cut_off() {
    let pause = Duration::from_millis(20);
    let long = Page::new("x".repeat(10_000));
    let mut cases = JoinSet::new();
    for reply in [
        Reply::Hang,
        Reply::Drip(long.clone(), pause),
        Reply::DripHead(long.clone().header("X-Long", "x".repeat(10_000)), pause),
        Reply::After(Arc::default(), Box::new(long.whole())),
        // Interim responses (RFC 9110 §15.2), one after the other, without a final one.
        Reply::Drip(
            Page::new("HTTP/1.1 103 Hints\r\n\r\n".repeat(1000)).status(103),
            Duration::from_millis(1),
        ),
    ] {
        cases.spawn(async move {
            let server = Loopback::replying([reply]).await;
            let begun = Instant::now();
            let error = send(builder().limits(hurried()), &server.url("/"))
                .await
                .unwrap_err();
            assert_eq!(error, Error::TimedOut);
            assert!(begun.elapsed() < SOON);
            server.closed().await;
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn redirects_share_the_time() {
    let pause = Duration::from_millis(5);
    let slow = Page::new("")
        .status(302)
        .header("Location", "/again")
        .header("X-Long", "x".repeat(30));
    // Each takes about 400 ms, and all that are allowed 40 s.
    let server = Loopback::start(move |_| Reply::DripHead(slow.clone(), pause)).await;
    let limits = Limits {
        time: Duration::from_millis(900),
        redirects: 100,
        ..limits()
    };
    let error = send(builder().limits(limits), &server.url("/"))
        .await
        .unwrap_err();
    assert_eq!(error, Error::TimedOut);
    assert!(server.counts().requests < 100);
}

#[tokio::test]
async fn a_look_up_and_a_connection_are_part_of_the_time() {
    let never = Egress::builder()
        .hosts(["example.org"])
        .resolver(|_| std::future::pending());
    let whole = send(never.clone().limits(hurried()), "https://example.org/").await;
    assert_eq!(whole.unwrap_err(), Error::TimedOut);
    let connect = Limits {
        connect: Duration::from_millis(500),
        ..limits()
    };
    let begun = Instant::now();
    assert_eq!(
        send(never.limits(connect), "https://example.org/")
            .await
            .unwrap_err(),
        Error::TimedOut
    );
    assert!(begun.elapsed() < SOON);

    // A server that takes the connection and says nothing of TLS.
    let silent = Loopback::replying([]).await;
    let url = format!("https://127.0.0.1:{}/", silent.port());
    assert_eq!(
        send(builder().limits(connect), &url).await.unwrap_err(),
        Error::TimedOut
    );
    silent.closed().await;
}

#[tokio::test]
async fn a_dropped_request_ends_at_once() {
    for reply in [
        Reply::Hang,
        Reply::Endless(Page::new("x"), Vec::from("x")),
        Reply::Drip(Page::new([0; 999]), Duration::from_secs(1)),
    ] {
        let server = Loopback::replying([reply]).await;
        let egress = builder()
            .limits(Limits {
                body: usize::MAX,
                ..limits()
            })
            .build();
        let url = server.url("/").parse().unwrap();
        tokio::select! {
            ended = egress.send(Request::get(url)) => panic!("it ended by itself: {ended:?}"),
            () = server.requested(1) => {}
        }
        // The door is still there; the connection is not.
        assert_eq!(server.closed().await.open, 0);
        drop(egress);
    }
}

#[tokio::test]
async fn one_more_than_allowed_waits() {
    let signal = Arc::new(Notify::new());
    let waiting = signal.clone();
    let server = Loopback::start(move |seen| match seen.path() {
        "/slow" => Reply::After(waiting.clone(), Box::new(Reply::ok("slow"))),
        _ => Reply::ok("fast"),
    })
    .await;
    let egress = builder()
        .limits(Limits {
            concurrent: 1,
            ..limits()
        })
        .build();
    let one = egress.send(Request::get(server.url("/slow").parse().unwrap()));
    let other = async {
        server.requested(1).await;
        let other = egress.send(Request::get(server.url("/fast").parse().unwrap()));
        tokio::pin!(other);
        // It was begun, and has no place.
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(other.as_mut().poll(cx).is_pending()))
                .await
        );
        assert_eq!(server.counts().requests, 1);
        signal.notify_one();
        other.await
    };
    let (one, other) = tokio::join!(one, other);
    assert_eq!(
        (one.unwrap().body, other.unwrap().body),
        ("slow".into(), "fast".into())
    );
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(paths, ["/slow", "/fast"]);
}

#[tokio::test]
async fn waiting_for_a_place_is_part_of_the_time() {
    let server = Loopback::start(|_| Reply::Hang).await;
    // None is as one: a door that lets nothing through would only ever wait.
    let egress = builder()
        .limits(Limits {
            concurrent: 0,
            ..hurried()
        })
        .build();
    let url: url::Url = server.url("/").parse().unwrap();
    let (one, other) = tokio::join!(
        egress.send(Request::get(url.clone())),
        egress.send(Request::get(url))
    );
    assert_eq!(one.unwrap_err(), Error::TimedOut);
    assert_eq!(other.unwrap_err(), Error::TimedOut);
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn what_nobody_serves_is_unreachable() {
    let closed = Loopback::replying([]).await;
    let url = closed.url("/");
    drop(closed);
    // The listener is gone as soon as its task has been dropped.
    tokio::task::yield_now().await;
    assert_eq!(
        send(builder(), &url).await.unwrap_err(),
        refused!(Unreachable, "127.0.0.1")
    );
}
