//! What is known of one token, and why a list of them cannot be used.

use std::fmt;
use std::time::SystemTime;

use super::super::Scopes;
use super::TokenHash;

/// What is known of one token; not the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// Whose it is: 1 to 64 letters, digits, dots, dashes, underscores and `@`; unique. `token:` and the name is the
    /// subject of whoever sends the token.
    pub name: String,
    /// The hash of the token; unique.
    pub hash: TokenHash,
    /// What it allows.
    pub scopes: Scopes,
    /// From when on it is not accepted any more; `None` is never.
    pub expires: Option<SystemTime>,
}

impl TokenEntry {
    /// Characters of a name.
    pub const MAX_NAME: usize = 64;

    /// Whether this is a name that a token can have.
    pub fn is_name(name: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
        (1..=Self::MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
    }

    /// Whether it has expired at this time.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Why a list of tokens cannot be used. Shown, it is a sentence without its full stop, which names the token and no hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTokens {
    /// Which entry of the list it is about, from 0 on.
    pub index: usize,
    pub(super) why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    Name(String),
    NameTaken(String),
    HashTaken(String),
    TooMany,
}

impl fmt::Display for BadTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Name(name) => write!(
                f,
                "name is '{}', but must be 1 to {} letters, digits, dots, dashes, underscores and @",
                name.chars().take(100).collect::<String>().escape_debug(),
                TokenEntry::MAX_NAME
            ),
            Why::NameTaken(name) => write!(f, "there is a token named '{name}' already"),
            Why::HashTaken(name) => write!(f, "the token '{name}' has the hash of another one"),
            Why::TooMany => write!(f, "there can be {} tokens", super::Tokens::MAX),
        }
    }
}

impl std::error::Error for BadTokens {}
