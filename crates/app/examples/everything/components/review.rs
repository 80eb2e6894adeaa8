//! Shows: a prompt of several messages, one of which holds a resource.

use pymcp_kit::model::{ContentBlock, PromptMessage, Role};
use pymcp_kit::{Ctx, Error, Prompt, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use super::paper::{Form, PAPERS, Paper};

/// What to review.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The number of the paper.
    number: String,
}

/// The prompt, as clients see it.
pub(crate) fn prompt() -> Prompt {
    Prompt::new("review_paper", review)
        .title("Review a paper")
        .description("Asks for a review of a paper, which comes with the question.")
}

async fn review(_: Ctx, args: Args) -> Result<Vec<PromptMessage>> {
    // Arguments of prompts are text on the wire.
    let number = args.number.parse().ok();
    let number = number.filter(|number| (1..=PAPERS).contains(number));
    let paper = number.map(|number| Paper {
        number,
        form: Form::Text,
    });
    let contents = paper.and_then(|paper| paper.contents());
    let contents = contents
        .ok_or_else(|| Error::user(format!("'number' must be a number from 1 to {PAPERS}.")))?;
    Ok(vec![
        PromptMessage::new_text(Role::User, "Please review this paper in one paragraph."),
        PromptMessage::new(Role::User, ContentBlock::resource(contents)),
        PromptMessage::new_text(Role::Assistant, "I have read it. My review:"),
    ])
}
