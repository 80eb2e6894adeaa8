//! `read`: reads a resource.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgMatches, Args as _, Command};
use rmcp::model::{ReadResourceRequestParams, ReadResourceResult, ResourceContents};

use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::content::{describe, save as keep};
use crate::output::{Output, OutputArgs, visible};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "read";

/// Read a resource of a server
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// The resource to read; for a template with its parameters filled in
    #[arg(value_name = "URI")]
    uri: String,

    /// Keep it in this directory instead of printing it. Nothing is written over.
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
        uri,
        save,
        output,
        user,
        target,
    } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, user, async |connection| {
        let params = ReadResourceRequestParams::new(uri);
        let result = connection.read(params).await?;
        match output.is_json() {
            true => output.value(&result),
            false => print(&result, output, save.as_deref()),
        }
    })
}

/// Prints what is in a resource: as it is where stdout is no terminal.
///
/// # Errors
/// That it is no text and stdout is a terminal, or that it cannot be printed or saved.
pub(crate) fn print(
    result: &ReadResourceResult,
    output: Output,
    save: Option<&std::path::Path>,
) -> Result<()> {
    for contents in &result.contents {
        let (uri, kind, bytes, is_text) = match contents {
            ResourceContents::TextResourceContents {
                uri,
                mime_type,
                text,
                ..
            } => (uri, mime_type, text.as_bytes().to_vec(), true),
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                ..
            } => {
                let bytes = STANDARD
                    .decode(blob.trim_end())
                    .map_err(|_| Error::other(format!("{} is not valid base64.", visible(uri))))?;
                (uri, mime_type, bytes, false)
            }
            _ => {
                return Err(Error::other(
                    "The server sent a kind of resource that is not known.",
                ));
            }
        };
        let kind = kind.as_deref().unwrap_or_default();
        if let Some(directory) = save {
            let kind = if kind.is_empty() && is_text {
                "text/plain"
            } else {
                kind
            };
            let path = keep(directory, uri, kind, &bytes)?;
            output.line(format_args!(
                "{}  {}",
                path.display(),
                describe(kind, bytes.len())
            ))?;
        } else if !Output::is_terminal() {
            output.bytes(&bytes)?;
        } else if is_text {
            output.text(&String::from_utf8_lossy(&bytes))?;
        } else {
            let what = describe(kind, bytes.len());
            return Err(
                Error::setting(format!("{} is no text: {what}.", visible(uri)))
                    .hint("--save DIR keeps it, and so does > FILE."),
            );
        }
    }
    Ok(())
}
