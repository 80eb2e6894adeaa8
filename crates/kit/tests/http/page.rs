//! The page for people: at `/`, and at the endpoint for who prefers HTML and has no session.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pymcp_kit::Server;
use pymcp_kit::auth::{Authentication, Authenticator, Denied, Identity};
use pymcp_kit::transport::http::{
    Bytes, ConnectionInfo, Endpoints, HttpConfig, Method, Parts, Request, Response,
};

use super::stage::*;

const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";

/// Says under which URLs the endpoint is reached.
async fn page(request: Request<Bytes>) -> Response<String> {
    let info = request.extensions().get::<ConnectionInfo>().unwrap();
    Response::new(format!("{:?} {:?}", info.endpoint, info.metadata))
}

async fn stage(config: HttpConfig) -> Stage {
    Stage::serving(Server::builder("test", "1.0.0").build().unwrap(), config).await
}

#[tokio::test]
async fn who_prefers_html_gets_the_page_and_everybody_else_the_endpoint() {
    let stage = stage(patient().page(page)).await;
    let url = r#"Some("http://localhost/mcp") None"#;
    for target in ["/", "/mcp", "/mcp/", "/?x=y", "/mcp?x=y"] {
        let found = stage.send("GET", target, HTML, "").await;
        assert_eq!((found.status, &*found.body), (200, url), "{target}");
        let head = stage.send("HEAD", target, HTML, "").await;
        assert_eq!((head.status, &*head.body), (200, ""), "{target}");
    }
    for (headers, status) in [
        ("", 405),
        (STREAM, 405),
        ("Accept: */*", 405),
        ("Accept: text/html, text/event-stream", 405),
        (JSON, 406),
        ("Accept: application/json, text/html", 406),
        ("Accept: text/html\nMcp-Session-Id: x", 406),
        ("Accept: text/html, */*;q=0.1\nMcp-Session-Id: x", 404),
    ] {
        let found = stage.send("GET", "/mcp", headers, "").await;
        assert_eq!(found.status, status, "{headers}");
    }
    // An empty one is none.
    let empty = format!("{HTML}\nMcp-Session-Id: ");
    assert_eq!(stage.send("GET", "/mcp", &empty, "").await.status, 200);
    for method in ["POST", "PUT", "DELETE"] {
        assert_ne!(
            stage.send(method, "/mcp", HTML, "").await.status,
            200,
            "{method}"
        );
        assert_eq!(
            stage.send(method, "/", HTML, "").await.status,
            405,
            "{method}"
        );
    }
    let stranger = format!("{HTML}\nOrigin: https://evil.example");
    assert_eq!(stage.send("GET", "/mcp", &stranger, "").await.status, 403);
}

#[tokio::test]
async fn a_route_at_the_root_stays_and_a_later_page_counts() {
    let own = async |_: Request<Bytes>| Response::new("own");
    let other = async |_: Request<Bytes>| Response::new("other");
    let config = patient().route(Method::GET, "/", own).unwrap();
    let stage = stage(config.page(page).page(other)).await;
    assert_eq!(stage.send("GET", "/", HTML, "").await.body, "own");
    assert_eq!(stage.send("GET", "/mcp", HTML, "").await.body, "other");
    let taken = patient().page(page).route(Method::GET, "/", own);
    assert!(taken.is_err());
}

#[tokio::test]
async fn a_prefix_is_before_the_page() {
    let config = HttpConfig {
        path_prefix: "team-a".parse().unwrap(),
        ..patient()
    };
    let stage = stage(config.page(page)).await;
    for target in ["/", "/team-a", "/team-a/", "/team-a/mcp"] {
        let found = stage.send("GET", target, HTML, "").await;
        let url = r#"Some("http://localhost/team-a/mcp") None"#;
        assert_eq!((found.status, &*found.body), (200, url), "{target}");
    }
    for target in ["/mcp", "/team-ab", "/team-a//"] {
        assert_eq!(
            stage.send("GET", target, HTML, "").await.status,
            404,
            "{target}"
        );
    }
}

/// Counts who asks, and lets nobody in.
struct Nobody(Arc<AtomicUsize>);

type Found<'a> = Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>>;

impl Authenticator for Nobody {
    fn authenticate<'a>(&'a self, _: &'a Parts) -> Found<'a> {
        self.0.fetch_add(1, Relaxed);
        Box::pin(async { Err(Denied::Missing) })
    }

    fn issuers(&self) -> Vec<String> {
        vec!["https://issuer.example".to_owned()]
    }
}

#[tokio::test]
async fn nobody_has_to_authenticate_for_the_page() {
    let asked = Arc::new(AtomicUsize::new(0));
    let config = HttpConfig {
        auth: Authentication {
            authenticator: Some(Arc::new(Nobody(Arc::clone(&asked)))),
            resource: Some("https://mcp.example/x/mcp".to_owned()),
            ..Authentication::default()
        },
        ..patient()
    };
    let stage = stage(config.page(page)).await;
    for target in ["/", "/mcp"] {
        let found = stage.send("GET", target, HTML, "").await;
        let urls = r#"Some("https://mcp.example/x/mcp") Some("https://mcp.example/.well-known/oauth-protected-resource/x/mcp")"#;
        assert_eq!((found.status, &*found.body), (200, urls), "{target}");
    }
    assert_eq!(asked.load(Relaxed), 0);
    assert_eq!(stage.send("GET", "/mcp", STREAM, "").await.status, 401);
}

#[tokio::test]
async fn the_old_transport_has_a_page_at_its_endpoint_alone() {
    let config = HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..patient()
    };
    let stage = stage(config.page(page)).await;
    for (target, status) in [
        ("/", 200),
        ("/sse", 200),
        ("/sse/", 200),
        ("/mcp", 404),
        ("/messages/", 405),
    ] {
        assert_eq!(
            stage.send("GET", target, HTML, "").await.status,
            status,
            "{target}"
        );
    }
    let mut stream = stage.open("GET", "/sse", STREAM, "").await;
    assert!(line(&mut stream).await.unwrap().contains(" 200 "));
    while let Some(line) = line(&mut stream).await {
        if line.starts_with("event: ") {
            assert_eq!(line, "event: endpoint");
            return;
        }
    }
    panic!("no endpoint");
}

#[tokio::test]
async fn cors_keeps_what_a_page_varies_by() {
    let varies = async |_: Request<Bytes>| {
        Response::builder()
            .header("vary", "Accept")
            .body("")
            .unwrap()
    };
    let stage = stage(patient().page(varies)).await;
    let headers = format!("{HTML}\nOrigin: http://localhost");
    let found = stage.send("GET", "/mcp", &headers, "").await;
    assert_eq!(
        found.header("access-control-allow-origin"),
        Some("http://localhost")
    );
    // The second one as well.
    assert_eq!(found.header("vary"), Some("Accept"));
    assert!(found.has("vary", "Origin"));
}
