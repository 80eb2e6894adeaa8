//! The file of tokens that clients authenticate with (`--auth-tokens`): read, watched, and changed by the verb `token`.
//! Its format stands in `docs/authentication-tokens.md`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `edit` | adds and removes an entry, and keeps the rest as it is written |
//! | `file` | the file on the disk: who may read it, whether it has changed, how it is replaced |
//! | `format` | its text: entries with their lines |
//! | `time` | when a token expires, as people write it |
//! | `watch` | reads the file again when it changes |
//!
//! A new key of an entry goes into `format`.

pub(crate) mod edit;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod time;
pub(crate) mod watch;

/// What is wrong with a file of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where; none if it is about the file as a whole.
    line: Option<usize>,
    /// What follows the file and the line in a sentence, without its full stop. No hash is in there.
    what: String,
}

impl Problem {
    fn new(what: impl Into<String>) -> Self {
        Self {
            line: None,
            what: what.into(),
        }
    }

    fn at(line: usize, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            what: what.into(),
        }
    }

    /// The sentence, for a file that is called so.
    pub(crate) fn of(&self, file: impl std::fmt::Display) -> String {
        let what = &self.what;
        match self.line {
            Some(line) => format!("{file}, line {line}: {what}."),
            None => format!("{file} {what}."),
        }
    }
}
