//! `pymcp docs`: tables in README.md and the pages of docs/ that have settings are written from the registry, the
//! settings and the list of engines, so that they cannot be wrong. CI runs it with `--check`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use pymcp_kit::component::Registry;

use super::{Cli, Failure};

/// Where, and whether to write.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write nothing; fail when a file differs from what would be written.
    #[arg(long)]
    check: bool,
    /// The folder of README.md and docs/.
    #[arg(long, default_value = ".", value_name = "PATH")]
    root: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let server = crate::server::build(Default::default())
        .map_err(|error| Failure::other(error.to_string()))?;
    for (file, name, text) in [
        ("README.md", "components", components(&server.registry())),
        ("README.md", "settings", settings(None)),
        #[cfg(feature = "python")]
        (
            "docs/python-sandbox.md",
            "settings",
            settings(Some(super::python::HEADING)),
        ),
        #[cfg(feature = "search")]
        (
            "docs/web-search.md",
            "settings",
            settings(Some(super::search::HEADING)),
        ),
        #[cfg(feature = "search")]
        ("docs/web-search.md", "engines", engines()),
    ] {
        let file = args.root.join(file);
        // A server made from this one need not have every page.
        if file.ends_with("README.md") || file.exists() {
            write(&file, name, &text, args.check)?;
        }
    }
    Ok(())
}

/// Puts `text` between the markers of `name` in a file, or only compares.
fn write(file: &Path, name: &str, text: &str, check: bool) -> Result<(), Failure> {
    let path = file.display();
    let current = std::fs::read_to_string(file)
        .map_err(|error| Failure::other(format!("{path} cannot be read: {error}.")))?;
    let updated = replace(&current, name, text).ok_or_else(|| {
        Failure::other(format!(
            "{path} has no <!-- {name} --> … <!-- /{name} --> markers."
        ))
    })?;
    match (updated == current, check) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::other(format!(
            "{path} is out of date; run `pymcp docs` and commit what it writes."
        ))),
        (false, false) => std::fs::write(file, updated)
            .map_err(|error| Failure::other(format!("{path} cannot be written: {error}."))),
    }
}

/// Puts `text` between the markers of `name`.
fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = document.find(&open)? + open.len();
    let end = start + document[start..].find(&close)?;
    Some(format!("{}{text}{}", &document[..start], &document[end..]))
}

fn components(registry: &Registry) -> String {
    let mut table =
        String::from("| kind | name | what it does | arguments |\n| --- | --- | --- | --- |\n");
    let mut row = |kind: &str, name: &str, description: Option<&str>, arguments: String| {
        let description = cell(description.unwrap_or_default());
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {kind} | `{name}` | {description} | {arguments} |");
    };
    for tool in registry.tools() {
        let definition = tool.definition();
        let properties = definition
            .input_schema
            .get("properties")
            .and_then(|properties| properties.as_object());
        let names = properties
            .into_iter()
            .flat_map(|properties| properties.keys());
        row(
            "tool",
            tool.name(),
            definition.description.as_deref(),
            list(names),
        );
    }
    for resource in registry.resources() {
        row(
            "resource",
            resource.uri(),
            resource.definition().description.as_deref(),
            String::new(),
        );
    }
    for template in registry.templates() {
        row(
            "template",
            template.uri_template(),
            template.definition().description.as_deref(),
            String::new(),
        );
    }
    for prompt in registry.prompts() {
        let names = prompt
            .definition()
            .arguments
            .iter()
            .flatten()
            .map(|argument| &argument.name);
        row(
            "prompt",
            prompt.name(),
            prompt.definition().description.as_deref(),
            list(names),
        );
    }
    table
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The settings that the help lists under `heading`.
fn settings(heading: Option<&str>) -> String {
    let mut table =
        String::from("| flag | variable | default | what it is |\n| --- | --- | --- | --- |\n");
    let command = Cli::command();
    let listed = command
        .get_arguments()
        .filter(|argument| argument.get_help_heading() == heading);
    for argument in listed {
        let Some(flag) = argument.get_long() else {
            continue;
        };
        let variable = match argument.get_env() {
            Some(variable) => format!("`{}`", variable.to_string_lossy()),
            None => "none".to_owned(),
        };
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = match default.concat() {
            none if none.is_empty() => "none".to_owned(),
            some => format!("`{some}`"),
        };
        let help = argument
            .get_long_help()
            .or(argument.get_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            table,
            "| `--{flag}` | {variable} | {default} | {} |",
            cell(&help)
        );
    }
    table
}

/// The engines of the web search.
#[cfg(feature = "search")]
fn engines() -> String {
    let mut table =
        String::from("| name | whose index | address | asked |\n| --- | --- | --- | --- |\n");
    for kind in pymcp_search::ALL {
        let address = match kind.url {
            Some(url) => format!("`{url}`"),
            None => "as set".to_owned(),
        };
        let asked = match kind.keyed {
            true => format!(
                "first, if `{}` is set",
                crate::tools::text_web_search::setting_of(kind.name)
            ),
            false => "if those before have too few".to_owned(),
        };
        let _ = writeln!(
            table,
            "| `{}` | {:?} | {address} | {asked} |",
            kind.name, kind.index
        );
    }
    table
}

/// Text for one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let document = "a\n<!-- x -->\nold\n<!-- /x -->\nb";
        assert_eq!(
            replace(document, "x", "new\n").unwrap(),
            "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
        );
        assert_eq!(replace(document, "y", ""), None);
    }

    #[test]
    fn the_tables_name_everything() {
        let server = crate::server::build(Default::default()).unwrap();
        let table = components(&server.registry());
        for name in [
            "`greet`",
            "`data://modulo10/{number}`",
            "`code_prompt`",
            "`length`",
        ] {
            assert!(table.contains(name), "{name}");
        }
        let table = settings(None);
        assert!(!table.contains("PYMCP_PYTHON") && !table.contains("PYMCP_SEARCH"));
        for name in [
            "FASTMCP_PORT",
            "RESPONSE_CACHE_TTL",
            "ASGI_CORS_ALLOWED_ORIGINS",
            "PYMCP_LOG_LEVEL",
        ] {
            assert!(table.contains(name), "{name}");
        }
    }

    #[cfg(feature = "search")]
    #[test]
    fn the_tables_of_the_search_name_its_settings_and_engines() {
        let table = settings(Some(crate::cli::search::HEADING));
        assert!(table.contains("`PYMCP_SEARCH_ENGINES` | `auto`"), "{table}");
        assert!(table.contains("`BRAVE_API_KEY` | none"), "{table}");
        let table = engines();
        for kind in pymcp_search::ALL {
            assert!(table.contains(&format!("| `{}` |", kind.name)), "{table}");
        }
        assert!(table.contains("first, if `SEARXNG_URL` is set"), "{table}");
    }
}
