//! Text as a value of a JSON Schema: `5` is a number where a number is wanted, and text where text is.

use serde_json::Value;

/// Levels of references and alternatives that are looked into; what is below them takes any JSON.
const MAX_DEPTH: usize = 16;

/// Characters of a value that an error repeats.
const SHOWN: usize = 60;

/// The value that text is for a schema, whose references are into `root`. Where the schema says nothing, JSON is JSON and
/// everything else is text.
///
/// # Errors
/// What it must be instead, as what follows the name in a sentence.
pub(crate) fn coerce(text: &str, schema: &Value, root: &Value) -> Result<Value, String> {
    let wanted = Wanted::of(schema, root);
    if let Some(value) = wanted.values.iter().find(|value| is(text, value)) {
        return Ok((*value).clone());
    }
    if wanted.anything {
        return Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()));
    }
    // Text last, since everything is text.
    for kind in [
        "null", "boolean", "integer", "number", "array", "object", "string",
    ] {
        if wanted.kinds.contains(&kind)
            && let Some(value) = wanted.read(kind, text, root)?
        {
            return Ok(value);
        }
    }
    Err(format!(
        "must be {}, not '{}'",
        wanted.describe(),
        shorten(text)
    ))
}

/// Where a reference within a schema leads; the schema itself if it is none, or leads nowhere.
pub(crate) fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MAX_DEPTH {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
        match pointer.and_then(|pointer| root.pointer(pointer)) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}

/// The alternatives of a schema: its own, or those of `anyOf` and `oneOf`.
pub(crate) fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    any.and_then(Value::as_array)
}

/// What a schema wants.
#[derive(Default)]
struct Wanted<'a> {
    kinds: Vec<&'a str>,
    values: Vec<&'a Value>,
    items: Option<&'a Value>,
    anything: bool,
}

impl<'a> Wanted<'a> {
    fn of(schema: &'a Value, root: &'a Value) -> Self {
        let mut wanted = Self::default();
        wanted.add(schema, root, 0);
        wanted
    }

    fn add(&mut self, schema: &'a Value, root: &'a Value, depth: usize) {
        let schema = resolve(schema, root);
        if depth > MAX_DEPTH {
            self.anything = true;
            return;
        }
        if let Some(value) = schema.get("const") {
            self.values.push(value);
        } else if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            self.values.extend(values);
        } else if let Some(alternatives) = alternatives(schema) {
            for alternative in alternatives {
                self.add(alternative, root, depth + 1);
            }
        } else {
            match schema.get("type") {
                Some(Value::String(kind)) => self.kinds.push(kind),
                Some(Value::Array(kinds)) => {
                    self.kinds.extend(kinds.iter().filter_map(Value::as_str));
                }
                _ => self.anything = true,
            }
            self.items = schema.get("items").or(self.items);
        }
    }

    /// Text as a value of this kind, if it is one.
    fn read(&self, kind: &str, text: &str, root: &Value) -> Result<Option<Value>, String> {
        let json = || serde_json::from_str::<Value>(text).ok();
        Ok(match kind {
            "null" => json().filter(Value::is_null),
            "boolean" => self.boolean(text),
            "integer" => json().filter(is_integer),
            "number" => json().filter(Value::is_number),
            "object" => json().filter(Value::is_object),
            "array" => match (json().filter(Value::is_array), self.items) {
                (Some(array), _) => Some(array),
                // Where one thing is given, it is the only one.
                (None, Some(items)) => Some(vec![coerce(text, items, root)?].into()),
                (None, None) => None,
            },
            "string" => Some(text.into()),
            _ => None,
        })
    }

    fn boolean(&self, text: &str) -> Option<Value> {
        let is_number = ["integer", "number"]
            .iter()
            .any(|kind| self.kinds.contains(kind));
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true.into()),
            "false" | "no" | "off" => Some(false.into()),
            "1" if !is_number => Some(true.into()),
            "0" if !is_number => Some(false.into()),
            _ => None,
        }
    }

    fn describe(&self) -> String {
        let values = self.values.iter().map(|value| plain(value));
        let kinds = self.kinds.iter().map(|kind| {
            let kind = match *kind {
                "null" => "null",
                "boolean" => "true or false",
                "integer" => "a whole number",
                "number" => "a number",
                "array" => "a JSON array",
                "object" => "a JSON object",
                _ => "text",
            };
            kind.to_owned()
        });
        let all: Vec<_> = values.chain(kinds).collect();
        match &all[..] {
            [] => "nothing".to_owned(),
            [one] => one.clone(),
            [most @ .., last] => format!("{} or {last}", most.join(", ")),
        }
    }
}

