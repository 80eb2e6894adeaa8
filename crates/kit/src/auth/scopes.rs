//! What a token allows, and what a component needs.

use std::fmt;
use std::sync::Arc;

/// Bytes of all scopes of one token, as they are written.
const MAX_BYTES: usize = 8 << 10;

/// A set of scopes (RFC 6749 §3.3): words of visible ASCII without quotes and backslashes, at most 8 KiB in all.
///
/// Cheap to clone. Shown, it is what a token has: the words, sorted, with a space between.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(Arc<[Box<str>]>);

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadScope(pub String);

impl fmt::Display for BadScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a scope: scopes are words of visible ASCII without quotes and backslashes, 8 KiB in all",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for BadScope {}

impl Scopes {
    /// The set of these scopes.
    ///
    /// # Errors
    /// A word is no scope, or they are too long in all.
    pub fn new<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Result<Self, BadScope> {
        let mut found: Vec<Box<str>> = Vec::new();
        let mut bytes = 0;
        for word in words {
            let word = word.as_ref();
            bytes += word.len() + 1;
            if !is_scope(word) || bytes > MAX_BYTES {
                return Err(BadScope(word.chars().take(64).collect()));
            }
            found.push(word.into());
        }
        found.sort_unstable();
        found.dedup();
        Ok(Self(found.into()))
    }

    /// Reads them as a token writes them, with spaces between.
    ///
    /// # Errors
    /// As [`Scopes::new`].
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        Self::new(text.split_ascii_whitespace())
    }

    /// Whether this one is among them.
    pub fn has(&self, scope: &str) -> bool {
        self.0.binary_search_by(|one| (**one).cmp(scope)).is_ok()
    }

    /// Whether all of `needed` are among them.
    pub fn cover(&self, needed: &Self) -> bool {
        needed.iter().all(|scope| self.has(scope))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// These and the others.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(others.0.iter()).cloned().collect();
        all.sort_unstable();
        all.dedup();
        Self(all.into())
    }
}

fn is_scope(word: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !word.is_empty() && word.bytes().all(allowed)
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_of_words() {
        let scopes = Scopes::parse(" stock:write  stock:read stock:read ").unwrap();
        assert_eq!(scopes.to_string(), "stock:read stock:write");
        assert!(scopes.has("stock:read") && !scopes.has("stock"));
        let needed = Scopes::new(["stock:write"]).unwrap();
        assert!(scopes.cover(&needed) && !needed.cover(&scopes));
        assert!(needed.cover(&Scopes::default()));
        assert_eq!(
            needed.with(&Scopes::parse("a").unwrap()).to_string(),
            "a stock:write"
        );
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\n"] {
            assert!(Scopes::new([bad]).is_err(), "{bad:?}");
        }
        assert!(Scopes::new((0..4096).map(|n| format!("scope-{n}"))).is_err());
        let error = Scopes::parse("a \"b").unwrap_err().to_string();
        assert!(error.starts_with("'\\\"b' is not a scope"), "{error}");
    }
}
