//! What is served: both eras, streams of events, many requests at a time.

use http::Request;
use pymcp_kit::transport::http::{Bytes, Endpoints, HttpConfig, Method, Response};

use super::client::{Peer, translated};
use crate::stage::{LARGE, Stage, call, five, initialize, legacy_call, list, posted, soon};

#[tokio::test]
async fn both_eras_are_served_over_one_connection() {
    let stage = Stage::new(HttpConfig::default()).await;
    let peer = Peer::new(&stage).await;
    let modern = peer.ask(&list()).await;
    assert_eq!(modern.status, 200);
    assert!(modern.body.contains("\"wait\""), "{}", modern.body);
    let length = modern.body.len().to_string();
    assert_eq!(modern.headers["content-length"], length.as_str());
    assert!(modern.headers["date"].to_str().unwrap().ends_with(" GMT"));
    for version in ["2025-11-25", "2025-06-18", "2024-11-05"] {
        let opened = peer.ask(&posted("/mcp", "", &initialize(version))).await;
        let session = opened.headers["mcp-session-id"].to_str().unwrap();
        let session = format!("Mcp-Session-Id: {session}\r\n");
        let called = peer
            .ask(&posted("/mcp", &session, &legacy_call(1, "caller")))
            .await;
        assert_eq!(called.status, 200, "{version}: {}", called.body);
        let ended = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{session}\r\n");
        assert_eq!(peer.ask(&ended).await.status, 200, "{version}");
        assert_eq!(peer.ask(&ended).await.status, 404, "{version}");
    }
}

#[tokio::test]
async fn a_call_asks_in_its_stream_and_is_answered_in_another() {
    let stage = Stage::new(HttpConfig::default()).await;
    let peer = Peer::new(&stage).await;
    for version in ["2025-11-25", "2024-11-05"] {
        let session = stage.session(version).await;
        let listen = format!(
            "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{session}\r\n"
        );
        let silent = peer.send(&listen).await.begun().await.unwrap();
        assert_eq!(silent.headers["content-type"], "text/event-stream");
        let call = posted("/mcp", &session, &legacy_call(1, "ask"));
        let mut events = peer.send(&call).await.begun().await.unwrap();
        events.until("elicitation/create").await;
        let told = peer.ask(&posted("/mcp", &session, &five(0))).await;
        assert_eq!(told.status, 202);
        events.until("5 of them").await;
        events.end().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_of_legacy_sse_is_a_stream_beside_its_messages() {
    let stage = Stage::new(HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..HttpConfig::default()
    })
    .await;
    let peer = Peer::new(&stage).await;
    let open = "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut events = peer.send(open).await.begun().await.unwrap();
    let endpoint = events.until("session_id=").await;
    let target = endpoint.split("data: ").nth(1).unwrap();
    let target = target.lines().next().unwrap().to_owned();
    for message in [initialize("2024-11-05"), legacy_call(1, "ask"), five(0)] {
        assert_eq!(peer.ask(&posted(&target, "", &message)).await.status, 202);
    }
    events.until("5 of them").await;
}

#[tokio::test]
async fn requests_do_not_wait_for_each_other() {
    let stage = Stage::new(HttpConfig::default()).await;
    let peer = Peer::new(&stage).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(peer.send(&call("wait")).await);
        soon(stage.begun.acquire()).await.unwrap().forget();
    }
    let large = peer.send(&call("large")).await;
    let large = tokio::spawn(large.answer());
    assert_eq!(peer.ask(&list()).await.status, 200);
    assert!(large.await.unwrap().unwrap().body.len() > LARGE);
    stage.gate.add_permits(20);
    for one in waiting {
        assert!(one.answer().await.unwrap().body.contains("through"));
    }
}

