//! Request ids and progress tokens.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON-RPC id: an integer of any size or a string, kept as the JSON text it came as.
///
/// Kept as text so that an id beyond 64 bits is echoed exactly; `1` and `"1"` stay different.
/// Progress tokens have the same shape and use the same type.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

/// Up to here a double holds every integer.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

impl Id {
    /// An id of our own, for a request to the client.
    pub fn number(n: u64) -> Self {
        Self(n.to_string().into())
    }

    /// Reads an id from its JSON text; `None` when it is neither an integer nor a string, or longer
    /// than `limit` bytes.
    pub fn from_json(text: &str, limit: usize) -> Option<Self> {
        if text.len() > limit {
            return None;
        }
        if text.starts_with('"') {
            // One spelling for each string, or `"\u0061"` and `"a"` would be two ids.
            return match text.contains('\\') {
                false => Some(Self(text.into())),
                true => {
                    let plain: String = serde_json::from_str(text).ok()?;
                    serde_json::to_string(&plain).ok().map(|t| Self(t.into()))
                }
            };
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| Self(text.into()))
    }

    /// Reads the id of a response, which is one of our own: also from a client that holds every number
    /// as a double and writes `7` as `7.0`.
    pub(super) fn of_response(text: &str, limit: usize) -> Option<Self> {
        Self::from_json(text, limit).or_else(|| {
            let number = (text.len() <= limit).then(|| text.parse::<f64>().ok())??;
            let exact = number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&number);
            exact.then(|| Self::number(number as u64))
        })
    }

    /// The id as JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The number, when it is one that [`Id::number`] could have made.
    pub fn as_number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_strings_are_kept_as_written() {
        for text in [
            "0",
            "-3",
            "123456789012345678901234567890",
            "\"\"",
            "\"7\"",
            "\"ä\"",
        ] {
            assert_eq!(Id::from_json(text, 256).unwrap().as_json(), text);
        }
    }

    #[test]
    fn other_types_are_no_ids() {
        for text in ["null", "true", "1.5", "2.0", "1e3", "{}", "[]", "-", ""] {
            assert_eq!(Id::from_json(text, 256), None, "{text}");
        }
        assert_eq!(Id::from_json(&"1".repeat(257), 256), None);
    }

    #[test]
    fn an_id_of_ours_may_come_back_as_a_double() {
        for (text, number) in [
            ("7", 7),
            ("0.0", 0),
            ("7.0", 7),
            ("1.2e1", 12),
            ("9007199254740992.0", 1 << 53),
        ] {
            let id = Id::of_response(text, 256);
            assert_eq!(id, Some(Id::number(number)), "{text}");
        }
        for text in ["1.5", "-7.0", "1e300", "null", "true", "{}"] {
            assert_eq!(Id::of_response(text, 256), None, "{text}");
        }
        let long = format!("1.{}", "0".repeat(256));
        assert_eq!(Id::of_response(&long, 256), None);
    }

    #[test]
    fn one_string_has_one_spelling() {
        assert_eq!(
            Id::from_json(r#""\u0061""#, 256),
            Id::from_json(r#""a""#, 256)
        );
    }
}
