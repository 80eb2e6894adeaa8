//! Tools that say something before their result, or to other requests.

use std::time::Duration;

use pymcp_kit::{Ctx, Kind, Level, NoArgs, Prompt, Result, ServerBuilder, Tool, ToolResult};
use tokio::time::sleep;

/// Long enough for what was said before to be on its way.
const MOMENT: Duration = Duration::from_millis(50);

const SWITCHED_TOOL: &str = "test_switched_tool";
const SWITCHED_PROMPT: &str = "test_switched_prompt";

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(Tool::new("test_tool_with_logging", logging).description("Logs three messages."))
        .tool(Tool::new("test_logging_tool", every_level).description("Logs at every level."))
        .tool(Tool::new("test_tool_with_progress", progress).description("Reports progress."))
        .tool(
            Tool::new("test_reconnection", reconnection)
                .description("Ends the stream of its response, and answers when it is resumed."),
        )
        .tool(
            Tool::new("test_trigger_tool_change", change_tools)
                .description("Switches another tool on or off."),
        )
        .tool(
            Tool::new("test_trigger_prompt_change", change_prompts)
                .description("Switches a prompt on or off."),
        )
        .tool(Tool::new(SWITCHED_TOOL, switched_tool).description("Is there, or is not."))
        .prompt(Prompt::new(SWITCHED_PROMPT, switched_prompt).description("Is there, or is not."))
}

async fn logging(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    ctx.info("Tool execution started").await;
    sleep(MOMENT).await;
    ctx.info("Tool processing data").await;
    sleep(MOMENT).await;
    ctx.info("Tool execution completed").await;
    Ok(ToolResult::text("Logged three messages."))
}

async fn every_level(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    for level in [
        Level::Debug,
        Level::Info,
        Level::Notice,
        Level::Warning,
        Level::Error,
        Level::Critical,
        Level::Alert,
        Level::Emergency,
    ] {
        ctx.log(level, format!("A message at {level:?}.")).await;
    }
    Ok(ToolResult::text("Logged at every level."))
}

async fn progress(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    ctx.progress(0.0, Some(100.0), Some("Started")).await;
    sleep(MOMENT).await;
    ctx.progress(50.0, Some(100.0), Some("Half done")).await;
    sleep(MOMENT).await;
    ctx.progress(100.0, Some(100.0), Some("Done")).await;
    Ok(ToolResult::text("Reported progress."))
}

async fn reconnection(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    ctx.release_stream().await;
    sleep(2 * MOMENT).await;
    Ok(ToolResult::text(
        "This was sent on a stream that was resumed.",
    ))
}

async fn change_tools(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    toggle(&ctx, Kind::Tool, SWITCHED_TOOL);
    Ok(ToolResult::text("The list of tools has changed."))
}

async fn change_prompts(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    toggle(&ctx, Kind::Prompt, SWITCHED_PROMPT);
    Ok(ToolResult::text("The list of prompts has changed."))
}

fn toggle(ctx: &Ctx, kind: Kind, name: &str) {
    let components = ctx.components();
    if !components.switch(kind, name, false) {
        components.switch(kind, name, true);
    }
}

async fn switched_tool(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Ok(ToolResult::text("It is there."))
}

async fn switched_prompt(_: Ctx, _: NoArgs) -> Result<String> {
    Ok("It is there.".to_owned())
}
