//! Shows: the end of what a session or a handle keeps, before it comes by itself.

use pymcp_kit::{Ctx, Result, Tool};
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
    Tool::new("forget_notes", forget)
        .with(notes.clone())
        .title("Forget the notes")
        .description(
            "Forgets all notes of this session, or of a notebook, whose handle ends with them.",
        )
        .destructive(true)
        .idempotent(true)
        .open_world(false)
}

async fn forget(ctx: Ctx, notes: Notes, args: Args) -> Result<&'static str> {
    let named = args.notebook.is_some();
    let notebook = Notebook::of(&ctx, args.notebook).ok_or_else(unknown)?;
    match notes.0.remove(&(ctx.principal().clone(), notebook)) {
        true => Ok("Forgotten."),
        false if named => Err(unknown()),
        false => Ok("There was nothing to forget."),
    }
}
