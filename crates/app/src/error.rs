//! Why a program ends without success.

use std::fmt;

/// What the functions of a program return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A sentence for a person, and the exit code that goes with it.
///
/// Name a setting by its flag, as in `--port must be even.`: what is printed has the environment variable beside it, and
/// for a value from a file also the file and the line.
///
/// `?` turns every [`std::error::Error`] into one, which is why this type is none itself.
pub struct Error {
    sentence: Option<String>,
    hint: Option<String>,
    code: u8,
}

impl Error {
    /// Exit code for a setting that cannot be used, as clap has it.
    pub(crate) const USAGE: u8 = 2;
    /// Exit code for a server that cannot be reached.
    pub(crate) const UNREACHED: u8 = 3;

    /// A setting that cannot be used: exit code 2.
    pub fn setting(sentence: impl Into<String>) -> Self {
        Self::new(sentence, Self::USAGE)
    }

    /// Any other reason, as that a tool or a check said no: exit code 1.
    pub fn other(sentence: impl Into<String>) -> Self {
        Self::new(sentence, 1)
    }

    /// A server that cannot be reached: exit code 3.
    pub fn unreached(sentence: impl Into<String>) -> Self {
        Self::new(sentence, Self::UNREACHED)
    }

    /// The same with another exit code.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Something that was printed already.
    pub(crate) fn printed(code: u8) -> Self {
        Self {
            sentence: None,
            hint: None,
            code,
        }
    }

    fn new(sentence: impl Into<String>, code: u8) -> Self {
        Self {
            sentence: Some(sentence.into()),
            hint: None,
            code,
        }
    }

    /// The same with a line below the sentence that says what to do next, such as the command to type.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The sentence, if it was not printed already.
    pub fn sentence(&self) -> Option<&str> {
        self.sentence.as_deref()
    }

    /// The sentence with its hint on a line of its own, if it was not printed already.
    pub(crate) fn text(&self) -> Option<String> {
        let sentence = self.sentence.as_deref()?;
        Some(match &self.hint {
            Some(hint) => format!("{sentence}\n  {hint}"),
            None => sentence.to_owned(),
        })
    }

    /// The exit code: 2 for a setting or an argument, 3 for a server that cannot be reached, 1 for everything else.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// The same with another sentence.
    pub(crate) fn map(self, change: impl FnOnce(&str) -> String) -> Self {
        Self {
            sentence: self.sentence.as_deref().map(change),
            ..self
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.sentence.as_deref().unwrap_or_default();
        write!(f, "{sentence} (exit code {})", self.code)
    }
}

impl<E: std::error::Error> From<E> for Error {
    /// The error and its causes, one after the other.
    fn from(error: E) -> Self {
        let mut sentence = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            sentence.push_str(": ");
            sentence.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::other(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_a_sentence_with_its_causes() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the stock cannot be read")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let read = || -> Result<i32> { Ok("x".parse::<i32>().map_err(Outer)?) };
        let error = read().unwrap_err();
        assert_eq!(
            (error.sentence(), error.code()),
            (
                Some("the stock cannot be read: invalid digit found in string"),
                1
            )
        );
    }

    #[test]
    fn a_setting_has_an_exit_code_of_its_own() {
        assert_eq!(Error::setting("--port must be even.").code(), 2);
        assert_eq!(Error::other("The disk is full.").code(), 1);
    }
}
