//! `list`: what a server exposes, and what it costs a model to read it.

use std::cell::Cell;

use clap::{ArgMatches, Args as _, Command, ValueEnum};
use rmcp::model::{JsonObject, Prompt, Resource, ResourceTemplate, Tool};
use serde::Serialize;

use crate::Result;
use crate::client::signature::{first_sentence, of_prompt, of_tool, tokens};
use crate::client::{self, Connection, TargetArgs, UserArgs};
use crate::host::Host;
use crate::output::content::size;
use crate::output::{DIM, Output, OutputArgs, STRONG, columns, visible};
use crate::verbs::parsed;

pub(crate) const NAME: &str = "list";

/// List the tools, resources and prompts of a server
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// What to list: tools, resources (with their templates) or prompts; everything if nothing is named
    #[arg(value_name = "KIND", value_enum)]
    kinds: Vec<Kind>,

    /// Print whole descriptions, and the JSON Schemas of tools.
    #[arg(long)]
    long: bool,

    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Tools,
    Resources,
    Prompts,
}

/// What a server exposes, as `--json` prints it; what was not asked for is left out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tools: Option<Vec<Tool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resources: Option<Vec<Resource>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_templates: Option<Vec<ResourceTemplate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompts: Option<Vec<Prompt>>,
    /// About what the tools cost a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) estimated_tokens: Option<usize>,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args {
        kinds,
        long,
        target,
        output,
    } = parsed::<Args>(matches)?;
    let output = Output::new(output);
    client::run(host, &target, UserArgs::default(), async |connection| {
        let wants = |kind| kinds.is_empty() || kinds.contains(&kind);
        let listed = Listed::of(connection, wants).await?;
        match output.is_json() {
            true => output.value(&listed),
            false => listed.print(output, long),
        }
    })
}

impl Listed {
    async fn of(connection: &Connection, wants: impl Fn(Kind) -> bool) -> Result<Self> {
        let mut listed = Self::default();
        if wants(Kind::Tools) {
            let tools = connection.tools().await?;
            listed.estimated_tokens = Some(tokens(&tools));
            listed.tools = Some(tools);
        }
        if wants(Kind::Resources) {
            listed.resources = Some(connection.resources().await?);
            listed.resource_templates = Some(connection.templates().await?);
        }
        if wants(Kind::Prompts) {
            listed.prompts = Some(connection.prompts().await?);
        }
        Ok(listed)
    }

    /// Everything that a server exposes.
    ///
    /// # Errors
    /// As of [`Connection::tools`].
    pub(crate) async fn all(connection: &Connection) -> Result<Self> {
        Self::of(connection, |_| true).await
    }

    fn print(&self, output: Output, long: bool) -> Result<()> {
        let page = Page {
            output,
            long,
            is_begun: Cell::new(false),
        };
        page.part("Tools", self.tools.as_deref(), Page::tool)?;
        page.part("Resources", self.resources.as_deref(), Page::resource)?;
        page.part(
            "Resource templates",
            self.resource_templates.as_deref(),
            Page::template,
        )?;
        page.part("Prompts", self.prompts.as_deref(), Page::prompt)?;
        match (&self.tools, self.estimated_tokens) {
            (Some(tools), Some(tokens)) => {
                page.gap()?;
                output.line(cost(tools.len(), tokens))
            }
            _ => Ok(()),
        }
    }
}

/// `7 tools, about 2,140 tokens (…)`
pub(crate) fn cost(tools: usize, tokens: usize) -> String {
    let (count, tokens) = (counted(tools, "tool"), thousands(tokens));
    match tools {
        0 => count,
        _ => format!(
            "{count}, about {tokens} tokens (estimate: names, descriptions and input schemas, 4 bytes a token)"
        ),
    }
}

/// `1 tool`, `2 tools`
pub(crate) fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(count))
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

struct Page {
    output: Output,
    long: bool,
    is_begun: Cell<bool>,
}

impl Page {
    fn part<T>(
        &self,
        heading: &str,
        items: Option<&[T]>,
        print: fn(&Self, &T) -> Result<()>,
    ) -> Result<()> {
        let Some(items @ [_, ..]) = items else {
            return Ok(());
        };
        self.gap()?;
        self.output
            .line(format_args!("{STRONG}{heading}{STRONG:#}"))?;
        items.iter().try_for_each(|item| print(self, item))
    }

    /// An empty line between parts.
    fn gap(&self) -> Result<()> {
        match self.is_begun.replace(true) {
            true => self.output.line(""),
            false => Ok(()),
        }
    }

    fn tool(&self, tool: &Tool) -> Result<()> {
        let width = usize::from(columns()).saturating_sub(2);
        self.indented(2, &of_tool(tool, width))?;
        self.description(tool.description.as_deref())?;
        if self.long {
            self.schema("input", Some(&tool.input_schema))?;
            self.schema("output", tool.output_schema.as_deref())?;
        }
        Ok(())
    }

    fn resource(&self, resource: &Resource) -> Result<()> {
        let bytes = resource.size.and_then(|bytes| usize::try_from(bytes).ok());
        let more = [resource.mime_type.clone(), bytes.map(size)];
        self.named(
            &resource.uri,
            &resource.name,
            more,
            resource.description.as_deref(),
        )
    }

    fn template(&self, template: &ResourceTemplate) -> Result<()> {
        let more = [template.mime_type.clone(), None];
        self.named(
            &template.uri_template,
            &template.name,
            more,
            template.description.as_deref(),
        )
    }

    fn prompt(&self, prompt: &Prompt) -> Result<()> {
        let width = usize::from(columns()).saturating_sub(2);
        self.indented(2, &of_prompt(prompt, width))?;
        self.description(prompt.description.as_deref())?;
        for argument in prompt.arguments.iter().flatten().filter(|_| self.long) {
            if let Some(text) = &argument.description {
                self.indented(6, &format!("{}: {text}", argument.name))?;
            }
        }
        Ok(())
    }

    fn named(
        &self,
        uri: &str,
        name: &str,
        more: [Option<String>; 2],
        description: Option<&str>,
    ) -> Result<()> {
        let more: Vec<_> = more.into_iter().flatten().collect();
        let (uri, more) = (visible(uri), more.join(", "));
        let more = visible(&more);
        self.output.line(
            format_args!("  {uri}  {DIM}{more}{DIM:#}")
                .to_string()
                .trim_end(),
        )?;
        self.description(description.or(Some(name)))
    }

    fn description(&self, text: Option<&str>) -> Result<()> {
        let text = text.unwrap_or_default();
        match self.long {
            true => self.indented(6, text.trim()),
            false => self.indented(6, &first_sentence(text)),
        }
    }

    fn schema(&self, what: &str, schema: Option<&JsonObject>) -> Result<()> {
        let Some(schema) = schema else {
            return Ok(());
        };
        let json = serde_json::to_string_pretty(schema)?;
        self.indented(6, &format!("{what} schema: {json}"))
    }

    fn indented(&self, by: usize, text: &str) -> Result<()> {
        let text = visible(text);
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.try_for_each(|line| self.output.line(format_args!("{:by$}{line}", "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (2140, "2,140"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
