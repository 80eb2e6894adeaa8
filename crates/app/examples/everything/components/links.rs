//! Shows: links to resources as the result of a tool, for what is too much to hand over at once.

use pymcp_kit::model::{ContentBlock, Resource};
use pymcp_kit::{Ctx, Result, Tool, ToolResult};
use schemars::JsonSchema;
use serde::Deserialize;

use super::icons;
use super::paper::{Form, Paper, has_scan};

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// How many papers to name.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    count: u32,
}

fn three() -> u32 {
    3
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("find_papers", find)
        .title("Find papers")
        .description("Names some papers, to be read at their links: scans where there are any.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn find(_: Ctx, args: Args) -> Result<ToolResult> {
    let intro = ContentBlock::text(format!("Found {} papers:", args.count));
    let links = (1..=args.count).map(|number| ContentBlock::resource_link(link(number)));
    Ok(ToolResult::content(std::iter::once(intro).chain(links)))
}

fn link(number: u32) -> Resource {
    let form = if has_scan(number) {
        Form::Scan
    } else {
        Form::Text
    };
    let paper = Paper { number, form };
    Resource::new(paper.uri(), format!("paper-{number}"))
        .with_title(format!("Paper {number}"))
        .with_mime_type(paper.mime_type())
        .with_icons(vec![icons::disc("darkseagreen")])
}
