//! Errors of an author's own types: what the client is told, and what is logged.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::time::Duration;

use pymcp_kit::middleware::{Middleware, Next, Request, ResponseFuture};
use pymcp_kit::{
    Ctx, Error, NoArgs, OrUser as _, Prompt, Resource, Result, Server, Tool, UserError,
};
use serde_json::{Value, json};

use super::client::Client;
use super::logs::Logs;

/// A cause with a detail that no client may see.
#[derive(Debug)]
struct Disk;

/// An error that says nothing of whose it is.
#[derive(Debug)]
struct Unread(Disk);

/// One that says so by itself.
#[derive(Debug)]
enum Stock {
    Empty,
    Lost(Unread),
}

/// One that is for the caller only.
enum Plain {
    Full,
    Lost(Unread),
}

impl Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk on fire")
    }
}

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the books are unread")
    }
}

impl Display for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Nothing is left; come back tomorrow."),
            Self::Lost(_) => f.write_str("the stock is lost"),
        }
    }
}

impl StdError for Disk {}

impl StdError for Unread {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl StdError for Stock {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Empty => None,
            Self::Lost(cause) => Some(cause),
        }
    }
}

impl UserError for Stock {
    fn user_message(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Empty => Some(self.to_string().into()),
            Self::Lost(_) => None,
        }
    }
}

impl From<Plain> for Error {
    fn from(error: Plain) -> Self {
        match error {
            Plain::Full => Self::user("The shelf is full; take something first."),
            Plain::Lost(error) => error.into(),
        }
    }
}

type Boxed = Box<dyn StdError + Send + Sync>;

fn unread() -> Result<(), Unread> {
    Err(Unread(Disk))
}

async fn at_the_question_mark(_: Ctx, _: NoArgs) -> Result<()> {
    Err(Stock::Empty)?;
    Ok(())
}

async fn user(_: Ctx, _: NoArgs) -> Result<()> {
    Err(Stock::Empty).user()
}

async fn or_user(_: Ctx, _: NoArgs) -> Result<()> {
    unread().or_user("Try again later.")
}

async fn none(_: Ctx, _: NoArgs) -> Result<u8> {
    None.or_user("There is no such item.")
}

async fn own(_: Ctx, _: NoArgs) -> Result<(), Stock> {
    Err(Stock::Empty)
}

async fn own_lost(_: Ctx, _: NoArgs) -> Result<(), Stock> {
    Err(Stock::Lost(Unread(Disk)))
}

async fn plain(_: Ctx, _: NoArgs) -> Result<(), Plain> {
    Err(Plain::Full)
}

async fn plain_lost(_: Ctx, _: NoArgs) -> Result<(), Plain> {
    Err(Plain::Lost(Unread(Disk)))
}

async fn says_nothing(_: Ctx, _: NoArgs) -> Result<(), Unread> {
    unread()
}

async fn boxed(_: Ctx, _: NoArgs) -> Result<(), Boxed> {
    Ok(unread()?)
}

async fn boxed_user(_: Ctx, _: NoArgs) -> Result<(), Boxed> {
    Err(Error::user("Say which one."))?;
    Ok(())
}

async fn anyhow(_: Ctx, _: NoArgs) -> anyhow::Result<()> {
    use anyhow::Context as _;
    unread().context("while counting")
}

async fn anyhow_user(_: Ctx, _: NoArgs) -> anyhow::Result<()> {
    Err(Error::user("Say which one."))?;
    Ok(())
}

async fn anyhow_own(_: Ctx, _: NoArgs) -> anyhow::Result<()> {
    use anyhow::Context as _;
    Err(Stock::Empty).context("while taking")
}

async fn anyhow_bare(_: Ctx, _: NoArgs) -> anyhow::Result<()> {
    Err(Stock::Empty)?;
    Ok(())
}

fn server() -> Server {
    Server::builder("test", "1.0.0")
        .user_errors::<Stock>()
        .tool(Tool::new("at_the_question_mark", at_the_question_mark))
        .tool(Tool::new("user", user))
        .tool(Tool::new("or_user", or_user))
        .tool(Tool::new("none", none))
        .tool(Tool::new("own", own))
        .tool(Tool::new("own_lost", own_lost))
        .tool(Tool::new("plain", plain))
        .tool(Tool::new("plain_lost", plain_lost))
        .tool(Tool::new("says_nothing", says_nothing))
        .tool(Tool::new("boxed", boxed))
        .tool(Tool::new("boxed_user", boxed_user))
        .tool(Tool::new("anyhow", anyhow))
        .tool(Tool::new("anyhow_user", anyhow_user))
        .tool(Tool::new("anyhow_own", anyhow_own))
        .tool(Tool::new("anyhow_bare", anyhow_bare))
        .prompt(Prompt::new("own", async |_: Ctx, _: NoArgs| {
            Err::<String, _>(Stock::Empty)
        }))
        .resource(Resource::new("data://lost", "lost", async |_: Ctx| {
            Err::<String, _>(Stock::Lost(Unread(Disk)))
        }))
        .build()
        .unwrap()
}

