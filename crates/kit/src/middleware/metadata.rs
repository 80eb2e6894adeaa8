//! What every tool result says of where it comes from, and the check that it keeps its word.

use std::time::Instant;

use rmcp::model::Implementation;
use serde_json::json;

use super::{Flow, Invocation, Middleware, Next, Outcome};

pub(super) struct Metadata;

impl Middleware for Metadata {
    fn on_call_tool<'a>(&'a self, call: Invocation, next: Next<'a>) -> Flow<'a> {
        let started = Instant::now();
        let server = &next.inner().facts.server;
        let work = next.run(call);
        Box::pin(async move {
            let mut outcome = work.await?;
            stamp(&mut outcome, server, started);
            Ok(outcome)
        })
    }
}

/// Adds to a tool's result which server it is from, and how long it took.
pub(crate) fn stamp(outcome: &mut Outcome, server: &Implementation, started: Instant) {
    if let Outcome::Tool(result) = outcome
        && result.is_error != Some(true)
    {
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        let meta = result.meta.get_or_insert_default();
        meta.insert(
            "_package_metadata".into(),
            json!({ "name": server.name, "version": server.version }),
        );
        meta.insert(
            "_timing_metadata".into(),
            json!({ "tool_response_time_ms": milliseconds }),
        );
    }
}
