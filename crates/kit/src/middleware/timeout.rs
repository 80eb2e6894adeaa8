//! No request takes for ever. Time that the client itself takes to answer a question does not
//! count: asking has its own limit.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep_until};

use crate::context::{Ctx, Note};
use crate::error::Error;

use super::{Middleware, Next, Request, RequestKind, ResponseFuture, tool_error};

/// More than any request takes.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) struct Timeout(pub(super) Duration);

impl Middleware for Timeout {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        if request.kind.is_lasting() {
            return next.run(request);
        }
        let limit = request
            .kind
            .settings()
            .and_then(|settings| settings.timeout)
            .unwrap_or(self.0);
        let ctx = request.ctx.clone();
        let tool = match &request.kind {
            RequestKind::Tool(call) => Some(call.name.clone()),
            _ => None,
        };
        let work = next.run(request);
        Box::pin(async move {
            match within_time(&ctx, limit, work).await {
                Some(outcome) => outcome,
                None => match tool {
                    Some(name) => Ok(tool_error(too_long(&format!("The tool '{name}'"), limit))),
                    None => Err(Error::internal(too_long("The request", limit))),
                },
            }
        })
    }
}

/// What `work` comes to, unless it takes longer than `limit` without the time for which the client
/// is asked something.
pub(crate) async fn within_time<F>(ctx: &Ctx, limit: Duration, mut work: F) -> Option<F::Output>
where
    F: Future + Unpin,
{
    // Nearly every request is ready at once, and needs no timer.
    if let std::task::Poll::Ready(outcome) = futures_util::poll!(&mut work) {
        return Some(outcome);
    }
    // A limit that no clock can add is none.
    let limit = limit.min(LONGEST);
    // What was asked before, by the call that has become a task, is not of this time.
    let (begun, before) = (Instant::now(), ctx.asked_for().unwrap_or_default());
    let mut timer = begun + limit;
    loop {
        match select(&mut work, pin!(sleep_until(timer))).await {
            Either::Left((outcome, _)) => return Some(outcome),
            Either::Right(_) => {}
        }
        timer = match ctx.asked_for() {
            // How long it has to wait is not known yet: look again later.
            None => Instant::now() + limit,
            Some(asked_for) => {
                let deadline = begun + limit + asked_for.saturating_sub(before);
                if deadline <= timer {
                    ctx.note(Note::TimedOut);
                    ctx.time_is_up();
                    return None;
                }
                deadline
            }
        };
    }
}

/// The sentence for what took too long.
pub(crate) fn too_long(what: &str, limit: Duration) -> String {
    format!(
        "{what} took longer than the {} ms allowed.",
        limit.as_millis()
    )
}
