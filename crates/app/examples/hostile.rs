//! `cargo run -p pymcp-app --example hostile -- --transport http`: a server whose author means ill, for the tests of the
//! page at `/`. Whatever text a component may have holds markup, quotes, characters that nobody sees or that turn the
//! direction, or no place to break a line.

use std::process::ExitCode;

use pymcp_app::{App, Prepared, Result};
use pymcp_kit::model::JsonObject;
use pymcp_kit::{
    Check, Ctx, Effect, Error, NoArgs, Prompt, Resource, ResourceTemplate, Server, Tool,
};
use serde_json::{Value, json};

/// Markup, as a text and as the end of an attribute.
const MARKUP: &str = "</code></title></style><script>document.title='owned'</script><img src=https://evil.example/x onerror=alert(1)>";
const QUOTES: &str =
    "\" onmouseover=\"alert(1)\" ' autofocus onfocus='alert(1) `${alert(1)}` {{ 7 * 7 }} {% raw %}";
/// Reads "exe.txt" where it is not made visible; has a blank of no width, an escape, a NUL and a tag.
const HIDDEN: &str = "\u{202e}txt.exe\u{2066}\u{200b}\u{1b}[31m\0\u{e0041}\u{feff}";

/// A word without an end.
fn endless() -> String {
    "W".repeat(4000)
}

fn object(value: Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

fn schema() -> JsonObject {
    let long = "argument".repeat(20);
    object(json!({
        "type": "object",
        "required": [MARKUP],
        "properties": {
            MARKUP: { "type": "string", "description": MARKUP, "default": MARKUP, "pattern": ".*" },
            QUOTES: { "enum": [QUOTES, HIDDEN, MARKUP], "description": QUOTES },
            HIDDEN: { "type": "integer", "description": HIDDEN },
            long: { "type": "array", "items": { "type": "object", "properties": { "inner": { "const": endless() } } } },
        },
    }))
}

async fn nothing(_: Ctx, _: JsonObject) -> Result<String, Error> {
    Ok(String::new())
}

/// Adds a tool while the server runs.
async fn grow(ctx: Ctx, _: NoArgs) -> Result<String, Error> {
    let tool = Tool::new("grown", async |_: Ctx, _: NoArgs| Ok::<_, Error>(1));
    ctx.components().replace(
        tool.description("It was not there before.")
            .allow(Check::NameLength),
    )?;
    Ok("grown".to_owned())
}

/// Takes it away again.
async fn shrink(ctx: Ctx, _: NoArgs) -> Result<String, Error> {
    ctx.components().remove(pymcp_kit::Kind::Tool, "grown");
    Ok("shrunk".to_owned())
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Subject {
    /// What to write about.
    subject: String,
}

async fn server(_: ()) -> Result<Prepared> {
    let text = |name: &str| format!("{name}: {MARKUP}\n{QUOTES}\n{HIDDEN}\n\n{}", endless());
    let read = async |_: Ctx| Ok::<_, Error>("x");
    let of_subject = async |_: Ctx, of: Subject| Ok::<_, Error>(of.subject);
    let server = Server::builder(format!("hostile {MARKUP}{QUOTES}{HIDDEN}"), HIDDEN)
        .instructions(text("instructions"))
        .tool(
            Tool::raw("t".repeat(128), schema(), nothing)
                .title(MARKUP)
                .description(text("tool"))
                .effects([
                    Effect::network("xn--n3h.".repeat(24) + "evil.example"),
                    Effect::reads_files("/srv/secret"),
                ])
                .read_only()
                .destructive(true)
                .allow(Check::NameLength)
                .allow(Check::DescriptionLength),
        )
        .tool(
            Tool::new("grow", grow)
                .description("Adds a tool.")
                .allow(Check::NameLength),
        )
        .tool(
            Tool::new("shrink", shrink)
                .description("Removes it.")
                .allow(Check::NameLength),
        )
        .resource(
            Resource::new("data://x/&lt;'\u{202e}{{7*7}}", MARKUP, read)
                .title(QUOTES)
                .mime_type(MARKUP)
                .description(text("resource"))
                .allow(Check::DescriptionLength),
        )
        .template(
            ResourceTemplate::new("data://x/{subject}", HIDDEN, of_subject)
                .title(MARKUP)
                .description(text("template"))
                .allow(Check::DescriptionLength),
        )
        .prompt(
            Prompt::new(MARKUP, of_subject)
                .title(HIDDEN)
                .description(text("prompt"))
                .allow(Check::NameCharacters)
                .allow(Check::NameLength)
                .allow(Check::DescriptionLength),
        );
    Ok(server.into())
}

fn main() -> ExitCode {
    App::new("hostile", "1.0.0").run(server)
}