fn call(name: &str) -> Value {
    json!({ "name": name, "arguments": {} })
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_can_mend_is_told() {
    let empty = "Nothing is left; come back tomorrow.";
    for client in Client::both(&server()).await {
        for (name, sentence) in [
            ("at_the_question_mark", empty),
            ("user", empty),
            ("or_user", "Try again later."),
            ("none", "There is no such item."),
            ("own", empty),
            ("plain", "The shelf is full; take something first."),
            ("boxed_user", "Say which one."),
            ("anyhow_user", "Say which one."),
            ("anyhow_own", empty),
            ("anyhow_bare", empty),
        ] {
            let result = client.result("tools/call", call(name)).await;
            let told = (&result["content"][0]["text"], &result["isError"]);
            assert_eq!(told, (&json!(sentence), &json!(true)), "{name}");
        }
        let answer = client.ask("prompts/get", call("own")).await;
        assert_eq!(answer["error"]["code"], -32602);
        assert_eq!(answer["error"]["message"], empty);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ours_is_logged_with_its_component_and_causes_and_not_told() {
    let (logs, _guard) = Logs::keep();
    let whole = "the books are unread: disk on fire";
    let clients = Client::both(&server()).await;
    // What was said when it was built is another matter.
    logs.take();
    for client in clients {
        for (name, detail) in [
            ("own_lost", format!("the stock is lost: {whole}")),
            ("plain_lost", whole.to_owned()),
            ("says_nothing", whole.to_owned()),
            ("boxed", whole.to_owned()),
            ("anyhow", format!("while counting: {whole}")),
        ] {
            let answer = client.ask("tools/call", call(name)).await;
            assert_eq!(answer["error"]["code"], -32603, "{name}: {answer}");
            assert!(!answer.to_string().contains("unread"), "{answer}");
            let mut lines = logs.take();
            lines.retain(|line| !line.contains(": request method="));
            let [line] = &lines[..] else {
                panic!("{name}: {lines:?}")
            };
            for word in ["ERROR", "tool", name, &detail] {
                assert!(line.contains(word), "{word}: {line}");
            }
        }
        let params = json!({ "uri": "data://lost" });
        let answer = client.ask("resources/read", params).await;
        assert_eq!(answer["error"]["code"], -32603);
        let line = logs.take().concat();
        assert!(
            line.contains("kind=\"resource\" name=\"data://lost\""),
            "{line}"
        );
        // What a sentence stands for is logged as well.
        client.result("tools/call", call("or_user")).await;
        let line = logs.take().concat();
        assert!(line.contains("WARN") && line.contains(whole), "{line}");
        assert!(line.contains("name=\"or_user\""), "{line}");
    }
}

/// Refuses everything, in the words for a caller.
struct Closed;

impl Middleware for Closed {
    fn on_call_tool<'a>(&'a self, _: Request, _: Next<'a>) -> ResponseFuture<'a> {
        Box::pin(async { Err(Error::user("The shop is closed.")) })
    }

    fn on_get_prompt<'a>(&'a self, _: Request, _: Next<'a>) -> ResponseFuture<'a> {
        Box::pin(async { Err(Stock::Empty.into()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_says_to_the_caller_what_a_handler_says() {
    let server = Server::builder("test", "1.0.0")
        .user_errors::<Stock>()
        .middleware(Closed)
        .tool(Tool::new("user", user))
        .prompt(Prompt::new("own", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(String::new())
        }))
        .build()
        .unwrap();
    for client in Client::both(&server).await {
        for name in ["user", "unknown"] {
            let result = client.result("tools/call", call(name)).await;
            assert_eq!(result["isError"], true);
            assert_eq!(result["content"][0]["text"], "The shop is closed.");
        }
        let answer = client.ask("prompts/get", call("own")).await;
        assert_eq!(answer["error"]["code"], -32602);
        assert_eq!(answer["error"]["message"], Stock::Empty.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_holds_the_executor_is_warned_about_once() {
    let (logs, _guard) = Logs::keep();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("hold", async |_: Ctx, _: NoArgs| {
            // It is the thread's time that counts here.
            std::thread::sleep(Duration::from_millis(101));
            Ok::<_, Error>("done")
        }))
        .tool(Tool::new("user", user))
        .build()
        .unwrap();
    for client in Client::both(&server).await {
        client.result("tools/call", call("hold")).await;
        client.result("tools/call", call("user")).await;
    }
    let lines = logs.take();
    let warned: Vec<_> = lines.iter().filter(|line| line.contains("held")).collect();
    assert_eq!(warned.len(), 1, "{lines:?}");
    assert!(warned[0].contains("name=\"hold\""), "{lines:?}");
}
