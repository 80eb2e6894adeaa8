//! Prompts.

use pymcp_kit::model::{ContentBlock, PromptMessage, Role};
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, Form, NoArgs, Prompt, Question as _, Result,
    ServerBuilder,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::media;
use crate::rounds::accepted;

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .prompt(Prompt::new("test_simple_prompt", simple).description("A text."))
        .prompt(
            Prompt::new("test_prompt_with_arguments", with_arguments)
                .description("A text made from arguments.")
                .complete("arg1", suggest),
        )
        .prompt(
            Prompt::new("test_prompt_with_embedded_resource", with_resource)
                .description("A resource and a text."),
        )
        .prompt(
            Prompt::new("test_prompt_with_image", with_image).description("A picture and a text."),
        )
        .prompt(
            Prompt::new("test_input_required_result_prompt", with_question)
                .description("A text made from what the user says.")
                .effects([Effect::AsksUser]),
        )
}

async fn simple(_: Ctx, _: NoArgs) -> Result<String> {
    Ok("This is a simple prompt for testing.".to_owned())
}

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// First test argument
    arg1: String,
    /// Second test argument
    arg2: String,
}

async fn with_arguments(_: Ctx, args: Arguments) -> Result<String> {
    let Arguments { arg1, arg2 } = args;
    Ok(format!(
        "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
    ))
}

async fn suggest(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    let candidates = ["test", "testing", "paris", "park", "party"];
    Ok(Completion::matching(&typed.value, candidates))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Embedding {
    /// URI of the resource to embed
    resource_uri: String,
}

async fn with_resource(_: Ctx, args: Embedding) -> Result<Vec<PromptMessage>> {
    let resource =
        ContentBlock::embedded_text(args.resource_uri, "Embedded resource content for testing.");
    Ok(vec![
        PromptMessage::new(Role::User, resource),
        PromptMessage::new_text(Role::User, "Please process the embedded resource above."),
    ])
}

async fn with_image(_: Ctx, _: NoArgs) -> Result<Vec<PromptMessage>> {
    Ok(vec![
        PromptMessage::new(Role::User, media::picture().into()),
        PromptMessage::new_text(Role::User, "Please analyze the image above."),
    ])
}

#[derive(Deserialize, JsonSchema)]
struct Context {
    context: String,
}

async fn with_question(ctx: Ctx, _: NoArgs) -> Result<String> {
    let question =
        Form::<Context>::new("What context should the prompt use?").named("user_context");
    let Context { context } = accepted(ctx.ask(question).await?)?;
    Ok(format!("Answer with this in mind: {context}"))
}
