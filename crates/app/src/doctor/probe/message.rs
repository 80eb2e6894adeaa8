//! JSON-RPC messages, as they are written and told apart here: strictly, unlike most clients.

use pymcp_kit::protocol::MODERN_VERSION;
use pymcp_kit::wire::is_ambiguous;
use serde_json::{Value, json};

use super::super::observed::Outcome;
use crate::program::Program;

/// Values of a message: arrays, objects and what is in them. A list of ten thousand tools has less, and each of them takes
/// far more memory than its text.
const MAX_VALUES: usize = 500_000;

/// Who speaks to a server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Name and version, as `clientInfo` has them.
    pub(crate) info: Value,
    /// What it says that it can: a server shows some of what it has only to those that can be asked for something.
    pub(crate) capabilities: Value,
}

impl Client {
    /// One that can nothing: what a server asks it in spite of that is a fault of the server.
    pub(crate) fn doctor() -> Self {
        Self {
            info: json!({ "name": "doctor", "version": env!("CARGO_PKG_VERSION") }),
            capabilities: json!({}),
        }
    }

    /// The client of the other verbs, which a server cannot tell from this one.
    pub(crate) fn of(program: &Program, capabilities: Value) -> Self {
        Self {
            info: json!({ "name": program.name(), "version": program.version() }),
            capabilities,
        }
    }

    /// Params of `initialize`.
    pub(super) fn hello(&self, version: &str) -> Value {
        json!({
            "protocolVersion": version,
            "capabilities": self.capabilities,
            "clientInfo": self.info,
        })
    }

    /// The params of a request of 2026-07-28, which says of itself what `initialize` said before.
    pub(super) fn enveloped(&self, mut params: Value) -> Value {
        if params.is_null() {
            params = json!({});
        }
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": self.info,
        });
        params
    }
}

/// What a text is as JSON; none for what is no JSON.
///
/// # Errors
/// It has more than [`MAX_VALUES`], and is not looked at; or it is not one message to all who read it.
pub(super) fn parse(text: &[u8]) -> Result<Option<Value>, Unread> {
    let begins = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    if text.iter().filter(begins).count() > MAX_VALUES {
        return Err(Unread::TooMany);
    }
    let Ok(value) = serde_json::from_slice(text) else {
        return Ok(None);
    };
    match std::str::from_utf8(text).is_ok_and(is_ambiguous) {
        true => Err(Unread::Ambiguous),
        false => Ok(Some(value)),
    }
}

/// Why JSON is not taken for a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has more values than are read.
    TooMany,
    /// It names a member twice: what is checked could be another message than the one that a client reads.
    Ambiguous,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Notification,
    Answer,
    /// No JSON-RPC 2.0.
    None,
}

pub(super) fn request(id: &Value, method: &str, params: Value) -> Value {
    let mut request = json!({ "jsonrpc": "2.0", "id": id, "method": method });
    if !params.is_null() {
        request["params"] = params;
    }
    request
}

pub(super) fn notification(method: &str, params: Value) -> Value {
    let mut notification = json!({ "jsonrpc": "2.0", "method": method });
    if !params.is_null() {
        notification["params"] = params;
    }
    notification
}

/// The answer to a request of the server: who checks it has nothing to offer.
pub(super) fn refusal(request: &Value) -> Value {
    match request["method"].as_str() {
        Some("ping") => json!({ "jsonrpc": "2.0", "id": request["id"], "result": {} }),
        Some("roots/list") => {
            json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "roots": [] } })
        }
        _ => json!({
            "jsonrpc": "2.0",
            "id": request["id"],
            "error": { "code": -32601, "message": "The client declared no such capability." },
        }),
    }
}

/// Tells messages apart (JSON-RPC 2.0 §4, §5; MCP: ids are texts or whole numbers, `null` only for what could not be read).
pub(super) fn kind(message: &Value) -> Kind {
    let is_id = |id: &Value| id.is_string() || id.is_i64() || id.is_u64();
    if message["jsonrpc"] != "2.0" {
        return Kind::None;
    }
    let (result, error) = (message.get("result"), message.get("error"));
    match (message.get("method"), message.get("id")) {
        (Some(Value::String(_)), Some(id)) if is_id(id) => Kind::Request,
        (Some(Value::String(_)), None) => Kind::Notification,
        (Some(_), _) => Kind::None,
        (None, id) => match (result, error) {
            (Some(result), None) if id.is_some_and(is_id) && result.is_object() => Kind::Answer,
            (None, Some(error)) if error["code"].is_i64() && error["message"].is_string() => {
                match id.is_none_or(|id| id.is_null() || is_id(id)) {
                    true => Kind::Answer,
                    false => Kind::None,
                }
            }
            _ => Kind::None,
        },
    }
}

/// What an answer is.
pub(super) fn outcome(answer: &Value) -> Outcome {
    match answer.get("result") {
        Some(result) => Outcome::Result(result.clone()),
        None => Outcome::Error(answer["error"].clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_named_twice_makes_no_message() {
        for text in [
            r#"{"jsonrpc": "2.0", "id": 1, "id": 2, "result": {}}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a", "n\u0061me": "b"}]}}"#,
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Unread::Ambiguous), "{text}");
        }
        let text = br#"{"a": {"b": 1}, "b": {"b": 1}}"#;
        assert!(parse(text).is_ok_and(|found| found.is_some()));
        assert_eq!(parse(b"{"), Ok(None));
    }

    #[test]
    fn messages_are_told_apart_strictly() {
        for (message, expected) in [
            (
                json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
                Kind::Request,
            ),
            (json!({"jsonrpc": "2.0", "method": "a"}), Kind::Notification),
            (
                json!({"jsonrpc": "2.0", "id": "a", "result": {}}),
                Kind::Answer,
            ),
            (
                json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": ""}}),
                Kind::Answer,
            ),
            (
                json!({"jsonrpc": "2.0", "error": {"code": -32700, "message": ""}}),
                Kind::Answer,
            ),
            (json!({"jsonrpc": "1.0", "id": 1, "result": {}}), Kind::None),
            (json!({"id": 1, "result": {}}), Kind::None),
            (
                json!({"jsonrpc": "2.0", "id": 1.5, "result": {}}),
                Kind::None,
            ),
            (json!({"jsonrpc": "2.0", "id": 1, "result": []}), Kind::None),
            (
                json!({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": ""}}),
                Kind::None,
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1, "error": {"code": "1", "message": ""}}),
                Kind::None,
            ),
            (
                json!({"jsonrpc": "2.0", "id": null, "method": "a"}),
                Kind::None,
            ),
            (json!({"jsonrpc": "2.0", "method": 1}), Kind::None),
            (json!([1]), Kind::None),
        ] {
            assert_eq!(kind(&message), expected, "{message}");
        }
    }
}
