//! What an author serves beside the protocol, and a prefix before all paths.

use std::future::pending;
use std::time::Duration;

use pymcp_kit::transport::http::{
    Bytes, ConnectionInfo, Endpoints, HttpConfig, Method, Request, Response,
};
use pymcp_kit::{Server, wire::WireLimits};
use serde_json::json;

use super::stage::*;

async fn health(_: Request<Bytes>) -> Response<&'static str> {
    Response::new("fine")
}

/// Sends back what came, and says that it is of another length.
async fn echo(request: Request<Bytes>) -> Response<Bytes> {
    // Who sends it, and nothing of what serves it.
    assert_eq!(request.extensions().len(), 1);
    assert!(request.extensions().get::<ConnectionInfo>().is_some());
    let response = Response::builder()
        .status(201)
        .header("x-method", request.method().as_str())
        .header("x-target", request.uri().to_string())
        .header("x-key", request.headers()["x-key"].clone())
        .header("content-length", "3")
        .header("transfer-encoding", "gzip")
        .header("connection", "upgrade");
    response.body(request.into_body()).unwrap()
}

fn routes() -> HttpConfig {
    let panics = async |_: Request<Bytes>| -> Response<Bytes> { panic!("as it should") };
    let odd = async |_: Request<Bytes>| Response::builder().status(101).body("").unwrap();
    let add = |config: HttpConfig| {
        config
            .route(Method::GET, "/health", health)?
            .route(Method::PUT, "/hooks/echo", echo)?
            .route(Method::POST, "/hooks/echo", echo)?
            .route(Method::GET, "/panics", panics)?
            .route(Method::GET, "/odd", odd)?
            .route(Method::GET, "/never", async |_| {
                pending::<Response<Bytes>>().await
            })
    };
    add(patient()).unwrap()
}

async fn stage(config: HttpConfig) -> Stage {
    let limits = WireLimits {
        message_bytes: 1000,
        ..WireLimits::default()
    };
    let server = Server::builder("test", "1.0.0").wire_limits(limits);
    Stage::serving(server.build().unwrap(), config).await
}

#[tokio::test]
async fn a_route_gets_the_whole_request_and_gives_the_whole_response() {
    let stage = stage(routes()).await;
    let found = stage.send("GET", "/health?x=y", "", "").await;
    assert_eq!((found.status, found.body.as_str()), (200, "fine"));
    let head = stage.send("HEAD", "/health", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("4"));
    for method in ["PUT", "POST"] {
        let target = "/hooks/echo?a=%20b";
        let echoed = stage.send(method, target, "X-Key: k", "a body").await;
        assert_eq!((echoed.status, echoed.body.as_str()), (201, "a body"));
        assert_eq!(echoed.header("x-method"), Some(method));
        assert_eq!(echoed.header("x-target"), Some(target));
        assert_eq!(echoed.header("x-key"), Some("k"));
        // How it is framed follows from what it is.
        assert_eq!(echoed.header("content-length"), Some("6"));
        assert_eq!(echoed.header("transfer-encoding"), None);
    }
    let wrong = stage.send("POST", "/health", "", "").await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, OPTIONS"));
    for target in [
        "/health/",
        "/Health",
        "/hooks",
        "/hooks/",
        "//health",
        "/%68ealth",
    ] {
        assert_eq!(
            stage.send("GET", target, "", "").await.status,
            404,
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_route_is_behind_the_same_checks() {
    let stage = stage(routes()).await;
    let stranger = stage
        .send("GET", "/health", "Origin: https://evil.example", "")
        .await;
    assert_eq!(stranger.status, 403);
    let twice = stage.send("GET", "/health", "Host: localhost", "").await;
    assert_eq!(twice.status, 400);
    let page = stage
        .send("GET", "/health", "Origin: http://localhost", "")
        .await;
    let allowed = page.header("access-control-allow-origin");
    assert_eq!((page.status, allowed), (200, Some("http://localhost")));
    let preflight = stage
        .send("OPTIONS", "/hooks/echo", "Origin: http://localhost", "")
        .await;
    assert_eq!(preflight.status, 204);
    let methods = preflight.header("access-control-allow-methods");
    assert_eq!(methods, Some("GET, POST, DELETE, OPTIONS, PUT"));
    let large = "x".repeat(1001);
    let refused = stage.send("PUT", "/hooks/echo", "X-Key: k", &large).await;
    assert_eq!(refused.status, 413);
    let largest = stage
        .send("PUT", "/hooks/echo", "X-Key: k", &large[1..])
        .await;
    assert_eq!(largest.status, 201);
}

#[tokio::test]
async fn a_route_that_fails_is_answered_and_nothing_else_stops() {
    let config = HttpConfig {
        route_timeout: Duration::from_millis(20),
        ..routes()
    };
    let stage = stage(config).await;
    for (target, status) in [
        ("/panics", 500),
        ("/odd", 500),
        ("/never", 503),
        ("/health", 200),
    ] {
        let response = stage.send("GET", target, "", "").await;
        assert_eq!(response.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_prefix_is_before_every_endpoint() {
    let prefixed = |config: HttpConfig| HttpConfig {
        path_prefix: "team-a/".parse().unwrap(),
        ..config
    };
    let config = prefixed(routes());
    assert_eq!(config.endpoint_path(), "/team-a/mcp");
    let stage = stage(config).await;
    let ping = |target: &'static str| {
        let (headers, message) = modern(request(1, "server/discover", json!({})), json!({}));
        let (stage, headers) = (&stage, format!("{headers}\n{BOTH}"));
        async move { stage.post(target, &headers, &message).await.status }
    };
    assert_eq!(ping("/team-a/mcp").await, 200);
    assert_eq!(ping("/team-a/mcp/").await, 200);
    for target in [
        "/mcp",
        "/mcp/",
        "/team-amcp",
        "/team-a",
        "/team-a/",
        "/team-a//mcp",
        "/TEAM-A/mcp",
    ] {
        assert_eq!(ping(target).await, 404, "{target}");
    }
    // A probe need not know of the prefix.
    for target in ["/health", "/team-a/health"] {
        assert_eq!(
            stage.send("GET", target, "", "").await.status,
            200,
            "{target}"
        );
    }

    let config = prefixed(HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..patient()
    });
    assert_eq!(config.endpoint_path(), "/team-a/sse");
    let stage = self::stage(config).await;
    assert_eq!(stage.send("GET", "/sse", STREAM, "").await.status, 404);
    let mut stream = stage.open("GET", "/team-a/sse", STREAM, "").await;
    let target = loop {
        let line = line(&mut stream).await.expect("an endpoint");
        if let Some(target) = line.strip_prefix("data: ") {
            break target.to_owned();
        }
    };
    assert!(
        target.starts_with("/team-a/messages/?session_id="),
        "{target}"
    );
    let posted = stage
        .post(&target, "", &request(7, "ping", json!({})))
        .await;
    assert_eq!(posted.status, 202);
    assert_eq!(data(&mut stream).await.unwrap()["id"], 7);
}
