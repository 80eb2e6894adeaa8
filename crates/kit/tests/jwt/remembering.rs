//! For whom a server remembers something between calls: whoever is known, however that is known, and nobody else.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, Tokens};
use pymcp_kit::auth::{Authentication, Authenticator, Scopes};
use pymcp_kit::testing;
use pymcp_kit::transport::http::{HttpConfig, bind, serve};
use pymcp_kit::{Ctx, Handle, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use super::issuer::{Documents, Signer, authenticator, claims, config};
use super::wire::{Door, Sent, Version, call, initialize};

async fn count(ctx: Ctx, _: NoArgs) -> Result<u32> {
    let bucket = ctx.bucket()?;
    let calls = bucket.get::<u32>("calls").await?.unwrap_or(0) + 1;
    bucket.set("calls", &calls).await?;
    Ok(calls)
}

async fn mint(ctx: Ctx, _: NoArgs) -> Result<Handle> {
    ctx.mint(Duration::from_secs(60))
}

fn server() -> Server {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("count", count))
        .tool(Tool::new("mint", mint))
        .build()
        .unwrap()
}

fn door(authenticator: Option<Arc<dyn Authenticator>>) -> Door {
    let config = HttpConfig {
        auth: Authentication {
            authenticator,
            ..Authentication::default()
        },
        // A silent call is answered whole, however busy the machine is.
        stream_after: Duration::from_secs(600),
        keep_alive: Duration::from_secs(600),
        ..HttpConfig::default()
    };
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, server(), config, never));
    let calls = Arc::new(AtomicUsize::new(0));
    Door { address, calls }
}

/// The texts of a call of each tool, first in a session and then without one.
async fn said(door: &Door, token: Option<&str>) -> Vec<[String; 2]> {
    let with = |sent: Sent| match token {
        Some(token) => sent.bearer(token),
        None => sent,
    };
    let hello = with(Sent::post(initialize("2025-11-25")));
    let opened = door.ask(Version::Http1, &hello, "").await;
    let session = opened.header("mcp-session-id").unwrap();
    let mut all = Vec::new();
    for tool in ["count", "mint"] {
        let legacy = with(Sent::post(call(1, tool)).with("mcp-session-id", session));
        let modern = with(Sent::modern(call(1, tool)));
        let mut texts = [String::new(), String::new()];
        for (text, sent) in texts.iter_mut().zip([legacy, modern]) {
            let answer = door.ask(Version::Http1, &sent, "").await;
            let answer: Value = serde_json::from_str(&answer.body).unwrap();
            let result = &answer["result"]["content"][0]["text"];
            result.as_str().unwrap().clone_into(text);
        }
        all.push(texts);
    }
    all
}

/// Asserts that both tools serve, and that both eras are the same person.
fn remembered(said: &[[String; 2]], how: &str) {
    assert_eq!(said[0], ["1", "2"], "{how}");
    assert!(said[1].iter().all(|handle| handle.len() > 60), "{how}");
}

#[tokio::test]
async fn on_stdio_the_owner_of_the_process_is_remembered() {
    let server = server();
    let mut legacy = testing::Client::legacy(&server);
    let mut modern = testing::Client::modern(&server);
    let mut said = Vec::new();
    for tool in ["count", "mint"] {
        let one = legacy.call(tool, json!({})).await.text().to_owned();
        let two = modern.call(tool, json!({})).await.text().to_owned();
        said.push([one, two]);
    }
    remembered(&said, "stdio");
}

#[tokio::test]
async fn over_http_whoever_is_known_is_remembered() {
    let token = "a-token-that-an-operator-hands-out";
    let entry = TokenEntry {
        name: "ada".into(),
        hash: TokenHash::of(token),
        scopes: Scopes::default(),
        expires: None,
    };
    let tokens = door(Some(Arc::new(Tokens::new(vec![entry]).unwrap())));
    remembered(&said(&tokens, Some(token)).await, "token");
    let signer = Signer::new("a", "ES256");
    let issued = authenticator(config(), &Documents::of(&[&signer]));
    let issued = door(Some(Arc::new(issued)));
    remembered(&said(&issued, Some(&signer.token(&claims()))).await, "jwt");
}

#[tokio::test]
async fn over_http_without_authentication_nobody_is_and_the_caller_is_told_why() {
    for texts in said(&door(None), None).await {
        for text in texts {
            assert!(
                text.contains("set up authentication, or use stdio"),
                "{text}"
            );
        }
    }
}
