//! Tools whose calls are tasks (extension `io.modelcontextprotocol/tasks`), and one whose are not.

use std::time::Duration;

use pymcp_kit::{
    Ctx, Effect, Error, Form, NoArgs, Question as _, Result, ServerBuilder, TaskSupport, Tool,
    ToolResult,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use crate::rounds::{Name, accepted};

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(Tool::new("greet", greet).description("Greets, at once."))
        .tool(
            Tool::new("slow_compute", slow_compute)
                .description("Takes its time.")
                .task(TaskSupport::Optional)
                .timeout(Duration::from_secs(120)),
        )
        .tool(
            Tool::new("failing_job", failing_job)
                .description("Fails after a second.")
                .task(TaskSupport::Required),
        )
        .tool(
            Tool::new("protocol_error_job", protocol_error_job)
                .description("Has no result, but an error of the protocol.")
                .task(TaskSupport::Optional),
        )
        .tool(
            Tool::new("confirm_delete", confirm_delete)
                .description("Asks before it pretends to delete a file.")
                .effects([Effect::AsksUser])
                .task(TaskSupport::Optional),
        )
        .tool(
            Tool::new("multi_input", multi_input)
                .description("Asks two questions at once.")
                .effects([Effect::AsksUser])
                .task(TaskSupport::Optional),
        )
        .tool(
            Tool::new("test_tool_with_task", asks_first)
                .description("Asks for a name, then works on as a task.")
                .effects([Effect::AsksUser])
                .task(TaskSupport::Required)
                .asks_before_task(),
        )
}

async fn greet(_: Ctx, args: Name) -> Result<ToolResult> {
    Ok(ToolResult::text(format!("Hello, {}!", args.name)))
}

#[derive(Deserialize, JsonSchema)]
struct Computation {
    /// How long it takes.
    #[schemars(range(min = 0.0, max = 100.0))]
    seconds: f64,
    /// What to call it.
    label: String,
}

async fn slow_compute(ctx: Ctx, args: Computation) -> Result<ToolResult> {
    ctx.progress(0.0, Some(1.0), Some("Computing")).await;
    sleep(Duration::from_secs_f64(args.seconds)).await;
    Ok(ToolResult::text(format!(
        "{} took {} s.",
        args.label, args.seconds
    )))
}

async fn failing_job(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    sleep(Duration::from_secs(1)).await;
    Err(Error::user("This job always fails."))
}

async fn protocol_error_job(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Err(Error::invalid_params("This job breaks the protocol."))
}

#[derive(Deserialize, JsonSchema)]
struct File {
    /// The file to delete.
    filename: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirmation {
    confirm: bool,
}

async fn confirm_delete(ctx: Ctx, args: File) -> Result<ToolResult> {
    let question = format!("Delete {}?", args.filename);
    let Confirmation { confirm } = accepted(ctx.elicit(question).await?)?;
    let done = if confirm { "deleted" } else { "kept" };
    Ok(ToolResult::text(format!("{} was {done}.", args.filename)))
}

async fn multi_input(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let (name, sure) = ctx
        .ask_all((
            Form::<Name>::new("What is your name?").named("name"),
            Form::<Confirmation>::new("Are you sure?").named("sure"),
        ))
        .await?;
    let (Name { name }, Confirmation { confirm }) = (accepted(name)?, accepted(sure)?);
    let sure = if confirm { "sure" } else { "not sure" };
    Ok(ToolResult::text(format!("{name} is {sure}.")))
}

async fn asks_first(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let question = Form::<Name>::new("What is your name?").named("user_name");
    let Name { name } = accepted(ctx.ask(question).await?)?;
    ctx.start_task().await;
    sleep(Duration::from_millis(200)).await;
    Ok(ToolResult::text(format!("Hello, {name}!")))
}
