//! JSON-RPC errors: the codes that may leave this server, and nothing else.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// The error codes this server answers with.
///
/// JSON-RPC 2.0 §5.1 for the first five; MCP 2026-07-28 `basic/index#error-codes` for the `-3202x`
/// ones; `-32002` is for legacy peers only; [`Code::BUSY`], [`Code::RATE_LIMITED`] and [`Code::FORBIDDEN`] lie outside the
/// reserved range, as the specification asks of a server's own codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Code(pub i32);

impl Code {
    /// The bytes are not JSON.
    pub const PARSE: Self = Self(-32700);
    /// JSON, but not a JSON-RPC message that can be served.
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// No such method in this era.
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// The method exists, its params do not fit.
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// Our fault; the detail is in the log only.
    pub const INTERNAL: Self = Self(-32603);
    /// Unknown resource, legacy peers only (modern: [`Code::INVALID_PARAMS`]).
    pub const RESOURCE_NOT_FOUND: Self = Self(-32002);
    /// A mirrored HTTP header is missing or disagrees with the body.
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// The request needs a capability that the client did not declare.
    pub const MISSING_CAPABILITY: Self = Self(-32021);
    /// A protocol revision that is not served this way.
    pub const UNSUPPORTED_VERSION: Self = Self(-32022);
    /// Too much is in flight; nothing was run.
    pub const BUSY: Self = Self(-31001);
    /// The caller may not, and can ask for a token with which it may; nothing was run.
    pub const FORBIDDEN: Self = Self(-31003);
    /// More than a rate allows; nothing was run. `data.retryAfterSeconds` says when to come back.
    pub const RATE_LIMITED: Self = Self(-31002);
}

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RpcError {
    /// What kind of error it is.
    pub code: Code,
    /// One sentence for a person; names the field and the way out, never a caller's value.
    pub message: Cow<'static, str>,
    /// What a program needs to mend it, where the specification defines it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Seconds after which trying again may help, for the transport that can say so
    /// (`Retry-After`).
    #[serde(skip)]
    pub retry_after: Option<NonZeroU32>,
}

impl RpcError {
    /// An error without `data`.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            retry_after: None,
        }
    }

    /// The same error, which a token with these scopes mends: `data.scopes` has them, with spaces between.
    pub fn with_scopes(self, needed: impl Into<String>) -> Self {
        self.with_data(serde_json::json!({ "scopes": needed.into() }))
    }

    /// The scopes that the caller lacks, if that is the error.
    pub(crate) fn scopes(&self) -> Option<&str> {
        let lacks = self.code == Code::FORBIDDEN;
        self.data.as_ref().filter(|_| lacks)?["scopes"].as_str()
    }

    /// The same error, which may be mended by trying again after this time.
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        let seconds = after.as_millis().div_ceil(1000).try_into();
        self.retry_after = NonZeroU32::new(seconds.unwrap_or(u32::MAX));
        self
    }

    /// The same error with `data`.
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// [`Code::RATE_LIMITED`], with when to come back for programs.
    pub fn rate_limited(message: impl Into<Cow<'static, str>>, retry_after_seconds: u64) -> Self {
        Self::new(Code::RATE_LIMITED, message)
            .with_data(serde_json::json!({ "retryAfterSeconds": retry_after_seconds }))
    }

    /// [`Code::INVALID_REQUEST`].
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::INVALID_REQUEST, message)
    }

    /// [`Code::INVALID_PARAMS`].
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::INVALID_PARAMS, message)
    }

    /// [`Code::INTERNAL`], always with the same words.
    pub fn internal() -> Self {
        Self::new(
            Code::INTERNAL,
            "Internal error; the server's log has the detail.",
        )
    }
}
