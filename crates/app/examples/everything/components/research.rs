//! Shows: a call that a client may have as a task. It gets a handle at once, looks at the stages and
//! answers the question of an ambiguous topic when it likes, and can cancel.
//!
//! A client that takes no tasks waits for the same function with progress and questions as usual.
//! Make it `TaskSupport::Required` where nobody could wait that long.

use std::time::Duration;

use pymcp_kit::model::JsonObject;
use pymcp_kit::{Ctx, Effect, Elicited, Error, Form, Question as _, Result, TaskSupport, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::operations::Operations;

const STAGES: [&str; 4] = ["Looking for sources", "Reading", "Comparing", "Writing"];

/// Topics that can mean several things.
const AMBIGUOUS: [(&str, &[&str]); 2] = [
    ("mercury", &["the planet", "the metal", "the god"]),
    ("python", &["the language", "the snake"]),
];

/// What to look into.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The topic; of `mercury` and `python` it has to be asked what is meant.
    #[schemars(length(min = 1, max = 200))]
    topic: String,
    /// Seconds for each of the four stages.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10))]
    seconds: f64,
}

fn one() -> f64 {
    1.0
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    /// What was looked into.
    topic: String,
    /// The report. It is made up.
    summary: String,
}

/// The tool, as clients see it.
pub(crate) fn tool(operations: &Operations) -> Tool {
    Tool::new("research", research)
        .with(operations.clone())
        .title("Research")
        .description(
            "Pretends to research a topic in four stages, and asks what an ambiguous one means.",
        )
        .task(TaskSupport::Optional)
        .timeout(Duration::from_secs(60))
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .effects([Effect::AsksUser])
}

async fn research(ctx: Ctx, operations: Operations, args: Args) -> Result<Report> {
    // First of all: where a question makes the function run again, no work is done twice.
    let topic = match AMBIGUOUS.iter().find(|(topic, _)| *topic == args.topic) {
        Some((topic, meanings)) => format!("{topic} ({})", ask(&ctx, topic, meanings).await?),
        None => args.topic,
    };
    let mut running = operations.begin(&ctx, "research", 4);
    for (stage, name) in (1..).zip(STAGES) {
        running.at(stage);
        // The status message of a task, and progress for everybody else.
        ctx.progress(f64::from(stage - 1), Some(4.0), Some(name))
            .await;
        sleep(Duration::from_secs_f64(args.seconds)).await;
    }
    let summary = format!("Much has been written about {topic}, and more will be.");
    Ok(Report { topic, summary })
}

/// Asks with the choices that this topic has.
async fn ask(ctx: &Ctx, topic: &str, meanings: &[&str]) -> Result<String> {
    let schema: JsonObject = serde_json::from_value(json!({
        "type": "object",
        "properties": { "meaning": { "type": "string", "enum": meanings } },
        "required": ["meaning"],
    }))?;
    let question = Form::schema(format!("Which {topic} do you mean?"), schema).named("meaning");
    match ctx.ask(question).await? {
        Elicited::Accepted(answer) => Ok(answer
            .get("meaning")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()),
        Elicited::Declined | Elicited::Cancelled => Err(Error::user(
            "Nothing was researched, because nobody said what is meant; name the topic more exactly.",
        )),
    }
}
