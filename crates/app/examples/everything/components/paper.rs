//! Shows: a resource template with typed variables and text or bytes behind it, whose completion
//! depends on what else is filled in; and a tool that hands over such a resource with its answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::model::{ContentBlock, ResourceContents};
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Error, ResourceTemplate, Result, Tool, ToolResult,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many papers there are.
pub(crate) const PAPERS: u32 = 20;

const SCAN: &[u8] = include_bytes!("picture.png");

/// Which paper, and in which form.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Paper {
    /// Its number.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) number: u32,
    /// Its form: every paper has a text, and every second one a scan.
    pub(crate) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    Text,
    Scan,
}

impl Paper {
    pub(crate) fn uri(&self) -> String {
        match self.form {
            Form::Text => format!("paper://{}/text", self.number),
            Form::Scan => format!("paper://{}/scan", self.number),
        }
    }

    pub(crate) fn mime_type(&self) -> &'static str {
        match self.form {
            Form::Text => "text/markdown",
            Form::Scan => "image/png",
        }
    }

    /// `None` when there is no such scan.
    pub(crate) fn contents(&self) -> Option<ResourceContents> {
        let (number, uri) = (self.number, self.uri());
        let contents = match self.form {
            Form::Text => ResourceContents::text(
                format!("# Paper {number}\n\nOn the number {number}.\n"),
                uri,
            ),
            Form::Scan if has_scan(number) => ResourceContents::blob(STANDARD.encode(SCAN), uri),
            Form::Scan => return None,
        };
        Some(contents.with_mime_type(self.mime_type()))
    }
}

pub(crate) fn has_scan(number: u32) -> bool {
    number.is_multiple_of(2)
}

/// The template, as clients see it.
pub(crate) fn template() -> ResourceTemplate {
    ResourceTemplate::new("paper://{number}/{form}", "paper", read)
        .title("Paper")
        .description("A paper: `text`, or `scan` for every second one.")
        .complete("number", complete_number)
        .complete("form", complete_form)
}

async fn read(_: Ctx, paper: Paper) -> Result<Vec<ResourceContents>> {
    match paper.contents() {
        Some(contents) => Ok(vec![contents]),
        None => Err(Error::resource_not_found(paper.uri())),
    }
}

async fn complete_number(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    let numbers = (1..=PAPERS).map(|number| number.to_string());
    Ok(Completion::of(
        numbers.filter(|number| number.starts_with(&typed.value)),
    ))
}

async fn complete_form(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    let number = typed.arguments.get("number").and_then(|n| n.parse().ok());
    let forms: &[&str] = match number {
        Some(number) if !has_scan(number) => &["text"],
        _ => &["text", "scan"],
    };
    Ok(Completion::matching(&typed.value, forms))
}

/// The tool that opens a paper, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("open_paper", open)
        .title("Open a paper")
        .description("Hands over a paper itself, so that the client does not have to read it.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn open(_: Ctx, paper: Paper) -> Result<ToolResult> {
    let contents = paper
        .contents()
        .ok_or_else(|| Error::user("Only papers with an even number have a scan; use `text`."))?;
    Ok(ToolResult::content([
        ContentBlock::text(format!("Paper {}:", paper.number)),
        ContentBlock::resource(contents),
        ContentBlock::text(format!("It can be read again at {}.", paper.uri())),
    ]))
}
