//! Counts words. Replace this line with what your tool does.

use pymcp_kit::{Ctx, Error, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to count.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The text to look through.
    #[schemars(length(max = 10_000))]
    text: String,
}

/// What was counted.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Count {
    /// The words in the text.
    words: usize,
}

/// The tool, as clients see it.
pub fn tool() -> Tool {
    Tool::new("count_words", count_words)
        .title("Count words")
        .description("Counts the words in a text.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn count_words(_: Ctx, args: Args) -> Result<Count> {
    match args.text.split_whitespace().count() {
        0 => Err(Error::user("There are no words in 'text'; give some.")),
        words => Ok(Count { words }),
    }
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;

    use super::*;

    #[tokio::test]
    async fn counts_words() {
        let mut probe = Probe::new();
        let args = |text: &str| Args { text: text.into() };
        let counted = probe.run(count_words(probe.ctx(), args("to be"))).await;
        assert_eq!(counted.unwrap(), Count { words: 2 });
        let nothing = probe.run(count_words(probe.ctx(), args(" "))).await;
        assert!(nothing.is_err());
    }
}
