//! Tools that ask, for the revision in which an unanswered question is the result (2026-07-28).

use pymcp_kit::{
    Check, Ctx, Effect, Elicited, Error, Form, NoArgs, Question as _, Result, Roots, Sample,
    ServerBuilder, Tool, ToolResult,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(
            Tool::new("test_input_required_result_elicitation", elicitation)
                .description("Asks the user for a name.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_input_required_result_sampling", sampling)
                .description("Asks the client's model for a capital.")
                .effects([Effect::UsesModel]),
        )
        .tool(
            Tool::new("test_input_required_result_list_roots", list_roots)
                .description("Asks the client for its roots.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_input_required_result_request_state", confirmation)
                .description("Asks the user to confirm, and keeps that in the state.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_input_required_result_tampered_state", confirmation)
                .description("Asks the user to confirm, and refuses a state that is not its own.")
                .effects([Effect::AsksUser])
                .allow(Check::NameLength),
        )
        .tool(
            Tool::new(
                "test_input_required_result_multiple_inputs",
                multiple_inputs,
            )
            .description("Asks the user, the model and the client at once.")
            .effects([Effect::AsksUser, Effect::UsesModel])
            .allow(Check::NameLength),
        )
        .tool(
            Tool::new("test_input_required_result_multi_round", multi_round)
                .description("Asks the user twice, one question after the other.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_input_required_result_capabilities", capabilities)
                .description("Asks whatever this client can be asked.")
                .effects([Effect::AsksUser, Effect::UsesModel]),
        )
        .tool(
            Tool::new("test_streaming_elicitation", elicitation)
                .description("Asks the user for a name.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("test_missing_capability", missing_capability)
                .description("Needs the client's model.")
                .effects([Effect::UsesModel]),
        )
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Name {
    pub(crate) name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirmation {
    ok: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    color: String,
}

async fn elicitation(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let question = Form::<Name>::new("What is your name?").named("user_name");
    let Name { name } = accepted(ctx.ask(question).await?)?;
    Ok(ToolResult::text(format!("Hello, {name}!")))
}

async fn sampling(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let question = Sample::text("What is the capital of France?", 100).named("capital_question");
    let answer = ctx.ask(question).await?;
    Ok(ToolResult::text(answer.text().unwrap_or_default()))
}

// Roots are deprecated since 2026-07-28, and the suite asks for them all the same.
#[allow(deprecated)]
async fn list_roots(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let roots = ctx.ask(Roots.named("client_roots")).await?;
    let uris: Vec<String> = roots.into_iter().map(|root| root.uri).collect();
    Ok(ToolResult::text(uris.join("\n")))
}

async fn confirmation(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let question = Form::<Confirmation>::new("Please confirm").named("confirm");
    let Confirmation { ok } = accepted(ctx.ask(question).await?)?;
    Ok(ToolResult::text(format!("state-ok, confirmed: {ok}")))
}

async fn multiple_inputs(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let (name, greeting, roots) = ctx
        .ask_all((
            Form::<Name>::new("What is your name?").named("user_name"),
            Sample::text("Generate a greeting", 50).named("greeting"),
            Roots.named("client_roots"),
        ))
        .await?;
    let Name { name } = accepted(name)?;
    let greeting = greeting.text().unwrap_or_default();
    let text = format!("{name}, {greeting}, {} roots", roots.len());
    Ok(ToolResult::text(text))
}

async fn multi_round(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let first = Form::<Name>::new("Step 1: What is your name?").named("step1");
    let Name { name } = accepted(ctx.ask(first).await?)?;
    let second = Form::<Color>::new("Step 2: What is your favorite color?").named("step2");
    let Color { color } = accepted(ctx.ask(second).await?)?;
    Ok(ToolResult::text(format!("{name} likes {color}.")))
}

async fn capabilities(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let can = &ctx.peer().capabilities;
    let mut answers = Vec::new();
    if can.sampling {
        let answer = ctx.sample(Sample::text("Say hello", 50)).await?;
        answers.extend(answer.text());
    }
    if can.forms {
        let Name { name } = accepted(ctx.elicit("What is your name?").await?)?;
        answers.push(name);
    }
    Ok(ToolResult::text(answers.join(", ")))
}

async fn missing_capability(ctx: Ctx, _: NoArgs) -> Result<ToolResult> {
    let answer = ctx.sample(Sample::text("Say hello", 50)).await?;
    Ok(ToolResult::text(answer.text().unwrap_or_default()))
}

pub(crate) fn accepted<T>(answer: Elicited<T>) -> Result<T> {
    match answer {
        Elicited::Accepted(content) => Ok(content),
        Elicited::Declined | Elicited::Cancelled => {
            Err(Error::user("The question was not answered."))
        }
    }
}
