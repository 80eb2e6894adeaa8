//! JSON-RPC messages as clients send them, and the parts of answers that tests look at, for the bare wire
//! ([`raw`](super::raw)). What is looked for and not there is a panic that shows the whole.

use serde_json::{Value, json};

use crate::protocol::MODERN_VERSION;

/// The capabilities of a client that can be asked with forms.
pub fn asks_user() -> Value {
    json!({ "elicitation": {} })
}

/// A request.
pub fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// A notification.
pub fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// A call of a tool.
pub fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    request(
        id,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// The answer to a request of the server.
pub fn answer(to: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": to["id"], "result": result })
}

/// A request of 2026-07-28: as the others, with the envelope in `_meta`.
pub fn modern(mut request: Value, capabilities: Value) -> Value {
    let meta = &mut request["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!(MODERN_VERSION);
    meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    request
}

/// The text of a tool's result.
#[track_caller]
pub fn text(response: &Value) -> &str {
    let content = &response["result"]["content"][0]["text"];
    content
        .as_str()
        .unwrap_or_else(|| panic!("no text: {response}"))
}

/// The text of a tool's error result, which is no other kind of answer.
#[track_caller]
pub fn error_text(response: &Value) -> &str {
    assert_eq!(response["result"]["isError"], true, "{response}");
    text(response)
}

/// The code and message of an error.
#[track_caller]
pub fn error(response: &Value) -> (i64, &str) {
    let error = &response["error"];
    match (error["code"].as_i64(), error["message"].as_str()) {
        (Some(code), Some(message)) => (code, message),
        _ => panic!("no error: {response}"),
    }
}

/// Whether it is JSON-RPC: a request or notification has a method; an answer has an id and either a result or an
/// error with code and message.
pub(super) fn is_json_rpc(value: &Value) -> bool {
    let has = |key| value.get(key).is_some();
    value["jsonrpc"] == "2.0"
        && match (value.get("method"), value.get("error")) {
            (Some(method), None) => method.is_string() && !has("result"),
            (None, Some(error)) => {
                let described = error["code"].is_i64() && error["message"].is_string();
                has("id") && described && !has("result")
            }
            (None, None) => has("id") && has("result"),
            (Some(_), Some(_)) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_rpc_passes() {
        for good in [
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": "x" } }),
            json!({ "jsonrpc": "2.0", "method": "notifications/message" }),
        ] {
            assert!(is_json_rpc(&good), "{good}");
        }
        for bad in [
            json!([]),
            json!({ "id": 1, "result": {} }),
            json!({ "jsonrpc": "2.0", "result": {} }),
            json!({ "jsonrpc": "2.0", "id": 1 }),
            json!({ "jsonrpc": "2.0", "error": { "code": 1, "message": "x" } }),
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "message": "x" } }),
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1 } }),
            json!({ "jsonrpc": "2.0", "id": 1, "result": {}, "error": {} }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "result": {} }),
        ] {
            assert!(!is_json_rpc(&bad), "{bad}");
        }
    }
}
