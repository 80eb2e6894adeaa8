//! A tool of an MCP server that calls an API with a key, in both eras, and what it shows of a refusal.

use std::sync::Arc;

use pymcp_egress::{Allow, Egress, Secret};
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::{Ctx, Principal, Result, Server, Tool};
use serde_json::{Value, json};

use pymcp_egress::testing::{Loopback, Page, Reply};

#[derive(Clone)]
struct Rates {
    egress: Egress,
    url: String,
    key: Secret,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Args {
    /// The currency to convert from, such as EUR.
    from: String,
    /// The currency to convert to, such as USD.
    to: String,
}

#[derive(serde::Deserialize)]
struct Quote {
    rate: f64,
}

async fn rate(rates: Rates, args: Args) -> Result<f64> {
    let call = rates
        .egress
        .post(&rates.url)
        .secret_header("x-api-key", &rates.key);
    let asked = json!({ "from": args.from, "to": args.to });
    let quote: Quote = call.json(&asked).receive().await.map_err(|error| {
        pymcp_kit::Error::user(format!("There is no exchange rate now: {error}."))
    })?;
    Ok(quote.rate)
}

fn tool(rates: Rates) -> Tool {
    Tool::new("rate", move |_: Ctx, args: Args| rate(rates.clone(), args))
        .description("The exchange rate of two currencies.")
        .read_only()
}

/// The result of a request.
async fn ask(server: &Server, connection: &Arc<Connection>, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let text = message.to_string();
    let body = server.parse(text.as_bytes()).unwrap();
    let exchange = server
        .receive(connection, &Permit::unrestricted(), body)
        .into_exchange();
    let Some(Event::Answer(answer)) = exchange.ok().unwrap().next_event().await else {
        panic!("no answer");
    };
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["result"].clone()
}

#[tokio::test]
async fn a_tool_calls_an_api_with_a_key() {
    let api = Loopback::start(|seen| match seen.header("x-api-key") {
        Some("hunter2") if seen.body.starts_with(br#"{"from":"EUR""#) => {
            Reply::ok(r#"{"rate":1.25}"#)
        }
        Some("hunter2") => Page::new(Vec::from("hunter2")).status(422).whole(),
        _ => Reply::status(401),
    })
    .await;
    let rates = Rates {
        egress: Egress::builder()
            .allow(Allow::host("127.0.0.1").private())
            .build(),
        url: api.url("/v1/quote"),
        key: "hunter2".parse().unwrap(),
    };
    let server = Server::builder("rates", "1.0.0")
        .tool(tool(rates))
        .build()
        .unwrap();

    let legacy = Connection::new(Principal::ANONYMOUS);
    let client = json!({ "name": "test", "version": "1.0" });
    let hello =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    ask(&server, &legacy, "initialize", hello).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for (connection, meta) in [
        (legacy, json!({})),
        (Connection::stateless(Principal::ANONYMOUS), meta),
    ] {
        let call = async |from: &str| {
            let arguments = json!({ "from": from, "to": "USD" });
            let params = json!({ "name": "rate", "arguments": arguments, "_meta": meta });
            ask(&server, &connection, "tools/call", params).await
        };
        let found = call("EUR").await;
        assert_eq!(found["structuredContent"]["result"], 1.25, "{found}");
        let refused = call("XXX").await;
        assert_eq!(refused["isError"], true);
        assert_eq!(
            refused["content"][0]["text"],
            "There is no exchange rate now: 127.0.0.1 answered with the status 422 Unprocessable Entity."
        );
        assert!(!format!("{found}{refused}").contains("hunter2"));
    }
    assert_eq!(api.counts().requests, 4);
}
