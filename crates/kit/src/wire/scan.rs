//! Walks JSON text and builds nothing: depth, node count and duplicate keys.
//!
//! The grammar is `serde_json`'s; this is only a visitor that counts. Without it a body of a
//! megabyte of `[],` costs a hundred times its size once it is a tree.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::limits::WireLimits;

/// Objects up to this size are searched linearly for duplicate keys, larger ones by hashing.
const LINEAR_KEYS: usize = 16;

/// Under this key `serde_json` reads a string as JSON text once more when it builds a tree (its
/// `raw_value` feature does so between its own types). That text would come past this walk.
const REPARSED: &str = "$serde_json::private::RawValue";

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Not JSON; the words are the parser's, which name a place and no content.
    Syntax(String),
    /// Nested deeper than the limit.
    TooDeep,
    /// More values than the limit.
    TooManyNodes,
    /// An object names a key twice.
    DuplicateKey,
    /// An object has the key [`REPARSED`].
    ReservedKey,
}

/// What is left of the limits while one message is walked.
pub(super) struct Budget<'de> {
    limit: usize,
    depth: usize,
    nodes: usize,
    flaw: Option<Flaw>,
    /// Keys of all objects that are open, innermost last.
    keys: Vec<Cow<'de, str>>,
}

impl<'de> Budget<'de> {
    pub(super) fn new(limits: &WireLimits) -> Self {
        Self {
            limit: limits.depth,
            depth: limits.depth,
            nodes: limits.nodes,
            flaw: None,
            keys: Vec::new(),
        }
    }

    /// Checks one complete JSON text. Its values count with those of the texts before, whatever was
    /// wrong with them.
    pub(super) fn check(&mut self, text: &'de str) -> Result<(), Flaw> {
        self.depth = self.limit;
        self.keys.clear();
        let mut json = serde_json::Deserializer::from_str(text);
        Node(self)
            .deserialize(&mut json)
            .and_then(|()| json.end())
            .map_err(|error| {
                self.flaw
                    .take()
                    .unwrap_or_else(|| Flaw::Syntax(error.to_string()))
            })
    }

    fn refuse<E: de::Error>(&mut self, flaw: Flaw) -> E {
        self.flaw = Some(flaw);
        E::custom("")
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        match self.depth.checked_sub(1) {
            Some(left) => self.depth = left,
            None => return Err(self.refuse(Flaw::TooDeep)),
        }
        Ok(())
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        match self.nodes.checked_sub(1) {
            Some(left) => self.nodes = left,
            None => return Err(self.refuse(Flaw::TooManyNodes)),
        }
        Ok(())
    }
}

/// Reads JSON that stood in a string of a message, nested no deeper than `depth` and with no more
/// than `nodes` values, which it takes off; `None` when it is no JSON, or outside of that.
pub(crate) fn tree(text: &str, depth: usize, nodes: &mut usize) -> Option<serde_json::Value> {
    let mut budget = Budget {
        limit: depth,
        depth,
        nodes: *nodes,
        flaw: None,
        keys: Vec::new(),
    };
    let checked = budget.check(text);
    // Looking took its time either way.
    *nodes = budget.nodes;
    checked.ok()?;
    serde_json::from_str(text).ok()
}

/// Looks at a text that is no message, such as a file: one JSON value, nested no deeper than `depth`, with no more than
/// `nodes` values in it, and no object that names a member twice.
///
/// # Errors
/// What else it is, and in which line.
pub(crate) fn check(text: &str, depth: usize, nodes: usize) -> Result<(), String> {
    let mut budget = Budget {
        limit: depth,
        depth,
        nodes,
        flaw: None,
        keys: Vec::new(),
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Node(&mut budget).deserialize(&mut json);
    let Err(error) = walked.and_then(|()| json.end()) else {
        return Ok(());
    };
    let what = match budget.flaw.take() {
        // Its words have the line.
        None | Some(Flaw::Syntax(_)) => return Err(format!("is not JSON: {error}")),
        Some(Flaw::TooDeep) => format!("is nested deeper than {depth} levels"),
        Some(Flaw::TooManyNodes) => format!("has more than {nodes} values"),
        Some(Flaw::DuplicateKey) => "names a member twice".to_owned(),
        Some(Flaw::ReservedKey) => format!("has the member {REPARSED}, which is reserved"),
    };
    Err(format!("{what} (line {})", error.line()))
}

/// Whether readers differ in what this JSON text is: an object in it names a member twice, and some take the first, some
/// the last.
pub fn is_ambiguous(text: &str) -> bool {
    let mut budget = Budget {
        limit: usize::MAX,
        depth: usize::MAX,
        nodes: usize::MAX,
        flaw: None,
        keys: Vec::new(),
    };
    let flaw = budget.check(text).err();
    matches!(flaw, Some(Flaw::DuplicateKey | Flaw::ReservedKey))
}

/// Any JSON value, counted and dropped.
struct Node<'b, 'de>(&'b mut Budget<'de>);

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.enter()?;
        while seq.next_element_seed(Node(self.0))?.is_some() {}
        self.0.depth += 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.enter()?;
        let first = self.0.keys.len();
        let mut hashed = HashSet::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if key == REPARSED {
                return Err(self.0.refuse(Flaw::ReservedKey));
            }
            let siblings = &self.0.keys[first..];
            let repeated = if siblings.len() < LINEAR_KEYS {
                siblings.contains(&key)
            } else {
                if hashed.is_empty() {
                    hashed.extend(siblings.iter().cloned());
                }
                !hashed.insert(key.clone())
            };
            if repeated {
                return Err(self.0.refuse(Flaw::DuplicateKey));
            }
            self.0.keys.push(key);
            map.next_value_seed(Node(self.0))?;
        }
        self.0.keys.truncate(first);
        self.0.depth += 1;
        Ok(())
    }
}

