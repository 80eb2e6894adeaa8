//! Schemas of arguments. Clients hand them on to model providers, whose converters are stricter than JSON Schema, and a client
//! whose provider refuses one tool often loses all of them.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pymcp_kit::Check;
use serde_json::{Map, Value};

use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::Observed;
use super::{called, references};

/// Time that a schema may take to be compiled, or a value to be held against it.
const PATIENCE: Duration = Duration::from_secs(2);

const MISSING: Rule = Rule {
    id: "schema-missing",
    severity: Severity::Error,
    about: "A tool has no inputSchema, or one that is no object.",
    breaks: "Clients of every SDK refuse the whole list of tools.",
    mend: "Give it {\"type\": \"object\"} at least.",
};
const TYPE: Rule = Rule {
    id: "schema-type",
    severity: Severity::Error,
    about: "The schema of a tool does not say \"type\": \"object\" at its top.",
    breaks: "Clients of every SDK refuse the whole list of tools.",
    mend: "Add \"type\": \"object\".",
};
const COMBINATOR: Rule = Rule {
    id: "schema-combinator",
    severity: Severity::Error,
    about: "The schema of a tool has anyOf, oneOf, allOf, not, if or enum at its top.",
    breaks: "Model providers refuse it, and clients lose all tools (anthropics/claude-code#10031, #25081).",
    mend: "Make it an object, with what differs as a member.",
};
const INVALID: Rule = Rule {
    id: "schema-invalid",
    severity: Severity::Error,
    about: "The schema of a tool is none (JSON Schema 2020-12), or takes too long to be understood.",
    breaks: "Clients that validate drop the tool, or all of them.",
    mend: "Correct what the sentence names.",
};
const ITEMS: Rule = Rule {
    id: "array-items",
    severity: Severity::Error,
    about: "An array has no schema of its items.",
    breaks: "VS Code refuses the tool, and some versions all of the chat (microsoft/vscode#248810, #325618).",
    mend: "Add items, such as {\"type\": \"string\"}.",
};
const FORMAT: Rule = Rule {
    id: "string-format",
    severity: Severity::Warning,
    about: "A text has a format that strict converters do not know.",
    breaks: "OpenAI's structured outputs refuse formats such as uri.",
    mend: "Leave the format out, and say it in the description.",
};
const NUMBER_FORMAT: Rule = Rule {
    id: "number-format",
    severity: Severity::Warning,
    about: "A number has a format.",
    breaks: "Gemini and other strict converters refuse formats such as uint32 (apollographql/apollo-mcp-server#245).",
    mend: "Leave the format out; minimum and maximum say the range.",
};
const TYPES: Rule = Rule {
    id: "type-list",
    severity: Severity::Warning,
    about: "A type is a list, as in [\"string\", \"null\"].",
    breaks: "Converters of Gemini and others take one type, and refuse the tool.",
    mend: "Leave null out of arguments that need not be given; write anyOf for what has several types.",
};
const NULL: Rule = Rule {
    id: "optional-null",
    severity: Severity::Note,
    about: "An argument that need not be given also takes null.",
    breaks: "Some converters drop anyOf with null, and models send the text \"null\".",
    mend: "Leave null out: an argument that is left out says the same.",
};
const REQUIRED: Rule = Rule {
    id: "required-unknown",
    severity: Severity::Error,
    about: "An argument is required that the schema does not have.",
    breaks: "Gemini and OpenAI refuse the tool, and with it all of them.",
    mend: "Describe it in properties, or take it out of required.",
};
const UNDESCRIBED: Rule = Rule {
    id: "argument-undescribed",
    severity: Severity::Note,
    about: "Arguments have no description.",
    breaks: "Models guess what they mean.",
    mend: "Describe each argument in a sentence.",
};
const ARGUMENT_LONG: Rule = Rule {
    id: "argument-description-long",
    severity: Severity::Warning,
    about: "The description of an argument is very long.",
    breaks: "Clients cut it, or refuse the tool.",
    mend: "Keep it below 2,000 characters.",
};

pub(super) const RULES: &[&Rule] = &[
    &MISSING,
    &TYPE,
    &COMBINATOR,
    &INVALID,
    &references::UNRESOLVED,
    &references::RECURSIVE,
    &references::REFERENCE,
    &ITEMS,
    &FORMAT,
    &NUMBER_FORMAT,
    &TYPES,
    &NULL,
    &REQUIRED,
    &UNDESCRIBED,
    &ARGUMENT_LONG,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    for tool in &seen.lists.tools.items {
        let subject = called(tool, "tool");
        let Some(schema) = tool["inputSchema"].as_object() else {
            found.add(
                &MISSING,
                subject,
                "Its inputSchema is missing, or no object.",
            );
            continue;
        };
        if schema.get("type").is_none_or(|kind| kind != "object") {
            found.add(
                &TYPE,
                &subject,
                "Its inputSchema has no \"type\": \"object\".",
            );
        }
        top(schema, "inputSchema", &subject, &COMBINATOR, found);
        references::judge(&tool["inputSchema"], &subject, found);
        if let Err(why) = compiles(&tool["inputSchema"]) {
            found.add(
                &INVALID,
                &subject,
                format!("Its inputSchema cannot be used: {why}."),
            );
        }
        walk(&tool["inputSchema"], "", &mut |part, path| {
            of_part(part, path, &subject, found)
        });
        let bare: Vec<_> = properties(schema)
            .filter(|(_, property)| !says(&property["description"]))
            .map(|(name, _)| quoted(name))
            .take(5)
            .collect();
        if !bare.is_empty() {
            let what = format!(
                "{} {} no description.",
                bare.join(", "),
                if bare.len() == 1 { "has" } else { "have" }
            );
            found.add(&UNDESCRIBED, &subject, what);
        }
    }
}

