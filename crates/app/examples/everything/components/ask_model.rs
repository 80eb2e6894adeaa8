//! Shows: using the client's model (sampling).

use pymcp_kit::{Ctx, Effect, Result, Sample, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to ask.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The question.
    #[schemars(length(min = 1, max = 4000))]
    prompt: String,
    /// How long the answer may be.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    max_tokens: u32,
}

fn hundred() -> u32 {
    100
}

/// What the model said.
#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// The model's name, as the client gives it.
    model: String,
    /// Its answer; absent when it answered something other than text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("ask_model", ask_model)
        .title("Ask the model")
        .description("Asks the client's own model, and returns what it says.")
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(true)
        .effects([Effect::UsesModel])
}

async fn ask_model(ctx: Ctx, args: Args) -> Result<Said> {
    let question = Sample::text(args.prompt, args.max_tokens)
        .system("You are helpful and brief.")
        .temperature(0.5);
    let said = ctx.sample(question).await?;
    Ok(Said {
        model: said.model().to_owned(),
        text: said.text(),
    })
}
