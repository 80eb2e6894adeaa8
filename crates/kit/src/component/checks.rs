//! What definitions keep to so that every client takes them, checked when a component is added.
//!
//! The protocol allows more. But clients hand definitions on to model providers, whose converters are
//! stricter than the protocol, and a client whose provider refuses one tool often loses all of them.
//! A component for which that doesn't count says which rule it breaks: `.allow(Check::NameLength)`.

use std::fmt;

use rmcp::model::JsonObject;
use serde_json::Value;

use super::Settings;
use super::complaint::names;
use super::prompt::Prompt;
use super::resource::Resource;
use super::schema::NAMED;
use super::template::ResourceTemplate;
use super::tool::Tool;

/// A rule that keeps a definition acceptable to every client. A component that breaks one is not
/// served ([`BuildError`](crate::BuildError)) unless it allows that, by this name:
///
/// ```
/// use pymcp_kit::{Check, Ctx, NoArgs, Result, Server, Tool};
///
/// async fn answer(_: Ctx, _: NoArgs) -> Result<u32> {
///     Ok(42)
/// }
///
/// let tool = || Tool::new("deep.thought", answer).description("The answer.");
/// let refused = Server::builder("example", "1.0.0").tool(tool()).build();
/// assert!(refused.err().unwrap().to_string().contains("Check::NameCharacters"));
///
/// let tool = tool().allow(Check::NameCharacters);
/// assert!(Server::builder("example", "1.0.0").tool(tool).build().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The name of a tool or prompt is made of `A-Z a-z 0-9 _ -`.
    NameCharacters,
    /// The name of a tool or prompt and the server's have at most 57 characters together, so that
    /// `mcp__server__tool` has at most 64.
    NameLength,
    /// A tool's schemas have no `anyOf`, `oneOf`, `allOf`, `not`, `if` or `enum` at their top.
    TopLevelCombinators,
    /// A tool's schemas have no `$ref`; those made from types have one only where a type is recursive.
    References,
    /// A tool's input schema has no formats of strings but `date-time`, `time`, `date`, `duration`,
    /// `email`, `hostname`, `ipv4`, `ipv6` and `uuid`.
    StringFormats,
    /// A description, also of an argument, has at most 2,000 characters.
    DescriptionLength,
    /// Every component and every argument has a description. Without one the server is built, and a
    /// warning is logged.
    MissingDescription,
}

impl Check {
    /// Characters of a name together with the server's: clients call the tool `mcp__server__tool`, and model providers
    /// take names of 64.
    pub const MAX_NAMES: usize = 57;
    /// Characters of a description; clients cut or refuse longer ones.
    pub const MAX_DESCRIPTION: usize = 2000;
    /// Keywords that model providers refuse at the top of a schema.
    pub const COMBINATORS: [&str; 6] = ["anyOf", "oneOf", "allOf", "not", "if", "enum"];
    /// The formats of strings that strict converters know (OpenAI's structured outputs).
    pub const STRING_FORMATS: [&str; 9] = [
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
    ];
}

const MAX_NAMES: usize = Check::MAX_NAMES;
const MAX_DESCRIPTION: usize = Check::MAX_DESCRIPTION;
const COMBINATORS: [&str; 6] = Check::COMBINATORS;
const FORMATS: [&str; 9] = Check::STRING_FORMATS;

impl fmt::Display for Check {
    /// As it is written in Rust.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check::{self:?}")
    }
}

/// A definition as far as it is checked.
#[derive(Default)]
struct Definition<'d> {
    kind: &'static str,
    /// The name that clients make one of their own from.
    called: Option<&'d str>,
    /// The name for its author: as clients call it, or its URI.
    name: &'d str,
    description: Option<&'d str>,
    input: Option<&'d JsonObject>,
    output: Option<&'d JsonObject>,
    /// Names and descriptions of arguments.
    arguments: Vec<(&'d str, Option<&'d str>)>,
}

/// Checks the definition of a tool of a server with this name, and logs what is only a warning.
///
/// # Errors
/// The first rule that is broken and not allowed, with the way out; so for the others.
pub(super) fn tool(tool: &Tool, server: &str) -> Result<(), String> {
    let input = tool.definition.input_schema.as_ref();
    let definition = Definition {
        kind: "tool",
        called: Some(tool.name()),
        name: tool.name(),
        description: tool.definition.description.as_deref(),
        input: Some(input),
        output: tool.definition.output_schema.as_deref(),
        arguments: members(input),
    };
    definition.check(&tool.settings, server)
}

pub(super) fn prompt(prompt: &Prompt, server: &str) -> Result<(), String> {
    let arguments = prompt.definition.arguments.iter().flatten();
    let definition = Definition {
        kind: "prompt",
        called: Some(prompt.name()),
        name: prompt.name(),
        description: prompt.definition.description.as_deref(),
        arguments: arguments
            .map(|argument| (&*argument.name, argument.description.as_deref()))
            .collect(),
        ..Definition::default()
    };
    definition.check(&prompt.settings, server)
}

pub(super) fn resource(resource: &Resource, server: &str) -> Result<(), String> {
    let definition = Definition {
        kind: "resource",
        name: resource.uri(),
        description: resource.definition.description.as_deref(),
        ..Definition::default()
    };
    definition.check(&resource.settings, server)
}

pub(super) fn template(template: &ResourceTemplate, server: &str) -> Result<(), String> {
    let definition = Definition {
        kind: "resource template",
        name: template.uri_template(),
        description: template.definition.description.as_deref(),
        ..Definition::default()
    };
    definition.check(&template.settings, server)
}

