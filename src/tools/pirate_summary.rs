//! Summarises a text in the style of a pirate, with the client's model (sampling).

use pymcp_kit::{Ctx, Effect, Result, Sample, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

const TASK: &str = "Your task is to summarise a given text in a pirate style. \
                    Use a fun and engaging tone but be concise.";

/// What to summarise.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The text to summarise.
    text: String,
}

/// The tool, as clients see it.
pub fn tool() -> Tool {
    Tool::new("pirate_summary", pirate_summary)
        .title("Pirate summary")
        .description(
            "Summarise the given text in a pirate style. \
             This is an example of a tool that can use LLM sampling to generate a summary.",
        )
        .tags(["pirate-summary", "llm-sampling", "example"])
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .effects([Effect::UsesModel])
}

async fn pirate_summary(ctx: Ctx, args: Args) -> Result<Option<String>> {
    ctx.info("Summarising text in pirate style using client LLM sampling.")
        .await;
    let question = Sample::text(args.text, 1024).system(TASK).temperature(0.9);
    Ok(ctx.sample(question).await?.text())
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;
    use serde_json::{Value, json};

    use super::*;

    async fn summarise(content: Value) -> Result<Option<String>> {
        let mut probe =
            Probe::with_capabilities(json!({ "sampling": {} }), move |method, params| {
                assert_eq!(method, "sampling/createMessage");
                assert_eq!(params["systemPrompt"], TASK);
                assert_eq!(params["maxTokens"], 1024);
                assert_eq!(params["messages"][0]["content"]["text"], "text");
                json!({ "role": "assistant", "model": "m", "content": content })
            });
        probe
            .run(pirate_summary(
                probe.ctx(),
                Args {
                    text: "text".into(),
                },
            ))
            .await
    }

    #[tokio::test]
    async fn the_models_text_is_the_summary() {
        let one = summarise(json!({ "type": "text", "text": "Arr!" }))
            .await
            .unwrap();
        assert_eq!(one.as_deref(), Some("Arr!"));
        let two = json!([{ "type": "text", "text": "Arr" }, { "type": "text", "text": "matey" }]);
        assert_eq!(summarise(two).await.unwrap().as_deref(), Some("Arr\nmatey"));
        let image = json!({ "type": "image", "data": "", "mimeType": "image/png" });
        assert_eq!(summarise(image).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_malformed_answer_and_a_client_without_a_model_are_errors() {
        assert!(summarise(json!(5)).await.is_err());
        let mut probe = Probe::new();
        assert!(
            probe
                .run(pirate_summary(
                    probe.ctx(),
                    Args {
                        text: "text".into()
                    }
                ))
                .await
                .is_err()
        );
    }
}
