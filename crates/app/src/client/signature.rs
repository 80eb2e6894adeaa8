//! What a tool or a prompt takes and gives, in one line: `take(item: string, count: integer = 1) -> {left: integer}`.

use std::borrow::Cow;

use rmcp::model::{Prompt, Tool};
use serde_json::{Map, Value};

use super::coerce::{alternatives, resolve};

/// Levels of objects and alternatives that are written out.
const MAX_DEPTH: usize = 3;

/// Values of an enumeration, and fields of an object within another, that are written out.
const MAX_SHOWN: usize = 8;

/// Bytes of JSON that are taken for a token; English and JSON have three to five.
const BYTES_PER_TOKEN: usize = 4;

/// Characters of a sentence that are shown.
const MAX_SENTENCE: usize = 200;

/// The signature of a tool, on one line, or with a line for each argument where it has more characters than `width`.
pub(crate) fn of_tool(tool: &Tool, width: usize) -> String {
    let input = Value::Object((*tool.input_schema).clone());
    let arguments = fields(&input, &input, MAX_DEPTH);
    let output = tool.output_schema.as_ref().map(|schema| {
        let schema = Value::Object((**schema).clone());
        // FastMCP and servers of this kind wrap what is no object.
        let properties = schema["properties"].as_object();
        let only = properties.filter(|properties| properties.len() == 1);
        let inner = only.and_then(|only| only.get("result"));
        let inner = inner.unwrap_or(&schema);
        format!(" -> {}", kind(inner, &schema, MAX_DEPTH))
    });
    joined(&tool.name, &arguments, &output.unwrap_or_default(), width)
}

/// The signature of a prompt, whose arguments are text.
pub(crate) fn of_prompt(prompt: &Prompt, width: usize) -> String {
    let arguments = prompt.arguments.iter().flatten();
    let arguments = arguments.map(|argument| match argument.required {
        Some(true) => argument.name.clone(),
        _ => format!("{}?", argument.name),
    });
    joined(&prompt.name, &arguments.collect::<Vec<_>>(), "", width)
}

fn joined(name: &str, arguments: &[String], output: &str, width: usize) -> String {
    let line = format!("{name}({}){output}", arguments.join(", "));
    match line.chars().count() > width && arguments.len() > 1 {
        true => format!("{name}(\n    {},\n){output}", arguments.join(",\n    ")),
        false => line,
    }
}

/// The fields of an object: `name: type`, `name: type = default` or `name?: type`.
fn fields(schema: &Value, root: &Value, depth: usize) -> Vec<String> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required = schema["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|required| required.iter().any(|it| it == name));
    let field = |(name, schema): (&String, &Value)| {
        let kind = kind(schema, root, depth);
        match resolve(schema, root)
            .get("default")
            .or_else(|| schema.get("default"))
        {
            _ if is_required(name) => format!("{name}: {kind}"),
            Some(default) if !default.is_null() => format!("{name}: {kind} = {default}"),
            _ => format!("{name}?: {kind}"),
        }
    };
    properties.iter().map(field).collect()
}

/// A type in few words.
fn kind(schema: &Value, root: &Value, depth: usize) -> String {
    let schema = resolve(schema, root);
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return either(values.iter().map(ToString::to_string));
    }
    if let Some(alternatives) = alternatives(schema) {
        return match depth {
            0 => "any".to_owned(),
            _ => either(alternatives.iter().map(|one| kind(one, root, depth - 1))),
        };
    }
    match &schema["type"] {
        Value::String(name) => named(name, schema, root, depth),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str);
            either(names.map(|name| named(name, schema, root, depth)))
        }
        _ => "any".to_owned(),
    }
}

fn named(name: &str, schema: &Value, root: &Value, depth: usize) -> String {
    match name {
        "array" if depth > 0 && schema["items"].is_object() => {
            let items = kind(&schema["items"], root, depth - 1);
            match items.contains(" | ") {
                true => format!("({items})[]"),
                false => format!("{items}[]"),
            }
        }
        "object" if depth > 0 && schema["properties"].is_object() => {
            let mut fields = fields(schema, root, depth - 1);
            if depth < MAX_DEPTH && fields.len() > MAX_SHOWN {
                fields.truncate(MAX_SHOWN);
                fields.push("…".to_owned());
            }
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_owned(),
    }
}

fn either(names: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if all.len() == MAX_SHOWN {
            all.push("…".to_owned());
            break;
        }
        if !all.contains(&name) {
            all.push(name);
        }
    }
    match all.is_empty() {
        true => "any".to_owned(),
        false => all.join(" | "),
    }
}

