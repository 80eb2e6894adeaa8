//! What a handler may answer instead of a result, and the one place where it becomes JSON-RPC.
//!
//! | whose problem | say | the client sees |
//! | --- | --- | --- |
//! | the caller can mend it | [`Error::user`], or [`OrUser`] at the `?` | a tool: a result with `isError: true`; else `-32602` |
//! | the caller broke the protocol | [`Error::invalid_params`] | `-32602` |
//! | a capability is missing | [`Error::missing_capability`] | modern: `-32021`; legacy: as `user` |
//! | ours | `?` on any `std` error, or [`Error::internal`] | `-32603`, the detail in the log only |

mod or_user;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Display, Write as _};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::label::Label;
use crate::protocol::Era;
use crate::wire::{Code, RpcError};

pub use or_user::{Nothing, OrUser};

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a handler has no result.
///
/// It is not a `std::error::Error` itself, so that `?` can turn every one of those into an error that
/// is ours, without leaking its text to the caller.
///
/// An error type of your own that is no `std::error::Error` either says by itself what it means:
///
/// ```
/// use pymcp_kit::{Ctx, Error, NoArgs, Result, Tool};
///
/// enum StockError {
///     Empty,
///     Io(std::io::Error),
/// }
///
/// impl From<StockError> for Error {
///     fn from(error: StockError) -> Self {
///         match error {
///             StockError::Empty => Self::user("Nothing is left; try again tomorrow."),
///             StockError::Io(error) => error.into(),
///         }
///     }
/// }
///
/// async fn take(_: Ctx, _: NoArgs) -> Result<u32, StockError> {
///     Err(StockError::Empty)
/// }
///
/// Tool::new("take", take);
/// ```
///
/// For one that is, see [`UserError`].
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    User {
        message: Cow<'static, str>,
        /// What the sentence stands for, for the log.
        cause: Option<Cause>,
    },
    Rpc(RpcError),
    ResourceNotFound {
        uri: String,
    },
    MissingCapability {
        message: Cow<'static, str>,
        required: Value,
    },
    Internal(Cause),
}

type BoxedError = Box<dyn StdError + Send + Sync>;

/// What happened, for the log only.
#[derive(Debug)]
enum Cause {
    Text(String),
    /// It is in the log already.
    Logged(String),
    Error(BoxedError),
}

