//! What clients are told of every component: the whole of it as files, and the rules it keeps.
//!
//! `snapshots/<kind>/<name>.json` is a definition as the list methods send it. A definition that changed, a component
//! without a file and a file without a component fail; `UPDATE_SNAPSHOTS=1 cargo test --test it snapshots` accepts what
//! is listed now, and the diff is for the reviewer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::memory::Memory;
use crate::support::message::{modern, request};

/// The list methods, and the member of their results that holds the list.
const KINDS: [(&str, &str, &str); 4] = [
    ("tools", "tools/list", "tools"),
    ("resources", "resources/list", "resources"),
    ("templates", "resources/templates/list", "resourceTemplates"),
    ("prompts", "prompts/list", "prompts"),
];

/// Its result is content made by hand, as the original's is, for which the original has no schema either.
const WITHOUT_OUTPUT_SCHEMA: [&str; 2] = ["generate_password", "run_python_code"];

/// The original has no tags for it.
const WITHOUT_TAGS: [&str; 1] = ["resource_unicode_modulo10"];

/// All definitions of one kind.
async fn list(client: &mut Memory, kind: (&str, &str, &str), newest: bool) -> Vec<Value> {
    let mut list = request(kind.1, kind.1, json!({}));
    if newest {
        list = modern(list, json!({}));
    }
    let answer = client.ask(&list).await;
    let definitions = answer["result"][kind.2].as_array();
    definitions
        .unwrap_or_else(|| panic!("no list: {answer}"))
        .clone()
}

fn name(definition: &Value) -> &str {
    definition["name"].as_str().expect("a name")
}

#[tokio::test]
async fn every_definition_is_the_one_on_file() {
    let mut client = Memory::connect(&pymcp::server::build(Default::default()).unwrap()).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let mut listed = BTreeMap::new();
    for kind in KINDS {
        for definition in list(&mut client, kind, false).await {
            let file = folder
                .join(kind.0)
                .join(format!("{}.json", name(&definition)));
            listed.insert(file, format!("{definition:#}\n"));
        }
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        update(&folder, &listed);
    }
    let complaints = compare(&folder, &listed);
    assert!(
        complaints.is_empty(),
        "{}\nIf that is as it should be: UPDATE_SNAPSHOTS=1 cargo test --test it snapshots",
        complaints.join("\n")
    );
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
    };
    entries(folder)
        .flat_map(|kind| entries(&kind).collect::<Vec<_>>())
        .collect()
}

fn update(folder: &Path, listed: &BTreeMap<PathBuf, String>) {
    for stale in files(folder)
        .iter()
        .filter(|file| !listed.contains_key(*file))
    {
        fs::remove_file(stale).unwrap();
    }
    for (file, definition) in listed {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, definition).unwrap();
    }
}

fn compare(folder: &Path, listed: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let show = |file: &Path| {
        file.strip_prefix(folder)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    let mut complaints = Vec::new();
    for (file, definition) in listed {
        match fs::read_to_string(file) {
            Ok(known) if known == *definition => {}
            Ok(known) => complaints.push(format!(
                "{} changed, from\n{known}to\n{definition}",
                show(file)
            )),
            Err(_) => complaints.push(format!("{} is missing:\n{definition}", show(file))),
        }
    }
    let stale = files(folder)
        .into_iter()
        .filter(|file| !listed.contains_key(file));
    complaints.extend(stale.map(|file| format!("{} is of no component", show(&file))));
    complaints
}

#[test]
fn a_change_a_missing_file_and_a_stale_one_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("tools").join(name);
    let listed = BTreeMap::from([
        (at("same"), "1\n".into()),
        (at("changed"), "2\n".into()),
        (at("new"), "3\n".into()),
    ]);
    fs::create_dir(folder.path().join("tools")).unwrap();
    for (name, text) in [("same", "1\n"), ("changed", "1\n"), ("stale", "4\n")] {
        fs::write(at(name), text).unwrap();
    }
    let complaints = compare(folder.path(), &listed);
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    for (complaint, name) in complaints.iter().zip(["changed", "new", "stale"]) {
        assert!(
            complaint.starts_with(&format!("tools/{name}")),
            "{complaint}"
        );
    }
    update(folder.path(), &listed);
    assert!(compare(folder.path(), &listed).is_empty());
}

#[tokio::test]
async fn both_eras_list_the_same() {
    let mut client = Memory::connect(&pymcp::server::build(Default::default()).unwrap()).await;
    for kind in KINDS {
        let legacy = list(&mut client, kind, false).await;
        assert!(!legacy.is_empty(), "{}", kind.0);
        assert_eq!(legacy, list(&mut client, kind, true).await);
    }
}

