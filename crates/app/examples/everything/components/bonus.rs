//! Shows: a tool that is switched off and on while the server runs. Clients hear that the list has
//! changed, in both eras.

use pymcp_kit::{Ctx, Kind, NoArgs, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

const NAME: &str = "bonus";

/// The tool that comes and goes, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new(NAME, bonus)
        .title("Bonus")
        .description("Is there or is not, as `switch_bonus` has it.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn bonus(_: Ctx, _: NoArgs) -> Result<&'static str> {
    Ok("You found it.")
}

/// What to do.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// Whether the tool `bonus` should be there.
    on: bool,
}

/// The tool that switches it, as clients see it. It does so for everybody; a server whose callers
/// are not its owners lets only some of them.
pub(crate) fn switch() -> Tool {
    Tool::new("switch_bonus", switch_bonus)
        .title("Switch the bonus")
        .description("Switches the tool `bonus` on or off, for every client of this server.")
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn switch_bonus(ctx: Ctx, args: Args) -> Result<String> {
    let state = if args.on { "on" } else { "off" };
    Ok(match ctx.components().switch(Kind::Tool, NAME, args.on) {
        true => format!("'{NAME}' is {state} now."),
        false => format!("'{NAME}' was {state} already."),
    })
}
