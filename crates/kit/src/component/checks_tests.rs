use serde_json::json;

use super::*;
use crate::{Ctx, Error, NoArgs, Result, Server, ServerBuilder};

async fn nothing(_: Ctx, _: NoArgs) -> Result<()> {
    Ok(())
}

async fn raw(_: Ctx, _: JsonObject) -> Result<()> {
    Ok(())
}

fn named(name: &'static str) -> Tool {
    Tool::new(name, nothing).description("Does nothing.")
}

fn of(schema: Value) -> Tool {
    Tool::raw("t", schema.as_object().unwrap().clone(), raw).description("Does nothing.")
}

fn build(add: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Option<String> {
    let server = add(Server::builder("server", "0")).build();
    server.err().map(|error| error.to_string())
}

/// A tool is refused for this rule, in a sentence that names it and the way out, and served when it
/// is allowed to break it.
fn breaks(check: Check, tool: impl Fn() -> Tool, words: &str) {
    let name = tool().name().to_owned();
    let why = build(|server| server.tool(tool())).unwrap_or_default();
    assert!(
        why.starts_with(&format!("The tool '{name}' cannot be served: ")),
        "{why}"
    );
    assert!(why.ends_with(&format!(".allow({check}).")), "{why}");
    assert!(why.contains(words), "{why}");
    assert_eq!(build(|server| server.tool(tool().allow(check))), None);
}

#[test]
fn names_are_what_every_client_takes() {
    breaks(Check::NameCharacters, || named("a.b"), "rename it");
    breaks(
        Check::NameLength,
        || named("n23456789_123456789_123456789_123456789_123456789_12"),
        "58 characters together",
    );
    let fits = "n23456789_123456789_123456789_123456789_123456789_1";
    assert_eq!(build(|server| server.tool(named(fits))), None);
    let prompt = || {
        crate::Prompt::new("a/b", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(String::new())
        })
        .description("No.")
    };
    let why = build(|server| server.prompt(prompt())).unwrap_or_default();
    assert!(
        why.starts_with("The prompt 'a/b' cannot be served: "),
        "{why}"
    );
    let allowed = prompt().allow(Check::NameCharacters);
    assert_eq!(build(|server| server.prompt(allowed)), None);
}

#[test]
fn schemas_are_what_every_client_takes() {
    for keyword in ["anyOf", "oneOf", "allOf"] {
        breaks(
            Check::TopLevelCombinators,
            || of(json!({ "type": "object", keyword: [{ "required": ["a"] }] })),
            keyword,
        );
    }
    // A member is no keyword.
    let members = json!({ "anyOf": { "anyOf": [{ "type": "string" }, { "type": "boolean" }] },
        "$ref": { "type": "string" }, "format": { "type": "string" } });
    let fine = json!({ "type": "object", "properties": members, "x-note": { "$ref": "#" } });
    assert_eq!(build(|server| server.tool(of(fine))), None);
    breaks(
        Check::References,
        || of(json!({ "type": "object", "properties": { "a": { "items": { "$ref": "#" } } } })),
        "'$ref'",
    );
    for format in ["uri", "regex", "ip", "x"] {
        let member = json!({ "type": "string", "format": format });
        breaks(
            Check::StringFormats,
            || of(json!({ "type": "object", "properties": { "a": { "anyOf": [member] } } })),
            &format!("'{format}'"),
        );
    }
    for format in FORMATS {
        let member = json!({ "type": "string", "format": format });
        let fine = json!({ "type": "object", "properties": { "a": member } });
        assert_eq!(build(|server| server.tool(of(fine))), None);
    }
    let number = json!({ "type": "integer", "format": "int32" });
    let fine = json!({ "type": "object", "properties": { "a": number } });
    assert_eq!(build(|server| server.tool(of(fine))), None);
}

#[test]
fn schemas_of_types_are_checked_too() {
    #[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
    struct Tree {
        /// Itself.
        branches: Vec<Tree>,
    }

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(tag = "kind")]
    #[allow(dead_code)]
    enum Either {
        Left { a: u8 },
        Right { b: u8 },
    }

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Host {
        /// Where it is.
        #[allow(dead_code)]
        address: std::net::IpAddr,
    }

    breaks(
        Check::References,
        || Tool::new("t", async |_: Ctx, tree: Tree| Ok::<_, Error>(tree)).description("Grows."),
        "input schema",
    );
    breaks(
        Check::References,
        || {
            let grow = async |_: Ctx, _: NoArgs| Ok::<_, Error>(Tree { branches: vec![] });
            Tool::new("t", grow).description("Grows.")
        },
        "output schema",
    );
    breaks(
        Check::TopLevelCombinators,
        || Tool::new("t", async |_: Ctx, _: Either| Ok::<_, Error>(())).description("Chooses."),
        "use a struct",
    );
    breaks(
        Check::StringFormats,
        || Tool::new("t", async |_: Ctx, _: Host| Ok::<_, Error>(())).description("Looks."),
        "'ip'",
    );
}

#[test]
fn descriptions_are_of_a_length_that_every_client_takes() {
    let text = |length: usize| "\u{e9}".repeat(length);
    breaks(
        Check::DescriptionLength,
        || named("t").description(text(2001)),
        "its description",
    );
    let fits = named("t").description(text(2000));
    assert_eq!(build(|server| server.tool(fits)), None);
    let member = json!({ "type": "string", "description": text(2001) });
    breaks(
        Check::DescriptionLength,
        || of(json!({ "type": "object", "properties": { "a": member } })),
        "argument 'a'",
    );
    let read = async |_: Ctx| Ok::<_, Error>("x");
    let resource = || Resource::new("data://x", "x", read).description(text(2001));
    let why = build(|server| server.resource(resource())).unwrap_or_default();
    assert!(
        why.starts_with("The resource 'data://x' cannot be served: "),
        "{why}"
    );
    let allowed = resource().allow(Check::DescriptionLength);
    assert_eq!(build(|server| server.resource(allowed)), None);
}

#[test]
fn a_description_that_is_missing_is_a_warning() {
    let definition = |arguments| Definition {
        kind: "tool",
        name: "t",
        description: Some(" "),
        arguments,
        ..Definition::default()
    };
    assert_eq!(
        definition(vec![("a", None), ("b", Some("B.")), ("c", Some(""))]).missing(),
        [
            "The tool 't' has no description, by which a model or a user would choose it; add \
             .description(…), or .allow(Check::MissingDescription).",
            "The arguments 'a', 'c' of the tool 't' have no description; add doc comments, or \
             .allow(Check::MissingDescription).",
        ]
    );
    let one = definition(vec![("a", None)]).missing();
    assert!(
        one[1].starts_with("The argument 'a' of the tool 't' has no"),
        "{one:?}"
    );
    assert_eq!(build(|server| server.tool(Tool::new("t", nothing))), None);
}

#[test]
fn what_a_user_cannot_be_asked_is_known_before_the_first_call() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[allow(dead_code)]
    struct Trip {
        place: Vec<String>,
    }
    let tool = named("t").asks::<Trip>().asks::<bool>();
    let why = build(|server| server.tool(tool)).unwrap_or_default();
    assert!(
        why.starts_with("The tool 't' cannot be served: a user cannot be asked for a "),
        "{why}"
    );
    assert!(why.contains("::Trip: its field 'place'"), "{why}");
    assert_eq!(build(|server| server.tool(named("t").asks::<bool>())), None);
}
