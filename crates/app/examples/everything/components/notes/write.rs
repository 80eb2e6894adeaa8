//! Shows: a tool that keeps something for its session, or hands out a handle where there is none.

use std::collections::BTreeMap;

use pymcp_kit::model::ContentBlock;
use pymcp_kit::{Ctx, Effect, Error, Result, Tool, ToolResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NOTES, Notebook, Notes, unknown};

/// What to keep.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The name of the note; one that there is already is replaced.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,40}$"))]
    name: String,
    /// What it says.
    #[schemars(length(max = 2000))]
    text: String,
    /// The notebook to write in; leave it out in a session, and for a new one.
    notebook: Option<String>,
}

/// Where it is kept.
#[derive(Debug, Serialize, JsonSchema)]
struct Kept {
    /// Where to read it.
    uri: String,
    /// Without a session: the handle of the notebook, for the other tools for notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    notebook: Option<String>,
}

/// The tool, as clients see it.
pub(crate) fn tool(notes: &Notes) -> Tool {
    Tool::new("write_note", write)
    .with(notes.clone())
    .title("Write a note")
    .description(
        "Keeps a note for this session; without a session, in a notebook whose handle is returned. \
         It is forgotten with the session, after an hour without use, or earlier when others need the room.",
    )
    .output_schema::<Kept>()
    .destructive(true)
    .idempotent(false)
    .open_world(false)
    .effects([Effect::Random])
}

async fn write(ctx: Ctx, notes: Notes, args: Args) -> Result<ToolResult> {
    let named = args.notebook.is_some();
    let notebook = match Notebook::of(&ctx, args.notebook) {
        Some(notebook) => notebook,
        None => Notebook::new(&ctx)?,
    };
    let owner = (ctx.principal().clone(), notebook.clone());
    let link = notebook.link(&args.name);
    let fits = notes.0.with(&owner, |notes| {
        let fits = notes.len() < NOTES || notes.contains_key(&args.name);
        if fits {
            notes.insert(args.name.clone(), args.text.clone());
        }
        fits
    });
    match fits {
        Some(true) => {}
        Some(false) => {
            return Err(Error::user(format!(
                "A notebook holds {NOTES} notes; replace one, or begin anew with `forget_notes`."
            )));
        }
        // Only handles that were handed out lead anywhere.
        None if named => return Err(unknown()),
        None => notes.begin(&ctx, owner, BTreeMap::from([(args.name, args.text)])),
    }
    let kept = Kept {
        uri: link.uri.clone(),
        notebook: match notebook {
            Notebook::Session(_) => None,
            Notebook::Handle(handle) => Some(handle),
        },
    };
    let kept = serde_json::to_value(kept)?;
    let content = [
        ContentBlock::text(kept.to_string()),
        ContentBlock::resource_link(link),
    ];
    Ok(ToolResult::content(content).structured(kept))
}
