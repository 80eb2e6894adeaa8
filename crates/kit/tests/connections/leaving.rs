//! Shutdown. These tests run on one thread, so that the server finds the end and what was sent
//! before it at the same moment: nothing depends on who is faster.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pymcp_kit::transport::http::{Endpoints, HttpConfig};

use crate::stage::{
    Client, PATIENCE, Stage, call, cut, five, initialize, legacy_call, list, posted, soon,
};

fn patient() -> HttpConfig {
    HttpConfig {
        drain: 4 * PATIENCE,
        ..HttpConfig::default()
    }
}

fn tokio_stream(stream: TcpStream) -> Client {
    stream.set_nonblocking(true).unwrap();
    Client(tokio::net::TcpStream::from_std(stream).unwrap())
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_answered() {
    const EACH: usize = 20;
    let mut stage = Stage::new(patient()).await;
    let mut known = Vec::new();
    for _ in 0..EACH {
        let client = stage.idle().await;
        let client = client.0.into_std().unwrap();
        client.set_nonblocking(false).unwrap();
        known.push(client);
    }
    let (request, half) = (list(), list().len() / 2);
    // From here on the server does not run until everything below has been sent.
    let mut asked = Vec::new();
    for mut client in known {
        client.write_all(request.as_bytes()).unwrap();
        asked.push(client);
    }
    for _ in 0..EACH {
        let mut client = TcpStream::connect(stage.address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        asked.push(client);
    }
    // A request of which only a part is there, and a connection that has said nothing yet.
    let mut part = TcpStream::connect(stage.address).unwrap();
    part.write_all(&request.as_bytes()[..half]).unwrap();
    stage.stop();
    let rest = std::thread::spawn(move || {
        part.write_all(&request.as_bytes()[half..]).unwrap();
        part.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        part.read_to_string(&mut answer).unwrap();
        answer
    });
    for client in asked {
        let mut client = tokio_stream(client);
        let answer = client.answer().await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer
                .to_ascii_lowercase()
                .contains("connection: close\r\n"),
            "{answer}"
        );
        client.closed().await;
    }
    let address = stage.address;
    stage.ended().await;
    assert!(rest.join().unwrap().starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn a_call_in_flight_ends_and_says_that_the_connection_does() {
    let mut stage = Stage::new(patient()).await;
    let mut client = stage.sent(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    stage.stop();
    // Long enough for what is silent to be let go.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stage.gate.add_permits(1);
    let answer = client.answer().await.unwrap();
    assert!(answer.contains("through"), "{answer}");
    let head = answer.to_ascii_lowercase();
    assert!(head.contains("connection: close\r\n"), "{answer}");
    stage.ended().await;
}

#[tokio::test]
async fn questions_that_nobody_can_answer_any_more_do_not_hold_it_up() {
    for (version, tool) in [
        ("2025-11-25", "ask"),
        ("2024-11-05", "ask"),
        ("2025-06-18", "persist"),
    ] {
        let mut stage = Stage::new(patient()).await;
        let session = stage.session(version).await;
        let ask = posted("/mcp", &session, &legacy_call(1, tool));
        let mut client = stage.sent(&ask).await;
        client.until("elicitation/create").await;
        stage.stop();
        client.until("The client left before it answered").await;
        stage.ended().await;
    }
    let (mut stage, mut stream, _) = asked_over_sse().await;
    stage.stop();
    stream.until("The client left before it answered").await;
    stage.ended().await;
}

/// A session of legacy SSE whose call has asked: its stream, and where its messages are posted.
async fn asked_over_sse() -> (Stage, Client, String) {
    let stage = Stage::new(HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..patient()
    })
    .await;
    let (mut stream, target) = stage.stream().await;
    stage.say(&target, &initialize("2024-11-05")).await;
    stage.say(&target, &legacy_call(1, "ask")).await;
    stream.until("elicitation/create").await;
    (stage, stream, target)
}

#[tokio::test]
async fn an_answer_that_is_on_its_way_to_a_session_of_legacy_sse_still_comes() {
    let (mut stage, mut stream, target) = asked_over_sse().await;
    let (mut idles, _) = stage.stream().await;
    let answer = posted(&target, "", &five(0));
    let (begun, rest) = answer.split_at(10);
    let mut client = stage.sent(begun).await;
    stage.stop();
    // All streams know of the end by now.
    idles.closed().await;
    client.send(rest).await;
    let told = client.answer().await.unwrap();
    assert!(told.starts_with("HTTP/1.1 202"), "{told}");
    stream.until("5 of them").await;
    stage.ended().await;
}

/// Neither who does not read nor who stops in the middle of a request is waited for.
#[tokio::test]
async fn silent_clients_do_not_hold_it_up() {
    let mut stage = Stage::new(patient()).await;
    let mut silent = vec![stage.idle().await, stage.connect().await];
    for sent in [cut(false), cut(true), call("large")] {
        silent.push(stage.sent(&sent).await);
    }
    // All of them are known, and the large answer is on its way.
    soon(silent[4].0.readable()).await.unwrap();
    assert!(stage.serves().await);
    let begun = Instant::now();
    stage.stop();
    stage.ended().await;
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}
