//! Shows: a form with every kind of field that the protocol has, written as a schema: for choices that
//! are known only when the question is asked, and for titles that are no Rust names.

use pymcp_kit::model::JsonObject;
use pymcp_kit::{Ctx, Effect, Elicited, Form, NoArgs, Question as _, Result, Tool, ToolResult};
use serde_json::{Value, json};

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("fill_form", fill_form)
        .title("Fill in a form")
        .description("Asks the user to fill in a form with every kind of field, and returns it.")
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .effects([Effect::AsksUser])
}

async fn fill_form(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let schema: JsonObject = serde_json::from_value(schema())?;
    let question = Form::schema("Please fill in what you like.", schema).named("form");
    Ok(match ctx.ask(question).await? {
        Elicited::Accepted(form) => {
            let form = Value::Object(form);
            ToolResult::text(form.to_string()).structured(form)
        }
        Elicited::Declined => ToolResult::text("The user does not want to fill it in."),
        Elicited::Cancelled => ToolResult::text("The user closed the form."),
    })
}

/// Never a password or a key: the client sees what is typed. See `account` for those.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "title": "Name", "minLength": 1, "maxLength": 80 },
            "nickname": { "type": "string", "default": "Ada" },
            "subscribe": { "type": "boolean", "title": "Newsletter", "default": false },
            "email": { "type": "string", "format": "email" },
            "homepage": { "type": "string", "format": "uri" },
            "birthday": { "type": "string", "format": "date" },
            "meeting": { "type": "string", "format": "date-time" },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "height": { "type": "number", "description": "In metres.", "minimum": 0.3, "maximum": 2.8, "default": 1.7 },
            "colour": { "type": "string", "enum": ["red", "green", "blue"], "default": "green" },
            "size": {
                "type": "string",
                "title": "Size",
                "oneOf": [
                    { "const": "s", "title": "Small" },
                    { "const": "m", "title": "Medium" },
                    { "const": "l", "title": "Large" },
                ],
            },
            "days": {
                "type": "array",
                "minItems": 1,
                "maxItems": 2,
                "items": { "type": "string", "enum": ["monday", "wednesday", "friday"] },
            },
            "toppings": {
                "type": "array",
                "items": { "anyOf": [
                    { "const": "ch", "title": "Cheese" },
                    { "const": "mu", "title": "Mushrooms" },
                ] },
                "default": ["ch"],
            },
            // As clients before 2025-11-25 know titled choices.
            "pet": { "type": "string", "enum": ["cat", "dog"], "enumNames": ["Cat", "Dog"] },
        },
    })
}
