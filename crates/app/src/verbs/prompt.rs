//! `prompt`: gets a prompt, with its arguments filled in.

use std::path::PathBuf;

use clap::{ArgMatches, Args as _, Command};
use rmcp::model::{GetPromptRequestParams, GetPromptResult, Prompt, Role};
use serde_json::Map;

use crate::client::arguments::{did_you_mean, texts};
use crate::client::signature::of_prompt;
use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::content::Shown;
use crate::output::{DIM, Output, OutputArgs, visible};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "prompt";

/// Get a prompt of a server
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The prompt to get
    #[arg(value_name = "NAME")]
    name: String,

    /// Its arguments; `task=@FILE` is what is in a file
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,

    /// Keep images, audio and other files of the messages in this directory. Nothing is written over.
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
        arguments,
        save,
        output,
        user,
        target,
    } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, user, async |connection| {
        let prompts = connection.prompts().await?;
        let params = params(find(&prompts, &name)?, &arguments)?;
        let result = connection.prompt(params).await?;
        match output.is_json() {
            true => output.value(&result),
            false => print(&result, output, &Shown::new(output, save.as_deref(), &name)),
        }
    })
}

/// The prompt of this name.
///
/// # Errors
/// That there is none, and which may be meant.
pub(crate) fn find<'a>(prompts: &'a [Prompt], name: &str) -> Result<&'a Prompt> {
    let found = prompts.iter().find(|prompt| prompt.name == name);
    found.ok_or_else(|| {
        let meant = did_you_mean(name, prompts.iter().map(|prompt| &*prompt.name));
        Error::setting(format!("There is no prompt {}.{meant}", visible(name)))
            .hint("\"list prompts\" shows what there is.")
    })
}

/// What to get a prompt with.
///
/// # Errors
/// What is wrong with the arguments, with the prompt's signature.
pub(crate) fn params(prompt: &Prompt, words: &[String]) -> Result<GetPromptRequestParams> {
    let arguments = checked(prompt, words).map_err(|error| {
        let signature = of_prompt(prompt, usize::MAX);
        error.hint(visible(&signature))
    })?;
    let arguments: Map<_, _> = arguments
        .into_iter()
        .map(|(name, text)| (name, text.into()))
        .collect();
    Ok(GetPromptRequestParams::new(prompt.name.clone()).with_arguments(arguments))
}

fn checked(prompt: &Prompt, words: &[String]) -> Result<Vec<(String, String)>> {
    let arguments = texts(words)?;
    let known = || prompt.arguments.iter().flatten();
    for (name, _) in &arguments {
        if !known().any(|argument| argument.name == *name) {
            let meant = did_you_mean(name, known().map(|argument| &*argument.name));
            let name = visible(name);
            return Err(Error::setting(format!("{name} is not an argument.{meant}")));
        }
    }
    let given = |wanted: &str| arguments.iter().any(|(name, _)| name == wanted);
    let missing =
        known().find(|argument| argument.required == Some(true) && !given(&argument.name));
    match missing {
        Some(missing) => {
            let name = visible(&missing.name);
            Err(Error::setting(format!("{name} is missing.")))
        }
        None => Ok(arguments),
    }
}

/// Prints the messages of a prompt.
///
/// # Errors
/// That something cannot be printed or saved.
pub(crate) fn print(result: &GetPromptResult, output: Output, shown: &Shown<'_>) -> Result<()> {
    for message in &result.messages {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        output.line(format_args!("{DIM}[{role}]{DIM:#}"))?;
        shown.blocks([&message.content])?;
    }
    Ok(())
}
