//! Control: the least an HTTP server in Rust does for such a call. Bare axum parses the body into a
//! `Value` and answers JSON of the size and shape of a `greet` result; no protocol, no checks.

use std::io::Write;

use axum::serve::ListenerExt;
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stderr(), "listening on http://{address}/mcp")?;
    // A connection that cannot be tuned is about to fail by itself.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, Router::new().route("/mcp", post(answer))).await
}

async fn answer(Json(request): Json<Value>) -> Json<Value> {
    let name = request["params"]["arguments"]["name"]
        .as_str()
        .unwrap_or("World");
    let text = format!(
        "Hello, {name}! Welcome to the control-axum 0.1.0 server! The current date time in UTC is \
         2026-11-22T09:23:16.747614+00:00. This response may be cached."
    );
    Json(json!({
        "jsonrpc": "2.0",
        "id": request["id"],
        "result": {
            "_meta": {
                "_package_metadata": { "name": "control-axum", "version": "0.1.0" },
                "_timing_metadata": { "tool_response_time_ms": 0.0123 },
            },
            "content": [{ "type": "text", "text": text }],
            "structuredContent": { "result": text },
            "isError": false,
        },
    }))
}
