//! No tool, prompt or template takes time out of proportion to what a client sends: each of their arguments, as the
//! server lists them, is driven with hostile texts and values from a kilobyte to a megabyte.

#[path = "../../crates/kit/tests/slopes/client.rs"]
mod client;
#[path = "../../crates/kit/tests/slopes/slope.rs"]
mod slope;

use pymcp::server::Services;
use pymcp_kit::Server;
use serde_json::{Map, Value, json};

use client::{Client, request};
use slope::Slopes;

/// The server that ships, without the processes that run Python: what those may take has limits of its own.
fn server() -> Server {
    #[cfg_attr(not(feature = "python"), allow(unused_mut))]
    let mut services = Services::default();
    #[cfg(feature = "python")]
    {
        use pymcp_python::{Config, Pool, Program};
        services.python.pool = Pool::new(Config {
            program: Program {
                path: "/nonexistent".into(),
                arguments: Vec::new(),
            },
            ..Config::default()
        });
    }
    pymcp::server::build(services).unwrap()
}

/// A value that fits the schema of an argument.
fn sample(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("object") => json!({}),
        Some("array") => json!([]),
        _ => json!("x"),
    }
}

#[test]
fn arguments_of_tools() {
    let server = server();
    for modern in [false, true] {
        let client = Client::new(&server, modern);
        let mut slopes = Slopes::default();
        for tool in server.registry().tools() {
            let schema = json!(tool.definition().input_schema);
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let properties = schema["properties"].as_object().unwrap();
            for (name, property) in properties {
                // The eras differ in asking alone: one of each kind of argument will do for the other.
                if modern && property["type"] != "string" {
                    continue;
                }
                let others: Map<String, Value> = properties
                    .iter()
                    .filter(|(other, _)| *other != name && required.contains(&json!(other)))
                    .map(|(other, schema)| (other.clone(), sample(schema)))
                    .collect();
                let mut others = json!(others).to_string();
                others.pop();
                let comma = if others == "{" { "" } else { "," };
                let envelope = if modern { r#","_meta":{ENVELOPE}"# } else { "" };
                let params = |value: &str| {
                    format!(
                        r#""name":"{}","arguments":{others}{comma}"{name}":{value}}}{envelope}"#,
                        tool.name()
                    )
                };
                let place = format!("{} {name}", tool.name());
                request(&place, "tools/call", &params("\"@\"")).text(&mut slopes, &client);
                if property["type"] != "string" {
                    request(&place, "tools/call", &params("@")).tree(&mut slopes, &client);
                }
            }
        }
        slopes.finish(50);
    }
}

#[test]
fn arguments_of_prompts() {
    let (server, mut slopes) = (server(), Slopes::default());
    let client = Client::new(&server, false);
    for prompt in server.registry().prompts() {
        for argument in prompt.definition().arguments.iter().flatten() {
            let params = format!(
                r#""name":"{}","arguments":{{"{}":"@"}}"#,
                prompt.name(),
                argument.name
            );
            request(&argument.name, "prompts/get", &params).text(&mut slopes, &client);
        }
    }
    slopes.finish(10);
}

#[test]
fn variables_of_templates() {
    let (server, mut slopes) = (server(), Slopes::default());
    let client = Client::new(&server, false);
    for template in server.registry().templates() {
        let uri = template.uri_template();
        let (before, after) = (uri.find('{').unwrap(), uri.rfind('}').unwrap() + 1);
        let params = format!(r#""uri":"{}@{}""#, &uri[..before], &uri[after..]);
        request(uri, "resources/read", &params).text(&mut slopes, &client);
    }
    slopes.finish(5);
}
