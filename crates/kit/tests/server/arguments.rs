//! What arguments may look like on the wire, in both eras: `null`, JSON in strings, texts of
//! prompts; and what is said of those that do not fit.

use pymcp_kit::{
    Ctx, Effect, Elicited, Error, NoArgs, Prompt, ResourceTemplate, Result, Server, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::*;

#[derive(Deserialize, Serialize, JsonSchema)]
struct Order {
    /// How many.
    #[serde(default = "twelve")]
    count: u32,
    /// What to write on it.
    label: Option<String>,
    /// Where to send it.
    address: Option<Address>,
    /// How it is wrapped.
    wrapping: Option<Wrapping>,
    /// Sizes.
    #[schemars(length(min = 1))]
    sizes: Option<Vec<u8>>,
}

fn twelve() -> u32 {
    12
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Address {
    street: Option<String>,
    #[serde(default = "twelve")]
    number: u32,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Wrapping {
    Paper { sheets: u8 },
    Box,
}

#[derive(Deserialize, JsonSchema)]
struct Letter {
    /// To whom.
    name: String,
    /// How many pages.
    #[schemars(range(max = 9))]
    pages: Option<u8>,
    /// Whether it is long.
    #[serde(default)]
    long: bool,
    /// What is in it.
    topics: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum Tone {
    /// As to a stranger.
    Formal,
    Plain,
}

#[derive(Deserialize, JsonSchema)]
struct Toned {
    /// How it sounds.
    tone: Option<Tone>,
    /// How it ends.
    #[schemars(length(min = 2))]
    end: Option<String>,
}

async fn toned(_: Ctx, args: Toned) -> Result<String> {
    Ok(format!("{:?} {:?}", args.tone, args.end))
}

async fn letter(_: Ctx, args: Letter) -> Result<String> {
    let Letter {
        name,
        pages,
        long,
        topics,
    } = args;
    Ok(format!("{name} {pages:?} {long} {topics:?}"))
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Nested {
    inner: Address,
}

async fn nested(ctx: Ctx, _: NoArgs) -> Result<String> {
    Ok(match ctx.elicit::<Nested>("Where?").await? {
        Elicited::Accepted(_) => "there".into(),
        _ => "nowhere".into(),
    })
}

fn server() -> Server {
    let order = async |_: Ctx, order: Order| Ok::<_, Error>(order);
    Server::builder("test", "1.0.0")
        .tool(Tool::new("order", order).description("Orders."))
        .tool(
            Tool::new("nested", nested)
                .description("Asks.")
                .effects([Effect::AsksUser]),
        )
        .prompt(Prompt::new("letter", letter).description("Writes."))
        .prompt(Prompt::new("toned", toned).description("Sounds."))
        .build()
        .unwrap()
}

async fn clients(server: &Server) -> [Client; 2] {
    [
        Client::modern(server, json!({})),
        Client::legacy(server).await.0,
    ]
}

#[tokio::test(start_paused = true)]
async fn optional_arguments_are_of_their_type_and_null_is_taken() {
    let server = server();
    for client in clients(&server).await {
        let listed = client.result("tools/list", json!({})).await;
        let input = &listed["tools"][0]["inputSchema"];
        assert_eq!(input["required"], Value::Null);
        assert!(!input.to_string().contains("null"), "{input}");
        assert_eq!(input["properties"]["label"]["type"], "string");
        assert_eq!(
            input["properties"]["address"]["properties"]["street"],
            json!({ "type": "string" })
        );
        let default =
            json!({ "count": 12, "label": null, "address": null, "wrapping": null, "sizes": null });
        let with = |name: &str, value: Value| {
            let mut order = default.clone();
            order[name] = value;
            order
        };
        for (arguments, expected) in [
            (json!({}), default.clone()),
            (
                json!({ "count": null, "label": null, "address": null, "wrapping": null, "sizes": null }),
                default.clone(),
            ),
            (
                json!({ "address": { "street": null, "number": null } }),
                with("address", json!({ "street": null, "number": 12 })),
            ),
            (
                json!({ "address": r#"{"street": "High Street", "number": "5"}"# }),
                with("address", json!({ "street": "High Street", "number": 5 })),
            ),
            (
                json!({ "wrapping": r#"{"kind": "paper", "sheets": "2"}"# }),
                with("wrapping", json!({ "kind": "paper", "sheets": 2 })),
            ),
            (
                json!({ "sizes": "[1, \"2\"]" }),
                with("sizes", json!([1, 2])),
            ),
            // Where a text may stand, it is one.
            (json!({ "label": "{}" }), with("label", json!("{}"))),
        ] {
            let params = json!({ "name": "order", "arguments": arguments });
            let result = client.result("tools/call", params.clone()).await;
            assert_eq!(result["structuredContent"], expected, "{params}: {result}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn complaints_are_of_the_variant_that_was_meant() {
    let server = server();
    for client in clients(&server).await {
        for (arguments, complaint) in [
            (
                json!({ "wrapping": { "kind": "s3cret" } }),
                r#"'wrapping.kind' must be one of "paper", "box""#,
            ),
            (
                json!({ "wrapping": {} }),
                r#"'wrapping.kind' is required, one of "paper", "box""#,
            ),
            (
                json!({ "wrapping": { "kind": "paper" } }),
                "'wrapping.sheets' is required",
            ),
            (
                json!({ "wrapping": { "kind": "paper", "sheets": "s3cret" } }),
                "'wrapping.sheets' must be of type integer",
            ),
            (json!({ "sizes": [] }), "'sizes' must have at least 1 item"),
        ] {
            let params = json!({ "name": "order", "arguments": arguments });
            let result = client.result("tools/call", params).await;
            assert_eq!(result["isError"], true, "{result}");
            assert_eq!(
                result["content"][0]["text"],
                format!("Invalid arguments for 'order': {complaint}.")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn prompts_read_texts_as_tools_and_templates_do() {
    let server = server();
    for client in clients(&server).await {
        for (arguments, expected) in [
            (json!({ "name": "A" }), "A None false None"),
            (
                json!({ "name": "A", "pages": " 7 ", "long": "yes", "topics": "[\"x\"]" }),
                r#"A Some(7) true Some(["x"])"#,
            ),
            // A field that was left empty.
            (
                json!({ "name": "", "pages": "", "long": "", "topics": "" }),
                " None false None",
            ),
            (
                json!({ "name": "A", "pages": null, "long": null, "topics": null }),
                "A None false None",
            ),
            // Not as the protocol has it, and understood.
            (
                json!({ "name": "A", "pages": 7, "long": true, "topics": ["x"] }),
                r#"A Some(7) true Some(["x"])"#,
            ),
        ] {
            let params = json!({ "name": "letter", "arguments": arguments });
            let result = client.result("prompts/get", params.clone()).await;
            assert_eq!(
                result["messages"][0]["content"]["text"], expected,
                "{params}"
            );
        }
        for (given, expected) in [("", "None None"), ("Plain", "Some(Plain) Some(\"Plain\")")] {
            let params = json!({ "name": "toned", "arguments": { "tone": given, "end": given } });
            let result = client.result("prompts/get", params).await;
            assert_eq!(result["messages"][0]["content"]["text"], expected);
        }
        for (arguments, complaint) in [
            (json!({ "name": 5 }), "'name' must be of type string"),
            (
                json!({ "name": "A", "pages": "s3cret" }),
                "'pages' must be of type integer",
            ),
            (
                json!({ "name": "A", "pages": "10" }),
                "'pages' must be at most 9",
            ),
        ] {
            let params = json!({ "name": "letter", "arguments": arguments });
            let answer = client.ask("prompts/get", params).await;
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            let said = format!("Invalid arguments for the prompt 'letter': {complaint}.");
            assert_eq!(answer["error"]["message"], said);
        }
    }
}

/// Not that the client cannot be asked: that would hide it from the author.
#[tokio::test(start_paused = true)]
async fn what_makes_no_form_fails_in_front_of_every_client() {
    let server = server();
    for client in clients(&server).await {
        let answer = client.ask("tools/call", json!({ "name": "nested" })).await;
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
    }
}

#[test]
fn what_cannot_arrive_is_refused_when_the_server_is_built() {
    #[derive(Deserialize, JsonSchema)]
    struct Nothing {
        #[allow(dead_code)]
        nothing: (),
    }
    let why = |built: std::result::Result<Server, pymcp_kit::BuildError>| {
        built
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let builder = || Server::builder("test", "1.0.0");
    let prompt = Prompt::new(
        "p",
        async |_: Ctx, _: Nothing| Ok::<_, Error>(String::new()),
    );
    let refused = why(builder().prompt(prompt).build());
    assert!(
        refused.starts_with("The prompt 'p' cannot be served: no text can be read as the type of its argument 'nothing'"),
        "{refused}"
    );
    let prompt = Prompt::new("p", async |_: Ctx, _: Wrapping| {
        Ok::<_, Error>(String::new())
    });
    let refused = why(builder().prompt(prompt).build());
    assert!(refused.contains("have to be a struct"), "{refused}");
    let read = async |_: Ctx, _: Nothing| Ok::<_, Error>(String::new());
    let template = ResourceTemplate::new("data://{nothing}", "t", read);
    let refused = why(builder().template(template).build());
    assert!(refused.contains("its variable 'nothing'"), "{refused}");
    let tool = Tool::new("nested", nested).description("Asks.");
    let refused = why(builder().tool(tool.asks::<Nested>()).build());
    assert!(
        refused.starts_with("The tool 'nested' cannot be served: a user cannot be asked for a ")
            && refused.contains("Nested: its field 'inner' is an object, and forms are flat"),
        "{refused}"
    );
}
