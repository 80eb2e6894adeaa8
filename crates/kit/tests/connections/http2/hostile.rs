//! Clients that mean harm, or break the rules.

use std::time::Duration;

use pymcp_kit::transport::http::HttpConfig;
use tokio::io::AsyncWriteExt as _;

use super::client::Peer;
use super::frames::*;
use crate::stage::{Client, Stage, call, list, soon};

fn patient() -> HttpConfig {
    HttpConfig {
        body_timeout: Duration::from_secs(300),
        ..HttpConfig::default()
    }
}

/// That the server still serves, and how the connection of the other one has ended.
async fn ended(stage: &Stage, client: &mut Client) -> u32 {
    let goaway = client.next(GOAWAY).await.expect("an end with a reason");
    client.closed().await;
    assert!(stage.serves().await);
    goaway.code()
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let stage = Stage::new(patient()).await;
    let mut frames = Vec::new();
    for stream in (1..2_000).step_by(2) {
        frames.extend(request(stream, &call("wait")));
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut client = stage.framed(&[]).await;
    let _ = client.send_frames(&frames).await;
    assert_eq!(ended(&stage, &mut client).await, ENHANCE_YOUR_CALM);
    // Nothing of it is left.
    soon(async {
        while stage.begun.available_permits() != stage.over.available_permits() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// CVE-2025-8671: the server is made to reset.
#[tokio::test]
async fn a_flood_of_broken_streams_ends_the_connection() {
    let stage = Stage::new(patient()).await;
    let mut client = stage.framed(&[]).await;
    let mut frames = Vec::new();
    for stream in (1..4_000).step_by(2) {
        let head = head("POST", "/mcp", &[("connection", "close")]);
        frames.extend(frame(HEADERS, END_HEADERS, stream, &head));
    }
    let (mut reads, mut writes) = client.0.split();
    let sends = async {
        let _ = writes.write_all(&frames).await;
        std::future::pending::<()>().await
    };
    let mut read = Vec::new();
    tokio::select! {
        _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut reads, &mut read)) => {}
        () = sends => {}
    }
    let calm = ENHANCE_YOUR_CALM.to_be_bytes();
    assert!(read.windows(4).any(|bytes| bytes == calm));
    assert!(stage.serves().await);
}

#[tokio::test]
async fn one_request_too_many_is_refused() {
    let stage = Stage::new(patient()).await;
    let streams: Vec<u32> = (0..101).map(|stream| 2 * stream + 1).collect();
    let frames: Vec<u8> = streams
        .iter()
        .flat_map(|&stream| request(stream, &call("wait")))
        .collect();
    let mut client = stage.framed(&frames).await;
    let refused = client.next(RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, refused.code()), (201, REFUSED_STREAM));
    stage.gate.add_permits(100);
    for _ in 0..100 {
        client.next(HEADERS).await.unwrap();
    }
    // One has gone, so there is room for another.
    stage.gate.add_permits(1);
    assert!(client.send_frames(&request(203, &call("wait"))).await);
    assert_eq!(client.next(HEADERS).await.unwrap().stream, 203);
}

/// The head of a request in several frames, `parts` more than one.
fn in_parts(stream: u32, head: &[u8], parts: usize) -> Vec<u8> {
    let part = head.len().div_ceil(parts + 1);
    let mut frames = Vec::new();
    for (index, part) in head.chunks(part).enumerate() {
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        let mut flags = if index == 0 { END_STREAM } else { 0 };
        if index == parts {
            flags |= END_HEADERS;
        }
        frames.extend(frame(kind, flags, stream, part));
    }
    frames
}

#[tokio::test]
async fn heads_are_bounded_as_those_of_http_1_1_are() {
    let stage = Stage::new(patient()).await;
    let peer = Peer::new(&stage).await;
    let with = |headers: &str| list().replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
    let many = |count: usize| -> String { (0..count).map(|i| format!("X-{i}: y\r\n")).collect() };
    assert_eq!(peer.ask(&with(&many(60))).await.status, 200);
    assert_eq!(peer.ask(&with(&many(61))).await.status, 431);
    let mut client = stage.framed(&[]).await;
    for (stream, length, ok) in [(1, 15_000, true), (3, 16_400, false)] {
        let large = "x".repeat(length);
        let head = head("GET", "/healthz", &[("x", &large)]);
        assert!(client.send_frames(&in_parts(stream, &head, 1)).await);
        let answer = client.next(HEADERS).await.unwrap();
        // As HPACK has it: 200, and the beginning of another one.
        let (is_200, expected) = (answer.payload[0] == 0x88, ok);
        assert_eq!(is_200, expected, "{length}: {answer:?}");
    }
}

/// CVE-2024-27316.
#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let stage = Stage::new(patient()).await;
    // Without an end, and far larger than allowed.
    let mut parts = in_parts(1, &head("GET", "/healthz", &[]), 20);
    parts.truncate(parts.len() - 9);
    let large = header("x", &"x".repeat(8_000));
    let endless: Vec<u8> = [frame(HEADERS, END_STREAM, 1, &head("GET", "/mcp", &[]))]
        .into_iter()
        .chain((0..100).map(|_| frame(CONTINUATION, 0, 1, &large)))
        .flatten()
        .collect();
    for frames in [parts, endless] {
        let mut client = stage.framed(&[]).await;
        let _ = client.send_frames(&frames).await;
        let code = ended(&stage, &mut client).await;
        assert!(
            [PROTOCOL_ERROR, ENHANCE_YOUR_CALM].contains(&code),
            "{code}"
        );
    }
}

