//! Completion: of commands, of what the server has, of the names of arguments, and of values where there is a choice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Command;
use rmcp::model::{Prompt, Tool};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use serde_json::Value;
use tokio::time::timeout;

use super::words::{last_plain, quoted, words};
use crate::client::Open;
use crate::client::coerce::resolve;
use crate::output::visible;

/// Time that a server has for a list while somebody waits for a completion.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time for which a list is taken to be as it was.
const FRESH: Duration = Duration::from_secs(10);

/// What is offered at most.
const MOST: usize = 200;

/// Completes lines of the shell.
pub(super) struct Completions<'a> {
    /// Those of the shell, by name.
    pub(super) commands: BTreeMap<String, Command>,
    pub(super) server: Lists<'a>,
}

/// What the server has, as it was a moment ago.
pub(super) struct Lists<'a> {
    open: Open<'a>,
    known: RefCell<Option<(Instant, Known)>>,
}

/// Names, and what follows them.
#[derive(Default, Clone)]
pub(super) struct Known {
    pub(super) tools: Vec<Tool>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) uris: Vec<String>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(open: Open<'a>) -> Self {
        Self {
            open,
            known: RefCell::default(),
        }
    }

    fn known(&self) -> Known {
        let mut known = self.known.borrow_mut();
        if let Some((at, known)) = &*known
            && at.elapsed() < FRESH
        {
            return known.clone();
        }
        let Open {
            runtime,
            connection,
        } = self.open;
        let ask = async {
            Known {
                tools: connection.tools().await.unwrap_or_default(),
                prompts: connection.prompts().await.unwrap_or_default(),
                uris: uris(connection).await,
            }
        };
        let asked = runtime.block_on(async { timeout(PATIENCE, ask).await });
        // Who does not answer is not asked at each key.
        let (_, known) = known.insert((Instant::now(), asked.unwrap_or_default()));
        known.clone()
    }
}

async fn uris(connection: &crate::client::Connection) -> Vec<String> {
    let resources = connection.resources().await.unwrap_or_default();
    let templates = connection.templates().await.unwrap_or_default();
    let resources = resources.into_iter().map(|resource| resource.uri);
    let templates = templates.into_iter();
    resources
        .chain(templates.map(|template| template.uri_template))
        .collect()
}

impl Completions<'_> {
    /// What the last word of an unfinished line may become, and where it begins.
    fn offers(&self, line: &str) -> Option<(usize, Vec<String>)> {
        let start = last_plain(line)?;
        let before = words(&line[..start]).ok()?;
        let before: Vec<_> = before.iter().map(String::as_str).collect();
        let word = &line[start..];
        let offers = match &before[..] {
            [] | ["help"] => self.commands.keys().cloned().collect(),
            [command, ..] if word.starts_with('-') => flags(self.commands.get(*command)?),
            [command, given @ ..] => {
                // Flags with their values are none of the arguments; whoever mixes them is not helped.
                let given: Vec<_> = given
                    .iter()
                    .copied()
                    .filter(|word| !word.starts_with('-'))
                    .collect();
                offers(
                    command,
                    &given,
                    word,
                    || self.server.known(),
                    || self.commands.get(*command).map(values).unwrap_or_default(),
                )
            }
        };
        Some((start, matching(offers, word)))
    }
}

/// What may follow a command and its arguments.
fn offers(
    command: &str,
    given: &[&str],
    word: &str,
    known: impl FnOnce() -> Known,
    values: impl FnOnce() -> Vec<String>,
) -> Vec<String> {
    match (command, given) {
        ("call", []) => known()
            .tools
            .iter()
            .map(|tool| tool.name.to_string())
            .collect(),
        ("call", [name, given @ ..]) => {
            let known = known();
            let tool = known.tools.iter().find(|tool| tool.name == *name);
            let schema = tool.map(|tool| Value::Object((*tool.input_schema).clone()));
            schema
                .map(|schema| of_schema(&schema, given, word))
                .unwrap_or_default()
        }
        ("prompt", []) => known()
            .prompts
            .iter()
            .map(|prompt| prompt.name.clone())
            .collect(),
        ("prompt", [name, given @ ..]) => {
            let known = known();
            let prompt = known.prompts.iter().find(|prompt| prompt.name == *name);
            let arguments = prompt.and_then(|prompt| prompt.arguments.as_ref());
            let arguments = arguments.into_iter().flatten();
            arguments
                .map(|argument| format!("{}=", argument.name))
                .filter(|name| !given.iter().any(|given| given.starts_with(name)))
                .collect()
        }
        ("read", []) => known().uris,
        _ => values(),
    }
}

