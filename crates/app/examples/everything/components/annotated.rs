//! Shows: annotations, which say who a part of a result is for and how much it matters, and an image.

use pymcp_kit::model::{Annotations, ContentBlock, Role, TextContent};
use pymcp_kit::{Ctx, Image, Result, Tool, ToolResult};
use schemars::JsonSchema;
use serde::Deserialize;

const PICTURE: &[u8] = include_bytes!("picture.png");

/// What to report.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// What kind of news it is.
    kind: Kind,
    /// Whether to add a picture.
    #[serde(default)]
    picture: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Error,
    Success,
    Debug,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("report", report)
        .title("Report")
        .description("A made-up report whose parts say who they are for and how much they matter.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn report(_: Ctx, args: Args) -> Result<ToolResult> {
    let (text, priority, audience) = match args.kind {
        // Everybody has to see an error.
        Kind::Error => (
            "Error: the disk is full.",
            1.0,
            vec![Role::User, Role::Assistant],
        ),
        Kind::Success => ("Done: 12 files are saved.", 0.7, vec![Role::User]),
        // A person who reads along does not want this.
        Kind::Debug => (
            "Debug: 12 writes in 0.3 s, 2 retries.",
            0.3,
            vec![Role::Assistant],
        ),
    };
    let annotations = Annotations::default()
        .with_priority(priority)
        .with_audience(audience);
    let text = TextContent::new(text).with_annotations(annotations);
    let picture = args.picture.then(|| {
        let annotations = Annotations::default()
            .with_priority(0.5)
            .with_audience(vec![Role::User]);
        Image::png(PICTURE).annotations(annotations)
    });
    let mut content = vec![ContentBlock::Text(text)];
    content.extend(picture.map(ContentBlock::from));
    Ok(ToolResult::content(content))
}
