//! What a token is kept as.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// How a hash begins that is written down.
const SCHEME: &str = "sha256:";

/// SHA-256 of a token.
///
/// One fast hash without salt is enough: slow hashes and salts are for passwords, which are guessed from lists. A token
/// of [`new_token`](super::new_token) has 256 random bits, so there is nothing to guess from, and no two are the same.
///
/// Written down it is `sha256:` and 64 hexadecimal digits; [`Debug`] does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// A text that is no hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadHash;

impl TokenHash {
    /// The hash of this token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl FromStr for TokenHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let digits = text.strip_prefix(SCHEME).ok_or(BadHash)?.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(BadHash);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(BadHash);
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = 16 * value(pair[0])? + value(pair[1])?;
            *byte = u8::try_from(pair).map_err(|_| BadHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

impl fmt::Display for BadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a hash is {SCHEME} and 64 hexadecimal digits")
    }
}

impl std::error::Error for BadHash {}
