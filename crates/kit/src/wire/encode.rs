//! Messages that leave: the envelope is written by hand around parts that are JSON already, so a
//! prepared or cached result is copied once and never parsed again.
//!
//! U+2028 and U+2029 leave escaped, whatever they came in with: some clients split lines at them.

use bytes::Bytes;
use serde::Serialize;

use super::error::RpcError;
use super::id::Id;

/// Bytes of a response around its id and its result; a vector with none to spare becomes `Bytes`
/// without another allocation.
const ENVELOPE: usize = r#"{"jsonrpc":"2.0","id":,"result":}"#.len();

/// A response with a result; `result` is one JSON value.
pub fn result(id: &Id, result: &[u8]) -> Bytes {
    let id = id.as_json().as_bytes();
    let mut out = Vec::with_capacity(result.len() + id.len() + ENVELOPE);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    append(id, &mut out);
    out.extend_from_slice(b",\"result\":");
    append(result, &mut out);
    out.push(b'}');
    out.into()
}

/// An error response. Without an id it answers something unreadable: `"id": null` (JSON-RPC 2.0 §5).
pub fn error(id: Option<&Id>, error: &RpcError) -> Bytes {
    #[derive(Serialize)]
    struct Envelope<'a> {
        jsonrpc: &'static str,
        id: Option<&'a Id>,
        error: &'a RpcError,
    }
    json(&Envelope {
        jsonrpc: "2.0",
        id,
        error,
    })
}

/// A notification.
pub fn notification(method: &str, params: &impl Serialize) -> Bytes {
    #[derive(Serialize)]
    struct Envelope<'a, P> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a P,
    }
    json(&Envelope {
        jsonrpc: "2.0",
        method,
        params,
    })
}

/// A request to the client.
pub fn request(id: &Id, method: &str, params: &impl Serialize) -> Bytes {
    #[derive(Serialize)]
    struct Envelope<'a, P> {
        jsonrpc: &'static str,
        id: &'a Id,
        method: &'a str,
        params: &'a P,
    }
    json(&Envelope {
        jsonrpc: "2.0",
        id,
        method,
        params,
    })
}

/// Serialising our own types to memory fails only for a map with keys that are no strings, which
/// none of them has; an error object is the honest answer should that ever change.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(escaped).unwrap_or_else(|_| {
        Bytes::from_static(
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error."}}"#,
        )
    })
}

/// JSON text as it may leave.
pub(crate) fn escaped(json: Vec<u8>) -> Bytes {
    if separator(&json).is_none() {
        return json.into();
    }
    let mut out = Vec::with_capacity(json.len() + json.len() / 8);
    append(&json, &mut out);
    out.into()
}

/// Appends JSON text with its line separators escaped. They can be in its strings only.
fn append(mut json: &[u8], out: &mut Vec<u8>) {
    while let Some((at, escape)) = separator(json) {
        out.extend_from_slice(&json[..at]);
        out.extend_from_slice(escape);
        json = &json[at + SEPARATOR..];
    }
    out.extend_from_slice(json);
}

/// Bytes of U+2028 and of U+2029.
const SEPARATOR: usize = 3;

/// The first of them, and how it is written instead.
fn separator(json: &[u8]) -> Option<(usize, &'static [u8])> {
    memchr::memchr_iter(0xe2, json).find_map(|at| match json.get(at + 1..at + SEPARATOR) {
        Some([0x80, 0xa8]) => Some((at, b"\\u2028".as_slice())),
        Some([0x80, 0xa9]) => Some((at, b"\\u2029".as_slice())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "\u{2028}a\u{2027}\u{2029}\u{202a}ä€\u{2028}\u{2028}";
    const ESCAPED: &str = "\\u2028a\u{2027}\\u2029\u{202a}ä€\\u2028\\u2028";

    #[test]
    fn line_separators_are_escaped_in_every_kind_of_message() {
        let id = Id::from_json(&format!("\"{PLAIN}\""), 256).unwrap();
        let messages = [
            result(&id, format!("{{\"a\":\"{PLAIN}\"}}").as_bytes()),
            error(Some(&id), &RpcError::invalid_request(PLAIN)),
            notification("n", &PLAIN),
            request(&id, "r", &PLAIN),
        ];
        for message in messages {
            let text = std::str::from_utf8(&message).unwrap();
            assert!(text.contains(ESCAPED), "{text}");
            assert!(!text.contains(['\u{2028}', '\u{2029}']), "{text}");
            let read: serde_json::Value = serde_json::from_slice(&message).unwrap();
            assert!(read.to_string().contains(PLAIN));
        }
    }

    #[test]
    fn what_has_none_is_not_copied() {
        let json = b"\"\xe2\x80\xa7 \xe2\x81\xa8 \xe2\"".to_vec();
        let at = json.as_ptr();
        assert_eq!(escaped(json).as_ptr(), at);
    }
}
