//! What `null` means in a schema: nothing where a member may be left out, a value anywhere else.
//!
//! Converters of schemas to those of model providers refuse `"type": ["string", "null"]`, and some
//! refuse `anyOf`. So a member that may be left out has the schema of its value alone; `null` is
//! still read there, as if it were left out ([`super::plan`]). Where `null` is a value of its own,
//! it is an alternative of `anyOf`.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::schema::{required, subschemas};

/// Keywords that describe a value and demand nothing of it: they stay outside of `anyOf`.
const ANNOTATIONS: [&str; 8] = [
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Takes `null` from members that may be left out, and puts it into an alternative of its own
/// anywhere else.
pub(super) fn settle(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    let required: Vec<String> = required(schema).map(str::to_owned).collect();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            if let Value::Object(property) = property
                && !required.contains(name)
            {
                remove(property);
            }
        }
    }
    set_apart(schema);
    subschemas(schema, settle);
}

/// Takes `null` from a schema that allows something else, too; says whether it was there.
pub(super) fn remove(schema: &mut JsonObject) -> bool {
    let mut could = false;
    if let Some(Value::Array(kinds)) = schema.get_mut("type")
        && kinds.len() > 1
    {
        let before = kinds.len();
        kinds.retain(|kind| kind != "null");
        could |= kinds.len() < before;
        if let [only] = &mut **kinds {
            let only = only.take();
            schema.insert("type".into(), only);
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        let Some(Value::Array(alternatives)) = schema.get_mut(keyword) else {
            continue;
        };
        if alternatives.iter().all(is_null) {
            continue;
        }
        let before = alternatives.len();
        alternatives.retain(|alternative| !is_null(alternative));
        could |= alternatives.len() < before;
        for alternative in alternatives.iter_mut().filter_map(Value::as_object_mut) {
            could |= remove(alternative);
        }
        if let ([Value::Object(only)], true) = (&mut **alternatives, could) {
            let only = std::mem::take(only);
            schema.shift_remove(keyword);
            for (keyword, value) in only {
                // What is said of the member counts before what is said of its type.
                schema.entry(keyword).or_insert(value);
            }
        }
    }
    if could {
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        if schema.get("default").is_some_and(Value::is_null) {
            schema.shift_remove("default");
        }
    }
    could
}

fn is_null(schema: &Value) -> bool {
    schema == "null"
        || schema.get("type").is_some_and(|kind| kind == "null")
        || schema.get("const").is_some_and(Value::is_null)
}

/// `{"type": ["string", "null"]}` becomes `{"anyOf": [{"type": "string"}, {"type": "null"}]}`.
fn set_apart(schema: &mut JsonObject) {
    let is_list = |kinds: &Vec<Value>| kinds.len() > 1 && kinds.iter().any(|kind| kind == "null");
    let listed = schema
        .get("type")
        .and_then(Value::as_array)
        .is_some_and(is_list);
    if !listed || schema.contains_key("anyOf") {
        return;
    }
    let annotates = |keyword: &str| ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-");
    let (outside, mut inside): (JsonObject, JsonObject) = std::mem::take(schema)
        .into_iter()
        .partition(|(keyword, _)| annotates(keyword));
    remove(&mut inside);
    *schema = outside;
    schema.insert("anyOf".into(), json!([inside, { "type": "null" }]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(mut schema: Value) -> Value {
        settle(&mut schema);
        schema
    }

    fn member(schema: Value) -> Value {
        settled(json!({ "properties": { "m": schema } }))["properties"]["m"].take()
    }

    #[test]
    fn a_member_that_may_be_left_out_is_not_null() {
        for (given, expected) in [
            (
                json!({ "type": ["integer", "null"], "minimum": 1, "default": null }),
                json!({ "type": "integer", "minimum": 1 }),
            ),
            (
                json!({ "type": ["integer", "null"], "default": 10 }),
                json!({ "type": "integer", "default": 10 }),
            ),
            (
                json!({ "type": ["integer", "string", "null"] }),
                json!({ "type": ["integer", "string"] }),
            ),
            (
                json!({ "type": ["string", "null"], "enum": ["a", "b", null] }),
                json!({ "type": "string", "enum": ["a", "b"] }),
            ),
            (
                json!({ "anyOf": [{ "$ref": "#/$defs/n" }, { "type": "null" }] }),
                json!({ "$ref": "#/$defs/n" }),
            ),
            (
                json!({ "description": "of the member", "anyOf": [
                    { "description": "of the type", "type": "object" }, { "type": "null" }] }),
                json!({ "description": "of the member", "type": "object" }),
            ),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "boolean" }, { "const": null }] }),
                json!({ "anyOf": [{ "type": "string" }, { "type": "boolean" }] }),
            ),
            (
                json!({ "anyOf": [{ "oneOf": [{ "const": "a" }, { "type": "null" }, { "const": "b" }] }, { "type": "null" }] }),
                json!({ "oneOf": [{ "const": "a" }, { "const": "b" }] }),
            ),
            (json!({ "type": "null" }), json!({ "type": "null" })),
            (json!({}), json!({})),
        ] {
            assert_eq!(member(given.clone()), expected, "{given}");
        }
    }

    #[test]
    fn null_as_a_value_is_an_alternative() {
        let list = json!({ "type": ["integer", "null"], "minimum": 1 });
        let apart = json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] });
        assert_eq!(settled(list.clone()), apart);
        let schema = json!({
            "properties": { "m": { "description": "d", "type": ["string", "null"], "maxLength": 3, "x-y": 1 } },
            "required": ["m"],
        });
        assert_eq!(
            settled(schema)["properties"]["m"],
            json!({ "description": "d", "x-y": 1,
                    "anyOf": [{ "type": "string", "maxLength": 3 }, { "type": "null" }] })
        );
        // At any depth.
        for around in ["items", "additionalProperties"] {
            assert_eq!(settled(json!({ around: list.clone() }))[around], apart);
        }
        let inner = json!({ "items": { "properties": { "m": list } } });
        assert_eq!(
            settled(json!({ "$defs": { "d": inner } }))["$defs"]["d"]["items"]["properties"]["m"],
            json!({ "type": "integer", "minimum": 1 })
        );
    }
}