impl Display for Cause {
    /// The error and what caused it, outermost first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self {
            Self::Text(text) | Self::Logged(text) => return f.write_str(text),
            Self::Error(error) => error,
        };
        let mut said = error.to_string();
        f.write_str(&said)?;
        for cause in chain(&**error).skip(1) {
            let cause = cause.to_string();
            // Many errors repeat what caused them.
            if !said.ends_with(&cause) {
                f.write_str(": ")?;
                f.write_str(&cause)?;
            }
            said = cause;
        }
        Ok(())
    }
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What a server knows of an error type of its author: see [`UserError`].
pub(crate) type Explain = fn(&(dyn StdError + 'static)) -> Option<Cow<'static, str>>;

impl Error {
    /// The caller can mend it: one sentence for a person or a model, naming the way out.
    pub fn user(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::User {
            message: message.into(),
            cause: None,
        })
    }

    /// The request breaks the protocol.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::Rpc(RpcError::invalid_params(message)))
    }

    /// Ours. `detail` goes to the log at `error` level and never to the caller: name no argument value.
    pub fn internal(detail: impl Display) -> Self {
        Self(Kind::Internal(Cause::Text(detail.to_string())))
    }

    /// Ours, and in the log already.
    pub(crate) fn logged(detail: String) -> Self {
        Self(Kind::Internal(Cause::Logged(detail)))
    }

    /// What the log would say of it, or its caller.
    pub(crate) fn into_text(self) -> String {
        Carried::new(self).text
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

    /// Ours, unless an error of this type is what caused it.
    fn ours(error: BoxedError) -> Self {
        let carried = chain(&*error).find_map(|cause| cause.downcast_ref::<Carried>()?.take());
        carried.unwrap_or(Self(Kind::Internal(Cause::Error(error))))
    }

    /// The sentence, with what happened for the log.
    fn user_because(message: impl Into<Cow<'static, str>>, error: Self) -> Self {
        let cause = match error.0 {
            Kind::Internal(cause) => cause,
            Kind::User { message, cause } => cause.unwrap_or(Cause::Text(message.into_owned())),
            Kind::Rpc(error) => Cause::Text(error.message.into_owned()),
            Kind::ResourceNotFound { .. } => Cause::Text("no such resource".to_owned()),
            Kind::MissingCapability { message, .. } => Cause::Text(message.into_owned()),
        };
        Self(Kind::User {
            message: message.into(),
            cause: Some(cause),
        })
    }

    /// What the author's own error types say of it: see [`UserError`].
    pub(crate) fn explained(self, explain: &[Explain]) -> Self {
        let Kind::Internal(Cause::Error(error)) = &self.0 else {
            return self;
        };
        let said = chain(&**error).find_map(|cause| explain.iter().find_map(|say| say(cause)));
        match said {
            Some(message) => Self::user(message),
            None => self,
        }
    }

    /// The sentence of an error that the caller of a tool can mend, for this era; else the error.
    /// What the sentence stands for is logged with the name of the component.
    pub(crate) fn into_user_message(
        self,
        era: Era,
        label: Option<&Label>,
    ) -> Result<Cow<'static, str>, Self> {
        match self.0 {
            Kind::User { message, cause } => {
                log_cause(cause.as_ref(), label);
                Ok(message)
            }
            Kind::MissingCapability { message, .. } if era == Era::Legacy => Ok(message),
            kind => Err(Self(kind)),
        }
    }

    /// The error on the wire. `method`, and the component that it is about, are for the log.
    pub(crate) fn into_rpc(self, era: Era, method: &str, label: Option<&Label>) -> RpcError {
        match self.0 {
            Kind::Rpc(error) => error,
            Kind::User { message, cause } => {
                log_cause(cause.as_ref(), label);
                RpcError::invalid_params(message)
            }
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
            Kind::Internal(Cause::Logged(_)) => RpcError::internal(),
            Kind::Internal(cause) => {
                let (kind, name) = (label.map(|label| label.kind.as_str()), label.map(name));
                tracing::error!(method, kind, name, detail = %cause, "request failed");
                RpcError::internal()
            }
        }
    }
}

fn name(label: &Label) -> &str {
    &label.name
}

fn log_cause(cause: Option<&Cause>, label: Option<&Label>) {
    if let Some(cause) = cause {
        let (kind, name) = (label.map(|label| label.kind.as_str()), label.map(name));
        tracing::warn!(kind, name, detail = %cause, "the caller got another message for this error");
    }
}

impl From<RpcError> for Error {
    fn from(error: RpcError) -> Self {
        Self(Kind::Rpc(error))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::ours(Box::new(error))
    }
}

/// An error type of your own that is a `std::error::Error` and says by itself which of its cases the
/// caller can mend. A server that is told of it
/// ([`ServerBuilder::user_errors`](crate::ServerBuilder::user_errors)) finds it in every error that a
/// handler or a middleware ends with, also as the cause of another one, and however it came there: by
/// `?`, as the handler's own error type, in an `anyhow::Error`.
///
/// ```
/// use std::borrow::Cow;
/// use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool, UserError};
///
/// #[derive(Debug)]
/// enum StockError {
///     Empty,
///     Corrupt,
/// }
///
/// impl std::fmt::Display for StockError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         f.write_str(match self {
///             Self::Empty => "Nothing is left; try again tomorrow.",
///             Self::Corrupt => "the books are corrupt",
///         })
///     }
/// }
///
/// impl std::error::Error for StockError {}
///
/// impl UserError for StockError {
///     fn user_message(&self) -> Option<Cow<'static, str>> {
///         match self {
///             Self::Empty => Some(self.to_string().into()),
///             Self::Corrupt => None,
///         }
///     }
/// }
///
/// async fn take(_: Ctx, _: NoArgs) -> Result<u32, StockError> {
///     Err(StockError::Empty)
/// }
///
/// Server::builder("example", "1.0.0")
///     .user_errors::<StockError>()
///     .tool(Tool::new("take", take))
///     .build()
///     .unwrap();
/// ```
pub trait UserError: StdError + 'static {
    /// The sentence for the caller, which names the way out; `None` where the error is ours.
    fn user_message(&self) -> Option<Cow<'static, str>>;
}