/// Arguments of a tool that are not given yet; after `name=` the values of an enum.
fn of_schema(schema: &Value, given: &[&str], word: &str) -> Vec<String> {
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    if let Some((name, _)) = word.split_once('=') {
        let property = properties
            .get(name)
            .map(|property| resolve(property, schema));
        let values = property.map(choices).unwrap_or_default();
        return values
            .iter()
            .map(|value| format!("{name}={value}"))
            .collect();
    }
    let is_given = |name: &str| {
        let mut given = given
            .iter()
            .filter_map(|given| given.split([':', '=']).next());
        given.any(|given| given == name)
    };
    let names = properties.keys().filter(|name| !is_given(name));
    names.map(|name| format!("{name}=")).collect()
}

/// The values that a schema allows, where they are few.
fn choices(schema: &Value) -> Vec<String> {
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let listed = schema["enum"]
        .as_array()
        .map(|values| values.iter().map(as_text).collect());
    // schemars writes an enum whose values have descriptions so.
    let one_of = || -> Option<Vec<String>> {
        let each = schema["oneOf"].as_array()?.iter();
        each.map(|one| one.get("const").map(as_text)).collect()
    };
    match (listed.or_else(one_of), schema["type"].as_str()) {
        (Some(values), _) => values,
        (None, Some("boolean")) => ["true", "false"].map(str::to_owned).to_vec(),
        (None, _) => Vec::new(),
    }
}

/// Flags of a command.
fn flags(command: &Command) -> Vec<String> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")))
        .collect()
}

/// Values of the arguments of a command, where there is a choice.
fn values(command: &Command) -> Vec<String> {
    let positionals = command
        .get_positionals()
        .filter(|argument| !argument.is_hide_set());
    positionals
        .flat_map(clap::Arg::get_possible_values)
        .map(|value| value.get_name().to_owned())
        .collect()
}

/// Those that begin with a word, as they are typed. What would do something to a terminal is not offered.
fn matching(offers: Vec<String>, word: &str) -> Vec<String> {
    let mut offers: Vec<_> = offers
        .into_iter()
        .filter(|offer| {
            offer.starts_with(word) && visible(offer) == *offer && !offer.contains('\n')
        })
        .map(|offer| quoted(&offer))
        .take(MOST)
        .collect();
    offers.sort();
    offers.dedup();
    offers
}

impl Completer for Completions<'_> {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, offers) = self.offers(&line[..at]).unwrap_or((at, Vec::new()));
        let pair = |offer: String| Pair {
            // Whoever has chosen an argument goes on with its value, and else with the next word.
            replacement: match offer.ends_with('=') {
                true => offer.clone(),
                false => format!("{offer} "),
            },
            display: offer,
        };
        Ok((start, offers.into_iter().map(pair).collect()))
    }
}

impl Hinter for Completions<'_> {
    type Hint = String;
}

impl Highlighter for Completions<'_> {}

impl Validator for Completions<'_> {}

impl Helper for Completions<'_> {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let schema = json!({
            "type": "object",
            "properties": {
                "animal": { "type": "string" },
                "food": { "$ref": "#/$defs/Food" },
                "twice": { "type": "boolean" },
                "size": { "oneOf": [{ "const": "s" }, { "const": 3 }] },
            },
            "$defs": { "Food": { "enum": ["hay", "oats"] } },
        });
        let tool = json!({ "name": "feed", "inputSchema": schema });
        let prompt =
            json!({ "name": "greet", "arguments": [{ "name": "who" }, { "name": "how" }] });
        Known {
            tools: vec![serde_json::from_value(tool).unwrap()],
            prompts: vec![serde_json::from_value(prompt).unwrap()],
            uris: vec!["barn://bales".to_owned(), "barn://\u{1b}[2J".to_owned()],
        }
    }

    #[track_caller]
    fn offered(before: &[&str], word: &str, expected: &[&str]) {
        let kinds = || vec!["tools".to_owned(), "prompts".to_owned()];
        let offers = offers(before[0], &before[1..], word, known, kinds);
        assert_eq!(matching(offers, word), expected, "{before:?} {word}");
    }

    #[test]
    fn names_arguments_and_values_are_offered() {
        offered(&["call"], "", &["feed"]);
        offered(
            &["call", "feed"],
            "",
            &["animal=", "food=", "size=", "twice="],
        );
        offered(
            &["call", "feed", "animal=Bo", "food:=1"],
            "",
            &["size=", "twice="],
        );
        offered(&["call", "feed"], "food=", &["food=hay", "food=oats"]);
        offered(&["call", "feed"], "food=o", &["food=oats"]);
        offered(&["call", "feed"], "twice=t", &["twice=true"]);
        offered(&["call", "feed"], "size=", &["size=3", "size=s"]);
        offered(&["call", "feed"], "animal=", &[]);
        offered(&["call", "nobody"], "", &[]);
        offered(&["prompt"], "gr", &["greet"]);
        offered(&["prompt", "greet", "who=Ada"], "", &["how="]);
        offered(&["list"], "t", &["tools"]);
        // Nothing that a terminal would obey.
        offered(&["read"], "", &["barn://bales"]);
    }
}
