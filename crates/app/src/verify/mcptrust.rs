//! Locks of mcptrust (`mcp-lock.json`, version 3.0 of its format): hashes of some fields, and none of what they were.
//!
//! | what | field of the lock | hash of |
//! | --- | --- | --- |
//! | server | `server.name` | the name itself |
//! | tool | `description_hash` | the description, `""` if there is none |
//! | tool | `input_schema_hash` | the schema as JSON, members sorted, written as Go writes it; `""` for none or an empty one |
//! | prompt | `argumentsHash` | name, description and `required` of each argument, sorted by name, as RFC 8785 JSON |
//! | prompt | `titleHash`, `descriptionHash`, where it has them | the text, without white space at the ends of lines |
//! | template | `templateHash` | `uriTemplate` and `mimeType`, as RFC 8785 JSON |
//! | template | `nameHash`, `descriptionHash`, where it has them | the text, as above |
//!
//! Its `risk_level` is mcptrust's own opinion of a tool, and its `artifact` a package: neither is what a server shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pymcp_kit::manifest::{Change, Class, Item, ItemKind, Manifest, SERVER};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is compared, for a person.
pub(super) const PINS: &str = "the server's name; tools by name, description and input schema; prompts by name, arguments and description; resource templates by URI, media type, name and description";

/// What such a lock does not pin, for a person.
pub(super) const LEAVES: &str =
    "instructions, resources, titles, annotations, output schemas, and whatever else there is";

/// The version of the format that is read.
const VERSION: &str = "3.0";

/// A lock of mcptrust.
#[derive(Debug, Deserialize)]
pub(super) struct McpTrust {
    server: ServerLock,
    prompts: Prompts,
    resources: Resources,
    tools: BTreeMap<String, ToolLock>,
}

#[derive(Debug, Deserialize)]
struct ServerLock {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Prompts {
    definitions: BTreeMap<String, PromptLock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptLock {
    arguments_hash: String,
    #[serde(default)]
    title_hash: String,
    #[serde(default)]
    description_hash: String,
}

#[derive(Debug, Deserialize)]
struct Resources {
    templates: Vec<TemplateLock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateLock {
    uri_template: String,
    template_hash: String,
    #[serde(default)]
    name_hash: String,
    #[serde(default)]
    description_hash: String,
}

/// Unlike the others, of the format's first version.
#[derive(Debug, Deserialize)]
struct ToolLock {
    description_hash: String,
    input_schema_hash: String,
}

impl McpTrust {
    /// Reads the text of a file; none if it is not of mcptrust.
    ///
    /// # Errors
    /// What is wrong with it, as what follows its name in a sentence.
    pub(super) fn parse(text: &str) -> Option<Result<Self, String>> {
        let value: Value = serde_json::from_str(text).ok()?;
        let version = match (value.get("lockFileVersion"), value.get("server_command")) {
            (Some(version), _) => version.as_str().unwrap_or_default().to_owned(),
            // The first two versions.
            (None, Some(_)) => value["version"].as_str().unwrap_or_default().to_owned(),
            (None, None) => return None,
        };
        if version != VERSION {
            return Some(Err(format!(
                "has the version '{}' of mcptrust's format, and {VERSION} is read",
                version.escape_debug()
            )));
        }
        let lock = Self::deserialize(&value);
        Some(lock.map_err(|error| format!("is no lock of mcptrust: {error}")))
    }

