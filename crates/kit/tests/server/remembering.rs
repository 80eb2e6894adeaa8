//! What a server remembers for a principal from call to call, and the handles that it mints.

use std::time::Duration;

use pymcp_kit::core::Connection;
use pymcp_kit::store::BucketLimits;
use pymcp_kit::{Ctx, Handle, KeyRing, NoArgs, Principal, Result, Server, ServerBuilder, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;

#[derive(Deserialize, JsonSchema)]
struct Put {
    /// The basket, as `open` gave it.
    basket: Handle,
    item: String,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

async fn open(ctx: Ctx, _: NoArgs) -> Result<Handle> {
    ctx.mint(Duration::from_secs(3600))
}

async fn stale(ctx: Ctx, _: NoArgs) -> Result<Handle> {
    ctx.mint(Duration::ZERO)
}

async fn put(ctx: Ctx, args: Put) -> Result<String> {
    let basket = args.basket.bucket(&ctx)?;
    let mut items: Vec<String> = basket.get("items").await?.unwrap_or_default();
    items.push(args.item);
    basket.set("items", &items).await?;
    Ok(items.join(" "))
}

async fn note(ctx: Ctx, args: Note) -> Result<String> {
    let bucket = ctx.bucket()?;
    let before: Option<String> = bucket.get("note").await?;
    match args.text.is_empty() {
        true => bucket.remove("note").await.map(drop)?,
        false => bucket.set("note", &args.text).await?,
    }
    Ok(before.unwrap_or_else(|| "nothing".into()))
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("open", open))
        .tool(Tool::new("stale", stale))
        .tool(Tool::new("put", put))
        .tool(Tool::new("note", note))
}

fn server() -> Server {
    builder().build().unwrap()
}

fn modern(server: &Server, principal: Principal) -> Client {
    let mut client = Client::modern(server, json!({}));
    client.connection = Connection::stateless(principal);
    client
}

async fn legacy(server: &Server, principal: Principal) -> Client {
    let mut client = Client::stranger(server);
    client.connection = Connection::new(principal);
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1.0" },
    });
    client.result("initialize", params).await;
    client
}

fn ali() -> Principal {
    Principal::authenticated("ali")
}

