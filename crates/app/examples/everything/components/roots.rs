//! Shows: asking the client where its user works (roots).

use pymcp_kit::{Ctx, Effect, NoArgs, Result, Root, Tool};

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("list_roots", list_roots)
        .title("List the roots")
        .description("Where the client's user works, as the client says.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .effects([Effect::AsksUser])
}

async fn list_roots(ctx: Ctx, _: NoArgs) -> Result<Vec<Root>> {
    ctx.roots().await
}
