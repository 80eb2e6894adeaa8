//! Results become JSON, with what their era wants in every one, and within a size.

use bytes::Bytes;
use rmcp::model::{MetaObject, ResultType};
use serde::Serialize;
use serde_json::{Value, json};

use crate::component::CacheHint;
use crate::context::{Ctx, Facts, Note};
use crate::error::{Error, Result};
use crate::protocol::{Era, SERVER_INFO};
use crate::wire;

use super::{Middleware, Next, Request, RequestKind, Response, ResponseFuture, tool_error};

pub(super) struct Encode {
    pub(super) max_bytes: usize,
}

impl Middleware for Encode {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let ctx = request.ctx.clone();
        let tool = match &request.kind {
            RequestKind::Tool(call) => Some(call.name.clone()),
            _ => None,
        };
        let work = next.run(request);
        Box::pin(async move {
            let outcome = work.await?;
            within(self.max_bytes, outcome, &ctx, tool.as_deref())
        })
    }
}

/// Writes the `result` member of the response if it fits; a tool's that does not is an error result.
pub(crate) fn within(
    max_bytes: usize,
    outcome: Response,
    ctx: &Ctx,
    tool: Option<&str>,
) -> Result<Response> {
    let is_error = outcome.is_error();
    match &outcome {
        Response::InputRequired(_) => ctx.note(Note::InputRequired),
        Response::Task(_) => ctx.note(Note::BecameTask),
        _ => {}
    }
    let json = encode(outcome, ctx)?;
    if json.len() <= max_bytes {
        return Ok(Response::Encoded { json, is_error });
    }
    let sentence = format!("is larger than the {max_bytes} bytes allowed");
    match tool {
        Some(name) => {
            let outcome = tool_error(format!("The result of '{name}' {sentence}; ask for less."));
            Ok(Response::Encoded {
                json: encode(outcome, ctx)?,
                is_error: true,
            })
        }
        None => Err(Error::internal(format!("The result {sentence}."))),
    }
}

/// Writes the `result` member of the response.
pub(crate) fn encode(outcome: Response, ctx: &Ctx) -> Result<Bytes> {
    let modern = ctx.era() == Era::Modern;
    let complete = modern.then_some(ResultType::COMPLETE);
    match outcome {
        Response::Encoded { json, .. } => Ok(json),
        Response::Tool(mut result) => {
            // Anything but an object is a matter of the modern era; the text says it too.
            if !modern && !matches!(result.structured_content, Some(Value::Object(_))) {
                result.structured_content = None;
            }
            result.result_type = complete;
            sign(&mut result.meta, modern, ctx.facts());
            write(&result)
        }
        Response::Prompt(mut result) => {
            result.result_type = complete;
            sign(&mut result.meta, modern, ctx.facts());
            write(&result)
        }
        Response::InputRequired(mut result) => {
            result.insert("resultType".into(), json!("input_required"));
            result.insert(
                "_meta".into(),
                json!({ SERVER_INFO: server_info(ctx.facts()) }),
            );
            write(&result)
        }
        Response::Task(mut result) => {
            sign(&mut result.meta, modern, ctx.facts());
            write(&result)
        }
        Response::Resource(mut result, hint) => {
            // What was made of answers is of this moment and for this caller only.
            let hint = match ctx.was_interactive() {
                true => CacheHint::NONE,
                false => hint,
            };
            result.result_type = complete;
            result.ttl_ms = modern.then(|| hint.ttl_ms());
            result.cache_scope = modern.then(|| hint.scope());
            sign(&mut result.meta, modern, ctx.facts());
            write(&result)
        }
    }
}

fn sign(meta: &mut Option<MetaObject>, modern: bool, facts: &Facts) {
    if modern {
        meta.get_or_insert_default()
            .insert(SERVER_INFO.into(), server_info(facts));
    }
}

pub(crate) fn server_info(facts: &Facts) -> Value {
    serde_json::to_value(&facts.server).unwrap_or_default()
}

fn write(result: &impl Serialize) -> Result<Bytes> {
    Ok(wire::escaped(serde_json::to_vec(result)?))
}
