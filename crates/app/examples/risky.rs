//! `cargo run -p pymcp-app --example risky -- review`: a server with a tool for each effect, which the tests of profiles
//! and of `review` use. It only says what it does.

use std::process::ExitCode;

use pymcp_app::App;
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, NoArgs, Prompt, Resource, ResourceTemplate, Result,
    Server, ServerBuilder, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;

async fn said(_: Ctx, _: NoArgs) -> Result<&'static str> {
    Ok("Done.")
}

async fn text(_: Ctx) -> Result<&'static str> {
    Ok("A text.")
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Item {
    /// Which one.
    item: String,
}

async fn page(_: Ctx, Item { item }: Item) -> Result<String> {
    Ok(format!("The page of {item}."))
}

async fn items(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    Ok(Completion::matching(&typed.value, ["apple", "pear"]))
}

/// Tools by the effects that they have.
fn effects() -> [(&'static str, Vec<Effect>); 11] {
    [
        ("plain", vec![]),
        ("ask", vec![Effect::AsksUser]),
        ("model", vec![Effect::UsesModel]),
        ("dice", vec![Effect::Random]),
        ("time", vec![Effect::Clock]),
        (
            "fetch",
            vec![
                Effect::network("api.example.org"),
                Effect::network("b.example"),
            ],
        ),
        ("run", vec![Effect::RunsUntrustedCode]),
        ("look", vec![Effect::reads_files("/srv/data")]),
        (
            "save",
            vec![Effect::writes_files("/srv/data"), Effect::AsksUser],
        ),
        ("home", vec![Effect::environment("HOME")]),
        ("git", vec![Effect::spawns("git")]),
    ]
}

async fn server(_: ()) -> pymcp_app::Result<ServerBuilder> {
    let server = Server::builder("risky", "1.0.0").instructions("Use plain first.");
    let tools = effects().into_iter();
    let server = tools.fold(server, |server, (name, effects)| {
        let tool = Tool::new(name, said).description(format!("Does what {name} does."));
        let tool = match name {
            "plain" | "look" => tool.tags(["reading"]),
            "save" => tool.scopes(["data:write"]),
            _ => tool,
        };
        server.tool(tool.effects(effects))
    });
    Ok(server
        .resource(
            Resource::new("risky://text", "text", text)
                .description("A text.\u{200b}")
                .tags(["reading"]),
        )
        .resource(
            Resource::new("risky://file", "file", text)
                .description("A file.")
                .effects([Effect::reads_files("/srv/data/file")]),
        )
        .template(
            ResourceTemplate::new("risky://pages/{item}", "page", page)
                .description("A page of the web.")
                .effects([Effect::network("pages.example")])
                .complete("item", items),
        )
        .prompt(
            Prompt::new("describe", page)
                .description("Describes an item.")
                .effects([Effect::spawns("git")]),
        ))
}

fn main() -> ExitCode {
    App::new("risky", "1.0.0").run(server)
}
