//! Arguments as people type them: `name=Ada`, `n=5`, `point.x=1`, `tags=a tags=b`, `text=@file`, `n:=null`,
//! `'{"name": "Ada"}'`, or `-` for JSON on stdin.

use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::coerce::{alternatives, coerce, resolve};
use crate::output::visible;
use crate::{Error, Result};

/// Bytes of JSON on stdin, or of a file that is an argument.
const MAX_BYTES: u64 = 16 << 20;

/// Likeness from which on a name may be meant for another.
const SIMILAR: f64 = 0.6;

/// Characters of a name that are compared.
const MAX_NAME: usize = 64;

/// Reads arguments for a tool with this input schema.
///
/// # Errors
/// What is wrong with them (exit code 2), the first thing that is.
pub(crate) fn arguments(words: &[String], schema: &Value) -> Result<Map<String, Value>> {
    let mut arguments = Map::new();
    for word in words {
        match word.as_str() {
            "-" => arguments.extend(object("stdin", &stdin()?)?),
            text if text.trim_start().starts_with('{') => {
                arguments.extend(object("the JSON among the arguments", text)?);
            }
            text => {
                let assignment = Assignment::read(text)?;
                assignment.apply(&mut arguments, schema, schema, assignment.name)?;
            }
        }
    }
    missing(&arguments, schema)?;
    Ok(arguments)
}

/// Reads arguments that are text: those of a prompt.
///
/// # Errors
/// As of [`arguments`].
pub(crate) fn texts(words: &[String]) -> Result<Vec<(String, String)>> {
    let text = |word: &String| {
        let assignment = Assignment::read(word)?;
        Ok((assignment.name.to_owned(), assignment.text()?))
    };
    words.iter().map(text).collect()
}

/// The name that was probably meant, as a sentence's end.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    let like = |known: &str| strsim::normalized_damerau_levenshtein(&name, known);
    let nearest = known
        .map(|known| (like(known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(likeness, _)| *likeness >= SIMILAR);
    match nearest {
        Some((_, known)) => format!(" Did you mean {}?", visible(known)),
        None => String::new(),
    }
}

/// `name=value`, or `name:=value` for JSON whatever the schema says.
struct Assignment<'a> {
    word: &'a str,
    name: &'a str,
    value: &'a str,
    is_json: bool,
}

impl<'a> Assignment<'a> {
    fn read(word: &'a str) -> Result<Self> {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            Error::setting(format!(
                "'{}' is no argument: it must be name=value, or JSON.",
                visible(word)
            ))
        })?;
        let (name, is_json) = match name.strip_suffix(':') {
            Some(name) => (name, true),
            None => (name, false),
        };
        match name.is_empty() {
            true => Err(Error::setting(format!(
                "'{}' is no argument: it has no name.",
                visible(word)
            ))),
            false => Ok(Self {
                word,
                name,
                value,
                is_json,
            }),
        }
    }

    /// The value as text; `@FILE` is what is in the file, and `@@` an @.
    fn text(&self) -> Result<String> {
        let Some(path) = self.value.strip_prefix('@') else {
            return Ok(self.value.to_owned());
        };
        if path.starts_with('@') {
            return Ok(path.to_owned());
        }
        read(Path::new(path)).map_err(|reason| {
            let sentence = format!("{}: {path} {reason}.", self.name);
            Error::setting(sentence).hint("An @ that begins the value itself is written @@.")
        })
    }

    /// Sets the value at `name` below an object, whose schema this is.
    fn apply(
        &self,
        object: &mut Map<String, Value>,
        schema: &Value,
        root: &Value,
        name: &str,
    ) -> Result<()> {
        let schema = properties_of(schema, root);
        let property = schema.and_then(|schema| schema["properties"].get(name));
        if property.is_none()
            && let Some((head, tail)) = name.split_once('.')
            && !head.is_empty()
        {
            let none = Value::Null;
            let inner = schema.map_or(&none, |schema| &schema["properties"][head]);
            let entry = object.entry(head).or_insert_with(|| Map::new().into());
            let Some(entry) = entry.as_object_mut() else {
                return Err(Error::setting(format!(
                    "{head} is no object: {}.",
                    self.word
                )));
            };
            return self.apply(entry, inner, root, tail);
        }
        if let (None, Some(schema)) = (property, schema) {
            self.check_unknown(schema, name)?;
        }
        let text = self.text()?;
        let any = Value::Bool(true);
        let value = match self.is_json {
            true => serde_json::from_str(&text).map_err(|error| format!("must be JSON: {error}")),
            false => coerce(&text, property.unwrap_or(&any), root),
        };
        let value =
            value.map_err(|must| Error::setting(format!("{} {}.", self.name, visible(&must))))?;
        match (object.get_mut(name), value) {
            (Some(Value::Array(several)), Value::Array(more)) => several.extend(more),
            (Some(_), _) if property.is_some() => {
                return Err(Error::setting(format!("{} is given twice.", self.name)));
            }
            (_, value) => {
                object.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Refuses a name that the schema does not know, if it allows no others or has one like it.
    fn check_unknown(&self, schema: &Value, name: &str) -> Result<()> {
        let Some(known) = schema["properties"].as_object() else {
            return Ok(());
        };
        let meant = did_you_mean(name, known.keys().map(String::as_str));
        let closed = schema["additionalProperties"] == false;
        match closed || !meant.is_empty() {
            true => Err(Error::setting(format!(
                "{} is not an argument.{meant}",
                visible(self.name)
            ))),
            false => Ok(()),
        }
    }
}

/// The schema that has the properties: the schema itself, or the one alternative that has some.
fn properties_of<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    let schema = resolve(schema, root);
    if schema["properties"].is_object() {
        return Some(schema);
    }
    let alternatives = alternatives(schema)?.iter();
    let mut alternatives = alternatives
        .map(|one| resolve(one, root))
        .filter(|one| one["properties"].is_object());
    alternatives
        .next()
        .filter(|_| alternatives.next().is_none())
}

fn missing(arguments: &Map<String, Value>, schema: &Value) -> Result<()> {
    let required = schema["required"].as_array().into_iter().flatten();
    let missing: Vec<_> = required
        .filter_map(Value::as_str)
        .filter(|name| !arguments.contains_key(*name))
        .map(visible)
        .collect();
    match &missing[..] {
        [] => Ok(()),
        [one] => Err(Error::setting(format!("{one} is missing."))),
        several => Err(Error::setting(format!(
            "{} are missing.",
            several.join(", ")
        ))),
    }
}

fn object(place: &str, text: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::setting(format!("{place} must be a JSON object."))),
        Err(error) => Err(Error::setting(format!("{place} must be JSON: {error}."))),
    }
}

