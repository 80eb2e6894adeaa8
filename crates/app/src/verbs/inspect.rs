//! `inspect`: a server on one screen.

use clap::{ArgMatches, Args as _, Command};
use rmcp::model::ServerPeerInfo;
use serde::Serialize;
use serde_json::{Value, json};

use super::list::{Listed, cost, counted};
use crate::Result;
use crate::client::{self, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::{DIM, Output, OutputArgs, STRONG, visible};
use crate::verbs::parsed;

pub(crate) const NAME: &str = "inspect";

/// Lines of a server's instructions that are shown.
const MAX_LINES: usize = 8;

/// Columns of the headings.
const WIDTH: usize = 14;

/// Show a server on one screen: name, revision, capabilities, instructions, components
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A server, as `--json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    #[serde(flatten)]
    server: ServerPeerInfo,
    era: &'static str,
    #[serde(flatten)]
    listed: Listed,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args { target, output } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, UserArgs::default(), async |connection| {
        let inspected = Inspected {
            server: (*connection.server()).clone(),
            era: match connection.is_modern() {
                true => "modern",
                false => "legacy",
            },
            listed: Listed::all(connection).await?,
        };
        match output.is_json() {
            true => output.value(&inspected),
            false => inspected.print(output),
        }
    })
}

impl Inspected {
    fn print(&self, output: Output) -> Result<()> {
        let row = |name: &str, text: &str| -> Result<()> {
            let mut lines = text.lines();
            let first = visible(lines.next().unwrap_or_default());
            output.line(format_args!("  {DIM}{name:WIDTH$}{DIM:#}{first}"))?;
            lines.try_for_each(|line| {
                let line = format!("  {:WIDTH$}{}", "", visible(line));
                output.line(line.trim_end())
            })
        };
        let info = self.server.server_info.as_ref();
        let name = match info {
            Some(info) => match &info.title {
                Some(title) => format!("{title} ({} {})", info.name, info.version),
                None => format!("{} {}", info.name, info.version),
            },
            None => "A server without a name".to_owned(),
        };
        output.line(format_args!("{STRONG}{}{STRONG:#}", visible(&name)))?;
        if let Some(url) = info.and_then(|info| info.website_url.as_deref()) {
            row("website", url)?;
        }
        row(
            "protocol",
            &format!("{} ({})", self.server.protocol_version, self.era),
        )?;
        let capabilities = serde_json::to_value(&self.server.capabilities)?;
        row("capabilities", &capabilities_of(&capabilities))?;
        if let Some(extensions) = capabilities["extensions"].as_object() {
            let names: Vec<_> = extensions.keys().map(String::as_str).collect();
            row("extensions", &names.join("\n"))?;
        }
        if let Some(instructions) = &self.server.instructions {
            row("instructions", &beginning(instructions))?;
        }
        output.line("")?;
        let names = |heading: &str, names: Vec<&str>| match names.is_empty() {
            true => Ok(()),
            false => row(heading, &names.join("\n")),
        };
        let Listed {
            tools,
            resources,
            resource_templates,
            prompts,
            estimated_tokens,
        } = &self.listed;
        let (tools, prompts) = (tools.iter().flatten(), prompts.iter().flatten());
        let resources = resources.iter().flatten();
        let templates = resource_templates.iter().flatten();
        names("tools", tools.clone().map(|tool| &*tool.name).collect())?;
        names("resources", resources.clone().map(|it| &*it.uri).collect())?;
        names(
            "templates",
            templates.clone().map(|it| &*it.uri_template).collect(),
        )?;
        names("prompts", prompts.clone().map(|it| &*it.name).collect())?;
        let counts = [
            cost(tools.count(), estimated_tokens.unwrap_or_default()),
            counted(resources.count(), "resource"),
            counted(templates.count(), "template"),
            counted(prompts.count(), "prompt"),
        ];
        output.line(counts[1..].join(", "))?;
        output.line(&counts[0])
    }
}

/// `logging, resources (subscribe), tools (listChanged)`
fn capabilities_of(capabilities: &Value) -> String {
    let all = capabilities.as_object().into_iter().flatten();
    let all = all.filter(|(name, _)| *name != "extensions");
    let one = |(name, value): (&String, &Value)| {
        let on = value.as_object().into_iter().flatten();
        let on = on.filter(|(_, value)| **value != json!(false));
        let on: Vec<_> = on.map(|(name, _)| name.as_str()).collect();
        match on.is_empty() {
            true => name.clone(),
            false => format!("{name} ({})", on.join(", ")),
        }
    };
    let all: Vec<_> = all.map(one).collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn beginning(text: &str) -> String {
    let mut lines: Vec<_> = text.trim().lines().collect();
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        lines.push("…");
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_what_is_on() {
        let capabilities = json!({
            "logging": {}, "resources": { "subscribe": true, "listChanged": false }, "tools": { "listChanged": true },
            "extensions": { "x": {} },
        });
        assert_eq!(
            capabilities_of(&capabilities),
            "logging, resources (subscribe), tools (listChanged)"
        );
        assert_eq!(capabilities_of(&json!({})), "none");
    }
}
