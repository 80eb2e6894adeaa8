//! Tools that ask the user or the client's model, for the revisions in which a server sends requests.

use pymcp_kit::model::JsonObject;
use pymcp_kit::{
    Ctx, Effect, Elicited, Form, NoArgs, Result, Sample, ServerBuilder, Tool, ToolResult,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(
            Tool::new("test_sampling", sampling)
                .description("Asks the client's model.")
                .effects([Effect::UsesModel]),
        )
        .tool(
            Tool::new("test_elicitation", elicitation)
                .description("Asks the user who it is.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_elicitation_sep1034_defaults", defaults)
                .description("Asks the user with a default for every type.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_elicitation_sep1330_enums", choices)
                .description("Asks the user to choose in every way there is.")
                .effects([Effect::AsksUser]),
        )
}

#[derive(Deserialize, JsonSchema)]
struct Prompt {
    /// The prompt to send to the model.
    prompt: String,
}

async fn sampling(ctx: Ctx, args: Prompt) -> Result<ToolResult> {
    let answer = ctx.sample(Sample::text(args.prompt, 100)).await?;
    let text = answer.text().unwrap_or_default();
    Ok(ToolResult::text(format!("LLM response: {text}")))
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    /// The message to show to the user.
    message: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct User {
    /// User's response
    username: String,
    /// User's email address
    email: String,
}

async fn elicitation(ctx: Ctx, args: Message) -> Result<ToolResult> {
    let answer = ctx.elicit::<User>(args.message).await?;
    let text = describe(answer)?;
    Ok(ToolResult::text(format!("User response: {text}")))
}

async fn defaults(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": {
                "type": "string",
                "description": "User status",
                "enum": ["active", "inactive", "pending"],
                "default": "active"
            },
            "verified": { "type": "boolean", "description": "Verification status", "default": true }
        }
    });
    fill_in(&ctx, "Please review the defaults", schema).await
}

async fn choices(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let titled = |what: &str| {
        json!([
            { "const": "value1", "title": format!("First {what}") },
            { "const": "value2", "title": format!("Second {what}") },
            { "const": "value3", "title": format!("Third {what}") }
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    let schema = json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": plain },
            "titledSingle": { "type": "string", "oneOf": titled("Option") },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"]
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
            "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } }
        }
    });
    fill_in(&ctx, "Please choose", schema).await
}

async fn fill_in(ctx: &Ctx, message: &str, schema: Value) -> Result<ToolResult> {
    let schema: JsonObject = serde_json::from_value(schema)?;
    let answer = ctx.ask(Form::schema(message, schema)).await?;
    let text = describe(answer)?;
    Ok(ToolResult::text(format!("Elicitation completed: {text}")))
}

fn describe<T: Serialize>(answer: Elicited<T>) -> Result<String> {
    Ok(match answer {
        Elicited::Accepted(content) => {
            format!(
                "action=accept, content={}",
                serde_json::to_string(&content)?
            )
        }
        Elicited::Declined => "action=decline".to_owned(),
        Elicited::Cancelled => "action=cancel".to_owned(),
    })
}
