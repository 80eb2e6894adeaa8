//! Bodies are read to their bound and no further, decompressed or not.

use std::io::Write;

use pymcp_egress::{Error, Request};

use super::{builder, get, hurried, limits, send};
use pymcp_egress::testing::{Loopback, Page, Reply};

/// As much more than a body may have as no buffer on the way explains.
const FAR_TOO_MUCH: usize = 32 << 20;

fn too_large() -> Error {
    Error::TooLarge {
        limit: limits().body,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(bytes).unwrap();
    encoder.into_inner()
}

fn coded(coding: &str, body: Vec<u8>) -> Page {
    Page::new(body).header("Content-Encoding", coding)
}

#[tokio::test]
async fn a_body_may_have_all_that_is_allowed() {
    let whole = vec![b'x'; limits().body];
    for page in [
        Page::new(whole.clone()),
        coded("gzip", gzip(&whole)),
        coded("br", brotli(&whole)),
    ] {
        let server = Loopback::replying([page.whole()]).await;
        let response = get(&server.url("/")).await.unwrap();
        assert_eq!(response.body, whole);
        assert!(!response.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn and_not_a_byte_more() {
    let more = vec![b'x'; limits().body + 1];
    let endless = Reply::Endless(Page::new(more.clone()), vec![b'x'; 64 << 10]);
    for reply in [
        Page::new(more.clone()).whole(),
        coded("gzip", gzip(&more)).whole(),
        coded("br", brotli(&more)).whole(),
        endless,
    ] {
        let server = Loopback::replying([reply]).await;
        assert_eq!(get(&server.url("/")).await.unwrap_err(), too_large());
        assert!(server.closed().await.sent < FAR_TOO_MUCH);
    }
}

#[tokio::test]
async fn a_length_that_is_too_large_is_believed() {
    // Of that body only a little comes, so only the length can tell.
    let page = Page::new("a little").header("Connection", "close");
    let server = Loopback::replying([Reply::Cut(page, 10 << 30)]).await;
    assert_eq!(get(&server.url("/")).await.unwrap_err(), too_large());
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let mut body = Vec::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..1000 {
        body.extend_from_slice(b"1000\r\n");
        body.extend_from_slice(&[b'x'; 0x1000]);
        body.extend_from_slice(b"\r\n");
    }
    let server = Loopback::replying([Reply::Raw(body)]).await;
    assert_eq!(get(&server.url("/")).await.unwrap_err(), too_large());
}

#[tokio::test]
async fn bombs_do_not_go_off() {
    // 16 MiB in a few kilobytes, which are there at once.
    let zeros = vec![0; 16 << 20];
    for (coding, bomb) in [("gzip", gzip(&zeros)), ("br", brotli(&zeros))] {
        assert!(
            bomb.len() < limits().body / 2,
            "{coding}: {} bytes are no bomb",
            bomb.len()
        );
        let server = Loopback::replying([coded(coding, bomb).whole()]).await;
        assert_eq!(
            get(&server.url("/")).await.unwrap_err(),
            too_large(),
            "{coding}"
        );
        server.closed().await;
    }
}

#[tokio::test]
async fn a_bomb_without_an_end_stops_the_reading() {
    // The head of a gzip file (RFC 1952 §2.3), then stored blocks of a byte (RFC 1951 §3.2.4) without a last one.
    let head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let block = [0, 1, 0, 0xfe, 0xff, b'x'].repeat(1000);
    let server = Loopback::replying([Reply::Endless(coded("gzip", head), block)]).await;
    assert_eq!(get(&server.url("/")).await.unwrap_err(), too_large());
    assert!(server.closed().await.sent < FAR_TOO_MUCH);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_becomes_anything_ends_with_the_time() {
    // As above, but the blocks are empty: much to do, and nothing to count.
    let head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let block = [0, 0, 0, 0xff, 0xff].repeat(1000);
    let server = Loopback::replying([Reply::Endless(coded("gzip", head), block)]).await;
    let error = send(builder().limits(hurried()), &server.url("/"))
        .await
        .unwrap_err();
    assert_eq!(error, Error::TimedOut);
    server.closed().await;
}

#[tokio::test]
async fn what_cannot_be_decompressed_is_malformed() {
    let mut damaged = gzip(b"hello, hello, hello, hello");
    damaged[12] ^= 0xff;
    let cut = gzip(&[7; 1000])[..20].to_vec();
    for page in [
        coded("gzip", b"this is no gzip at all".to_vec()),
        coded("gzip", damaged),
        coded("gzip", cut),
        coded("br", vec![0xff; 100]),
        // Not asked for.
        coded("zstd", b"plain".to_vec()),
        coded("deflate", b"plain".to_vec()),
        coded("gzip, gzip", gzip(&gzip(b"twice"))),
        coded("x-unknown", b"plain".to_vec()),
    ] {
        let shown = format!("{:?}", page.headers);
        let server = Loopback::replying([page.whole()]).await;
        assert_eq!(
            get(&server.url("/")).await.unwrap_err(),
            Error::Malformed,
            "{shown}"
        );
    }
    let identity = Loopback::replying([coded("identity", b"plain".to_vec()).whole()]).await;
    assert_eq!(get(&identity.url("/")).await.unwrap().body, "plain");
}

#[tokio::test]
async fn what_ends_early_is_malformed() {
    let half = Page::new("half of it");
    for reply in [
        Reply::Cut(half.clone(), 10),
        Reply::Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel".to_vec()),
        Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        Reply::Raw(Vec::new()),
    ] {
        let shown = format!("{reply:?}");
        let server = Loopback::replying([reply]).await;
        assert_eq!(
            get(&server.url("/")).await.unwrap_err(),
            Error::Malformed,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(70_000));
    for raw in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbanana\r\n",
        "<html>HTTP/0.9</html>",
        &many,
        &long,
    ] {
        let server = Loopback::replying([Reply::Raw(raw.into())]).await;
        let shown = &raw[..raw.len().min(60)];
        assert_eq!(
            get(&server.url("/")).await.unwrap_err(),
            Error::Malformed,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn many_headers_are_fine() {
    let long = Page::new("").header("X", "y".repeat(60_000));
    let many = (0..90).fold(Page::new(""), |page, n| page.header("X", n.to_string()));
    for page in [long, many] {
        let server = Loopback::replying([page.whole()]).await;
        assert!(
            get(&server.url("/"))
                .await
                .unwrap()
                .headers
                .contains_key("x")
        );
    }
}

#[tokio::test]
async fn a_head_without_an_end_stops_the_reading() {
    let raw = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(100_000)).into_bytes();
    let server = Loopback::replying([Reply::Raw(raw)]).await;
    assert_eq!(get(&server.url("/")).await.unwrap_err(), Error::Malformed);
}

#[tokio::test]
async fn an_address_too_long_for_http_is_an_error() {
    let server = Loopback::replying([]).await;
    let long = server.url(&format!("/{}", "a".repeat(70_000)));
    let error = builder()
        .build()
        .send(Request::get(long.parse().unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error, Error::Malformed);
    assert_eq!(server.counts().requests, 0);
}
