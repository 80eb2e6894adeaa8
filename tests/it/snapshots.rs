//! What clients are told of every component: the whole of it as files, and the rules it keeps.
//!
//! `snapshots/<kind>/<name>.json` is a definition as the list methods send it. A definition that changed, a component
//! without a file and a file without a component fail; `UPDATE_SNAPSHOTS=1 cargo test --test it snapshots` accepts what
//! is listed now, and the diff is for the reviewer.

use std::path::Path;

use pymcp_kit::Server;
use pymcp_kit::testing::{self, Client};
use serde_json::{Value, json};

/// Its result is content made by hand, as the original's is, for which the original has no schema either.
const WITHOUT_OUTPUT_SCHEMA: [&str; 2] = ["generate_password", "run_python_code"];

/// The original has no tags for it.
const WITHOUT_TAGS: [&str; 1] = ["resource_unicode_modulo10"];

fn server() -> Server {
    pymcp::server::build(Default::default()).unwrap()
}

#[tokio::test]
async fn every_definition_is_the_one_on_file_and_clients_can_use_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    testing::snapshot(&server(), folder).await;
}

#[tokio::test]
async fn there_is_something_of_each_kind_and_it_keeps_our_own_rules() {
    let mut client = Client::legacy(&server());
    let all = [
        ("tools", client.list_tools().await),
        ("resources", client.list_resources().await),
        ("templates", client.list_templates().await),
        ("prompts", client.list_prompts().await),
    ];
    let mut complaints = Vec::new();
    for (kind, definitions) in &all {
        assert!(!definitions.is_empty(), "{kind}");
        for definition in definitions {
            let broken = broken_rules(kind, definition);
            let name = &definition["name"];
            complaints.extend(broken.iter().map(|rule| format!("{kind} {name}: {rule}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The rules of this server that a definition breaks: those of any server are the kit's.
fn broken_rules(kind: &str, definition: &Value) -> Vec<&'static str> {
    let (name, mut broken) = (definition["name"].as_str().unwrap(), Vec::new());
    let mut rule = |kept: bool, rule: &'static str| {
        if !kept {
            broken.push(rule);
        }
    };
    let title = definition["title"].as_str().unwrap_or_default();
    rule(!title.trim().is_empty(), "no title");
    let tags = definition["_meta"]["fastmcp"]["tags"].as_array();
    rule(
        tags.is_none_or(Vec::is_empty) == WITHOUT_TAGS.contains(&name),
        "tags, or an exception, but not both",
    );
    if kind == "tools" {
        let closed = definition["inputSchema"]["additionalProperties"] == false;
        rule(closed, "the input is open");
        rule(
            definition["outputSchema"].is_object() != WITHOUT_OUTPUT_SCHEMA.contains(&name),
            "an output schema, or an exception, but not both",
        );
    }
    broken
}

#[test]
fn every_rule_can_be_broken() {
    let tool = json!({ "name": "x", "title": " ", "inputSchema": { "type": "object" } });
    let broken = broken_rules("tools", &tool);
    assert_eq!(broken.len(), 4, "{broken:?}");
    let tagged =
        json!({ "name": WITHOUT_TAGS[0], "title": "X", "_meta": { "fastmcp": { "tags": ["y"] } } });
    assert_eq!(broken_rules("templates", &tagged).len(), 1);
    let described = json!({ "name": WITHOUT_OUTPUT_SCHEMA[0], "outputSchema": {} });
    let broken = broken_rules("tools", &described);
    assert!(broken.contains(&"an output schema, or an exception, but not both"));
}
