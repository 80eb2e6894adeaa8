//! Shutdown. These tests run on one thread; see those of HTTP/1.1.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use h2::client::Builder;
use pymcp_kit::transport::http::HttpConfig;

use super::client::{Peer, translated};
use super::frames::{DATA, END_STREAM, GOAWAY, HEADERS, beginning, request};
use crate::stage::{Client, PATIENCE, Stage, call, list, soon};

fn patient() -> HttpConfig {
    HttpConfig {
        drain: 4 * PATIENCE,
        ..HttpConfig::default()
    }
}

fn blocking(client: Client) -> TcpStream {
    let client = client.0.into_std().unwrap();
    client.set_nonblocking(false).unwrap();
    client
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_answered() {
    const EACH: u32 = 20;
    let mut stage = Stage::new(patient()).await;
    let mut known = Vec::new();
    for _ in 0..EACH {
        let mut client = stage.framed(&request(1, &list())).await;
        client.next(HEADERS).await.unwrap();
        while client.next(DATA).await.unwrap().flags & END_STREAM == 0 {}
        known.push(blocking(client));
    }
    // From here on the server does not run until everything below has been sent.
    let mut asked = Vec::new();
    for mut client in known {
        client.write_all(&request(3, &list())).unwrap();
        asked.push((client, 3));
    }
    for _ in 0..EACH {
        let mut client = TcpStream::connect(stage.address).unwrap();
        let sent = [beginning(), request(1, &list()), request(3, &list())].concat();
        client.write_all(&sent).unwrap();
        asked.push((client, 3));
    }
    stage.stop();
    for (client, last) in asked {
        client.set_nonblocking(true).unwrap();
        let mut client = Client(tokio::net::TcpStream::from_std(client).unwrap());
        let (mut goes, mut answered) = (false, false);
        while let Some(frame) = client.frame().await {
            goes |= frame.kind == GOAWAY && frame.code() == 0;
            answered |= frame.kind == DATA && frame.stream == last && frame.flags & END_STREAM > 0;
        }
        assert!(goes && answered, "{goes} {answered}");
    }
    let address = stage.address;
    stage.ended().await;
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn calls_in_flight_end_and_no_more_are_begun() {
    let mut stage = Stage::new(patient()).await;
    let peer = Peer::new(&stage).await;
    let open = peer.send(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    stage.stop();
    soon(async {
        while peer.takes_more().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Long enough for what is silent to be let go.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stage.gate.add_permits(1);
    let answer = open.answer().await.unwrap();
    assert!(answer.body.contains("through"), "{}", answer.body);
    assert!(!answer.headers.contains_key("connection"));
    peer.ended().await.unwrap();
    stage.ended().await;
}

/// Neither who does not read nor who stops in the middle of a request is waited for.
#[tokio::test]
async fn silent_clients_do_not_hold_it_up() {
    let mut stage = Stage::new(patient()).await;
    let said_nothing = stage.connect().await;
    let begun = stage.framed(&[]).await;
    let idle = Peer::new(&stage).await;
    assert_eq!(idle.ask(&list()).await.status, 200);
    let unread = Peer::with(&stage, Builder::new().initial_window_size(0)).await;
    let response = unread.send(&call("large")).await.begun().await.unwrap();
    let stops = Peer::new(&stage).await;
    let (request, body) = translated(&list());
    let mut half = stops.begin(request, false).await;
    half.body.send_data(body.slice(..10), false).unwrap();
    assert_eq!(stops.ask(&list()).await.status, 200);
    let since = Instant::now();
    stage.stop();
    stage.ended().await;
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
    drop((said_nothing, begun, response, half));
}
