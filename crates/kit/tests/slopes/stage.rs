//! A server with every kind of place that takes text.

use std::collections::BTreeMap;

use pymcp_kit::{
    Check, Completion, CompletionRequest, Ctx, Effect, Elicited, Error, Integer, Prompt, Resource,
    ResourceTemplate, Result, Server, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// An argument of every type.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(dead_code)]
pub(crate) struct Everything {
    text: String,
    #[schemars(length(max = 80))]
    short: String,
    #[schemars(regex(pattern = "^(a+)+$"))]
    pattern: String,
    integer: Integer,
    number: Option<f64>,
    flag: bool,
    choice: Option<Choice>,
    list: Vec<i64>,
    texts: Vec<String>,
    #[schemars(extend("uniqueItems" = true))]
    set: Vec<Value>,
    nested: Option<Nested>,
    nests: Vec<Nested>,
    by_name: BTreeMap<String, i64>,
    either: Option<Either>,
    tree: Option<Box<Tree>>,
    any: Option<Value>,
    #[schemars(with = "Map<String, Value>")]
    raw: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum Choice {
    A,
    B,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Nested {
    a: Option<i64>,
    b: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Either {
    Number(i64),
    List(Vec<i64>),
    Nested(Nested),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Tree {
    children: Option<Vec<Tree>>,
}

pub(crate) const ARGUMENTS: [&str; 17] = [
    "text", "short", "pattern", "integer", "number", "flag", "choice", "list", "texts", "set",
    "nested", "nests", "by_name", "either", "tree", "any", "raw",
];

async fn take(_: Ctx, _: Everything) -> Result<u8> {
    Ok(1)
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Mirror {
    text: String,
}

async fn mirror(_: Ctx, arguments: Mirror) -> Result<String> {
    Ok(arguments.text)
}

async fn ask(ctx: Ctx, _: pymcp_kit::NoArgs) -> Result<bool> {
    Ok(matches!(
        ctx.elicit::<String>("What?").await?,
        Elicited::Accepted(_)
    ))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Wish {
    text: String,
    number: Option<u32>,
    list: Option<Vec<String>>,
}

async fn wish(_: Ctx, wish: Wish) -> Result<String> {
    Ok(format!(
        "{} {:?} {:?}",
        wish.text.len(),
        wish.number,
        wish.list.map(|list| list.len())
    ))
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Variables {
    a: String,
    b: Option<String>,
    c: Option<String>,
    d: Option<String>,
}

async fn read(_: Ctx, variables: Variables) -> Result<String> {
    Ok(serde_json::to_string(&variables)?)
}

async fn complete(_: Ctx, typing: CompletionRequest) -> Result<Completion> {
    Ok(Completion::matching(
        &typing.value,
        ["rust", "ruby", "\u{e9}\u{301}"],
    ))
}

pub(crate) fn server() -> Server {
    let template = |uri, name| ResourceTemplate::new(uri, name, read).complete("a", complete);
    let builder = Server::builder("slopes", "0.0.0")
        .tool(Tool::new("take", take).allow(Check::References))
        .tool(
            Tool::new("mirror", mirror)
                .mirrored("text", "Text")
                .cached(),
        )
        .tool(Tool::new("ask", ask).effects([Effect::AsksUser]))
        .prompt(
            Prompt::new("wish", wish)
                .complete("text", complete)
                .argument_bytes(1 << 20)
                .cached(),
        )
        .resource(Resource::new("x://fixed", "fixed", async |_: Ctx| {
            Ok::<_, Error>("fixed")
        }));
    [
        ("x://one/{a}", "one"),
        ("x://rest/{+a}", "rest"),
        ("x://two/{a}/{b}", "two"),
        ("x://parts/{a}-{b}-{c}{?d}", "parts"),
        ("x://greedy/{+a}/{+b}/{+c}/end{?d}", "greedy"),
        ("{a}://{b}[[[[{c}", "any"),
    ]
    .into_iter()
    .fold(builder, |builder, (uri, name)| {
        builder.template(template(uri, name))
    })
    .build()
    .unwrap()
}
