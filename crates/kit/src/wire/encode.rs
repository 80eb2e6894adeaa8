//! Messages that leave: the envelope is written by hand around parts that are JSON already, so a
//! prepared or cached result is copied once and never parsed again.

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
    out.extend_from_slice(id);
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result);
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
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_else(|_| {
        Bytes::from_static(br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error."}}"#)
    })
}
