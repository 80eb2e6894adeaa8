//! Messages as clients send them, and the parts of answers that tests look at.

use serde_json::{Value, json};

/// A capability of clients that can be asked for numbers, words and choices.
pub(crate) fn asks_user() -> Value {
    json!({ "elicitation": {} })
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

pub(crate) fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

pub(crate) fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    request(
        id,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// The answer to a request of the server.
pub(crate) fn answer(to: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": to["id"], "result": result })
}

/// A request of 2026-07-28: as the others, with the envelope in `_meta`.
pub(crate) fn modern(mut request: Value, capabilities: Value) -> Value {
    let meta = &mut request["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    request
}

/// The text of a tool's result.
pub(crate) fn text(response: &Value) -> &str {
    let content = &response["result"]["content"][0]["text"];
    content
        .as_str()
        .unwrap_or_else(|| panic!("no text: {response}"))
}

/// The text of a tool's error result, which is no other kind of answer.
pub(crate) fn error_text(response: &Value) -> &str {
    assert_eq!(response["result"]["isError"], true, "{response}");
    text(response)
}

/// The code and message of an error.
pub(crate) fn error(response: &Value) -> (i64, &str) {
    let error = &response["error"];
    match (error["code"].as_i64(), error["message"].as_str()) {
        (Some(code), Some(message)) => (code, message),
        _ => panic!("no error: {response}"),
    }
}