/// The text of a result, and whether it is an error.
async fn call(client: &Client, tool: &str, arguments: Value) -> (String, bool) {
    let params = json!({ "name": tool, "arguments": arguments });
    let result = client.result("tools/call", params).await;
    let text = result["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("{result}")).to_owned();
    (text, result["isError"] == true)
}

async fn fine(client: &Client, tool: &str, arguments: Value) -> String {
    let (text, is_error) = call(client, tool, arguments).await;
    assert!(!is_error, "{text}");
    text
}

async fn refused(client: &Client, tool: &str, arguments: Value) -> String {
    let (text, is_error) = call(client, tool, arguments).await;
    assert!(is_error, "{text}");
    text
}

#[tokio::test]
async fn a_bucket_is_its_principals_in_both_eras_and_on_any_connection() {
    let server = server();
    let said = |text: &str| json!({ "text": text });
    assert_eq!(
        fine(&modern(&server, ali()), "note", said("one")).await,
        "nothing"
    );
    let session = legacy(&server, ali()).await;
    assert_eq!(fine(&session, "note", said("two")).await, "one");
    let other = modern(&server, Principal::authenticated("bob"));
    assert_eq!(fine(&other, "note", said("x")).await, "nothing");
    assert_eq!(fine(&modern(&server, ali()), "note", said("")).await, "two");
    assert_eq!(fine(&session, "note", said("")).await, "nothing");
}

#[tokio::test]
async fn the_owner_of_the_process_has_both_and_is_nobody_else() {
    let server = server();
    let owner = modern(&server, Principal::OWNER);
    let said = |text: &str| json!({ "text": text });
    assert_eq!(fine(&owner, "note", said("one")).await, "nothing");
    let session = legacy(&server, Principal::OWNER).await;
    assert_eq!(fine(&session, "note", said("two")).await, "one");
    let basket = fine(&owner, "open", json!({})).await;
    let put = json!({ "basket": basket, "item": "tea" });
    assert_eq!(fine(&session, "put", put.clone()).await, "tea");
    // A subject may have any name.
    let other = modern(&server, Principal::authenticated("owner"));
    assert_eq!(fine(&other, "note", said("x")).await, "nothing");
    let why = refused(&other, "put", put).await;
    assert!(why.contains("get a new one"), "{why}");
}

#[tokio::test]
async fn nobody_in_particular_has_neither() {
    let server = server();
    let nobody = modern(&server, Principal::ANONYMOUS);
    let session = legacy(&server, Principal::ANONYMOUS).await;
    for client in [&nobody, &session] {
        let why = refused(client, "note", json!({ "text": "x" })).await;
        assert!(why.contains("authenticate"), "{why}");
        let why = refused(client, "open", json!({})).await;
        assert!(why.contains("authenticate"), "{why}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_a_sentence() {
    let limits = BucketLimits {
        value_bytes: 10,
        bytes: 12,
        ..BucketLimits::default()
    };
    let server = builder().bucket_limits(limits).build().unwrap();
    let client = modern(&server, ali());
    for (text, why) in [
        ("x".repeat(9), "11 bytes"),
        ("x".repeat(8), "as much as it may"),
    ] {
        let told = refused(&client, "note", json!({ "text": text })).await;
        assert!(told.contains(why), "{told}");
    }
    fine(&client, "note", json!({ "text": "x".repeat(6) })).await;
}

#[tokio::test]
async fn a_handle_goes_from_call_to_call() {
    let server = server();
    let client = modern(&server, ali());
    let (one, two) = (
        fine(&client, "open", json!({})).await,
        fine(&client, "open", json!({})).await,
    );
    assert_ne!(one, two);
    let put = |basket: &str, item: &str| json!({ "basket": basket, "item": item });
    assert_eq!(fine(&client, "put", put(&one, "tea")).await, "tea");
    assert_eq!(fine(&client, "put", put(&two, "jam")).await, "jam");
    let session = legacy(&server, ali()).await;
    assert_eq!(fine(&session, "put", put(&one, "milk")).await, "tea milk");
    // Nothing else is one.
    let expired = fine(&client, "stale", json!({})).await;
    let mut changed = one.clone();
    let other = if changed.starts_with('A') { "B" } else { "A" };
    changed.replace_range(..1, other);
    for handle in [&expired, &changed] {
        let why = refused(&client, "put", put(handle, "x")).await;
        assert!(why.contains("get a new one"), "{why}");
    }
    let bob = modern(&server, Principal::authenticated("bob"));
    let why = refused(&bob, "put", put(&one, "x")).await;
    assert!(why.contains("get a new one"), "{why}");
}

#[tokio::test]
async fn a_handle_is_good_wherever_the_keys_are() {
    let with = |byte: u8| {
        let keys = KeyRing::new([("a", vec![byte; 32])]).unwrap();
        builder().keys(keys).build().unwrap()
    };
    let [minted, same, other] = [1, 1, 2].map(|byte| modern(&with(byte), ali()));
    let basket = fine(&minted, "open", json!({})).await;
    let arguments = json!({ "basket": basket, "item": "tea" });
    assert_eq!(fine(&same, "put", arguments.clone()).await, "tea");
    refused(&other, "put", arguments).await;
}

#[tokio::test]
async fn the_schema_says_what_a_handle_looks_like() {
    let server = server();
    let client = modern(&server, ali());
    let listed = client.result("tools/list", json!({})).await;
    let tools = listed["tools"].as_array().unwrap();
    let put = tools.iter().find(|tool| tool["name"] == "put").unwrap();
    let schema = &put["inputSchema"]["properties"]["basket"];
    assert_eq!(schema["type"], "string");
    let handle = fine(&client, "open", json!({})).await;
    assert_eq!(schema["maxLength"], handle.len());
    assert_eq!(schema["description"], "The basket, as `open` gave it.");
}
