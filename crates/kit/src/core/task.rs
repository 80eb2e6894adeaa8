//! A call that goes on as a task: the handler in the background, its result in the store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rmcp::model::{CreateTaskResult, TASKS_EXTENSION_ID};
use serde_json::json;
use serde_json::value::RawValue;

use crate::component::{BoxFuture, PreparedTool, TaskSupport, ToolResult};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::middleware::{Response, encode, soften, too_long, within, within_time};
use crate::tasks::Worker;
use crate::wire::RpcError;

use super::server::Inner;

/// Time for which the result of a tool with a time limit of its own is kept, beyond that limit.
const KEEP_RESULT: Duration = Duration::from_secs(60);

/// How a call of a tool begins.
pub(super) enum Beginning {
    /// As any other call.
    Call,
    /// As a task.
    Task,
}

/// Finds out how a call begins.
///
/// # Errors
/// When the tool runs only as a task and the client takes none.
pub(super) fn beginning(ctx: &Ctx, prepared: &PreparedTool) -> Result<Beginning> {
    let tool = &prepared.tool;
    match tool.task {
        None => Ok(Beginning::Call),
        Some(_) if ctx.takes_tasks() && tool.asks_before_task => {
            ctx.run().may_become_task();
            Ok(Beginning::Call)
        }
        Some(_) if ctx.takes_tasks() => Ok(Beginning::Task),
        Some(TaskSupport::Optional) => Ok(Beginning::Call),
        Some(TaskSupport::Required) => Err(Error::missing_capability(
            "This tool runs as a task, and the client does not support tasks.",
            json!({ "extensions": { TASKS_EXTENSION_ID: {} } }),
        )),
    }
}

impl Inner {
    /// Lets the handler go on in the background; the answer to the call is the task.
    pub(super) async fn begin_task(
        self: &Arc<Self>,
        ctx: Ctx,
        prepared: Arc<PreparedTool>,
        work: BoxFuture<'static, Result<ToolResult>>,
    ) -> Result<Response> {
        let limit = prepared.tool.settings.timeout;
        let ttl = limit.map(|limit| limit.saturating_add(KEEP_RESULT));
        let (worker, task) = self.tasks.create(ctx.caller(), ttl).await?;
        // It ends with a word rather than with its time to be kept.
        let kept = Duration::from_millis(task.ttl_ms.unwrap_or(u64::MAX));
        let limit = limit.unwrap_or(kept).min(kept.saturating_sub(kept / 5));
        ctx.run().set_task(worker.handle().clone());
        let inner = Arc::clone(self);
        tokio::spawn(async move { inner.work(ctx, prepared, work, worker, limit).await });
        Ok(Response::Task(CreateTaskResult::new(task)))
    }

    async fn work(
        &self,
        ctx: Ctx,
        prepared: Arc<PreparedTool>,
        work: BoxFuture<'static, Result<ToolResult>>,
        worker: Worker,
        limit: Duration,
    ) {
        let handle = worker.handle().clone();
        // Nothing that a panic could leave half-changed is shared with the handler.
        let label = &prepared.tool.label;
        let guarded = AssertUnwindSafe(label.run(work)).catch_unwind();
        let guarded = within_time(&ctx, limit, guarded);
        let done = tokio::select! {
            biased;
            () = handle.cancelled() => {
                ctx.cancel();
                return;
            }
            done = guarded => done,
            () = handle.stopped() => {
                ctx.cancel();
                worker.stop().await;
                return;
            }
        };
        let done = match done {
            Some(Ok(done)) => done,
            Some(Err(_)) => Err(Error::internal("a handler panicked in a task")),
            None => {
                let what = format!("The tool '{}'", prepared.tool.name());
                Err(Error::user(too_long(&what, limit)))
            }
        };
        let outcome = done
            .map(|result| Response::Tool(result.into_wire()))
            .or_else(|error| soften(error, &ctx, Some(label)))
            .and_then(|outcome| {
                let name = Some(prepared.tool.name());
                let outcome = within(self.calls.result_bytes, outcome, &ctx, name)?;
                encode(outcome, &ctx)
            })
            .map_err(|error| error.into_rpc(ctx.era(), "tools/call", Some(label)));
        worker.finish(outcome.and_then(|json| raw(&json))).await;
    }
}

fn raw(json: &[u8]) -> Result<Box<RawValue>, RpcError> {
    serde_json::from_slice(json).map_err(|_| RpcError::internal())
}
