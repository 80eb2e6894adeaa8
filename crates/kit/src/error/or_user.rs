//! One word at the `?` of a handler.

use std::borrow::Cow;
use std::fmt::{self, Display};

use super::{Error, HandlerError, Result};

/// Says at the `?` that the caller can mend what went wrong.
///
/// ```
/// use pymcp_kit::{Ctx, OrUser, Result, Tool};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// What to add, separated by blanks.
///     numbers: String,
/// }
///
/// async fn add(_: Ctx, args: Args) -> Result<i64> {
///     let mut sum = 0_i64;
///     for number in args.numbers.split(' ') {
///         // The caller is told what the error says: "invalid digit found in string".
///         let number: i64 = number.parse().user()?;
///         // Or a better sentence, which names the way out.
///         sum = sum.checked_add(number).or_user("The sum is too large; add fewer numbers.")?;
///     }
///     Ok(sum)
/// }
///
/// Tool::new("add", add);
/// ```
pub trait OrUser<T, E>: Sized {
    /// The caller is told what the error says of itself, which has to be a sentence for it.
    ///
    /// # Errors
    /// The same, as [`Error::user`].
    fn user(self) -> Result<T>
    where
        E: Display;

    /// The caller is told this sentence. The error goes to the log, with what caused it.
    ///
    /// # Errors
    /// The same, as [`Error::user`].
    fn or_user<K>(self, sentence: impl Into<Cow<'static, str>>) -> Result<T>
    where
        E: HandlerError<K>;
}

impl<T, E> OrUser<T, E> for Result<T, E> {
    fn user(self) -> Result<T>
    where
        E: Display,
    {
        self.map_err(|error| Error::user(error.to_string()))
    }

    fn or_user<K>(self, sentence: impl Into<Cow<'static, str>>) -> Result<T>
    where
        E: HandlerError<K>,
    {
        self.map_err(|error| Error::user_because(sentence, error.into_error()))
    }
}

/// The error of an `Option`: [`OrUser::or_user`] says what is missing.
#[derive(Debug)]
pub struct Nothing;

impl Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("There is none.")
    }
}

impl From<Nothing> for Error {
    fn from(_: Nothing) -> Self {
        Self::internal("there is nothing")
    }
}

impl<T> OrUser<T, Nothing> for Option<T> {
    fn user(self) -> Result<T> {
        self.ok_or_else(|| Error::user(Nothing.to_string()))
    }

    fn or_user<K>(self, sentence: impl Into<Cow<'static, str>>) -> Result<T>
    where
        Nothing: HandlerError<K>,
    {
        self.ok_or_else(|| Error::user(sentence))
    }
}
