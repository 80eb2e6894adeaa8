//! Tools that answer with every kind of content.

use pymcp_kit::model::{ContentBlock, ResourceContents};
use pymcp_kit::{Audio, Ctx, Error, Image, NoArgs, Result, ServerBuilder, Tool, ToolResult};

use crate::media;

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .tool(Tool::new("test_simple_text", simple_text).description("Answers with a text."))
        .tool(Tool::new("test_image_content", image).description("Answers with a picture."))
        .tool(Tool::new("test_audio_content", audio).description("Answers with a sound."))
        .tool(Tool::new("test_embedded_resource", resource).description("Answers with a resource."))
        .tool(
            Tool::new("test_multiple_content_types", mixed)
                .description("Answers with a text, a picture and a resource."),
        )
        .tool(Tool::new("test_error_handling", error).description("Fails."))
}

async fn simple_text(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Ok(ToolResult::text(
        "This is a simple text response for testing.",
    ))
}

async fn image(_: Ctx, _: NoArgs) -> Result<Image> {
    Ok(media::picture())
}

async fn audio(_: Ctx, _: NoArgs) -> Result<Audio> {
    Ok(media::sound())
}

async fn resource(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Ok(ToolResult::content([ContentBlock::embedded_text(
        "test://embedded-resource",
        "This is an embedded resource content.",
    )]))
}

async fn mixed(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    let json = r#"{"test":"data","value":123}"#;
    let resource = ResourceContents::text(json, "test://mixed-content-resource")
        .with_mime_type("application/json");
    Ok(ToolResult::text("Multiple content types test:")
        .and(media::picture())
        .and(ContentBlock::resource(resource)))
}

async fn error(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Err(Error::user(
        "This tool intentionally returns an error for testing",
    ))
}
