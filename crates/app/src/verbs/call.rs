//! `call`: calls a tool, with arguments as people type them.

use std::path::PathBuf;

use clap::{ArgMatches, Args as _, Command};
use rmcp::model::{CallToolRequestParams, CallToolResult, Tool};
use serde_json::Value;

use crate::client::arguments::{arguments, did_you_mean};
use crate::client::signature::of_tool;
use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::content::Shown;
use crate::output::{Output, OutputArgs, visible};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "call";

/// Call a tool of a server
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The tool to call
    #[arg(value_name = "NAME")]
    name: String,

    /// Its arguments
    ///
    /// `name=Ada`; what it becomes is what the tool's schema wants. `point.x=1` is a field of an object, a name given
    /// again adds to an array, `text=@FILE` is what is in a file, `n:=null` is JSON whatever the schema says. A JSON object
    /// (`'{"n": 5}'`) is many at once, `-` reads one from stdin.
    #[arg(value_name = "NAME=VALUE|JSON|-")]
    arguments: Vec<String>,

    /// Keep images, audio and other files of the result in this directory. Nothing is written over.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    user: UserArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args {
        name,
        arguments: words,
        save,
        output,
        user,
        target,
    } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, user, async |connection| {
        let tools = connection.tools().await?;
        let tool = find(&tools, &name)?;
        let params = params(tool, &words)?;
        let result = connection.call(params).await?;
        if output.is_json() {
            output.value(&result)?;
            return match result.is_error {
                Some(true) => Err(Error::printed(1)),
                _ => Ok(()),
            };
        }
        print(&result, &Shown::new(output, save.as_deref(), &name), &name)
    })
}

/// The tool of this name.
///
/// # Errors
/// That there is none, and which may be meant.
pub(crate) fn find<'a>(tools: &'a [Tool], name: &str) -> Result<&'a Tool> {
    tools.iter().find(|tool| tool.name == name).ok_or_else(|| {
        let meant = did_you_mean(name, tools.iter().map(|tool| &*tool.name));
        Error::setting(format!("There is no tool {}.{meant}", visible(name)))
            .hint("\"list\" shows what there is.")
    })
}

/// What to call a tool with.
///
/// # Errors
/// What is wrong with the arguments, with the tool's signature.
pub(crate) fn params(tool: &Tool, words: &[String]) -> Result<CallToolRequestParams> {
    let schema = Value::Object((*tool.input_schema).clone());
    let arguments = arguments(words, &schema).map_err(|error| {
        let signature = of_tool(tool, usize::MAX);
        error.hint(visible(&signature))
    })?;
    Ok(CallToolRequestParams::new(tool.name.clone()).with_arguments(arguments))
}

/// Prints what a tool gave.
///
/// # Errors
/// What the tool says went wrong, or that something cannot be printed or saved.
pub(crate) fn print(result: &CallToolResult, shown: &Shown<'_>, name: &str) -> Result<()> {
    if result.is_error == Some(true) {
        let texts: Result<Vec<_>> = result
            .content
            .iter()
            .map(|block| Ok(shown.text(block)?.0))
            .collect();
        let text = match (texts?, &result.structured_content) {
            (texts, Some(structured)) if texts.is_empty() => structured.to_string(),
            (texts, _) => texts.join("\n"),
        };
        return Err(Error::other(format!(
            "{} failed: {}",
            visible(name),
            visible(text.trim_end())
        )));
    }
    match (&result.content[..], &result.structured_content) {
        // It is the text again, for programs.
        ([], Some(structured)) => shown.value(structured),
        (content, _) => shown.blocks(content),
    }
}
