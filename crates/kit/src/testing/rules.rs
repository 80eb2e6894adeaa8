//! What every definition should keep to, so that clients and models can use it.

use serde_json::{Value, json};

/// The hints of a tool's annotations.
const HINTS: [&str; 4] = [
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
];

/// Words that combine schemas.
const COMBINATORS: [&str; 5] = ["anyOf", "oneOf", "allOf", "not", "if"];

/// Bytes of a name that every large model provider takes.
const MAX_NAME: usize = 64;

/// The rules that a definition breaks; `kind` is the folder that it has among the snapshots.
pub(super) fn broken(kind: &str, definition: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rule = |kept: bool, rule: String| {
        if !kept {
            broken.push(rule);
        }
    };
    let name = definition["name"].as_str().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let short = (1..=MAX_NAME).contains(&name.len());
    rule(
        short && name.bytes().all(plain),
        "the name has characters, or a length, that not every client takes".into(),
    );
    rule(says(&definition["description"]), "no description".into());
    match kind {
        "tools" => {
            for hint in HINTS {
                let said = definition["annotations"][hint].is_boolean();
                rule(said, format!("no {hint} in the annotations"));
            }
            broken.extend(broken_by_input(&definition["inputSchema"]));
            broken.extend(broken_by_output(&definition["outputSchema"]));
        }
        "prompts" => {
            for argument in definition["arguments"].as_array().into_iter().flatten() {
                rule(
                    says(&argument["description"]),
                    format!("the argument {} is not described", argument["name"]),
                );
            }
        }
        _ => rule(says(&definition["mimeType"]), "no media type".into()),
    }
    broken
}

fn says(member: &Value) -> bool {
    member.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn broken_by_input(schema: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    if schema["type"] != "object" {
        broken.push("the input is no object".to_owned());
    }
    broken.extend(broken_by_any("input", schema));
    for argument in optional_nulls(schema) {
        broken.push(format!(
            "the argument {argument} may be left out, so null says nothing there"
        ));
    }
    for argument in undescribed(schema) {
        broken.push(format!("the argument {argument} is not described"));
    }
    broken
}

fn broken_by_output(schema: &Value) -> Vec<String> {
    match schema {
        Value::Null => Vec::new(),
        schema => broken_by_any("output", schema),
    }
}

fn broken_by_any(side: &str, schema: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rule = |kept: bool, rule: String| {
        if !kept {
            broken.push(rule);
        }
    };
    let compiled = jsonschema::draft202012::new(schema);
    if let Err(error) = &compiled {
        rule(
            false,
            format!("the {side} schema does not compile: {error}"),
        );
    }
    let combined = COMBINATORS.iter().find(|word| schema.get(word).is_some());
    if let Some(word) = combined {
        rule(false, format!("{word} at the top of the {side} schema"));
    }
    rule(
        !mentions_reference(schema),
        format!("a $ref in the {side} schema, which not every client follows"),
    );
    rule(
        !lists_null(schema),
        format!("null in a list of types in the {side} schema, which converters of schemas refuse"),
    );
    broken
}

/// Whether a `type` is a list with `null` in it.
fn lists_null(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(keyword, value)| match value {
            Value::Array(kinds) if keyword == "type" => kinds.contains(&json!("null")),
            inner => lists_null(inner),
        }),
        Value::Array(items) => items.iter().any(lists_null),
        _ => false,
    }
}

/// Properties that are not required and have `null` among their alternatives or as their default, at any depth.
fn optional_nulls(schema: &Value) -> Vec<String> {
    let (mut names, empty) = (Vec::new(), Vec::new());
    let required = schema["required"].as_array().unwrap_or(&empty);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let has_null = ["anyOf", "oneOf"].iter().any(|keyword| {
            let alternatives = property[keyword].as_array().unwrap_or(&empty);
            alternatives.contains(&json!({ "type": "null" }))
        });
        let is_default = property.get("default") == Some(&Value::Null);
        if (has_null || is_default) && !required.contains(&json!(name)) {
            names.push(name.clone());
        }
        for part in [property, &property["items"]] {
            let inner = optional_nulls(part);
            names.extend(inner.into_iter().map(|inner| format!("{name}.{inner}")));
        }
    }
    names
}

fn mentions_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.contains_key("$ref") || members.values().any(mentions_reference)
        }
        Value::Array(items) => items.iter().any(mentions_reference),
        _ => false,
    }
}

/// Properties without a description, at any depth.
fn undescribed(schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if !says(&property["description"]) {
            names.push(name.clone());
        }
        for part in [property, &property["items"]] {
            let inner = undescribed(part);
            names.extend(inner.into_iter().map(|inner| format!("{name}.{inner}")));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_broken() {
        let tool = json!({
            "name": "a b",
            "annotations": { "readOnlyHint": true },
            "inputSchema": {
                "anyOf": [],
                "properties": { "x": { "type": "array", "items": { "properties": {
                    "y": { "$ref": "#" },
                    "z": { "type": ["string", "null"], "default": null },
                } } } },
            },
            "outputSchema": { "type": "object", "properties": { "n": { "type": "nonsense" } } },
        });
        let broken_by_tool = broken("tools", &tool);
        for word in [
            "the name",
            "no description",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
            "no object",
            "input schema does not compile",
            "output schema does not compile",
            "anyOf at the top of the input schema",
            "$ref in the input",
            "list of types in the input",
            "x.z may be left out",
            "argument x is",
            "argument x.y",
        ] {
            assert!(
                broken_by_tool.iter().any(|rule| rule.contains(word)),
                "{word}: {broken_by_tool:?}"
            );
        }
        let prompt = json!({ "name": "p", "arguments": [{ "name": "x" }] });
        let broken_by_prompt = broken("prompts", &prompt);
        assert!(broken_by_prompt.iter().any(|rule| rule.contains("\"x\"")));
        let long = json!({ "name": "r".repeat(65), "description": "R.", "mimeType": "text/plain" });
        assert_eq!(broken("resources", &long).len(), 1);
        assert!(broken("templates", &json!({ "name": "r" })).contains(&"no media type".to_owned()));
    }

    #[test]
    fn a_plain_definition_breaks_none() {
        let tool = json!({
            "name": "add",
            "description": "Adds.",
            "annotations": {
                "readOnlyHint": true,
                "destructiveHint": false,
                "idempotentHint": true,
                "openWorldHint": false,
            },
            "inputSchema": { "type": "object" },
        });
        assert_eq!(broken("tools", &tool), Vec::<String>::new());
    }
}
