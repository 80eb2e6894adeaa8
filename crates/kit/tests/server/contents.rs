//! Images, audio and files as results of every kind of handler, in both eras.

use std::fs;

use pymcp_kit::model::{PromptMessage, Role};
use pymcp_kit::{
    Audio, Ctx, Error, File, Folder, Image, NoArgs, Prompt, Resource, ResourceTemplate, Server,
    Tool, ToolResult,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const ENCODED: &str = "iVBORw0KGgo=";

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// The path below the folder.
    path: String,
}

fn server(folder: Folder) -> Server {
    let pictures = folder.clone();
    let picture = move |_: Ctx, which: Which| {
        let folder = pictures.clone();
        async move { folder.image(&which.path).await }
    };
    let files = folder.clone();
    let file = move |_: Ctx, which: Which| {
        let folder = files.clone();
        async move { folder.file(&which.path).await }
    };
    let mixed = async |_: Ctx, _: NoArgs| {
        Ok::<_, Error>(
            ToolResult::text("A dot:")
                .and(Image::png(PNG))
                .and(Audio::wav("x"))
                .and(File::new("data://note", "x")),
        )
    };
    let read = async |_: Ctx| Ok::<_, Error>(Image::png(PNG));
    let shown = async |_: Ctx, _: NoArgs| {
        Ok::<_, Error>(vec![
            PromptMessage::new_text(Role::User, "What is this?"),
            PromptMessage::new(Role::User, Image::png(PNG).into()),
            PromptMessage::new(Role::User, File::new("data://note", "x").into()),
        ])
    };
    let alone = async |_: Ctx, _: NoArgs| Ok::<_, Error>(Image::png(PNG));
    Server::builder("test", "1.0.0")
        .tool(Tool::new("picture", picture).description("A picture."))
        .tool(Tool::new("mixed", mixed).description("Several."))
        .resource(Resource::new("data://dot", "dot", read).description("A dot."))
        .template(ResourceTemplate::new("data://files/{path}", "files", file).description("Files."))
        .prompt(Prompt::new("shown", shown).description("Shows."))
        .prompt(Prompt::new("alone", alone).description("Shows."))
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_handler_can_answer_with_them() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("in")).unwrap();
    fs::write(root.path().join("in/dot.png"), PNG).unwrap();
    fs::write(root.path().join("in/note.md"), "# Note").unwrap();
    fs::write(root.path().join("secret.png"), PNG).unwrap();
    let server = server(Folder::new(root.path().join("in")).unwrap());
    let image = json!({ "type": "image", "data": ENCODED, "mimeType": "image/png" });
    let clients = [
        Client::modern(&server, json!({})),
        Client::legacy(&server).await.0,
    ];
    for client in clients {
        let call = async |name: &str, arguments: Value| {
            let params = json!({ "name": name, "arguments": arguments });
            client.result("tools/call", params).await
        };
        let result = call("picture", json!({ "path": "dot.png" })).await;
        assert_eq!(result["content"], json!([image]));
        assert_eq!(
            (&result["isError"], result.get("structuredContent")),
            (&json!(false), None)
        );
        for path in ["../secret.png", "note.md", "none.png"] {
            let result = call("picture", json!({ "path": path })).await;
            assert_eq!(result["isError"], true, "{result}");
        }
        let result = call("mixed", json!({})).await;
        let kinds: Vec<&Value> = result["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| &block["type"])
            .collect();
        assert_eq!(kinds, ["text", "image", "audio", "resource"]);

        let read = async |uri: &str| client.result("resources/read", json!({ "uri": uri })).await;
        assert_eq!(
            read("data://dot").await["contents"],
            json!([{ "uri": "data://dot", "mimeType": "image/png", "blob": ENCODED }])
        );
        assert_eq!(
            read("data://files/note.md").await["contents"],
            json!([{ "uri": "data://files/note.md", "mimeType": "text/markdown", "text": "# Note" }])
        );
        let params = json!({ "uri": "data://files/..%2Fsecret.png" });
        let refused = client.ask("resources/read", params).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");

        let prompt = async |name: &str| client.result("prompts/get", json!({ "name": name })).await;
        let shown = prompt("shown").await;
        assert_eq!(shown["messages"][1]["content"], image);
        assert_eq!(
            shown["messages"][2]["content"]["resource"],
            json!({ "uri": "data://note", "mimeType": "text/plain", "text": "x" })
        );
        assert_eq!(prompt("alone").await["messages"][0]["content"], image);
    }
}
