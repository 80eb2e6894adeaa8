//! Tools that are there for their input schemas.

use pymcp_kit::model::JsonObject;
use pymcp_kit::{Check, Ctx, Result, ServerBuilder, Tool, ToolResult};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(
            Tool::raw("json_schema_2020_12_tool", vocabulary(), contact)
                .description("Tool with JSON Schema 2020-12 features")
                .allow(Check::TopLevelCombinators)
                .allow(Check::References),
        )
        .tool(
            Tool::new("test_custom_header", custom_header)
                .description("Takes a value that HTTP clients repeat in a header."),
        )
}

/// What JSON Schema 2020-12 has and a derived schema never uses.
fn vocabulary() -> JsonObject {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    });
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

async fn contact(_: Ctx, arguments: JsonObject) -> Result<ToolResult> {
    Ok(ToolResult::text(Value::Object(arguments).to_string()))
}

#[derive(Deserialize, JsonSchema)]
struct Header {
    /// What the header `Mcp-Param-Value` repeats.
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

async fn custom_header(_: Ctx, args: Header) -> Result<ToolResult> {
    Ok(ToolResult::text(args.value))
}