#[tokio::test]
async fn what_http_2_forbids_is_refused_and_the_connection_goes_on() {
    let stage = Stage::new(patient()).await;
    let mut client = stage.framed(&[]).await;
    let with = |name, value| head("POST", "/mcp", &[(name, value)]);
    let twice = [head("POST", "/mcp", &[]), header(":path", "/mcp")].concat();
    let nowhere = [
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":authority", "localhost"),
    ]
    .concat();
    let mut stream = 1;
    for head in [
        with("connection", "keep-alive"),
        with("keep-alive", "timeout=5"),
        with("proxy-connection", "close"),
        with("transfer-encoding", "chunked"),
        with("upgrade", "h2c"),
        with("te", "gzip"),
        with("content-length", "many"),
        twice,
        nowhere,
    ] {
        assert!(
            client
                .send_frames(&frame(HEADERS, END_HEADERS, stream, &head))
                .await
        );
        let shown = String::from_utf8_lossy(&head).into_owned();
        let refused = client.next(RST_STREAM).await.expect(&shown);
        assert_eq!(
            (refused.stream, refused.code()),
            (stream, PROTOCOL_ERROR),
            "{shown}"
        );
        stream += 2;
    }
    // There is no tunnel either.
    let tunnel = [
        header(":method", "CONNECT"),
        header(":authority", "localhost"),
    ]
    .concat();
    let flags = END_HEADERS | END_STREAM;
    assert!(
        client
            .send_frames(&frame(HEADERS, flags, stream, &tunnel))
            .await
    );
    let answer = client.next(HEADERS).await.unwrap();
    // 404 has a number of its own in HPACK.
    assert_eq!(
        (answer.stream, answer.payload[0]),
        (stream, 0x8d),
        "{answer:?}"
    );
    stream += 2;
    // A name in capitals is no name, after which nothing can be read.
    let mut other = stage.framed(&[]).await;
    let head = with("Accept", "application/json");
    assert!(
        other
            .send_frames(&frame(HEADERS, END_HEADERS, 1, &head))
            .await
    );
    assert_ne!(ended(&stage, &mut other).await, 0);
    // A body of another length than was said.
    let head = with("content-length", "4");
    let frames = [
        frame(HEADERS, END_HEADERS, stream, &head),
        frame(DATA, END_STREAM, stream, b"five!"),
        request(stream + 2, &list()),
    ];
    assert!(client.send_frames(&frames.concat()).await);
    assert_eq!(client.next(RST_STREAM).await.unwrap().stream, stream);
    assert_eq!(client.next(HEADERS).await.unwrap().stream, stream + 2);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let stage = Stage::new(patient()).await;
    let peer = Peer::new(&stage).await;
    for declared in [false, true] {
        let large = list() + &" ".repeat(2 << 20);
        let (mut request, body) = super::client::translated(&large);
        if declared {
            let length = body.len().to_string().parse().unwrap();
            request.headers_mut().insert("content-length", length);
        }
        let mut open = peer.begin(request, false).await;
        open.body.send_data(body, true).unwrap();
        let (response, _) = soon(open.response).await.unwrap().into_parts();
        assert_eq!(response.status, 413);
    }
    assert_eq!(peer.ask(&list()).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_empty_frames_ends_the_connection() {
    let stage = Stage::new(patient()).await;
    let mut frames = frame(HEADERS, END_HEADERS, 1, &head("POST", "/mcp", &[]));
    for _ in 0..10_000 {
        frames.extend(frame(DATA, 0, 1, &[]));
    }
    let mut client = stage.framed(&[]).await;
    let _ = client.send_frames(&frames).await;
    assert_eq!(ended(&stage, &mut client).await, ENHANCE_YOUR_CALM);
}

/// What has to be answered and is never read (CVE-2019-9512, CVE-2019-9515).
#[tokio::test]
async fn who_sends_and_does_not_read_is_cut_off() {
    let stage = Stage::new(HttpConfig {
        write_timeout: Duration::from_millis(200),
        ..patient()
    })
    .await;
    for one in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let many = one.repeat(1_000);
        let mut client = stage.framed(&[]).await;
        soon(async { while client.0.write_all(&many).await.is_ok() {} }).await;
    }
    assert!(stage.serves().await);
}

#[tokio::test]
async fn a_connection_over_http_1_1_stays_one() {
    let stage = Stage::new(patient()).await;
    let mut client = stage.idle().await;
    assert!(
        client
            .send_frames(&[beginning(), request(1, &list())].concat())
            .await
    );
    assert!(client.frame().await.is_none());
    // Nor is there an upgrade.
    let upgrade = "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let mut client = stage.connect().await;
    let answer = client.ask(&list().replacen("\r\n\r\n", upgrade, 1)).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
}
