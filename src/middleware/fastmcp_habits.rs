//! What FastMCP, on which the Python original stands, does on the wire beyond the protocol. Clients of
//! the original read it; a server of another name needs none of it.
//!
//! - Definitions carry their tags in `_meta.fastmcp.tags`, and `x-fastmcp-wrap-result` marks an output
//!   schema that is only there because structured content has to be an object.
//! - Results of tools say in `_meta` which package they are from and how long they took, and whether the
//!   value was wrapped.
//! - `data` of a log message is `{"msg": …, "extra": null}`.

use std::sync::Arc;
use std::time::Instant;

use pymcp_kit::ServerBuilder;
use pymcp_kit::component::{Definition, Settings};
use pymcp_kit::middleware::{Middleware, Next, Request, RequestKind, Response, ResponseFuture};
use pymcp_kit::model::{JsonObject, MetaObject};
use serde_json::{Value, json};

/// The server with these habits: for the components that are added afterwards.
pub fn with_habits(server: ServerBuilder) -> ServerBuilder {
    server
        .describe(describe)
        .log_data(|message| json!({ "msg": message, "extra": null }))
        .inner_middleware(Metadata)
}

fn describe(definition: Definition<'_>, settings: &Settings) {
    let meta = match definition {
        Definition::Tool {
            definition,
            wraps_result,
            ..
        } => {
            if let Some(schema) = definition.output_schema.as_mut().filter(|_| wraps_result) {
                Arc::make_mut(schema).insert("x-fastmcp-wrap-result".into(), Value::Bool(true));
            }
            &mut definition.meta
        }
        Definition::Resource(definition) => &mut definition.meta,
        Definition::Template(definition) => &mut definition.meta,
        Definition::Prompt(definition) => &mut definition.meta,
        _ => return,
    };
    meta.get_or_insert_with(|| {
        let mut tags = settings.tags.clone();
        tags.sort();
        MetaObject(JsonObject::from_iter([(
            "fastmcp".to_owned(),
            json!({ "tags": tags }),
        )]))
    });
}

/// What a tool's result says of where it comes from. It stands next to the handler: its time is the
/// handler's, and a repeated answer repeats it.
struct Metadata;

impl Middleware for Metadata {
    fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let started = Instant::now();
        let ctx = request.ctx.clone();
        let wraps_result = match &request.kind {
            RequestKind::Tool(call) => call.tool().is_some_and(|tool| tool.wraps_result()),
            _ => false,
        };
        let work = next.run(request);
        Box::pin(async move {
            let mut outcome = work.await?;
            if let Response::Tool(result) = &mut outcome
                && result.is_error != Some(true)
            {
                let milliseconds = started.elapsed().as_secs_f64() * 1e3;
                let server = ctx.server();
                let meta = result.meta.get_or_insert_default();
                if wraps_result {
                    meta.insert("fastmcp".into(), json!({ "wrap_result": true }));
                }
                meta.insert(
                    "_package_metadata".into(),
                    json!({ "name": server.name, "version": server.version }),
                );
                meta.insert(
                    "_timing_metadata".into(),
                    json!({ "tool_response_time_ms": milliseconds }),
                );
            }
            Ok(outcome)
        })
    }
}
