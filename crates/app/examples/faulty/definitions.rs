//! What is exposed: good components, and one for each fault of a definition.

use serde_json::{Value, json};

use crate::Faults;

fn tool(name: &str, schema: Value) -> Value {
    json!({
        "name": name,
        "description": "Looks something up.",
        "inputSchema": schema,
        "annotations": { "readOnlyHint": true },
    })
}

/// A schema with an argument.
fn with(argument: Value) -> Value {
    let mut argument = argument;
    argument["description"] = json!("What to look up.");
    json!({ "type": "object", "properties": { "q": argument } })
}

/// A tool that needs no arguments, and whose result has this schema.
fn status(name: &str, output: Value) -> Value {
    let mut status = tool(name, json!({ "type": "object", "properties": {} }));
    status["outputSchema"] = output;
    status
}

fn flag() -> Value {
    json!({ "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"] })
}

pub(crate) fn tools(faults: &Faults) -> Vec<Value> {
    let text = || with(json!({ "type": "string" }));
    let mut tools = vec![tool("lookup", text()), status("status", flag())];
    for fault in faults.iter() {
        let mut more = tool("planted", text());
        more["name"] = json!(fault);
        match fault {
            "name-duplicate" => more["name"] = json!("lookup"),
            "name-missing" => drop(more.as_object_mut().and_then(|all| all.remove("name"))),
            "tool-name-long" => more["name"] = json!("l".repeat(57)),
            "tool-name-prefixed" => more["name"] = json!("p".repeat(53)),
            "tool-name-characters" => more["name"] = json!("look.up"),
            "argument-name" => {
                more["inputSchema"]["properties"]["filter[name]"] =
                    json!({ "type": "string", "description": "F." })
            }
            "schema-missing" => more["inputSchema"] = Value::Null,
            "schema-type" => more["inputSchema"] = json!({ "properties": {} }),
            "schema-combinator" => more["inputSchema"]["anyOf"] = json!([{ "required": ["q"] }]),
            "schema-invalid" => more["inputSchema"] = with(json!({ "type": "nonsense" })),
            "reference-unresolved" => more["inputSchema"] = with(json!({ "$ref": "#/$defs/Lost" })),
            "reference-recursive" => more["inputSchema"] = with(json!({ "$ref": "#" })),
            "reference" => {
                more["inputSchema"] = with(json!({ "$ref": "#/$defs/Word" }));
                more["inputSchema"]["$defs"] = json!({ "Word": { "type": "string" } });
            }
            "array-items" => more["inputSchema"] = with(json!({ "type": "array" })),
            "string-format" => {
                more["inputSchema"] = with(json!({ "type": "string", "format": "uri" }))
            }
            "number-format" => {
                more["inputSchema"] = with(json!({ "type": "integer", "format": "uint32" }))
            }
            "type-list" => more["inputSchema"] = with(json!({ "type": ["string", "null"] })),
            "optional-null" => {
                more["inputSchema"] =
                    with(json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }));
            }
            "required-unknown" => more["inputSchema"]["required"] = json!(["other"]),
            "argument-undescribed" => {
                more["inputSchema"]["properties"]["q"] = json!({ "type": "string" })
            }
            "argument-description-long" => {
                more["inputSchema"]["properties"]["q"]["description"] = json!("Long. ".repeat(400));
            }
            "output-schema-type" => more["outputSchema"] = json!({ "type": "array", "items": {} }),
            "output-schema-combinator" => {
                more["outputSchema"] = json!({ "type": "object", "oneOf": [{}] })
            }
            "output-schema-invalid" => {
                more["outputSchema"] = json!({ "type": "object", "required": "ok" })
            }
            "structured-content-missing"
            | "structured-content-mismatch"
            | "text-missing"
            | "call-failed" => {
                more = status(fault, flag());
            }
            "description-missing" => more["description"] = json!(" "),
            "description-long" => more["description"] = json!("Long. ".repeat(400)),
            "hidden-characters" => more["description"] = json!("Looks up.\u{200b}\u{e0041}"),
            "hints-missing" => more["annotations"] = json!({}),
            "hints-contradict" => more["annotations"]["destructiveHint"] = json!(true),
            "tool-large" => {
                let words: Vec<_> = (0..2500).map(|n| json!(format!("word-{n}"))).collect();
                more["inputSchema"]["properties"]["q"]["enum"] = json!(words);
            }
            "tools-many" => {
                tools.extend((0..130).map(|n| tool(&format!("tool-{n}"), text())));
                continue;
            }
            "list-costly" => {
                tools.extend((0..100).map(|n| {
                    let mut costly = tool(&format!("tool-{n}"), text());
                    costly["description"] = json!("Costly words. ".repeat(100));
                    costly
                }));
                continue;
            }
            "list-large" => {
                tools.extend((0..40).map(|n| {
                    let mut costly = tool(&format!("tool-{n}"), text());
                    costly["description"] = json!("Costly words. ".repeat(100));
                    costly
                }));
                continue;
            }
            _ => continue,
        }
        tools.push(more);
    }
    tools
}

pub(crate) fn call(name: &str, faults: &Faults) -> Result<Value, i64> {
    let text = json!([{ "type": "text", "text": "{\"ok\":true}" }]);
    match name {
        "structured-content-missing" => Ok(json!({ "content": text })),
        "structured-content-mismatch" => {
            Ok(json!({ "content": text, "structuredContent": { "ok": "yes" } }))
        }
        "text-missing" => Ok(json!({ "content": [], "structuredContent": { "ok": true } })),
        "call-failed" => {
            Ok(json!({ "content": [{ "type": "text", "text": "No." }], "isError": true }))
        }
        "status" => Ok(json!({ "content": text, "structuredContent": { "ok": true } })),
        _ if faults.has("unknown-tool-accepted") => Ok(json!({ "content": text })),
        _ if faults.has("unknown-tool-code") => Err(-32603),
        _ => Err(-32602),
    }
}

pub(crate) fn prompts(faults: &Faults) -> Vec<Value> {
    let name = match faults.has("prompt-name-characters") {
        true => "Summarise it",
        false => "summarise",
    };
    vec![json!({ "name": name, "description": "Summarises." })]
}

pub(crate) fn resources(faults: &Faults) -> Vec<Value> {
    let mut all = vec![json!({
        "uri": "data://stock", "name": "stock", "description": "The stock.", "mimeType": "text/plain",
    })];
    if faults.has("resource-uri") {
        all[0]["uri"] = json!("stock");
    }
    if faults.has("resource-undescribed") {
        all.push(json!({ "uri": "data://more", "name": "more" }));
    }
    all
}
