//! Whether the time for what a client sends grows no faster than what it sends: arguments with texts and values that
//! have cost somebody something, from a kilobyte to a megabyte. Where four times as much takes sixteen times as long,
//! one request can hold a processor for minutes.
//!
//! It is the time of the thread that counts, so a busy machine does no harm, and nothing is measured of a handler that
//! works elsewhere ([`Tool::blocking`](crate::Tool::blocking), another process). Needs no runtime, and takes seconds.
//!
//! ```
//! use pymcp_kit::testing::{Era, slopes};
//! use pymcp_kit::{Ctx, Result, Server, Tool};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Args {
//!     /// What to shout.
//!     text: String,
//! }
//!
//! async fn shout(_: Ctx, args: Args) -> Result<String> {
//!     Ok(args.text.to_uppercase())
//! }
//!
//! let shout = Tool::new("shout", shout).description("Shouts.");
//! let server = Server::builder("loud", "1.0.0").tool(shout).build().unwrap();
//! # if false { // it takes seconds
//! slopes::tools(&server, Era::Legacy).finish(5);
//! # }
//! ```
//!
//! For another place than an argument, put together a message with [`request`] or [`place`].

mod client;
mod slope;

use serde_json::{Map, Value, json};

use crate::core::Server;
use crate::protocol::Era;

pub use self::client::{Client, MOST, Place, place, request};
pub use self::slope::{Slopes, TEXTS, TREES, Tree, repeated, room};

/// Drives every argument of every tool; in the modern era those that take text, since the eras differ in asking alone.
pub fn tools(server: &Server, era: Era) -> Slopes {
    let client = Client::new(server, era);
    let mut slopes = Slopes::default();
    for tool in server.registry().tools() {
        let schema = json!(tool.definition().input_schema);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().cloned();
        let properties = properties.unwrap_or_default();
        for (name, property) in &properties {
            if era == Era::Modern && property["type"] != "string" {
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
            let envelope = match era {
                Era::Legacy => "",
                Era::Modern => r#","_meta":{ENVELOPE}"#,
            };
            let params = |value: &str| {
                format!(
                    r#""name":"{}","arguments":{others}{comma}"{name}":{value}}}{envelope}"#,
                    tool.name()
                )
            };
            let named = format!("{} {name}", tool.name());
            request(&named, "tools/call", &params("\"@\"")).text(&mut slopes, &client);
            if property["type"] != "string" {
                request(&named, "tools/call", &params("@")).tree(&mut slopes, &client);
            }
        }
    }
    slopes
}

/// Drives every argument of every prompt.
pub fn prompts(server: &Server) -> Slopes {
    let client = Client::new(server, Era::Legacy);
    let mut slopes = Slopes::default();
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
    slopes
}

/// Drives the variables of every resource template, from the first to the last as one.
pub fn templates(server: &Server) -> Slopes {
    let client = Client::new(server, Era::Legacy);
    let mut slopes = Slopes::default();
    for template in server.registry().templates() {
        let uri = template.uri_template();
        let (before, after) = uri.split_once('{').unwrap_or((uri, ""));
        let after = after.rsplit_once('}').map_or("", |(_, after)| after);
        let params = format!(r#""uri":"{before}@{after}""#);
        request(uri, "resources/read", &params).text(&mut slopes, &client);
    }
    slopes
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
