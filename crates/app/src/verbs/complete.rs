//! `complete`: what an argument of a prompt or of a resource template may be.

use std::collections::HashMap;

use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::telemetry;
use rmcp::model::{ArgumentInfo, CompleteRequestParams, CompletionContext, Reference};

use crate::client::arguments::texts;
use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::{Output, OutputArgs, visible};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "complete";

/// Ask a server what an argument may be
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// A prompt, or the URI of a resource template
    #[arg(value_name = "NAME|URI")]
    of: String,

    /// The argument, and how its value begins; what may be empty
    #[arg(value_name = "NAME=BEGINNING")]
    argument: String,

    /// Other arguments, which are known already
    #[arg(value_name = "NAME=VALUE")]
    known: Vec<String>,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args {
        of,
        argument,
        known,
        output,
        target,
    } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    let name = host.program.name.clone();
    let params = params(&of, argument, &known)?;
    client::run(host, &target, UserArgs::default(), async |connection| {
        if connection.server().capabilities.completions.is_none() {
            let target = connection.target();
            return Err(Error::other(format!("{target} completes nothing.")));
        }
        let completion = connection.complete(params).await?;
        if output.is_json() {
            return output.value(&completion);
        }
        for value in &completion.values {
            output.text(value)?;
        }
        if completion.has_more == Some(true) {
            let more = completion.total.map(|total| format!(" of {total}"));
            let (shown, more) = (completion.values.len(), more.unwrap_or_default());
            telemetry::say(&format!("{name}: these are the first {shown}{more}."));
        }
        Ok(())
    })
}

/// What to ask.
///
/// # Errors
/// That an argument is none.
pub(crate) fn params(
    of: &str,
    argument: String,
    known: &[String],
) -> Result<CompleteRequestParams> {
    // Templates are URIs; names of prompts have no colon with slashes in them.
    let reference = match of.contains("://") || of.contains('{') {
        true => Reference::for_resource(of),
        false => Reference::for_prompt(of),
    };
    let asked = texts(&[argument])?.into_iter().next();
    let (name, value) = asked.ok_or_else(|| Error::setting("An argument must be named."))?;
    let known: HashMap<_, _> = texts(known)?.into_iter().collect();
    if known.contains_key(&name) {
        return Err(Error::setting(format!(
            "{} is given twice.",
            visible(&name)
        )));
    }
    let params = CompleteRequestParams::new(reference, ArgumentInfo::new(name, value));
    Ok(match known.is_empty() {
        true => params,
        false => params.with_context(CompletionContext::with_arguments(known)),
    })
}