/// An object key, borrowed unless it has escapes.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Flaw> {
        Budget::new(&WireLimits {
            depth: 4,
            nodes: 40,
            ..WireLimits::default()
        })
        .check(text)
    }

    #[test]
    fn depth_is_bounded_for_arrays_and_objects() {
        assert_eq!(check("[[[[1]]]]"), Ok(()));
        assert_eq!(check("[[[[[1]]]]]"), Err(Flaw::TooDeep));
        assert_eq!(check(r#"{"a":{"a":{"a":{"a":1}}}}"#), Ok(()));
        assert_eq!(check(r#"{"a":{"a":{"a":{"a":{}}}}}"#), Err(Flaw::TooDeep));
        assert_eq!(check("[[],[[]],[[[]]]]"), Ok(()), "siblings do not add up");
    }

    #[test]
    fn a_hundred_thousand_brackets_do_not_overflow_the_stack() {
        assert_eq!(check(&"[".repeat(100_000)), Err(Flaw::TooDeep));
    }

    #[test]
    fn nodes_are_bounded() {
        assert_eq!(check(&format!("[{}0]", "0,".repeat(38))), Ok(()));
        assert_eq!(
            check(&format!("[{}0]", "0,".repeat(39))),
            Err(Flaw::TooManyNodes)
        );
    }

    #[test]
    fn duplicate_keys_are_found_at_any_level_and_under_any_spelling() {
        assert_eq!(check(r#"{"n":1,"n":2}"#), Err(Flaw::DuplicateKey));
        assert_eq!(check(r#"{"n":1,"\u006e":2}"#), Err(Flaw::DuplicateKey));
        assert_eq!(check(r#"{"a":{"n":1},"b":{"n":1}}"#), Ok(()));
        assert_eq!(
            check(r#"{"a":[{"n":1,"m":2,"n":1}]}"#),
            Err(Flaw::DuplicateKey)
        );
    }

    #[test]
    fn text_within_text_stays_text() {
        let text = r#"{"a":{"$serde_json::private::RawValue":"[[[[[[1]]]]]]"}}"#;
        let tree: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            tree,
            serde_json::json!({"a": [[[[[[1]]]]]]}),
            "why this key is refused"
        );
        assert_eq!(check(text), Err(Flaw::ReservedKey));
        assert_eq!(
            check(r#"{"a":1,"$serde_json::private::R\u0061wValue":"1"}"#),
            Err(Flaw::ReservedKey)
        );
    }

    #[test]
    fn large_objects_are_searched_by_hash() {
        let object = |last: &str| {
            let keys: String = (0..30).map(|i| format!("\"k{i}\":0,")).collect();
            format!("{{{keys}\"{last}\":0}}")
        };
        assert_eq!(check(&object("other")), Ok(()));
        assert_eq!(check(&object("k3")), Err(Flaw::DuplicateKey));
    }

    #[test]
    fn what_is_not_json_is_a_syntax_flaw() {
        for text in [
            "",
            "{",
            "nul",
            "[1,]",
            "01",
            "+1",
            "NaN",
            "1 2",
            r#""\ud800""#,
            "1e400",
        ] {
            assert!(matches!(check(text), Err(Flaw::Syntax(_))), "{text}");
        }
    }
}
