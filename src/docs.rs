//! `pymcp docs`: tables in README.md and the pages of docs/ that have settings are written from the registry, the
//! settings and the list of engines, so that they cannot be wrong. CI runs it with `--check`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pymcp_app::{Error, Program, Result, Setting};
use pymcp_kit::component::Registry;

/// Write the tables of README.md and docs/ that are made from the code.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// Write nothing; fail when a file differs from what would be written.
    #[arg(long)]
    check: bool,
    /// The folder of README.md and docs/.
    #[arg(long, default_value = ".", value_name = "PATH")]
    root: PathBuf,
}

pub(crate) fn run(args: Args, program: &Program) -> Result<()> {
    let server = crate::server::build(Default::default())
        .map_err(|error| Error::other(error.to_string()))?;
    for (file, name, text) in [
        ("README.md", "components", components(&server.registry())),
        (
            "README.md",
            "settings",
            settings(program, |setting| {
                setting.is_common() && is_any_program_s(setting)
            }),
        ),
        (
            "README.md",
            "clients",
            pymcp_app::clients_table(program.name()),
        ),
        (
            "docs/clients.md",
            "clients",
            pymcp_app::clients_page(program.name()),
        ),
        (
            "docs/configuration.md",
            "settings",
            settings(program, is_any_program_s),
        ),
        ("docs/limits.md", "limits", pymcp_app::limits_page()),
        ("docs/doctor.md", "checks", pymcp_app::doctor_page()),
        #[cfg(feature = "python")]
        (
            "docs/python-sandbox.md",
            "settings",
            settings(program, |setting| {
                setting.heading() == Some(crate::settings::python::HEADING)
            }),
        ),
        #[cfg(feature = "search")]
        (
            "docs/web-search.md",
            "settings",
            settings(program, |setting| {
                setting.heading() == Some(crate::settings::search::HEADING)
            }),
        ),
        #[cfg(feature = "search")]
        ("docs/web-search.md", "engines", engines()),
    ] {
        let file = args.root.join(file);
        // `--root` may name a folder that has no other pages.
        if file.ends_with("README.md") || file.exists() {
            write(&file, name, &text, args.check)?;
        }
    }
    Ok(())
}

/// Puts `text` between the markers of `name` in a file, or only compares.
fn write(file: &Path, name: &str, text: &str, check: bool) -> Result<()> {
    let path = file.display();
    let current = std::fs::read_to_string(file)
        .map_err(|error| Error::other(format!("{path} cannot be read: {error}.")))?;
    let updated = replace(&current, name, text).ok_or_else(|| {
        Error::other(format!(
            "{path} has no <!-- {name} --> … <!-- /{name} --> markers."
        ))
    })?;
    match (updated == current, check) {
        (true, _) => Ok(()),
        (false, true) => Err(Error::other(format!(
            "{path} is out of date; run `pymcp docs` and commit what it writes."
        ))),
        (false, false) => std::fs::write(file, updated)
            .map_err(|error| Error::other(format!("{path} cannot be written: {error}."))),
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
        let description = cell(first_sentence(description.unwrap_or_default()));
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

/// The settings that are wanted.
fn settings(program: &Program, wanted: impl Fn(&Setting) -> bool) -> String {
    let mut table =
        String::from("| flag | variable | default | what it is |\n| --- | --- | --- | --- |\n");
    for setting in program.settings().iter().filter(|setting| wanted(setting)) {
        let variables: Vec<_> = setting
            .variables()
            .map(|name| format!("`{name}`"))
            .collect();
        let default = match setting.default() {
            "" => "none".to_owned(),
            some => format!("`{some}`"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| `--{}` | {} | {default} | {} |",
            setting.flag(),
            variables.join(", "),
            cell(setting.help())
        );
    }
    table
}

/// Whether every program has it.
fn is_any_program_s(setting: &Setting) -> bool {
    !OWN.contains(&setting.heading().unwrap_or_default())
}

/// The headings of this server's own settings.
const OWN: &[&str] = &[
    #[cfg(feature = "python")]
    crate::settings::python::HEADING,
    #[cfg(feature = "search")]
    crate::settings::search::HEADING,
];

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

/// What a description says first, without its full stop: the rest is for models.
fn first_sentence(description: &str) -> &str {
    let description = description.trim();
    let end = [". ", ".\n"].iter().filter_map(|end| description.find(end));
    let sentence = &description[..end.min().unwrap_or(description.len())];
    sentence.strip_suffix('.').unwrap_or(sentence)
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
    fn a_cell_has_the_first_sentence_of_a_description() {
        for (description, sentence) in [
            ("Adds numbers.", "Adds numbers"),
            ("Adds numbers. At most 3.", "Adds numbers"),
            ("Adds 1.5 to\na number.\nNo more.", "Adds 1.5 to\na number"),
            ("Adds", "Adds"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(description), sentence);
        }
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
        let program = crate::app().program();
        let table = settings(&program, is_any_program_s);
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
        let program = crate::app().program();
        let search = crate::settings::search::HEADING;
        let table = settings(&program, |setting| setting.heading() == Some(search));
        assert!(table.contains("`PYMCP_SEARCH_ENGINES` | `auto`"), "{table}");
        assert!(table.contains("`BRAVE_API_KEY` | none"), "{table}");
        let table = engines();
        for kind in pymcp_search::ALL {
            assert!(table.contains(&format!("| `{}` |", kind.name)), "{table}");
        }
        assert!(table.contains("first, if `SEARXNG_URL` is set"), "{table}");
    }
}
