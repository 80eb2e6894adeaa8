//! More requests than places: each has one, as if it had a connection of its own.

use h2::Reason;
use pymcp_kit::transport::http::HttpConfig;

use super::client::{Open, Peer, translated};
use crate::stage::{Stage, call, list, soon};

fn places(connections: usize) -> HttpConfig {
    HttpConfig {
        connections,
        ..HttpConfig::default()
    }
}

async fn waiting(stage: &Stage, peer: &Peer) -> Open {
    let open = peer.send(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    open
}

/// A request of which a part has come.
async fn half(peer: &Peer) -> Open {
    let (request, body) = translated(&list());
    let mut open = peer.begin(request, false).await;
    open.body.send_data(body.slice(..10), false).unwrap();
    open
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_place_and_one_without_is_refused_unbegun() {
    let stage = Stage::new(places(3)).await;
    let peer = Peer::new(&stage).await;
    let calls = [waiting(&stage, &peer).await, waiting(&stage, &peer).await];
    let refused = peer.send(&call("wait")).await;
    assert_eq!(refused.reset().await, Some(Reason::REFUSED_STREAM));
    assert_eq!(stage.begun.available_permits(), 0);
    stage.connect().await.closed().await;
    stage.gate.add_permits(2);
    for call in calls {
        assert!(call.answer().await.unwrap().body.contains("through"));
    }
    // Their places are free again.
    stage.gate.add_permits(1);
    let answer = loop {
        match peer.send(&call("wait")).await.answer().await {
            Ok(answer) => break answer,
            // For a moment nobody looks for one again.
            Err(error) => assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM)),
        }
    };
    assert!(answer.body.contains("through"), "{}", answer.body);
    assert!(stage.serves().await);
}

#[tokio::test]
async fn a_connection_makes_room_only_while_it_has_no_request() {
    let stage = Stage::new(places(3)).await;
    let works = Peer::new(&stage).await;
    let call = waiting(&stage, &works).await;
    let idle = Peer::new(&stage).await;
    assert!(idle.takes_more().await);
    // The table is full; the one that idles is younger, and goes.
    assert!(stage.serves().await);
    let _ = idle.ended().await;
    assert!(stage.serves().await);
    stage.gate.add_permits(1);
    assert!(call.answer().await.unwrap().body.contains("through"));
    // Now that one idles.
    let others = [stage.idle().await, stage.idle().await, stage.idle().await];
    let _ = works.ended().await;
    drop(others);
}

#[tokio::test]
async fn the_request_that_waits_longest_makes_room_and_its_connection_goes_on() {
    let stage = Stage::new(places(4)).await;
    let peer = Peer::new(&stage).await;
    let oldest = half(&peer).await;
    let call = waiting(&stage, &peer).await;
    let mut younger = half(&peer).await;
    // What was sent before this has been read by now.
    drop(
        peer.ask("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await,
    );
    assert_eq!(oldest.reset().await, Some(Reason::CANCEL));
    let rest = translated(&list()).1.slice(10..);
    younger.body.send_data(rest, true).unwrap();
    assert_eq!(younger.answer().await.unwrap().status, 200);
    stage.gate.add_permits(1);
    assert!(call.answer().await.unwrap().body.contains("through"));
}

#[tokio::test]
async fn streams_that_answer_no_request_make_room() {
    let stage = Stage::new(places(3)).await;
    let session = stage.session("2025-11-25").await;
    let listen = format!(
        "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{session}\r\n"
    );
    let peer = Peer::new(&stage).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(peer.send(&listen).await.begun().await.unwrap());
    }
    assert!(stage.serves().await);
    let error = streams.remove(0).end().await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    assert!(peer.takes_more().await);
}
