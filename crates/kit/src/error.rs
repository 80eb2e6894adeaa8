//! What a handler may answer instead of a result, and the one place where it becomes JSON-RPC.
//!
//! | whose problem | say | the client sees |
//! | --- | --- | --- |
//! | the caller can mend it | [`Error::user`] | a tool: a result with `isError: true`; else `-32602` |
//! | the caller broke the protocol | [`Error::invalid_params`] | `-32602` |
//! | a capability is missing | [`Error::missing_capability`] | modern: `-32021`; legacy: as `user` |
//! | ours | `?` on any `std` error, or [`Error::internal`] | `-32603`, the detail in the log only |

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use crate::core::Era;
use crate::wire::{Code, RpcError};

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a handler has no result.
///
/// It is not a `std::error::Error` itself, so that `?` can turn every one of those into
/// [`Error::internal`] without leaking its text to the caller.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    User(Cow<'static, str>),
    Rpc(RpcError),
    ResourceNotFound {
        uri: String,
    },
    MissingCapability {
        message: Cow<'static, str>,
        required: Value,
    },
    Internal(String),
}

impl Error {
    /// The caller can mend it: one sentence for a person or a model, naming the way out.
    pub fn user(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::User(message.into()))
    }

    /// The request breaks the protocol.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::Rpc(RpcError::invalid_params(message)))
    }

    /// Ours. `detail` goes to the log at `error` level and never to the caller: name no argument value.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self(Kind::Internal(detail.to_string()))
    }

    /// No such resource.
    pub fn resource_not_found(uri: impl Into<String>) -> Self {
        Self(Kind::ResourceNotFound { uri: uri.into() })
    }

    /// The client did not declare what this needs; `required` is a `ClientCapabilities` object
    /// such as `{"sampling": {}}`.
    pub fn missing_capability(message: impl Into<Cow<'static, str>>, required: Value) -> Self {
        Self(Kind::MissingCapability {
            message: message.into(),
            required,
        })
    }

    /// The sentence of an error that the caller of a tool can mend, for this era.
    pub(crate) fn as_user_message(&self, era: Era) -> Option<&str> {
        match &self.0 {
            Kind::User(message) => Some(message),
            Kind::MissingCapability { message, .. } if era == Era::Legacy => Some(message),
            _ => None,
        }
    }

    /// The error on the wire. `what` names the method for the log.
    pub(crate) fn into_rpc(self, era: Era, what: &str) -> RpcError {
        match self.0 {
            Kind::Rpc(error) => error,
            Kind::User(message) => RpcError::invalid_params(message),
            Kind::ResourceNotFound { uri } => {
                let code = match era {
                    Era::Legacy => Code::RESOURCE_NOT_FOUND,
                    Era::Modern => Code::INVALID_PARAMS,
                };
                RpcError::new(
                    code,
                    "No such resource; resources/list and resources/templates/list name them.",
                )
                .with_data(json!({ "uri": uri }))
            }
            Kind::MissingCapability { message, required } => match era {
                Era::Legacy => RpcError::invalid_params(message),
                Era::Modern => RpcError::new(Code::MISSING_CAPABILITY, message)
                    .with_data(json!({ "requiredCapabilities": required })),
            },
            Kind::Internal(detail) => {
                tracing::error!(method = what, detail, "request failed");
                RpcError::internal()
            }
        }
    }
}

impl From<RpcError> for Error {
    fn from(error: RpcError) -> Self {
        Self(Kind::Rpc(error))
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::internal(error)
    }
}
