//! The Server Card: what whoever has not connected may know.

use std::pin::Pin;
use std::sync::Arc;

use pymcp_kit::auth::{Authentication, Authenticator, Denied, Identity};
use pymcp_kit::manifest::META;
use pymcp_kit::transport::http::{Endpoints, HttpConfig, Parts};
use pymcp_kit::{Kind, Server};
use serde_json::{Value, json};

use super::stage::*;

const CARD: &str = "/mcp/server-card";

fn read(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn it_says_who_and_where_the_server_is_and_its_digest() {
    let stage = Stage::new().await;
    let found = stage.send("GET", CARD, "", "").await;
    assert_eq!(found.status, 200);
    let media_type = "application/mcp-server-card+json";
    assert_eq!(found.header("content-type"), Some(media_type));
    assert_eq!(found.header("cache-control"), Some("public, max-age=60"));
    let card = read(&found);
    assert_eq!(
        card,
        json!({
            "$schema": "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
            "name": "localhost/test",
            "version": "1.0.0",
            "title": "test",
            "description": "test",
            "remotes": [{
                "type": "streamable-http",
                "url": "http://localhost/mcp",
                "supportedProtocolVersions":
                    ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
            }],
            "_meta": {
                "server-kit/manifest": stage.server.manifest_digest(),
                "server-kit/capabilities": card["_meta"]["server-kit/capabilities"],
                "server-kit/authentication": false,
            },
        })
    );
    let capabilities = &card["_meta"]["server-kit/capabilities"];
    assert_eq!(capabilities["tools"], json!({ "listChanged": true }));
    let head = stage.send("HEAD", CARD, "", "").await;
    assert_eq!((head.status, &*head.body), (200, ""));
    let wrong = stage.send("POST", CARD, "", "").await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn it_is_the_same_until_something_changes_and_readyz_agrees() {
    let stage = Stage::new().await;
    let mut tags = Vec::new();
    for name in ["talk", "ask"] {
        let found = stage.send("GET", CARD, "", "").await;
        let again = stage.send("GET", CARD, "", "").await;
        let tag = found.header("etag").unwrap().to_owned();
        assert_eq!(
            (&again.body, again.header("etag")),
            (&found.body, Some(&*tag))
        );
        let known = format!("If-None-Match: \"x\", W/{tag}");
        let unchanged = stage.send("GET", CARD, &known, "").await;
        assert_eq!((unchanged.status, &*unchanged.body), (304, ""));
        assert_eq!(unchanged.header("etag"), Some(&*tag));
        let digest = json!(stage.server.manifest_digest());
        assert_eq!(read(&found)["_meta"][META], digest);
        let ready = read(&stage.send("GET", "/readyz", "", "").await);
        assert_eq!(
            ready["checks"]["manifest"],
            json!({ "digest": digest, "ready": true })
        );
        tags.push(tag);
        assert!(stage.server.components().switch(Kind::Tool, name, false));
    }
    assert_ne!(tags[0], tags[1]);
}

#[tokio::test]
async fn only_hosts_and_origins_that_are_served_see_it() {
    let stage = Stage::new().await;
    let stranger = stage
        .send("GET", CARD, "Origin: https://evil.example", "")
        .await;
    assert_eq!(stranger.status, 403);
    let page = stage
        .send("GET", CARD, "Origin: http://localhost:1234", "")
        .await;
    assert_eq!(page.status, 200);
    let allowed = page.header("access-control-allow-origin");
    assert_eq!(allowed, Some("http://localhost:1234"));
}

/// Lets nobody in.
struct Locked;

type Found<'a> = Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>>;

impl Authenticator for Locked {
    fn authenticate<'a>(&'a self, _: &'a Parts) -> Found<'a> {
        Box::pin(async { Err(Denied::Missing) })
    }
}

#[tokio::test]
async fn nobody_has_to_authenticate_and_it_says_who_has_to_for_more() {
    let config = HttpConfig {
        auth: Authentication {
            authenticator: Some(Arc::new(Locked)),
            resource: Some("https://api.example.com/team/mcp".into()),
            ..Authentication::default()
        },
        path_prefix: "/team".parse().unwrap(),
        ..patient()
    };
    let server = Server::builder("com.example/shop", "1.0.0")
        .build()
        .unwrap();
    let stage = Stage::serving(server, config).await;
    let refused = stage.post("/team/mcp", BOTH, &json!({})).await;
    assert_eq!(refused.status, 401);
    let card = read(&stage.send("GET", "/team/mcp/server-card", "", "").await);
    assert_eq!(card["name"], "com.example/shop");
    assert_eq!(card["_meta"]["server-kit/authentication"], true);
    let remote = &card["remotes"][0];
    assert_eq!(remote["url"], "https://api.example.com/team/mcp");
    let header = &remote["headers"][0];
    assert_eq!(header["name"], "Authorization");
    assert_eq!(
        (&header["isRequired"], &header["isSecret"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(stage.send("GET", CARD, "", "").await.status, 404);
}

#[tokio::test]
async fn the_old_transport_has_one_too() {
    let stage = Stage::over(Endpoints::LegacySse).await;
    let card = read(&stage.send("GET", "/sse/server-card", "", "").await);
    assert_eq!(card["remotes"][0]["type"], "sse");
    assert_eq!(card["remotes"][0]["url"], "http://localhost/sse");
    assert_eq!(stage.send("GET", CARD, "", "").await.status, 404);
}
