//! Shows: what a session has is listed by a tool, because the lists of the protocol are the same for
//! everybody.

use pymcp_kit::model::ContentBlock;
use pymcp_kit::{Ctx, Result, Tool, ToolResult};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Notebook, Notes, unknown};

/// Whose notes.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The notebook; leave it out in a session.
    notebook: Option<String>,
}

/// The tool, as clients see it.
pub(crate) fn tool(notes: &Notes) -> Tool {
    Tool::new("list_notes", list)
        .with(notes.clone())
        .title("List the notes")
        .description("Links to the notes of this session, or of a notebook.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn list(ctx: Ctx, notes: Notes, args: Args) -> Result<ToolResult> {
    let named = args.notebook.is_some();
    let notebook = Notebook::of(&ctx, args.notebook).ok_or_else(unknown)?;
    let names = match notes.names(ctx.principal(), &notebook) {
        Some(names) => names,
        None if named => return Err(unknown()),
        // A session that has written nothing.
        None => Vec::new(),
    };
    let count = ContentBlock::text(format!("{} notes.", names.len()));
    let links = names
        .iter()
        .map(|name| ContentBlock::resource_link(notebook.link(name)));
    Ok(ToolResult::content(std::iter::once(count).chain(links)))
}