#[tokio::test]
async fn a_request_that_is_reset_is_cancelled_and_no_other() {
    let stage = Stage::new(HttpConfig::default()).await;
    let peer = Peer::new(&stage).await;
    let other = peer.send(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    let mut reset = peer.send(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    reset.body.send_reset(h2::Reason::CANCEL);
    soon(stage.over.acquire()).await.unwrap().forget();
    stage.gate.add_permits(1);
    assert!(other.answer().await.unwrap().body.contains("through"));
    // As with the connection.
    let _call = peer.send(&call("wait")).await;
    soon(stage.begun.acquire()).await.unwrap().forget();
    soon(stage.over.acquire()).await.unwrap().forget();
    peer.connection.abort();
    soon(stage.over.acquire()).await.unwrap().forget();
}

/// Before 2026-07-28 a disconnect is no cancellation.
#[tokio::test]
async fn a_legacy_call_goes_on_when_its_stream_is_reset() {
    let stage = Stage::new(HttpConfig::default()).await;
    let session = stage.session("2025-06-18").await;
    let peer = Peer::new(&stage).await;
    let mut call = peer
        .send(&posted("/mcp", &session, &legacy_call(1, "ask")))
        .await;
    let mut events = {
        let ask = posted("/mcp", &session, &legacy_call(2, "ask"));
        peer.send(&ask).await.begun().await.unwrap()
    };
    events.until("elicitation/create").await;
    call.body.send_reset(h2::Reason::CANCEL);
    for question in [0, 1] {
        let told = peer.ask(&posted("/mcp", &session, &five(question))).await;
        assert_eq!(told.status, 202);
    }
    drop(soon(stage.told.acquire_many(2)).await.unwrap());
}

#[tokio::test]
async fn the_authority_is_checked_as_host_is() {
    let stage = Stage::new(HttpConfig::default()).await;
    let peer = Peer::new(&stage).await;
    for (authority, host, status) in [
        ("localhost", None, 200),
        ("localhost:1", Some("localhost:1"), 200),
        ("LOCALHOST", Some("localhost"), 200),
        ("evil.example", None, 403),
        ("evil.example", Some("localhost"), 400),
        ("localhost", Some("evil.example"), 400),
        ("localhost", Some(""), 400),
        ("me@localhost", None, 400),
    ] {
        let (mut request, body) = translated(&list());
        *request.uri_mut() = format!("http://{authority}/mcp").parse().unwrap();
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let mut open = peer.begin(request, false).await;
        open.body.send_data(body, true).unwrap();
        let answer = open.answer().await.unwrap();
        assert_eq!(answer.status, status, "{authority} {host:?}");
    }
    let foreign = list().replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(peer.ask(&foreign).await.status, 403);
}

async fn told(request: Request<Bytes>) -> Response<String> {
    let path = request.uri().path();
    let mut response = Response::new(format!("{path} {}", request.body().len()));
    let kept = "timeout=5".parse().unwrap();
    response.headers_mut().insert("keep-alive", kept);
    response
}

#[tokio::test]
async fn probes_and_routes_are_served_with_what_http_2_allows() {
    let config = HttpConfig::default()
        .route(Method::GET, "/told", told)
        .and_then(|config| config.route(Method::POST, "/told", told))
        .unwrap();
    let stage = Stage::new(config).await;
    let peer = Peer::new(&stage).await;
    let line = |method: &str, path: &str, host: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    };
    let probe = peer.ask(&line("GET", "/healthz", "10.1.2.3")).await;
    assert_eq!((probe.status, &*probe.body), (200, r#"{"status":"ok"}"#));
    // A body that nobody reads ends no connection here.
    let probe = peer.ask(&(line("POST", "/healthz", "x") + "body")).await;
    assert_eq!(probe.status, 405);
    assert!(!probe.headers.contains_key("connection"));
    let got = peer.ask(&line("GET", "/told", "localhost")).await;
    assert_eq!((got.status, &*got.body), (200, "/told 0"));
    assert!(!got.headers.contains_key("keep-alive"));
    let head = peer.ask(&line("HEAD", "/told", "localhost")).await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.headers["content-length"], "7");
    let expects = "Host: localhost\r\nExpect: 100-continue";
    let posted = line("POST", "/told", "localhost").replace("Host: localhost", expects);
    let posted = peer.ask(&(posted + "four")).await;
    assert_eq!((posted.status, &*posted.body), (200, "/told 4"));
}

#[cfg(unix)]
#[tokio::test]
async fn it_is_spoken_over_a_unix_socket_too() {
    use pymcp_kit::Server;
    use pymcp_kit::transport::http::{bind_unix, serve};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let socket = bind_unix(&path).unwrap();
    let server = Server::builder("test", "1").build().unwrap();
    let served = serve(
        socket,
        server,
        HttpConfig::default(),
        std::future::pending::<()>(),
    );
    let served = tokio::spawn(served);
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let peer = Peer::over(stream).await;
    let probe = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(peer.ask(probe).await.status, 200);
    served.abort();
    assert!(served.await.unwrap_err().is_cancelled());
}
