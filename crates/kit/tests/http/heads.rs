//! What the head of a request says of its body and of its target.

use pymcp_kit::transport::http::Endpoints;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stage::*;

#[tokio::test]
async fn a_body_with_another_framing_ends_the_connection() {
    let stage = Stage::new().await;
    let body = "2\r\n{}\r\n0\r\n\r\n";
    for line in [
        "POST /mcp",
        "GET /mcp",
        "DELETE /mcp",
        "OPTIONS /mcp",
        "PUT /x",
    ] {
        for codings in [
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: , chunked",
            "Transfer-Encoding: chunked;x=1",
            "Transfer-Encoding: identity",
            "Transfer-Encoding:",
        ] {
            let mut client = TcpStream::connect(stage.address).await.unwrap();
            // What follows is another request to whoever reads the framing differently.
            let request = format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\n{codings}\r\n\r\n{body}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
            );
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // The end of it is the end of the connection.
            soon(client.read_to_string(&mut answer)).await.unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 400 "),
                "{line} {codings}: {answer}"
            );
            assert_eq!(
                answer.matches("HTTP/1.1 ").count(),
                1,
                "{line} {codings}: {answer}"
            );
            assert!(
                answer.to_lowercase().contains("connection: close"),
                "{answer}"
            );
        }
    }
    // With a length as well it is served as chunked, and nothing may follow.
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: Chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut client = TcpStream::connect(stage.address).await.unwrap();
        let request = format!(
            "POST /x HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(client.read_to_string(&mut answer)).await.unwrap();
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{headers}: {answer}"
        );
    }
}

#[tokio::test]
async fn types_are_read_as_people_write_them() {
    let stage = Stage::new().await;
    let (headers, message) = modern(request(1, "tools/list", json!({})), json!({}));
    for (content, status) in [
        ("Content-Type: application/json; charset=utf8", 200),
        ("Content-Type: application/json;charset=\"UTF-8\"", 200),
        ("Content-Type: application/json; charset=utf-16", 415),
        (
            "Content-Type: application/json\nContent-Encoding: identity\nContent-Encoding: identity",
            200,
        ),
        (
            "Content-Type: application/json\nContent-Encoding: identity\nContent-Encoding: gzip",
            415,
        ),
        (
            "Content-Type: application/json\nContent-Encoding: identity, gzip",
            415,
        ),
    ] {
        let sent = format!("{content}\n{headers}\n{BOTH}");
        let response = stage
            .send("POST", "/mcp", &sent, &message.to_string())
            .await;
        assert_eq!(response.status, status, "{content}");
    }
}

#[tokio::test]
async fn both_spellings_of_a_path_are_served_as_they_are() {
    let stage = Stage::new().await;
    let session = stage.session("2025-11-25", json!({})).await;
    for target in ["/mcp", "/mcp/", "/mcp?a=b", "/mcp/?a=b"] {
        let headers = format!("{session}\n{BOTH}");
        let response = stage
            .post(target, &headers, &request(1, "ping", json!({})))
            .await;
        assert_eq!(
            (response.status, response.answer()["result"].clone()),
            (200, json!({})),
            "{target}"
        );
        let mut stream = stage
            .open("GET", target, &format!("{session}\n{STREAM}"), "")
            .await;
        assert_eq!(
            line(&mut stream).await.as_deref(),
            Some("HTTP/1.0 200 OK"),
            "{target}"
        );
        let preflight = stage
            .send("OPTIONS", target, "Origin: http://localhost", "")
            .await;
        assert_eq!(preflight.status, 204, "{target}");
    }
    assert_eq!(
        stage.send("DELETE", "/mcp/?x", &session, "").await.status,
        200
    );
    for target in ["/mcp//", "/sse/", "/messages"] {
        assert_eq!(
            stage.send("GET", target, STREAM, "").await.status,
            404,
            "{target}"
        );
    }

    let stage = Stage::over(Endpoints::LegacySse).await;
    for (opened, posted) in [
        ("/sse", "/messages"),
        ("/sse/", "/messages/"),
        ("/sse/?a=b", "/messages"),
    ] {
        let mut stream = stage.open("GET", opened, STREAM, "").await;
        let id = loop {
            let line = line(&mut stream).await.expect("an endpoint");
            if let Some(id) = line.strip_prefix("data: /messages/?session_id=") {
                break id.to_owned();
            }
        };
        let target = format!("{posted}?x=y&session_id={id}");
        let response = stage
            .post(&target, "", &request(7, "ping", json!({})))
            .await;
        assert_eq!(response.status, 202, "{target}");
        assert_eq!(data(&mut stream).await.unwrap()["id"], 7);
    }
    for (method, target) in [("GET", "/messages"), ("POST", "/sse/")] {
        let response = stage.send(method, target, "", "").await;
        assert_eq!(response.status, 405, "{method} {target}");
    }
}
