//! What modern requests repeat in HTTP headers (SEP-2243), so that proxies need not read bodies.

use crate::protocol::HttpSignals;
use crate::wire::{Code, RpcError};

/// The mirrored headers of a modern HTTP request (SEP-2243); `Mcp-Name` and `Mcp-Param-*` are checked
/// by the methods that have them.
pub(super) fn check(
    method: &str,
    version: &str,
    http: Option<HttpSignals<'_>>,
) -> Result<(), RpcError> {
    let Some(http) = http else { return Ok(()) };
    if let Some(broken) = http.broken {
        return Err(mismatch(format!(
            "The header {broken} appears twice or holds characters it must not."
        )));
    }
    expect("MCP-Protocol-Version", http.version, version)?;
    expect("Mcp-Method", http.method, method)
}

pub(super) fn expect(header: &str, found: Option<&str>, wanted: &str) -> Result<(), RpcError> {
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(mismatch(format!(
            "The header {header} differs from the message's own value."
        ))),
        None => Err(mismatch(format!(
            "The header {header} is missing; it repeats the message's own value."
        ))),
    }
}

pub(super) fn mismatch(message: String) -> RpcError {
    RpcError::new(Code::HEADER_MISMATCH, message)
}
