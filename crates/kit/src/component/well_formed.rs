//! Which schemas need no compiling to know that they can be compiled.
//!
//! A validator is made when it is first asked about a value. With the first one comes that of the meta-schema, which stays: of
//! the megabyte that a small server has allocated when it idles, nearly a half. Clients start every server that they know
//! of, and most are asked nothing. But what is wrong with a schema must be said at the start, so only a schema that shows at
//! a glance that nothing is wrong waits: most that are made of Rust types do.

use std::collections::HashSet;

use rmcp::model::JsonObject;
use serde_json::Value;

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// Whether every keyword, here and below, is known and has a value that it may have in the dialect 2020-12, and none refers to
/// anything or is a regular expression. `false` says nothing: the schema may be well formed all the same.
pub(super) fn is_plain(schema: &JsonObject) -> bool {
    // Which dialect it is, says whoever reads it.
    let mut keywords = schema.iter().filter(|(keyword, _)| *keyword != "$schema");
    keywords.all(|(keyword, value)| fits(keyword, value))
}

fn is_schema(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::Object(schema) => schema.iter().all(|(keyword, value)| fits(keyword, value)),
        _ => false,
    }
}

fn fits(keyword: &str, value: &Value) -> bool {
    match keyword {
        "const" | "default" => true,
        "title" | "description" | "format" | "contentEncoding" | "contentMediaType"
        | "$comment" => value.is_string(),
        "deprecated" | "readOnly" | "writeOnly" | "uniqueItems" => value.is_boolean(),
        "enum" | "examples" => value.is_array(),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minContains" | "maxContains"
        | "minProperties" | "maxProperties" => value.is_u64(),
        "type" => match value {
            Value::Array(types) => {
                !types.is_empty() && are_distinct(types) && types.iter().all(is_type)
            }
            one => is_type(one),
        },
        "required" => is_names(value),
        "dependentRequired" => members(value, is_names),
        "properties" | "dependentSchemas" | "$defs" | "definitions" => members(value, is_schema),
        "items"
        | "contains"
        | "additionalProperties"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => is_schema(value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            let several = value.as_array().filter(|several| !several.is_empty());
            several.is_some_and(|several| several.iter().all(is_schema))
        }
        // Not references, identifiers, regular expressions, what is of other dialects.
        other => other.starts_with("x-"),
    }
}

fn is_type(value: &Value) -> bool {
    value.as_str().is_some_and(|name| TYPES.contains(&name))
}

fn is_names(value: &Value) -> bool {
    let names = value.as_array();
    names.is_some_and(|names| are_distinct(names) && names.iter().all(Value::is_string))
}

/// Whether no text is there twice.
fn are_distinct(values: &[Value]) -> bool {
    let mut seen = HashSet::new();
    let mut texts = values.iter().filter_map(Value::as_str);
    texts.all(|text| seen.insert(text))
}

fn members(value: &Value, fit: fn(&Value) -> bool) -> bool {
    let members = value.as_object();
    members.is_some_and(|members| members.values().all(fit))
}

#[cfg(test)]
#[path = "well_formed_tests.rs"]
mod tests;
