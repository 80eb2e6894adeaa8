//! Shows: log messages to the client at every level. It gets those that it wants: what it said with
//! `logging/setLevel`, or in the request itself since 2026-07-28.

use pymcp_kit::{Ctx, Level, NoArgs, Result, Tool};

const LEVELS: [(Level, &str); 8] = [
    (Level::Debug, "The kettle holds 1.2 l."),
    (Level::Info, "The kettle is on."),
    (Level::Notice, "The water is hot."),
    (Level::Warning, "The water boils."),
    (Level::Error, "The water boils over."),
    (Level::Critical, "The stove is wet."),
    (Level::Alert, "The fuse is out."),
    (Level::Emergency, "There will be no tea."),
];

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("log_everything", log_everything)
        .title("Log everything")
        .description("Says something at each of the eight levels of log messages.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

/// Returns how many of them the client wanted.
async fn log_everything(ctx: Ctx, _: NoArgs) -> Result<usize> {
    for (level, message) in LEVELS {
        ctx.log(level, message).await;
    }
    Ok(LEVELS.iter().filter(|(level, _)| ctx.wants(*level)).count())
}