#[tokio::test]
async fn every_definition_keeps_the_rules() {
    let mut client = Memory::connect(&pymcp::server::build(Default::default()).unwrap()).await;
    let mut complaints = Vec::new();
    for kind in KINDS {
        for definition in list(&mut client, kind, false).await {
            let broken = broken_rules(kind.0, &definition);
            complaints.extend(
                broken
                    .iter()
                    .map(|rule| format!("{} {}: {rule}", kind.0, name(&definition))),
            );
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The rules that a definition breaks.
fn broken_rules(kind: &str, definition: &Value) -> Vec<String> {
    let (name, mut broken) = (name(definition), Vec::new());
    let mut rule = |kept: bool, rule: &str| {
        if !kept {
            broken.push(rule.to_owned());
        }
    };
    let says = |member: &Value| member.as_str().is_some_and(|text| !text.trim().is_empty());
    // What the strictest of the large model providers takes.
    let is_name = regex_lite::Regex::new("^[a-zA-Z0-9_-]{1,64}$").unwrap();
    rule(
        is_name.is_match(name),
        "the name has characters that not every client takes",
    );
    rule(says(&definition["title"]), "no title");
    rule(says(&definition["description"]), "no description");
    let tags = definition["_meta"]["fastmcp"]["tags"]
        .as_array()
        .map_or(0, Vec::len);
    rule(
        (tags == 0) == WITHOUT_TAGS.contains(&name),
        "tags, or an exception, but not both",
    );
    match kind {
        "tools" => {
            for hint in [
                "readOnlyHint",
                "destructiveHint",
                "idempotentHint",
                "openWorldHint",
            ] {
                rule(
                    definition["annotations"][hint].is_boolean(),
                    &format!("no {hint}"),
                );
            }
            let schema = &definition["inputSchema"];
            rule(schema["type"] == "object", "the input is no object");
            rule(schema["additionalProperties"] == false, "the input is open");
            let exception = WITHOUT_OUTPUT_SCHEMA.contains(&name);
            rule(
                definition["outputSchema"].is_object() != exception,
                "an output schema, or an exception, but not both",
            );
            for schema in ["inputSchema", "outputSchema"].map(|member| &definition[member]) {
                let combined = ["anyOf", "oneOf", "allOf", "not", "if"]
                    .iter()
                    .find(|word| schema.get(word).is_some());
                rule(combined.is_none(), "a combinator at the top of a schema");
                rule(
                    !mentions_reference(schema),
                    "a $ref, which not every client follows",
                );
            }
            rule(
                !lists_null(schema) && !lists_null(&definition["outputSchema"]),
                "null in a list of types, which converters of schemas refuse",
            );
            for argument in optional_nulls(schema) {
                rule(
                    false,
                    &format!("{argument} may be left out, so null says nothing there"),
                );
            }
            for argument in undescribed(schema) {
                rule(false, &format!("the argument {argument} is not described"));
            }
        }
        "prompts" => {
            for argument in definition["arguments"].as_array().into_iter().flatten() {
                rule(
                    says(&argument["description"]),
                    &format!("the argument {} is not described", argument["name"]),
                );
            }
        }
        _ => rule(says(&definition["mimeType"]), "no media type"),
    }
    broken
}

/// Whether a `type` is a list with `null` in it.
fn lists_null(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(keyword, value)| match value {
            Value::Array(kinds) if keyword == "type" => kinds.contains(&json!("null")),
            inner => lists_null(inner),
        }),
        Value::Array(items) => items.iter().any(lists_null),
        _ => false,
    }
}

/// Properties that are not required and have `null` among their alternatives or as their default, at any depth.
fn optional_nulls(schema: &Value) -> Vec<String> {
    let (mut names, empty) = (Vec::new(), Vec::new());
    let required = schema["required"].as_array().unwrap_or(&empty);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let has_null = ["anyOf", "oneOf"].iter().any(|keyword| {
            let alternatives = property[keyword].as_array().unwrap_or(&empty);
            alternatives.contains(&json!({ "type": "null" }))
        });
        let is_default = property.get("default") == Some(&Value::Null);
        if (has_null || is_default) && !required.contains(&json!(name)) {
            names.push(name.clone());
        }
        for part in [property, &property["items"]] {
            let inner = optional_nulls(part);
            names.extend(inner.into_iter().map(|inner| format!("{name}.{inner}")));
        }
    }
    names
}

fn mentions_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.contains_key("$ref") || members.values().any(mentions_reference)
        }
        Value::Array(items) => items.iter().any(mentions_reference),
        _ => false,
    }
}

/// Properties without a description, at any depth.
fn undescribed(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut names = Vec::new();
    for (name, property) in properties {
        if property["description"]
            .as_str()
            .is_none_or(|text| text.trim().is_empty())
        {
            names.push(name.clone());
        }
        for part in [property, &property["items"]] {
            names.extend(
                undescribed(part)
                    .into_iter()
                    .map(|inner| format!("{name}.{inner}")),
            );
        }
    }
    names
}

#[test]
fn every_rule_can_be_broken() {
    let tool = json!({
        "name": "a b",
        "annotations": { "readOnlyHint": true },
        "inputSchema": {
            "anyOf": [],
            "properties": { "x": { "type": "array", "items": { "properties": {
                "y": { "$ref": "#" },
                "z": { "type": ["string", "null"], "default": null },
            } } } },
        },
    });
    let broken = broken_rules("tools", &tool);
    for word in [
        "name",
        "title",
        "description",
        "tags",
        "destructiveHint",
        "idempotentHint",
        "openWorldHint",
        "no object",
        "open",
        "output schema",
        "combinator",
        "$ref",
        "list of types",
        "x.z may be left out",
        "argument x is",
        "argument x.y",
    ] {
        assert!(
            broken.iter().any(|rule| rule.contains(word)),
            "{word}: {broken:?}"
        );
    }
    let prompt = json!({ "name": "p", "arguments": [{ "name": "x" }] });
    assert!(
        broken_rules("prompts", &prompt)
            .iter()
            .any(|rule| rule.contains("\"x\""))
    );
    assert!(
        broken_rules("resources", &json!({ "name": "r" })).contains(&"no media type".to_owned())
    );
}
