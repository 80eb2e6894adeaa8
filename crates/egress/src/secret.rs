//! Keys and tokens, which are sent and shown nowhere.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;

/// How long a secret may be, in bytes.
const MAX_SECRET: usize = 8 << 10;

/// A key or a token that goes into a header: 1 to 8,192 characters of visible ASCII, without the blanks
/// and line breaks around it. Nothing shows it: neither `Debug`, nor an error, nor a log.
///
/// ```
/// use pymcp_egress::Secret;
///
/// let key: Secret = "0123456789\n".parse()?;
/// assert_eq!(format!("{key:?}"), "Secret");
/// # Ok::<_, pymcp_egress::InvalidSecret>(())
/// ```
#[derive(Clone)]
pub struct Secret(HeaderValue);

/// A text cannot be a secret; never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSecret;

impl fmt::Display for InvalidSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret has 1 to 8192 characters of visible ASCII")
    }
}

impl std::error::Error for InvalidSecret {}

impl Secret {
    /// Reads a secret.
    ///
    /// # Errors
    /// The text is empty, too long, or has characters that no header can carry.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidSecret> {
        let text = text.as_ref().trim();
        let fits = (1..=MAX_SECRET).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !fits {
            return Err(InvalidSecret);
        }
        Self::of(text.as_bytes())
    }

    fn of(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        let mut value = HeaderValue::from_bytes(bytes).map_err(|_| InvalidSecret)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// It, as the value of a header.
    pub(crate) fn value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// It, as the value of `Authorization` (RFC 6750 §2.1).
    pub(crate) fn bearer(&self) -> HeaderValue {
        let bearer = Self::of(&[b"Bearer ", self.0.as_bytes()].concat());
        // A header can carry it, and so can it carry the word before.
        bearer.unwrap_or_else(|_| self.clone()).0
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::new(" hunter2 \r\n").unwrap();
        assert_eq!(secret.value().as_bytes(), b"hunter2");
        assert_eq!(secret.bearer().as_bytes(), b"Bearer hunter2");
        let shown = format!("{secret:?} {:?} {:?}", secret.value(), secret.bearer());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_no_header_carries_is_none() {
        for text in ["", " \n", "a\nb", "a\u{e9}", "\u{7f}", &"a".repeat(8193)] {
            assert_eq!(Secret::new(text).map(drop), Err(InvalidSecret));
        }
        assert!(Secret::new("a".repeat(8192)).is_ok());
    }
}
