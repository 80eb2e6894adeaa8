//! Clients that take their time: to read, and to send a body.

use std::time::{Duration, Instant};

use pymcp_kit::transport::http::HttpConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{LARGE, Stage, call, cut, list, soon};

const BRIEF: Duration = Duration::from_millis(200);

fn brief() -> HttpConfig {
    HttpConfig {
        write_timeout: BRIEF,
        ..HttpConfig::default()
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let stage = Stage::new(brief()).await;
    let mut client = stage.sent(&call("large")).await;
    // It reads nothing here either: what it sends tells it that nobody is there.
    soon(async {
        while client.0.write_all(b" ").await.is_ok() {
            tokio::time::sleep(BRIEF / 10).await;
        }
    })
    .await;
    assert!(stage.serves().await);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not() {
    let stage = Stage::new(HttpConfig {
        write_timeout: 3 * BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let mut client = stage.sent(&call("large")).await;
    let begun = Instant::now();
    let mut read = Vec::with_capacity(LARGE);
    let mut part = vec![0; LARGE / 40];
    while read.len() < LARGE {
        let length = soon(client.0.read(&mut part)).await.unwrap();
        assert_ne!(length, 0, "cut off after {} bytes", read.len());
        read.extend_from_slice(&part[..length]);
        if begun.elapsed() < 5 * BRIEF {
            tokio::time::sleep(BRIEF / 20).await;
        }
    }
    assert!(begun.elapsed() > 3 * BRIEF);
}

#[tokio::test]
async fn a_body_that_trickles_or_stops_is_answered_and_its_connection_ends() {
    let stage = Stage::new(HttpConfig {
        body_rate: 1000,
        body_window: BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let stopped = cut(true);
    // Much at once is no credit for later.
    let burst = stopped.replace("Content-Length: ", "Content-Length: 9") + &" ".repeat(5_000);
    for sent in [stopped, burst] {
        for trickles in [false, true] {
            let begun = Instant::now();
            let mut client = stage.sent(&sent).await;
            let (mut reads, mut writes) = client.0.split();
            let mut answer = Vec::new();
            {
                let mut answered = std::pin::pin!(soon(reads.read_to_end(&mut answer)));
                loop {
                    tokio::select! {
                        _ = &mut answered => break,
                        () = tokio::time::sleep(BRIEF / 20), if trickles => {
                            let _ = writes.write_all(b" ").await;
                        }
                    }
                }
            }
            let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            // A client that goes on sending may lose the answer to the reset.
            if !trickles {
                assert!(answer.starts_with("http/1.1 408"), "{answer}");
                assert!(answer.contains("connection: close\r\n"), "{answer}");
            }
            assert!(begun.elapsed() >= BRIEF);
            assert!(begun.elapsed() < HttpConfig::default().body_timeout / 2);
        }
    }
}

#[tokio::test]
async fn a_body_that_keeps_its_rate_is_taken() {
    let stage = Stage::new(HttpConfig {
        body_rate: 4,
        body_window: 5 * BRIEF,
        ..HttpConfig::default()
    })
    .await;
    let request = list();
    let body = request.find("\r\n\r\n").unwrap() + 4;
    let mut client = stage.sent(&request[..body]).await;
    for byte in request[body..].chars().take(60) {
        client.send(&byte.to_string()).await;
        tokio::time::sleep(BRIEF / 8).await;
    }
    client.send(&request[body + 60..]).await;
    let answer = client.answer().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