/// The members of an object schema, with their descriptions.
fn members(schema: &JsonObject) -> Vec<(&str, Option<&str>)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, member)| (&**name, member.get("description").and_then(Value::as_str)))
        .collect()
}

impl Definition<'_> {
    fn check(&self, settings: &Settings, server: &str) -> Result<(), String> {
        if let Some(why) = &settings.refused {
            return Err(why.clone());
        }
        for effect in &settings.effects {
            effect.check().map_err(|invalid| invalid.to_string())?;
        }
        let allows = |check: Check| settings.allowed.contains(&check);
        let rules = [
            (Check::NameCharacters, self.name_characters()),
            (Check::NameLength, self.name_length(server)),
            (Check::TopLevelCombinators, self.combinators()),
            (Check::References, self.references()),
            (Check::StringFormats, self.formats()),
            (Check::DescriptionLength, self.description_length()),
        ];
        for (check, broken) in rules {
            if let Some(why) = broken.filter(|_| !allows(check)) {
                return Err(format!("{why}, or allow it with .allow({check})"));
            }
        }
        if !allows(Check::MissingDescription) {
            for warning in self.missing() {
                tracing::warn!("{warning}");
            }
        }
        Ok(())
    }

    fn name_characters(&self) -> Option<String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = self.called?;
        (name.is_empty() || !name.chars().all(allowed)).then(|| {
            "some clients refuse a name that has other characters than A-Z a-z 0-9 _ -; rename it"
                .to_owned()
        })
    }

    fn name_length(&self, server: &str) -> Option<String> {
        let both = self.called?.chars().count() + server.chars().count();
        (both > MAX_NAMES).then(|| {
            format!(
                "its name and the server's, '{server}', have {both} characters together, and some \
                 clients take {MAX_NAMES}; shorten one of them"
            )
        })
    }

    fn combinators(&self) -> Option<String> {
        let schemas = [("input", self.input), ("output", self.output)];
        schemas.into_iter().find_map(|(which, schema)| {
            let schema = schema?;
            let keyword = COMBINATORS.iter().find(|one| schema.contains_key(**one))?;
            Some(format!(
                "its {which} schema has '{keyword}' at its top, which some clients refuse; use a \
                 struct, with the enum as a member of it"
            ))
        })
    }

    fn references(&self) -> Option<String> {
        let schemas = [("input", self.input), ("output", self.output)];
        schemas.into_iter().find_map(|(which, schema)| {
            let mut found = false;
            walk(schema?, &mut |part| {
                found |= part.contains_key("$ref") || part.contains_key("$dynamicRef");
            });
            found.then(|| {
                format!(
                    "its {which} schema has a '$ref', which some clients do not follow; use a type \
                     that does not contain itself (in a schema of your own: what it refers to)"
                )
            })
        })
    }

    fn formats(&self) -> Option<String> {
        let mut found = None;
        walk(self.input?, &mut |part| {
            let kind = part.get("type").and_then(Value::as_str);
            let format = part.get("format").and_then(Value::as_str);
            if let Some(format) = format
                && !matches!(kind, Some("integer" | "number"))
                && !FORMATS.contains(&format)
            {
                found.get_or_insert_with(|| format.to_owned());
            }
        });
        found.map(|format| {
            format!(
                "its input schema has the string format '{format}', which some clients refuse; use \
                 one of {}, or a plain string (#[schemars(with = \"String\")])",
                FORMATS.join(", ")
            )
        })
    }

    fn description_length(&self) -> Option<String> {
        let over = |text: &str| text.chars().count() > MAX_DESCRIPTION;
        if self.description.is_some_and(over) {
            return Some(format!(
                "its description has more than {MAX_DESCRIPTION} characters, and some clients take \
                 no more; shorten it"
            ));
        }
        let long = |(_, text): &&(&str, Option<&str>)| text.is_some_and(over);
        self.arguments.iter().find(long).map(|(name, _)| {
            format!(
                "the description of its argument '{name}' has more than {MAX_DESCRIPTION} \
                 characters, and some clients take no more; shorten it"
            )
        })
    }

    /// What has no description, as whole sentences.
    fn missing(&self) -> Vec<String> {
        let Self { kind, name, .. } = self;
        let mut warnings = Vec::new();
        let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
        let allow = Check::MissingDescription;
        if blank(self.description) {
            warnings.push(format!(
                "The {kind} '{name}' has no description, by which a model or a user would choose it; \
                 add .description(…), or .allow({allow})."
            ));
        }
        let bare: Vec<&str> = self
            .arguments
            .iter()
            .filter(|(_, text)| blank(*text))
            .map(|(name, _)| *name)
            .collect();
        let (arguments, have) = match bare.len() {
            0 => return warnings,
            1 => ("argument", "has"),
            _ => ("arguments", "have"),
        };
        warnings.push(format!(
            "The {arguments} {} of the {kind} '{name}' {have} no description; add doc comments, or \
             .allow({allow}).",
            names(bare.into_iter())
        ));
        warnings
    }
}

/// Visits a schema and all that are inside it.
fn walk(schema: &JsonObject, visit: &mut impl FnMut(&JsonObject)) {
    visit(schema);
    for (keyword, value) in schema {
        match value {
            Value::Object(named) if NAMED.contains(&keyword.as_str()) => {
                let named = named.values().filter_map(Value::as_object);
                named.for_each(|one| walk(one, visit));
            }
            // Values, not schemas.
            _ if matches!(keyword.as_str(), "default" | "const" | "enum" | "examples")
                || keyword.starts_with("x-") => {}
            Value::Array(several) => {
                let several = several.iter().filter_map(Value::as_object);
                several.for_each(|one| walk(one, visit));
            }
            Value::Object(one) => walk(one, visit),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