/// Finds what combines schemas at the top of one.
pub(super) fn top(
    schema: &Map<String, Value>,
    which: &str,
    subject: &str,
    rule: &Rule,
    found: &mut Findings,
) {
    if let Some(word) = Check::COMBINATORS
        .iter()
        .find(|word| schema.contains_key(**word))
    {
        found.add(
            rule,
            subject,
            format!("Its {which} has '{word}' at the top."),
        );
    }
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn says(text: &Value) -> bool {
    text.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// What a part of a schema has that converters refuse.
fn of_part(part: &Map<String, Value>, path: &str, subject: &str, found: &mut Findings) {
    let at = if path.is_empty() {
        "The top".to_owned()
    } else {
        quoted(path)
    };
    let kind = part.get("type");
    let is_array = kind.is_some_and(|kind| kind == "array");
    if is_array && !part.contains_key("items") && !part.contains_key("prefixItems") {
        found.add(&ITEMS, subject, format!("{at} is an array without items."));
    }
    if let Some(Value::Array(kinds)) = kind {
        let kinds = quoted(&Value::from(kinds.clone()).to_string());
        found.add(&TYPES, subject, format!("{at} has the type {kinds}."));
    }
    if let Some(format) = part.get("format").and_then(Value::as_str) {
        match kind.and_then(Value::as_str) {
            Some("integer" | "number") => {
                found.add(
                    &NUMBER_FORMAT,
                    subject,
                    format!("{at} has the format {}.", quoted(format)),
                );
            }
            _ if !Check::STRING_FORMATS.contains(&format) => {
                found.add(
                    &FORMAT,
                    subject,
                    format!("{at} has the format {}.", quoted(format)),
                );
            }
            _ => {}
        }
    }
    let description = part
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let length = description.chars().count();
    if !path.is_empty() && length > Check::MAX_DESCRIPTION {
        found.add(
            &ARGUMENT_LONG,
            subject,
            format!("The description of {at} has {length} characters."),
        );
    }
    let required: BTreeSet<&str> = part
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let has = |name: &str| properties(part).any(|(known, _)| known == name);
    let composed = Check::COMBINATORS
        .iter()
        .any(|word| part.contains_key(*word))
        || part.contains_key("$ref");
    for name in required.iter().filter(|name| !has(name) && !composed) {
        found.add(
            &REQUIRED,
            subject,
            format!(
                "{at} requires {}, which it does not describe.",
                quoted(name)
            ),
        );
    }
    for (name, property) in properties(part) {
        let takes_null = ["anyOf", "oneOf"].iter().any(|word| {
            let alternatives = property[word].as_array();
            alternatives.is_some_and(|all| all.iter().any(|one| one["type"] == "null"))
        });
        if takes_null && !required.contains(name.as_str()) {
            found.add(&NULL, subject, format!("{} takes null.", quoted(name)));
        }
    }
}

/// Visits a schema and all that are inside it, each with its path.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&Map<String, Value>, &str)) {
    let Some(part) = schema.as_object() else {
        return;
    };
    visit(part, path);
    for (word, value) in part {
        match (word.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                Value::Object(named),
            ) => {
                for (name, one) in named {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(one, &path, visit);
                }
            }
            // Values, not schemas.
            ("default" | "const" | "enum" | "examples" | "required" | "type", _) => {}
            (_, Value::Array(several)) => several.iter().for_each(|one| walk(one, path, visit)),
            ("items" | "additionalProperties" | "contains", one) => {
                walk(one, &format!("{path}[]"), visit)
            }
            (_, one) => walk(one, path, visit),
        }
    }
}

/// Does work on what a stranger wrote, for so long at most.
///
/// # Errors
/// It took too long.
pub(super) fn within<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = channel();
    let started = thread::Builder::new()
        .name("schema".into())
        .spawn(move || sender.send(work()));
    started.map_err(|error| error.to_string())?;
    receiver
        .recv_timeout(PATIENCE)
        .map_err(|_| "it takes too long to be understood".into())
}

/// Whether a schema can be used. Nothing is fetched for it.
///
/// # Errors
/// Why not: a clause.
pub(super) fn compiles(schema: &Value) -> Result<(), String> {
    let schema = schema.clone();
    within(move || match jsonschema::draft202012::new(&schema) {
        Ok(_) => Ok(()),
        Err(error) => Err(quoted(&error.to_string())),
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_takes_for_ever_is_given_up() {
        let (sender, receiver) = channel::<()>();
        let waited = within(move || receiver.recv());
        assert!(waited.is_err());
        drop(sender);
    }
}
