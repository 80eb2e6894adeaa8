//! The line of a call in the audit log, which is written ahead of its answer, and those of what is denied.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::audit::{Arguments, Decision, Entry, Outcome, Receipt, Refused};
use crate::connection::Connection;
use crate::context::{Ctx, Note};
use crate::middleware::RequestKind;
use crate::protocol::Era;
use crate::telemetry::{self, Transport};
use crate::wire::{Code, RpcError};

use super::call::Answer;
use super::server::Inner;
use super::watch;

/// Time after which a client that is refused because of the log may try again.
const RETRY: Duration = Duration::from_secs(5);

/// Denials of requests that are written a second.
const DENIALS: u64 = 10;

/// A call that is to be in the log.
pub(super) struct Audited {
    time: SystemTime,
    began: Instant,
    transport: Transport,
    method: &'static str,
    name: String,
    arguments: Option<Arguments>,
    /// What is needed if it ends without an answer.
    ctx: Ctx,
    written: bool,
}

impl Audited {
    /// A line for a call; `None` without a log, and for a method that uses no component.
    ///
    /// # Errors
    /// The log cannot be written, and nothing is to be served without.
    pub(super) fn begin(
        inner: &Inner,
        ctx: &Ctx,
        kind: &RequestKind,
        transport: Transport,
    ) -> Result<Option<Self>, RpcError> {
        let Some(audit) = &inner.facts.audit else {
            return Ok(None);
        };
        audit.admit().map_err(unwritten)?;
        let (name, arguments) = match kind {
            RequestKind::Tool(call) => (&call.name, Some(audit.arguments(&call.arguments.values))),
            RequestKind::Prompt(get) => (&get.name, Some(audit.arguments(&get.arguments))),
            RequestKind::Resource(read) => (&read.uri, None),
            RequestKind::List(..) | RequestKind::Protocol(_) => return Ok(None),
        };
        Ok(Some(Self {
            time: SystemTime::now(),
            began: Instant::now(),
            transport,
            method: kind.method(),
            name: name.clone(),
            arguments,
            ctx: ctx.clone(),
            written: false,
        }))
    }

    /// The answer, once the line is written; an error in its place if it could not be.
    pub(super) async fn answered(mut self, answer: Answer) -> Answer {
        // Nobody will have it, as the line says.
        if self.ctx.is_unwanted() {
            return answer;
        }
        let outcome = match watch::outcome(&self.ctx, &answer) {
            telemetry::Outcome::Timeout => Outcome::Timeout,
            telemetry::Outcome::ToolError => Outcome::ToolError,
            telemetry::Outcome::Error | telemetry::Outcome::Panic => Outcome::Error,
            _ => Outcome::Ok,
        };
        let Some(receipt) = self.record(outcome, Some(&answer)) else {
            return answer;
        };
        match receipt.written().await {
            Ok(()) => answer,
            Err(refused) => Answer::error(Some(self.ctx.id()), &unwritten(refused)),
        }
    }

    /// Writes the line; `None` without a log.
    fn record(&mut self, outcome: Outcome, answer: Option<&Answer>) -> Option<Receipt> {
        self.written = true;
        let audit = self.ctx.facts().audit.as_ref()?;
        let peer = self.ctx.peer();
        let client = peer.client.as_ref();
        let scopes = self.ctx.permit().scopes().map(ToString::to_string);
        let manifest = self.ctx.manifest().shown();
        let trace = self.ctx.trace();
        let entry = Entry {
            principal: self.ctx.principal().subject(),
            client: client.map(|client| &*client.name),
            client_version: client.map(|client| &*client.version),
            era: Some(self.ctx.era()),
            revision: Some(peer.version),
            name: Some(&self.name),
            arguments: self.arguments.take(),
            scopes: scopes.as_deref(),
            outcome: Some(outcome),
            code: answer
                .and_then(|answer| answer.error)
                .map(|code| code.0.into()),
            ms: self
                .began
                .elapsed()
                .as_millis()
                .try_into()
                .unwrap_or(u64::MAX),
            bytes: answer.map_or(0, |answer| answer.body.len() as u64),
            cached: self.ctx.has(Note::CacheHit),
            manifest: Some(manifest.as_str()),
            request: Some(self.ctx.id().as_json()),
            trace: trace.map(|trace| trace.trace_id()),
            ..Entry::new(self.time, self.transport.as_str(), self.method)
        };
        Some(audit.record(&entry))
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        if !self.written {
            drop(self.record(Outcome::Cancelled, None));
        }
    }
}

/// A request of somebody who may not, which came no further than to its method.
pub(super) fn denied(
    inner: &Inner,
    connection: &Connection,
    method: &str,
    error: &RpcError,
    transport: Transport,
) {
    let (Some(audit), true) = (&inner.facts.audit, error.code == Code::FORBIDDEN) else {
        return;
    };
    let manifest = inner.components().digest.shown();
    let entry = Entry {
        principal: connection.principal().subject(),
        era: connection.peer().map(|_| Era::Legacy),
        decision: Decision::Denied {
            reason: &error.message,
        },
        outcome: None,
        code: Some(error.code.0.into()),
        manifest: Some(manifest.as_str()),
        ..Entry::new(SystemTime::now(), transport.as_str(), method)
    };
    drop(audit.record(&entry));
}

/// How many denials of the door are written.
#[derive(Default)]
pub(super) struct Denials {
    /// Seconds since 1970 for which they are counted.
    second: AtomicU64,
    count: AtomicU64,
}

impl Denials {
    /// Whether another may be written now. Two threads at the turn of a second may write one more.
    fn may_be_written(&self, second: u64) -> bool {
        if self.second.swap(second, Relaxed) != second {
            self.count.store(0, Relaxed);
        }
        self.count.fetch_add(1, Relaxed) < DENIALS
    }
}

/// What the door refused because of who asks, or how often. Strangers can send as many as they like, so no more than ten
/// a second are written; the metrics count all.
pub(crate) fn refused(inner: &Inner, refused: &telemetry::Refused<'_>) {
    let Some(audit) = &inner.facts.audit else {
        return;
    };
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if !matches!(refused.status, Some(401 | 403 | 429)) || !inner.denials.may_be_written(second) {
        return;
    }
    let entry = Entry {
        decision: Decision::Denied {
            reason: refused.why,
        },
        outcome: None,
        ..Entry::new(now, refused.transport.as_str(), "")
    };
    drop(audit.record(&entry));
}

fn unwritten(_: Refused) -> RpcError {
    RpcError::new(
        Code::BUSY,
        "The server's audit log cannot be written, and nothing is served without it; try again later.",
    )
    .with_retry_after(RETRY)
}
