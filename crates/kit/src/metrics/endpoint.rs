//! `GET /metrics`, on a listener of its own, and nothing else.
//!
//! Nobody has to authenticate: it belongs on the loopback interface or in a network of the operator's. It takes nothing
//! but a small head, so its bounds are small, and whatever is done to it, the server's own listener does not feel it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Metrics;

/// Connections at a time; one more waits.
const CONNECTIONS: usize = 16;

/// Bytes of a head, and headers in it.
const MAX_HEAD: usize = 8 << 10;
const MAX_HEADERS: usize = 32;

/// Time for a head, and for a whole connection, which serves one request.
const HEAD: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(10);

/// Pause after `accept` failed.
const PAUSE: Duration = Duration::from_millis(50);

const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Serves `GET /metrics` until it is dropped: OpenMetrics text. At most 16 connections at a time, of 10 s and one request
/// each.
///
/// On the loopback interface, requests must name this machine as their `Host`, so that no web page can read it under a
/// name of its own (DNS rebinding).
pub async fn serve(listener: TcpListener, metrics: Metrics) {
    let local = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // They end with this.
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tasks.spawn(async move {
                    let _place = place;
                    if timeout(CONNECTION, connection(stream, metrics, local))
                        .await
                        .is_err()
                    {
                        tracing::debug!("a client of the metrics took too long");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for the metrics");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, metrics: Metrics, local: bool) {
    let service = service_fn(|request| {
        std::future::ready(Ok::<_, Infallible>(respond(&request, &metrics, local)))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection for the metrics ended");
    }
}

fn respond<B>(request: &Request<B>, metrics: &Metrics, local: bool) -> Response<Full<Bytes>> {
    let said = |status, why: &'static str| {
        let mut response = Response::new(Full::from(why));
        *response.status_mut() = status;
        response
    };
    if local && !names_this_machine(request) {
        return said(
            StatusCode::FORBIDDEN,
            "Host must be localhost or a loopback address.\n",
        );
    }
    if request.uri().path() != "/metrics" {
        return said(
            StatusCode::NOT_FOUND,
            "There is /metrics and nothing else.\n",
        );
    }
    // hyper leaves the body of an answer to HEAD out.
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "GET it.\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let mut response = Response::new(Full::from(metrics.text()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn names_this_machine<B>(request: &Request<B>) -> bool {
    let header = || request.headers().get(HOST)?.to_str().ok();
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let Some(host) = authority.or_else(header) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(address: std::net::SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // What is refused early may end with a reset.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn metrics_are_served_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, Metrics::new()));
        let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let good = ask(
            address,
            &get("/metrics", &format!("localhost:{}", address.port())),
        )
        .await;
        assert!(good.starts_with("HTTP/1.1 200 OK"), "{good}");
        assert!(
            good.contains(
                "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
            "{good}"
        );
        assert!(good.ends_with("# EOF\n"), "{good}");
        let long = format!("/metrics?{}", "x".repeat(MAX_HEAD));
        for (request, status) in [
            (get("/", "localhost"), "404"),
            (get("/mcp", "127.0.0.1"), "404"),
            (get("/metrics", "evil.example"), "403"),
            (get("/metrics", "[::1]:1"), "200"),
            (get("/metrics", "10.0.0.1"), "403"),
            ("GET /metrics HTTP/1.0\r\n\r\n".to_owned(), "403"),
            (
                "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".to_owned(),
                "405",
            ),
            (get(&long, "localhost"), "4"),
        ] {
            let answer = ask(address, &request).await;
            let expected = format!("HTTP/1.1 {status}");
            let expected_old = format!("HTTP/1.0 {status}");
            assert!(
                answer.starts_with(&expected) || answer.starts_with(&expected_old),
                "{request}: {answer}"
            );
            assert!(
                status == "200" || !answer.contains("mcp_server"),
                "{answer}"
            );
        }
        // It ends when it is dropped.
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn silent_connections_do_not_hold_it_up_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, Metrics::new()));
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = timeout(CONNECTION * 3, ask(address, request))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serving.abort();
    }
}
