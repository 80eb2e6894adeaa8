//! Arguments of tools: unknown ones are dropped, lenient spellings put right, the rest checked
//! against the schema that was compiled at start.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::wire::WireLimits;

use super::{Middleware, Next, Request, RequestKind, ResponseFuture, tool_error};

/// Names of unknown arguments that are remembered as logged; a client that keeps inventing new
/// ones fills this once and is then silent.
const MAX_LOGGED: usize = 256;

pub(super) struct ArgumentCheck {
    wire: WireLimits,
    logged: Mutex<HashSet<String>>,
}

impl Middleware for ArgumentCheck {
    fn on_call_tool<'a>(&'a self, mut request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        if let RequestKind::Tool(call) = &mut request.kind
            && let Some(prepared) = &call.tool
        {
            let plan = &prepared.input.plan;
            let unknown = call.arguments.strip_unknown(plan);
            if !unknown.is_empty() {
                self.log_once(&call.name, unknown);
            }
            call.arguments.coerce(plan, &self.wire);
            let values = Value::Object(std::mem::take(&mut call.arguments.values));
            if let Some(complaint) = prepared.input.complain(&values) {
                let sentence = format!("Invalid arguments for '{}': {complaint}.", call.name);
                return Box::pin(async move { Ok(tool_error(sentence)) });
            }
            if let Value::Object(values) = values {
                call.arguments.values = values;
            }
        }
        next.run(request)
    }
}

impl ArgumentCheck {
    pub(super) fn new(wire: WireLimits) -> Self {
        Self {
            wire,
            logged: Mutex::default(),
        }
    }

    fn log_once(&self, tool: &str, unknown: Vec<String>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for mut name in unknown {
            // The name is the caller's text: short, and quoted by `Debug` below.
            name.truncate(name.floor_char_boundary(64));
            let key = format!("{tool}\n{name}");
            if logged.len() < MAX_LOGGED && logged.insert(key) {
                tracing::info!(tool, argument = ?name, "ignored an unknown argument");
            }
        }
    }
}
