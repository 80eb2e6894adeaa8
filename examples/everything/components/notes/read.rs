//! Shows: resource templates that read only what belongs to the caller, and complete only that.

use pymcp_kit::{Completion, Ctx, Error, ResourceTemplate, Result, Typing};
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
    let (reading, completing) = (notes.clone(), notes.clone());
    ResourceTemplate::new("note://{name}", "note", move |ctx, note: OfSession| {
        let notebook = Notebook::of(&ctx, None);
        read(ctx, notebook, note.name, reading.clone())
    })
    .title("Note")
    .description("A note of this session.")
    .mime_type("text/plain")
    .complete("name", move |ctx, typed| {
        let notebook = Notebook::of(&ctx, None);
        complete(ctx, notebook, typed, completing.clone())
    })
}

/// The template for notebooks, as clients see it.
pub(crate) fn of_notebook(notes: &Notes) -> ResourceTemplate {
    let (reading, completing) = (notes.clone(), notes.clone());
    ResourceTemplate::new(
        "note://{notebook}/{name}",
        "note_in_notebook",
        move |ctx, note: OfNotebook| {
            let notebook = Notebook::of(&ctx, Some(note.notebook));
            read(ctx, notebook, note.name, reading.clone())
        },
    )
    .title("Note in a notebook")
    .description("A note of the notebook with this handle.")
    .mime_type("text/plain")
    // Handles themselves are never suggested.
    .complete("name", move |ctx, typed: Typing| {
        let handle = typed.arguments.get("notebook").cloned();
        let notebook = handle.and_then(|handle| Notebook::of(&ctx, Some(handle)));
        complete(ctx, notebook, typed, completing.clone())
    })
}

async fn read(ctx: Ctx, notebook: Option<Notebook>, name: String, notes: Notes) -> Result<String> {
    // A caller without a session has no notes but in notebooks.
    let notebook = notebook.ok_or_else(|| Error::resource_not_found(format!("note://{name}")))?;
    let uri = notebook.link(&name).uri;
    let owner = (ctx.principal().clone(), notebook);
    let text = notes.0.with(&owner, |notes| notes.get(&name).cloned());
    // Somebody else's is not there, like one that never was.
    text.flatten().ok_or_else(|| Error::resource_not_found(uri))
}

async fn complete(
    ctx: Ctx,
    notebook: Option<Notebook>,
    typed: Typing,
    notes: Notes,
) -> Result<Completion> {
    let names = notebook.and_then(|notebook| notes.names(ctx.principal(), &notebook));
    Ok(Completion::matching(
        &typed.value,
        names.unwrap_or_default(),
    ))
}