/// What a server has to know of an error type.
pub(crate) fn explain<E: UserError>(error: &(dyn StdError + 'static)) -> Option<Cow<'static, str>> {
    error.downcast_ref::<E>()?.user_message()
}

/// Errors that a handler may end with: [`Error`], every `std::error::Error` (it is ours), types of
/// your own with a `From` for [`Error`], boxed errors, and with the feature `anyhow` an
/// `anyhow::Error`. Boxed ones and `anyhow`'s are ours unless an [`Error`] caused them.
#[diagnostic::on_unimplemented(
    message = "a handler cannot end with the error `{Self}`",
    label = "no error of a handler",
    note = "say at the `?` what it means: `.user()?` tells the caller what it says, `.or_user(\"…\")?` tells a sentence of yours",
    note = "or implement `From<{Self}> for pymcp_kit::Error`; for `anyhow::Error` switch on the feature `anyhow` of pymcp-kit"
)]
pub trait HandlerError<K> {
    /// The error.
    fn into_error(self) -> Error;
}

/// The marker of errors that convert by themselves.
#[derive(Debug)]
pub enum Converted {}

/// The marker of errors that may be anything.
#[derive(Debug)]
pub enum Boxed {}

impl<E: Into<Error>> HandlerError<Converted> for E {
    fn into_error(self) -> Error {
        self.into()
    }
}

impl HandlerError<Boxed> for BoxedError {
    fn into_error(self) -> Error {
        Error::ours(self)
    }
}

#[cfg(feature = "anyhow")]
impl HandlerError<Boxed> for anyhow::Error {
    fn into_error(self) -> Error {
        // In the other form its outermost error could not be told from any other.
        Error::ours(self.reallocate_into_boxed_dyn_error_without_backtrace())
    }
}

/// An [`Error`] among errors of other kinds.
#[derive(Debug)]
struct Carried {
    text: String,
    error: Mutex<Option<Error>>,
}

impl Carried {
    fn new(error: Error) -> Self {
        let mut text = String::new();
        let written = match &error.0 {
            Kind::User { message, .. } | Kind::MissingCapability { message, .. } => {
                text.write_str(message)
            }
            Kind::Rpc(error) => text.write_str(&error.message),
            Kind::ResourceNotFound { .. } => text.write_str("no such resource"),
            Kind::Internal(cause) => write!(text, "{cause}"),
        };
        // Writing to a string cannot fail.
        debug_assert!(written.is_ok());
        Self {
            text,
            error: Mutex::new(Some(error)),
        }
    }

    fn take(&self) -> Option<Error> {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.take()
    }
}

impl Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Carried {}

/// For functions that end with boxed errors; a handler that ends with such a one ends with this one.
impl From<Error> for BoxedError {
    fn from(error: Error) -> Self {
        Box::new(Carried::new(error))
    }
}

/// For functions that end with `anyhow`'s errors; a handler that ends with such a one ends with this one.
#[cfg(feature = "anyhow")]
impl From<Error> for anyhow::Error {
    fn from(error: Error) -> Self {
        Self::new(Carried::new(error))
    }
}