/// The first sentence of a description.
pub(crate) fn first_sentence(text: &str) -> Cow<'_, str> {
    let line = text
        .trim_start()
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end();
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    let sentence = &line[..end];
    match sentence.char_indices().nth(MAX_SENTENCE) {
        Some((at, _)) => format!("{}…", &sentence[..at]).into(),
        None => sentence.into(),
    }
}

/// About how many tokens a model reads for tools: clients show it name, description and input schema of each.
pub(crate) fn tokens(tools: &[Tool]) -> usize {
    let bytes = tools.iter().map(|tool| {
        let schema = serde_json::to_vec(&tool.input_schema).unwrap_or_default();
        let description = tool.description.as_deref().unwrap_or_default();
        tool.name.len() + description.len() + schema.len()
    });
    bytes.sum::<usize>().div_ceil(BYTES_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(input: Value, output: Option<Value>) -> Tool {
        let tool = json!({ "name": "t", "inputSchema": input, "outputSchema": output });
        let mut tool = tool.as_object().unwrap().clone();
        tool.retain(|_, value| !value.is_null());
        serde_json::from_value(tool.into()).unwrap()
    }

    #[test]
    fn signatures_have_types_defaults_and_options() {
        for (properties, required, signature) in [
            (json!({}), json!([]), "t()"),
            (
                json!({ "name": { "type": "string", "default": "World" }, "n": { "type": "integer" } }),
                json!(["n"]),
                "t(name: string = \"World\", n: integer)",
            ),
            (
                json!({ "n": { "type": ["integer", "null"], "default": null } }),
                json!([]),
                "t(n?: integer | null)",
            ),
            (
                json!({ "a": { "anyOf": [{ "type": "string" }, { "type": "string", "format": "uri" }, { "type": "null" }] } }),
                json!(["a"]),
                "t(a: string | null)",
            ),
            (
                json!({ "a": { "enum": ["x", 1] } }),
                json!(["a"]),
                "t(a: \"x\" | 1)",
            ),
            (
                json!({ "a": { "type": "array", "items": { "enum": [1, 2] } } }),
                json!(["a"]),
                "t(a: (1 | 2)[])",
            ),
            (
                json!({ "a": { "type": "array" } }),
                json!(["a"]),
                "t(a: array)",
            ),
            (
                json!({ "a": { "$ref": "#/$defs/p" } }),
                json!(["a"]),
                "t(a: {x: number, y?: number})",
            ),
            (json!({ "a": {} }), json!(["a"]), "t(a: any)"),
            (
                json!({ "a": { "$ref": "#/$defs/r" } }),
                json!(["a"]),
                "t(a: {r?: {r?: {r?: object}}})",
            ),
        ] {
            let input = json!({
                "type": "object", "properties": properties, "required": required,
                "$defs": {
                    "p": { "type": "object", "properties": { "x": { "type": "number" }, "y": { "type": "number" } }, "required": ["x"] },
                    "r": { "type": "object", "properties": { "r": { "$ref": "#/$defs/r" } } },
                },
            });
            assert_eq!(of_tool(&tool(input, None), 100), signature);
        }
    }

    #[test]
    fn what_a_tool_gives_is_shown_without_its_wrapping() {
        let object = json!({ "type": "object" });
        for (properties, gives) in [
            (json!({ "result": { "type": "string" } }), "string"),
            (json!({ "left": { "type": "integer" } }), "{left: integer}"),
            (
                json!({ "result": {}, "left": {} }),
                "{result: any, left: any}",
            ),
        ] {
            let names: Vec<_> = properties.as_object().unwrap().keys().collect();
            let output = json!({ "type": "object", "properties": properties, "required": names });
            assert_eq!(
                of_tool(&tool(object.clone(), Some(output)), 100),
                format!("t() -> {gives}")
            );
        }
    }

    #[test]
    fn what_is_too_long_has_a_line_for_each_argument() {
        let input = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } } });
        assert_eq!(
            of_tool(&tool(input, None), 20),
            "t(\n    a?: string,\n    b?: string,\n)"
        );
    }

    #[test]
    fn sentences_end() {
        for (text, sentence) in [
            ("Greets. And more.", "Greets."),
            ("\n  Greets e.g.so\nMore.", "Greets e.g.so"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(text), sentence);
        }
        assert_eq!(
            first_sentence(&"ü".repeat(300)).chars().count(),
            MAX_SENTENCE + 1
        );
    }
}