fn stdin() -> Result<String> {
    let mut text = String::new();
    let read = io::stdin()
        .lock()
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text);
    match read {
        Ok(_) if text.len() as u64 <= MAX_BYTES => Ok(text),
        Ok(_) => Err(Error::setting(format!(
            "stdin has more than {MAX_BYTES} bytes."
        ))),
        Err(error) => Err(Error::setting(format!("stdin cannot be read: {error}."))),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    match text.len() as u64 <= MAX_BYTES {
        true => Ok(text),
        false => Err(format!("has more than {MAX_BYTES} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "n": { "type": "integer" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "a.b": { "type": "integer" },
                "point": { "anyOf": [{ "$ref": "#/$defs/point" }, { "type": "null" }] },
            },
            "required": ["name"],
            "additionalProperties": false,
            "$defs": { "point": { "type": "object", "properties": { "x": { "type": "number" }, "y": { "type": "number" } } } },
        })
    }

    fn read_all(words: &[&str]) -> Result<Value, String> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let read = arguments(&words, &schema());
        read.map(Value::Object)
            .map_err(|error| error.sentence().unwrap_or_default().to_owned())
    }

    #[test]
    fn arguments_are_values_of_the_schema() {
        for (words, value) in [
            (&["name=Ada", "n=5"][..], json!({ "name": "Ada", "n": 5 })),
            (&["name=a=b"], json!({ "name": "a=b" })),
            (&["name=", "a.b=1"], json!({ "name": "", "a.b": 1 })),
            (
                &["name=5", "tags=x", "tags=y"],
                json!({ "name": "5", "tags": ["x", "y"] }),
            ),
            (
                &["name=5", "tags=[\"x\"]", "tags=y"],
                json!({ "name": "5", "tags": ["x", "y"] }),
            ),
            (
                &["name=x", "point.x=1", "point.y=2"],
                json!({ "name": "x", "point": { "x": 1, "y": 2 } }),
            ),
            (
                &["name=x", "point=null"],
                json!({ "name": "x", "point": null }),
            ),
            (&["name:=null"], json!({ "name": null })),
            (&["name=@@x"], json!({ "name": "@x" })),
            (
                &["{\"name\": \"x\"}", "n=1"],
                json!({ "name": "x", "n": 1 }),
            ),
        ] {
            assert_eq!(read_all(words), Ok(value), "{words:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (words, sentence) in [
            (&[][..], "name is missing."),
            (
                &["name"],
                "'name' is no argument: it must be name=value, or JSON.",
            ),
            (&["=x"], "'=x' is no argument: it has no name."),
            (&["nam=x"], "nam is not an argument. Did you mean name?"),
            (&["name=x", "zzz=x"], "zzz is not an argument."),
            (&["name=x", "n=abc"], "n must be a whole number, not 'abc'."),
            (&["name=x", "name=y"], "name is given twice."),
            (&["name=x", "n=1", "n.x=1"], "n is no object: n.x=1."),
            (
                &["name=x", "point.x=y"],
                "point.x must be a number, not 'y'.",
            ),
            (
                &["{"],
                "the JSON among the arguments must be JSON: EOF while parsing an object at line 1 column 1.",
            ),
            (
                &["n:=x", "name=x"],
                "n must be JSON: expected value at line 1 column 1.",
            ),
        ] {
            assert_eq!(read_all(words), Err(sentence.to_owned()), "{words:?}");
        }
    }

    #[test]
    fn open_objects_take_what_they_do_not_know() {
        let read = read_all(&["name=x", "point.depth=1"]);
        assert_eq!(read, Ok(json!({ "name": "x", "point": { "depth": 1 } })));
    }

    #[test]
    fn a_value_may_be_in_a_file() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("text");
        std::fs::write(&path, "two\nlines\n").unwrap();
        let word = format!("name=@{}", path.display());
        assert_eq!(read_all(&[&word]), Ok(json!({ "name": "two\nlines\n" })));
        assert!(
            read_all(&["name=@/no/such"])
                .unwrap_err()
                .starts_with("name: /no/such cannot be read")
        );
    }
}
