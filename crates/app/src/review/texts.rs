//! Every text of a definition: what a model reads, wherever it stands.

use pymcp_kit::manifest::ItemKind;
use pymcp_kit::text::marked;
use serde::Serialize;
use serde_json::Value;

use super::{Item, named};

/// Bytes of a word of the protocol.
const MAX_WORD: usize = 40;

/// Members that say nothing by their names: the protocol's, and keywords of JSON Schema (2020-12).
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "$vocabulary",
    "_meta", "additionalProperties", "allOf", "annotations", "anyOf", "arguments", "audience", "const", "contains",
    "contentEncoding", "contentMediaType", "contentSchema", "default", "dependentRequired", "dependentSchemas",
    "deprecated", "description", "destructiveHint", "else", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum",
    "execution", "format", "idempotentHint", "if", "items", "lastModified", "maxContains", "maxItems", "maxLength",
    "maxProperties", "maximum", "mimeType", "minContains", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "name", "not", "oneOf", "openWorldHint", "prefixItems", "priority", "readOnlyHint", "required", "size",
    "taskSupport", "then", "title", "type", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
];

/// What a model reads of one item.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    /// `server`, `tool:greet`, …
    pub(crate) item: String,
    /// Its texts, in the order of the definition.
    pub(crate) texts: Vec<Text>,
    /// Characters in them that nobody sees.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hidden: usize,
}

/// A text and where it stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Text {
    /// Names and keywords, as in `input count`.
    pub(crate) place: String,
    /// The text; empty for a member that has none.
    pub(crate) text: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands it over like this
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a model reads of these items.
pub(crate) fn reads(items: &[Item]) -> Vec<Read> {
    let items = items.iter().filter_map(|(kind, name, content)| {
        let mut texts = Vec::new();
        let item = match kind {
            ItemKind::Configuration => return None,
            ItemKind::Server => {
                collect(&content["identity"], &[], &mut texts);
                collect(&content["instructions"], &["instructions"], &mut texts);
                "server".to_owned()
            }
            _ => {
                collect(&content["definition"], &[], &mut texts);
                // What it is called stands above.
                let is_name = |one: &Text| ["name", "uri", "uriTemplate"].contains(&&*one.place);
                texts.retain(|one| !(is_name(one) && one.text == *name));
                named(*kind, name)
            }
        };
        let all = texts.iter().flat_map(|one| [&one.place, &one.text]);
        let hidden = all.chain([&item]).flat_map(|text| marked(text));
        let hidden = hidden.filter(|(_, kind)| kind.is_some()).count();
        Some(Read {
            item,
            texts,
            hidden,
        })
    });
    items.collect()
}

/// Adds the texts of a value, the ones that say what a thing is before those of its parts.
fn collect(value: &Value, place: &[&str], texts: &mut Vec<Text>) {
    let whole = value;
    match value {
        Value::String(text) => {
            if !place.last().is_some_and(|key| is_word(key, text)) {
                texts.push(Text {
                    place: place.join(" "),
                    text: text.clone(),
                });
            }
        }
        Value::Array(values) => {
            for value in values {
                match value["name"].as_str() {
                    Some(name) => member(name, value, place, texts),
                    None => collect(value, place, texts),
                }
            }
        }
        Value::Object(members) => {
            let order = |(key, value): &(&String, &Value)| {
                let known = ["name", "uri", "uriTemplate", "title", "description"];
                let at = known.iter().position(|known| known == key);
                (at.unwrap_or(known.len()), value.is_object())
            };
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(order);
            for (key, value) in members {
                match key.as_str() {
                    "properties" | "$defs" | "definitions" | "patternProperties" => {
                        named_members(value, place, texts);
                    }
                    // What is required is named among the properties, unless it is none.
                    "required" if value.is_array() => {
                        let is_property = |name: &&Value| {
                            let name = name.as_str().unwrap_or_default();
                            whole["properties"].get(name).is_some()
                        };
                        let all = value.as_array().into_iter().flatten();
                        for name in all.filter(|name| !is_property(name)) {
                            collect(name, &[place, &["required"]].concat(), texts);
                        }
                    }
                    // Pictures are for people.
                    "icons" => {}
                    "inputSchema" => collect(value, &[place, &["input"]].concat(), texts),
                    "outputSchema" => collect(value, &[place, &["output"]].concat(), texts),
                    key => {
                        let (place, before) = ([place, &[key]].concat(), texts.len());
                        collect(value, &place, texts);
                        // Its name stands nowhere else.
                        if texts.len() == before && !KNOWN.contains(&key) {
                            texts.push(Text {
                                place: place.join(" "),
                                text: String::new(),
                            });
                        }
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Adds the members of a schema, each with its name, which a model reads as well.
fn named_members(value: &Value, place: &[&str], texts: &mut Vec<Text>) {
    for (name, schema) in value.as_object().into_iter().flatten() {
        member(name, schema, place, texts);
    }
}

/// Adds one member that has a name.
fn member(name: &str, value: &Value, place: &[&str], texts: &mut Vec<Text>) {
    let place = [place, &[name]].concat();
    let description = value["description"].as_str();
    texts.push(Text {
        place: place.join(" "),
        text: description.unwrap_or_default().to_owned(),
    });
    let mut rest = value.clone();
    if let Some(members) = rest.as_object_mut() {
        if description.is_some() {
            members.remove("description");
        }
        if members.get("name").and_then(Value::as_str) == Some(name) {
            members.remove("name");
        }
    }
    collect(&rest, &place, texts);
}

/// Whether this is a word of the protocol at this key, and no text.
fn is_word(key: &str, text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+./*".contains(c);
    match key {
        "$schema" => {
            text.starts_with("https://json-schema.org/draft/") && text.len() < 2 * MAX_WORD
        }
        "$ref" => text.starts_with("#/") && !text.contains(' '),
        "type" | "format" | "role" | "mimeType" => {
            text.len() <= MAX_WORD && text.chars().all(is_plain)
        }
        _ => false,
    }
}
