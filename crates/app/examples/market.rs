//! `cargo run -p pymcp-app --example market -- list`: a server with one of everything, which the tests of the verbs use.

use std::process::ExitCode;

use pymcp_app::App;
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, Elicited, Error, Image, NoArgs, Prompt, Resource,
    ResourceTemplate, Result, Sample, Server, ServerBuilder, Tool, ToolResult,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A PNG, as far as its first bytes go.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nfruit";

/// What is for sale.
const ITEMS: [&str; 4] = ["apple", "apricot", "banana", "cherry"];

#[derive(Debug, Deserialize, JsonSchema)]
struct Greeting {
    /// Whom to greet.
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "World".to_owned()
}

async fn greet(_: Ctx, Greeting { name }: Greeting) -> Result<String> {
    Ok(format!("Hello, {name}!"))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Fruit {
    Apple,
    Banana,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Wish {
    /// What to take.
    fruit: Fruit,
    /// How many.
    #[schemars(range(min = 1, max = 9))]
    count: u32,
    /// What to write on the bag.
    note: Option<String>,
    /// For whom.
    #[serde(default)]
    names: Vec<String>,
    /// Where to bring it.
    place: Option<Place>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Place {
    street: String,
    number: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Taken {
    bag: String,
    left: u32,
}

async fn take(ctx: Ctx, wish: Wish) -> Result<Taken> {
    ctx.info("Looking into the boxes.").await;
    let mut bag = format!("{} of {:?}", wish.count, wish.fruit).to_lowercase();
    for more in wish.note.into_iter().chain(wish.names) {
        bag = format!("{bag}, {more}");
    }
    if let Some(Place { street, number }) = wish.place {
        bag = format!("{bag}, to {street} {}", number.unwrap_or(1));
    }
    let left = 9 - wish.count;
    Ok(Taken { bag, left })
}

/// What the bag is like.
#[derive(Debug, Deserialize, JsonSchema)]
struct Bag {
    /// How much it holds.
    #[schemars(range(min = 1, max = 5))]
    size: u32,
    /// Whether it is a present.
    present: Option<bool>,
}

async fn pack(ctx: Ctx, _: NoArgs) -> Result<String> {
    match ctx.elicit::<Bag>("Which bag?").await? {
        Elicited::Accepted(Bag { size, present }) => Ok(format!(
            "A bag of size {size}{}.",
            if present == Some(true) {
                ", with a bow"
            } else {
                ""
            }
        )),
        Elicited::Declined => Ok("No bag.".to_owned()),
        Elicited::Cancelled => Err(Error::user("Nothing is packed.")),
    }
}

async fn pay(ctx: Ctx, _: NoArgs) -> Result<String> {
    let url = "https://pay.example/1";
    match ctx.elicit_url("Pay for the fruit.", url).await? {
        Elicited::Accepted(()) => Ok("Thank you.".to_owned()),
        _ => Err(Error::user("It is not paid.")),
    }
}

async fn praise(ctx: Ctx, _: NoArgs) -> Result<String> {
    let sampled = ctx.sample(Sample::text("Praise the apples.", 100)).await?;
    Ok(sampled.text().unwrap_or_default())
}

async fn picture(_: Ctx, _: NoArgs) -> Result<ToolResult> {
    Ok(ToolResult::text("The stall:").and(Image::png(PICTURE)))
}

async fn steal(_: Ctx, _: NoArgs) -> Result<String> {
    Err(Error::user("Stop, thief!"))
}

async fn wait(ctx: Ctx, _: NoArgs) -> Result<String> {
    ctx.progress(1.0, Some(2.0), Some("waiting")).await;
    ctx.warning("It takes a while.").await;
    ctx.cancelled().await;
    Err(Error::user("It was cancelled."))
}

async fn sign(_: Ctx) -> Result<&'static str> {
    Ok("Fresh fruit")
}

async fn logo(_: Ctx) -> Result<Vec<u8>> {
    Ok(PICTURE.to_vec())
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Item {
    item: String,
}

async fn price(_: Ctx, Item { item }: Item) -> Result<String> {
    match ITEMS.contains(&&*item) {
        true => Ok(format!("{item}: {} cents", item.len())),
        false => Err(Error::resource_not_found(format!("market://price/{item}"))),
    }
}

async fn items(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    Ok(Completion::matching(&typed.value, ITEMS))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Haggle {
    /// What to buy.
    item: String,
    /// How to speak.
    tone: Option<String>,
}

async fn haggle(_: Ctx, Haggle { item, tone }: Haggle) -> Result<String> {
    let tone = tone.unwrap_or_else(|| "friendly".to_owned());
    Ok(format!("Be {tone}. Buy the {item} for less."))
}

async fn server(_: ()) -> pymcp_app::Result<ServerBuilder> {
    Ok(Server::builder("market", "1.0.0")
        .instructions("Sells fruit.")
        .tool(Tool::new("greet", greet).description("Greets somebody. It is polite."))
        .tool(Tool::new("take", take).description("Takes fruit out of the boxes."))
        .tool(
            Tool::new("pack", pack)
                .description("Packs the fruit.")
                .asks::<Bag>(),
        )
        .tool(
            Tool::new("pay", pay)
                .description("Pays.")
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("praise", praise)
                .description("Praises the fruit.")
                .effects([Effect::UsesModel]),
        )
        .tool(Tool::new("picture", picture).description("Shows the stall."))
        .tool(Tool::new("steal", steal).description("Fails."))
        .tool(Tool::new("wait", wait).description("Waits until it is cancelled."))
        .resource(
            Resource::new("market://sign", "sign", sign)
                .description("What is above the stall.")
                .mime_type("text/plain"),
        )
        .resource(Resource::new("market://logo", "logo", logo).mime_type("image/png"))
        .template(
            ResourceTemplate::new("market://price/{item}", "price", price)
                .description("What an item costs.")
                .mime_type("text/plain")
                .complete("item", items),
        )
        .prompt(
            Prompt::new("haggle", haggle)
                .description("Haggles over an item.")
                .complete("item", items),
        ))
}

fn main() -> ExitCode {
    App::new("market", "1.0.0").run(server)
}
