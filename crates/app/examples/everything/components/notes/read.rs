//! Shows: resource templates that read only what belongs to the caller, and complete only that.

use pymcp_kit::{Completion, CompletionRequest, Ctx, Error, ResourceTemplate, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Notebook, Notes};

/// A note of the session.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfSession {
    /// Its name.
    name: String,
}

/// A note of a notebook.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfNotebook {
    /// The handle that `write_note` returned.
    notebook: String,
    /// Its name.
    name: String,
}

/// The template for sessions, as clients see it.
pub(crate) fn of_session(notes: &Notes) -> ResourceTemplate {
    ResourceTemplate::new("note://{name}", "note", read_of_session)
        .with(notes.clone())
        .title("Note")
        .description("A note of this session.")
        .mime_type("text/plain")
        .complete_with("name", notes.clone(), complete_of_session)
}

/// The template for notebooks, as clients see it.
pub(crate) fn of_notebook(notes: &Notes) -> ResourceTemplate {
    ResourceTemplate::new(
        "note://{notebook}/{name}",
        "note_in_notebook",
        read_of_notebook,
    )
    .with(notes.clone())
    .title("Note in a notebook")
    .description("A note of the notebook with this handle.")
    .mime_type("text/plain")
    // Handles themselves are never suggested.
    .complete_with("name", notes.clone(), complete_of_notebook)
}

async fn read_of_session(ctx: Ctx, notes: Notes, note: OfSession) -> Result<String> {
    read(&ctx, &notes, Notebook::of(&ctx, None), &note.name)
}

async fn read_of_notebook(ctx: Ctx, notes: Notes, note: OfNotebook) -> Result<String> {
    let notebook = Notebook::of(&ctx, Some(note.notebook));
    read(&ctx, &notes, notebook, &note.name)
}

async fn complete_of_session(
    ctx: Ctx,
    notes: Notes,
    typed: CompletionRequest,
) -> Result<Completion> {
    Ok(complete(&ctx, &notes, Notebook::of(&ctx, None), &typed))
}

async fn complete_of_notebook(
    ctx: Ctx,
    notes: Notes,
    typed: CompletionRequest,
) -> Result<Completion> {
    let handle = typed.arguments.get("notebook").cloned();
    let notebook = handle.and_then(|handle| Notebook::of(&ctx, Some(handle)));
    Ok(complete(&ctx, &notes, notebook, &typed))
}

fn read(ctx: &Ctx, notes: &Notes, notebook: Option<Notebook>, name: &str) -> Result<String> {
    // A caller without a session has no notes but in notebooks.
    let notebook = notebook.ok_or_else(|| Error::resource_not_found(format!("note://{name}")))?;
    let uri = notebook.link(name).uri;
    let owner = (ctx.principal().clone(), notebook);
    let text = notes.0.with(&owner, |notes| notes.get(name).cloned());
    // Somebody else's is not there, like one that never was.
    text.flatten().ok_or_else(|| Error::resource_not_found(uri))
}

fn complete(
    ctx: &Ctx,
    notes: &Notes,
    notebook: Option<Notebook>,
    typed: &CompletionRequest,
) -> Completion {
    let names = notebook.and_then(|notebook| notes.names(ctx.principal(), &notebook));
    Completion::matching(&typed.value, names.unwrap_or_default())
}
