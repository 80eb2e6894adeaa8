//! Clients that take their time.

use std::time::{Duration, Instant};

use h2::Reason;
use h2::client::Builder;
use pymcp_kit::transport::http::HttpConfig;

use super::client::{Peer, translated};
use super::frames::{
    ACK, END_HEADERS, GOAWAY, HEADERS, PING, SETTINGS, beginning, frame, head, request,
};
use crate::stage::{LARGE, Stage, call, list, soon};

const BRIEF: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_response_that_its_client_does_not_take_is_reset_and_no_other() {
    let stage = Stage::new(HttpConfig {
        write_timeout: BRIEF,
        ..HttpConfig::default()
    })
    .await;
    // Nothing at all is taken, or a part of it.
    for window in [0, 100_000] {
        let peer = Peer::with(&stage, Builder::new().initial_window_size(window)).await;
        let begun = Instant::now();
        let mut unread = peer.send(&call("large")).await.begun().await.unwrap();
        let large = async {
            while let Some(data) = unread.body.data().await {
                data?;
            }
            Ok::<_, h2::Error>(())
        };
        let error = soon(large).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
        assert!(begun.elapsed() >= BRIEF);
        // The connection goes on; a response without a body needs no window.
        let begun = peer
            .send("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert_eq!(begun.answer().await.unwrap().status, 204);
    }
}

#[tokio::test]
async fn a_response_that_is_taken_slowly_is_not() {
    let stage = Stage::new(HttpConfig {
        write_timeout: 3 * BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let peer = Peer::with(&stage, Builder::new().initial_window_size(100_000)).await;
    let mut large = peer.send(&call("large")).await.begun().await.unwrap();
    let (begun, mut read) = (Instant::now(), 0);
    while let Some(data) = soon(large.body.data()).await {
        let length = data.unwrap().len();
        read += length;
        large.body.flow_control().release_capacity(length).unwrap();
        if begun.elapsed() < 5 * BRIEF {
            tokio::time::sleep(BRIEF / 20).await;
        }
    }
    assert!(read > LARGE, "{read}");
    assert!(begun.elapsed() > 3 * BRIEF);
}

#[tokio::test]
async fn a_body_that_trickles_or_stops_is_answered_and_the_connection_goes_on() {
    let stage = Stage::new(HttpConfig {
        body_rate: 1000,
        body_window: BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let peer = Peer::new(&stage).await;
    for trickles in [false, true] {
        let begun = Instant::now();
        let (request, body) = translated(&list());
        let mut open = peer.begin(request, false).await;
        open.body.send_data(body.slice(..10), false).unwrap();
        let mut stream = open.body;
        let mut answered = std::pin::pin!(soon(open.response));
        let answer = loop {
            tokio::select! {
                answer = &mut answered => break answer.unwrap(),
                () = tokio::time::sleep(BRIEF / 20), if trickles => {
                    let _ = stream.send_data(" ".into(), false);
                }
            }
        };
        assert_eq!(answer.status(), 408);
        assert!(begun.elapsed() >= BRIEF);
        assert!(begun.elapsed() < HttpConfig::default().body_timeout / 2);
    }
    assert_eq!(peer.ask(&list()).await.status, 200);
}

#[tokio::test]
async fn a_connection_without_requests_ends_as_one_that_idles_does() {
    let stage = Stage::new(HttpConfig {
        header_timeout: BRIEF,
        ..HttpConfig::default()
    })
    .await;
    // It has said nothing more than that it speaks HTTP/2, or the begin of a request.
    let cut = frame(HEADERS, 0, 1, &head("POST", "/mcp", &[]));
    for sent in [&[][..], &cut] {
        let begun = Instant::now();
        let mut client = stage.framed(sent).await;
        assert_eq!(client.next(GOAWAY).await.unwrap().code(), 0);
        assert!(begun.elapsed() >= BRIEF);
        client.closed().await;
    }
    // Part of the preface.
    let mut client = stage.sent("PRI * HTTP/2.0\r\n\r\nSM").await;
    client.closed().await;
    // One with requests stays, until it has had its answers.
    let peer = Peer::new(&stage).await;
    let open = peer.send(&call("wait")).await;
    tokio::time::sleep(3 * BRIEF).await;
    stage.gate.add_permits(1);
    assert!(open.answer().await.unwrap().body.contains("through"));
    peer.ended().await.unwrap();
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_cut_off() {
    let stage = Stage::new(HttpConfig {
        write_timeout: BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let mut dead = stage.connect().await;
    let mut frames = beginning();
    frames.extend(frame(SETTINGS, ACK, 0, &[]));
    frames.extend(request(1, &call("wait")));
    assert!(dead.send_frames(&frames).await);
    let mut alive = stage.framed(&request(1, &call("wait"))).await;
    drop(soon(stage.begun.acquire_many(2)).await.unwrap());
    // What comes before the end.
    let pings = async {
        let mut pings = 0;
        while let Some(frame) = dead.frame().await {
            pings += usize::from(frame.kind == PING);
        }
        pings
    };
    let answers = async {
        loop {
            let ping = alive.next(PING).await.unwrap();
            let pong = frame(PING, ACK, 0, &ping.payload);
            assert!(alive.send_frames(&pong).await);
        }
    };
    let pings = tokio::select! {
        pings = pings => pings,
        () = answers => unreachable!(),
    };
    assert_eq!(pings, 1);
    // Its call is cancelled, the other one goes on.
    soon(stage.over.acquire()).await.unwrap().forget();
    stage.gate.add_permits(1);
    assert!(
        alive
            .next(HEADERS)
            .await
            .is_some_and(|head| head.flags & END_HEADERS > 0)
    );
}
