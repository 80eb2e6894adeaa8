//! Resources and a template.

use pymcp_kit::{Ctx, Resource, ResourceTemplate, Result, ServerBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::media;

pub(crate) fn add(server: ServerBuilder) -> ServerBuilder {
    server
        .resource(
            Resource::new("test://static-text", "static_text", text)
                .description("A text.")
                .mime_type("text/plain"),
        )
        .resource(
            Resource::new("test://static-binary", "static_binary", binary)
                .description("A picture.")
                .mime_type("image/png"),
        )
        .resource(
            Resource::new("test://watched-resource", "watched_resource", watched)
                .description("A text to subscribe to.")
                .mime_type("text/plain"),
        )
        .template(
            ResourceTemplate::new("test://template/{id}/data", "template", data)
                .description("Data of an id.")
                .mime_type("application/json"),
        )
}

async fn text(_: Ctx) -> Result<&'static str> {
    Ok("This is the content of the static text resource.")
}

async fn binary(_: Ctx) -> Result<Vec<u8>> {
    Ok(media::PICTURE.to_vec())
}

async fn watched(_: Ctx) -> Result<&'static str> {
    Ok("This is the content of the watched resource.")
}

#[derive(Deserialize, JsonSchema)]
struct Variables {
    id: String,
}

async fn data(_: Ctx, variables: Variables) -> Result<String> {
    let id = variables.id;
    let data = format!("Data for ID: {id}");
    Ok(json!({ "id": id, "templateTest": true, "data": data }).to_string())
}
