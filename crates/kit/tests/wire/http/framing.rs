//! Requests that two readers could understand differently, or that are none at all. Whatever they are,
//! the connection ends and the server lives on.

use pymcp_kit::testing::message::{modern, request};
use pymcp_kit::testing::raw::{Client, HttpServer, Request, mirrored};
use serde_json::json;

use crate::support::over_http;

fn list() -> Request {
    mirrored(&modern(request(1, "tools/list", json!({})), json!({})))
}

/// A POST with this text instead of the header `Content-Length`, and this body.
fn framed(header: &str, body: &str) -> Vec<u8> {
    let whole = list()
        .without("Content-Length")
        .body("")
        .without("Content-Length")
        .bytes();
    let head = String::from_utf8(whole).unwrap();
    format!(
        "{}{header}\r\n\r\n{body}",
        head.strip_suffix("\r\n").unwrap()
    )
    .into_bytes()
}

/// The body of [`list`], whole and in chunks.
fn body() -> (String, String) {
    let body = modern(request(1, "tools/list", json!({})), json!({})).to_string();
    let chunks: String = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| {
            format!(
                "{:x}\r\n{}\r\n",
                chunk.len(),
                str::from_utf8(chunk).unwrap()
            )
        })
        .collect();
    (body, format!("{chunks}0\r\n\r\n"))
}

/// The server answers 400 or nothing, and closes.
fn refused(server: &HttpServer, bytes: &[u8]) {
    let mut client = server.connect();
    client.send(bytes).finish_sending();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    if let Some(response) = client.try_response() {
        assert_eq!(response.status, 400, "{response:?} to {shown}");
        assert!(client.try_response().is_none(), "still open after {shown}");
    }
}

#[test]
fn a_body_may_come_in_chunks() {
    let server = over_http(&[]);
    let (_, chunks) = body();
    let mut client = server.connect();
    for _ in 0..2 {
        let response = client
            .send(framed("Transfer-Encoding: chunked", &chunks))
            .response();
        assert!(response.message()["result"]["tools"].is_array());
    }
}

#[test]
fn a_body_whose_end_is_ambiguous_is_refused() {
    let server = over_http(&[]);
    let (plain, chunks) = body();
    let length = plain.len();
    for header in [
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(),
        format!("Content-Length: {length}\r\nContent-Length: {}", length + 1),
        format!("Content-Length: +{length}"),
        "Content-Length: 0x10".to_owned(),
        "Content-Length: -1".to_owned(),
        "Content-Length: 18446744073709551616".to_owned(),
        format!("Content-Length : {length}"),
        format!("Content-Length: {length}\r\n folded: yes"),
        format!("Content-Length: {length}\r\nX-Null: a\0b"),
        format!("Content-Length: {length}\r\nX-Return: a\rb"),
    ] {
        refused(&server, &framed(&header, &plain));
    }
    for broken in [
        chunks.replacen("7\r\n", "g\r\n", 1),
        chunks.replacen("7\r\n", "ffffffffffffffff1\r\n", 1),
        chunks.replacen("7\r\n", &format!("7;{}\r\n", "x".repeat(1 << 20)), 1),
        chunks.replacen("\r\n", "", 2),
        chunks.replace(
            "0\r\n\r\n",
            &format!("0\r\nX: {}\r\n\r\n", "x".repeat(64 << 10)),
        ),
    ] {
        refused(&server, &framed("Transfer-Encoding: chunked", &broken));
    }
    assert_eq!(server.ask(&list()).status, 200);
}

#[test]
fn with_both_framings_chunks_count_and_nothing_may_follow() {
    let server = over_http(&[]);
    let (_, chunks) = body();
    let smuggled = String::from_utf8(Request::new("GET", "/smuggled").bytes()).unwrap();
    let mut client = server.connect();
    client.send(framed(
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        &(chunks + &smuggled),
    ));
    let response = client.response();
    // Refusing would do as well; serving what follows would not.
    assert!(
        response.status == 400 || response.message()["result"]["tools"].is_array(),
        "{response:?}"
    );
    let next = client.finish_sending().try_response();
    assert!(next.is_none(), "{next:?}");
}

#[test]
fn a_body_longer_than_declared_is_another_request() {
    let server = over_http(&[]);
    let (body, _) = body();
    let mut client = server.connect();
    client.send(framed(
        &format!("Content-Length: {}", body.len()),
        &(body + "\u{1}garbage\r\n\r\n"),
    ));
    assert_eq!(client.response().status, 200);
    let next = client.finish_sending().try_response();
    assert!(next.is_none_or(|response| response.status == 400));
    assert!(client.try_response().is_none());
}

#[test]
fn what_is_no_http_ends_the_connection() {
    let server = over_http(&[]);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let noise: Vec<u8> = (0..10_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [
        &hello[..],
        &noise,
        &vec![0; 1_000_000],
        b"GET\r\n\r\n",
        b"GET /mcp HTTP/9.9\r\n\r\n",
    ] {
        refused(&server, bytes);
    }
    assert_eq!(server.ask(&list()).status, 200);
    assert!(server.stderr().lines().count() < 5, "{}", server.stderr());
}

#[test]
fn requests_in_one_write_are_answered_in_order() {
    let server = over_http(&[]);
    let mut client = Client::connect(server.address());
    let ids = 0..200;
    let message = |id: i32| mirrored(&modern(request(id, "tools/list", json!({})), json!({})));
    let all: Vec<u8> = ids.clone().flat_map(|id| message(id).bytes()).collect();
    let mut writer = client.another_writer();
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &all));
    for id in ids {
        assert_eq!(client.response().message()["id"], id);
    }
    sender.join().unwrap().unwrap();
}
