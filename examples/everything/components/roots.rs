//! Shows: asking the client where its user works (roots).

// Deprecated since 2026-07-28, and removed a year later at the earliest; clients of today have them.
#![allow(deprecated)]

use pymcp_kit::model::Root;
use pymcp_kit::{Ctx, NoArgs, Result, Tool};
use schemars::JsonSchema;
use serde::Serialize;

/// A folder or file that the user works with.
#[derive(Debug, Serialize, JsonSchema)]
struct Place {
    /// Where it is.
    uri: String,
    /// What the user calls it.
    name: Option<String>,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("list_roots", list_roots)
        .title("List the roots")
        .description("Where the client's user works, as the client says.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn list_roots(ctx: Ctx, _: NoArgs) -> Result<Vec<Place>> {
    let place = |root: Root| Place {
        uri: root.uri,
        name: root.name,
    };
    Ok(ctx.roots().await?.into_iter().map(place).collect())
}