    /// What differs from the lock to what a server shows, as far as the lock pins it. The values are hashes.
    pub(super) fn drift(&self, manifest: &Manifest) -> Vec<Change> {
        let mut changes = Changes::default();
        let server = manifest
            .items()
            .iter()
            .find(|item| item.kind == ItemKind::Server);
        let name = server.and_then(|server| server.content["identity"]["name"].as_str());
        let (locked, name) = (&self.server.name, name.unwrap_or_default());
        if !locked.is_empty() && locked != name {
            let at = (ItemKind::Server, SERVER, "/identity/name");
            changes.tell(at, Class::Routing, locked, name);
        }
        let tools = by_name(&self.tools);
        changes.of(ItemKind::Tool, &tools, manifest, |locked, tool, found| {
            let text = sha256(text(tool, "description").as_bytes());
            found(
                "/definition/description",
                Class::Routing,
                &locked.description_hash,
                text,
            );
            let schema = match &tool["inputSchema"] {
                Value::Null => String::new(),
                Value::Object(members) if members.is_empty() => String::new(),
                schema => sha256(go(schema).as_bytes()),
            };
            found(
                "/definition/inputSchema",
                Class::Breaking,
                &locked.input_schema_hash,
                schema,
            );
        });
        let prompts = by_name(&self.prompts.definitions);
        changes.of(
            ItemKind::Prompt,
            &prompts,
            manifest,
            |locked, prompt, found| {
                let arguments = arguments(&prompt["arguments"]);
                found(
                    "/definition/arguments",
                    Class::Breaking,
                    &locked.arguments_hash,
                    arguments,
                );
                if !locked.title_hash.is_empty() {
                    let title = normalised(text(prompt, "title"));
                    found(
                        "/definition/title",
                        Class::Routing,
                        &locked.title_hash,
                        title,
                    );
                }
                if !locked.description_hash.is_empty() {
                    let text = normalised(text(prompt, "description"));
                    found(
                        "/definition/description",
                        Class::Routing,
                        &locked.description_hash,
                        text,
                    );
                }
            },
        );
        let templates = self.resources.templates.iter();
        let templates = templates
            .map(|one| (one.uri_template.as_str(), one))
            .collect();
        let kind = ItemKind::ResourceTemplate;
        changes.of(kind, &templates, manifest, |locked, template, found| {
            let what = self::template(template);
            found("/definition", Class::Breaking, &locked.template_hash, what);
            for (member, path, hash) in [
                ("name", "/definition/name", &locked.name_hash),
                (
                    "description",
                    "/definition/description",
                    &locked.description_hash,
                ),
            ] {
                if !hash.is_empty() {
                    found(
                        path,
                        Class::Routing,
                        hash,
                        normalised(text(template, member)),
                    );
                }
            }
        });
        changes.0
    }
}

/// What differs.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    /// Compares all of a kind: `compare` gets what is locked, what is shown, and what takes the place, the class, the locked
    /// hash and the one of now.
    fn of<L>(
        &mut self,
        kind: ItemKind,
        locked: &BTreeMap<&str, L>,
        manifest: &Manifest,
        compare: impl Fn(&L, &Value, &mut dyn FnMut(&str, Class, &str, String)),
    ) {
        let shown = manifest.items().iter().filter(|item| item.kind == kind);
        let shown: BTreeMap<&str, &Item> = shown.map(|item| (item.name.as_str(), item)).collect();
        for (name, locked) in locked {
            let Some(item) = shown.get(name) else {
                self.whole(kind, name, Class::Breaking, Some(json!("locked")), None);
                continue;
            };
            compare(
                locked,
                &item.content["definition"],
                &mut |path, class, before, after| {
                    if before != after {
                        self.tell((kind, name, path), class, before, &after);
                    }
                },
            );
        }
        for (name, item) in shown {
            if !locked.contains_key(name) {
                self.whole(kind, name, Class::Routing, None, Some(item.content.clone()));
            }
        }
    }

    /// Tells of one that is gone, or new.
    fn whole(
        &mut self,
        kind: ItemKind,
        name: &str,
        class: Class,
        before: Option<Value>,
        after: Option<Value>,
    ) {
        self.0.push(Change {
            kind,
            name: name.to_owned(),
            path: String::new(),
            class,
            before,
            after,
        });
    }

    fn tell(&mut self, at: (ItemKind, &str, &str), class: Class, before: &str, after: &str) {
        let (kind, name, path) = at;
        self.0.push(Change {
            kind,
            name: name.to_owned(),
            path: path.to_owned(),
            class,
            before: Some(before.into()),
            after: Some(after.into()),
        });
    }
}

fn by_name<L>(locked: &BTreeMap<String, L>) -> BTreeMap<&str, &L> {
    locked
        .iter()
        .map(|(name, locked)| (name.as_str(), locked))
        .collect()
}

fn text<'a>(definition: &'a Value, member: &str) -> &'a str {
    definition[member].as_str().unwrap_or_default()
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, bytes).as_ref() {
        // Memory takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The hash of a text in which the ends of lines do not count.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<_> = text
        .split('\n')
        .map(|line| line.trim_end_matches([' ', '\t']))
        .collect();
    sha256(lines.join("\n").as_bytes())
}

/// The hash of the arguments of a prompt. Members are sorted, and there are texts and truths alone: so this is RFC 8785.
fn arguments(arguments: &Value) -> String {
    let mut arguments: Vec<_> = arguments.as_array().into_iter().flatten().collect();
    arguments.sort_by_key(|argument| text(argument, "name"));
    let arguments = arguments.into_iter().map(|argument| {
        let mut written = json!({});
        let description = text(argument, "description");
        if !description.is_empty() {
            written["description"] = description.into();
        }
        written["name"] = text(argument, "name").into();
        if argument["required"] == true {
            written["required"] = true.into();
        }
        written
    });
    sha256(Value::from_iter(arguments).to_string().as_bytes())
}

/// The hash of what a resource template is.
fn template(template: &Value) -> String {
    let mut written = json!({});
    let media_type = text(template, "mimeType");
    if !media_type.is_empty() {
        written["mimeType"] = media_type.into();
    }
    written["uriTemplate"] = text(template, "uriTemplate").into();
    sha256(written.to_string().as_bytes())
}

/// JSON as Go's `encoding/json` writes it, members sorted by their bytes: numbers as 64-bit floats, and `<`, `>` and `&` as escapes.
fn go(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&self::number(number.as_f64().unwrap_or_default())),
        Value::String(text) => quoted(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            out.push('{');
            for (at, (name, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quoted(name, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
    }
}

/// The shortest digits that mean the number, with an exponent where it is very large or small.
fn number(number: f64) -> String {
    match number.abs() {
        0.0 | 1e-6..1e21 => number.to_string(),
        _ => {
            let text = format!("{number:e}");
            match text.contains("e-") {
                true => text,
                false => text.replace('e', "e+"),
            }
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Memory takes everything.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
