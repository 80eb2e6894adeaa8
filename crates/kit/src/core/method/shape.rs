//! What is wrong with params of another shape: which member, and what it has to be.
//!
//! No value is quoted: the caller knows its own, and logs and models do not need it.

use std::fmt::Write as _;

use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected, Visitor};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Bytes of a member's name that is repeated; a longer one is no member of the protocol.
const MAX_MEMBER: usize = 64;

/// Reads params as their type.
///
/// # Errors
/// What is wrong with them, as the rest of a sentence.
pub(super) fn read<T: DeserializeOwned>(params: &str) -> Result<T, String> {
    // Where an error lies costs something to keep track of, so only what has one is read like that.
    serde_json::from_str(params).map_err(|_| explain::<T>(params))
}

fn explain<T: DeserializeOwned>(params: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(params) else {
        return "they cannot be read".to_owned();
    };
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(_) => "a member has the wrong type".to_owned(),
        Err(error) => sentence(error.path(), &error.inner().to_string()),
    }
}

fn sentence(path: &Path, error: &str) -> String {
    let (path, whole) = written(path);
    if let Some(missing) = quoted(error, "missing field `") {
        let dot = if path.is_empty() { "" } else { "." };
        return format!("missing field \"{path}{dot}{missing}\"");
    }
    let subject = match (path.is_empty(), whole) {
        (true, _) => "a member".to_owned(),
        (false, true) => format!("\"{path}\""),
        (false, false) => format!("a member of \"{path}\""),
    };
    match expected(error) {
        Some(expected) => format!("{subject} must be {expected}"),
        None => format!("{subject} has the wrong type"),
    }
}

/// The path as clients write it, up to what may be no member of the protocol; and whether that is
/// all of it.
fn written(path: &Path) -> (String, bool) {
    let mut text = String::new();
    for segment in path.iter() {
        let done = match segment {
            Segment::Seq { index } => write!(text, "[{index}]").is_ok(),
            Segment::Map { key } if is_member(key) => {
                let dot = if text.is_empty() { "" } else { "." };
                write!(text, "{dot}{key}").is_ok()
            }
            Segment::Map { .. } | Segment::Unknown => false,
            Segment::Enum { .. } => true,
        };
        if !done {
            return (text, false);
        }
    }
    (text, true)
}

fn is_member(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    (1..=MAX_MEMBER).contains(&key.len()) && key.bytes().all(allowed)
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix('`')
}

/// What serde expected, in the words of JSON. Its errors have the value first and this last.
fn expected(error: &str) -> Option<String> {
    let known = ["invalid type: ", "invalid value: ", "unknown variant `"];
    if !known.iter().any(|beginning| error.starts_with(beginning)) {
        return None;
    }
    let (_, expected) = error.rsplit_once(", expected ")?;
    Some(match expected {
        "a string" | "string" | "str" | "a borrowed string" => "a string".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a map" | "map" | "an object" => "an object".to_owned(),
        "a sequence" => "a list".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        _ if expected.starts_with("struct ") => "an object".to_owned(),
        _ if expected.contains('`') => expected.replace('`', "\""),
        _ => return None,
    })
}

/// Reads a member that is one of a few words.
pub(super) fn one_of<'de, D, T>(
    json: D,
    words: &'static [&'static str],
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Words<F>(&'static [&'static str], F);

    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Words<F> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let words: Vec<String> = self.0.iter().map(|word| format!("`{word}`")).collect();
            write!(f, "one of {}", words.join(", "))
        }

        fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
            (self.1)(word).ok_or_else(|| E::invalid_value(Unexpected::Str(word), &self))
        }
    }

    json.deserialize_str(Words(words, read))
}