/// Whether text is this value: as text, or as JSON.
fn is(text: &str, value: &Value) -> bool {
    value.as_str() == Some(text)
        || (!value.is_string() && serde_json::from_str::<Value>(text).is_ok_and(|it| it == *value))
}

/// As JSON Schema has it: 5.0 is one as well.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// A value as somebody types it: text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_becomes_what_the_schema_wants() {
        for (text, schema, value) in [
            ("5", json!({ "type": "integer" }), json!(5)),
            ("-5", json!({ "type": "integer" }), json!(-5)),
            ("5.0", json!({ "type": "integer" }), json!(5.0)),
            (
                "18446744073709551615",
                json!({ "type": "integer" }),
                json!(u64::MAX),
            ),
            ("5", json!({ "type": "string" }), json!("5")),
            ("null", json!({ "type": "string" }), json!("null")),
            ("null", json!({ "type": ["string", "null"] }), json!(null)),
            ("1.5", json!({ "type": "number" }), json!(1.5)),
            ("Yes", json!({ "type": "boolean" }), json!(true)),
            ("0", json!({ "type": "boolean" }), json!(false)),
            ("0", json!({ "type": ["boolean", "integer"] }), json!(0)),
            (
                "[1, 2]",
                json!({ "type": "array", "items": { "type": "integer" } }),
                json!([1, 2]),
            ),
            (
                "1",
                json!({ "type": "array", "items": { "type": "integer" } }),
                json!([1]),
            ),
            ("{\"a\":1}", json!({ "type": "object" }), json!({ "a": 1 })),
            ("{\"a\":1}", json!({ "type": "string" }), json!("{\"a\":1}")),
            ("{\"a\":1}", json!({}), json!({ "a": 1 })),
            ("plain", json!({}), json!("plain")),
            ("plain", json!(true), json!("plain")),
            ("b", json!({ "enum": ["a", "b"] }), json!("b")),
            ("2", json!({ "enum": [1, 2], "type": "integer" }), json!(2)),
            (
                "7",
                json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }),
                json!(7),
            ),
            (
                "x",
                json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] }),
                json!("x"),
            ),
            (
                "b",
                json!({ "oneOf": [{ "const": "a" }, { "const": "b" }] }),
                json!("b"),
            ),
            ("3", json!({ "$ref": "#/$defs/n" }), json!(3)),
        ] {
            let root = json!({ "$defs": { "n": { "type": "integer" } } });
            assert_eq!(
                coerce(text, &schema, &root),
                Ok(value),
                "{text} for {schema}"
            );
        }
    }

    #[test]
    fn what_cannot_be_says_what_must() {
        for (text, schema, must) in [
            (
                "abc",
                json!({ "type": "integer" }),
                "must be a whole number, not 'abc'",
            ),
            (
                "1.5",
                json!({ "type": "integer" }),
                "must be a whole number, not '1.5'",
            ),
            (
                "c",
                json!({ "enum": ["a", "b"] }),
                "must be a or b, not 'c'",
            ),
            (
                "x",
                json!({ "type": ["number", "null"] }),
                "must be a number or null, not 'x'",
            ),
            (
                "x",
                json!({ "type": "array", "items": { "type": "number" } }),
                "must be a number, not 'x'",
            ),
            (
                "x",
                json!({ "type": "object" }),
                "must be a JSON object, not 'x'",
            ),
        ] {
            assert_eq!(
                coerce(text, &schema, &json!({})),
                Err(must.to_owned()),
                "{text} for {schema}"
            );
        }
    }

    #[test]
    fn a_schema_without_an_end_takes_anything() {
        let root = json!({ "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }] }, "b": { "$ref": "#/$defs/b" } } });
        assert_eq!(
            coerce("5", &json!({ "$ref": "#/$defs/a" }), &root),
            Ok(json!(5))
        );
        assert_eq!(
            coerce("5", &json!({ "$ref": "#/$defs/b" }), &root),
            Ok(json!(5))
        );
    }
}
