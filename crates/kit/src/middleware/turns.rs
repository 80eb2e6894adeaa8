//! Calls wait for their turn.

use std::future::poll_fn;
use std::sync::Arc;

use crate::error::Error;
use crate::limits::{ConcurrencyLimits, Crowded, Turns};
use crate::metrics::Metrics;
use crate::wire::{Code, RpcError};

use super::{Middleware, Next, Request, RequestKind, ResponseFuture};

pub(super) struct TakeTurns(Arc<Turns>);

impl TakeTurns {
    /// `None` when nothing is limited.
    pub(super) fn new(limits: ConcurrencyLimits, metrics: &[Metrics]) -> Option<Self> {
        let turns = Turns::new(limits)?;
        turns.measure(metrics);
        Some(Self(turns))
    }
}

impl Middleware for TakeTurns {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        if matches!(
            request.kind,
            RequestKind::List(..) | RequestKind::Protocol(_)
        ) {
            return next.run(request);
        }
        Box::pin(async move {
            let ctx = request.ctx.clone();
            let Some(mut turn) = self.0.take(ctx.caller()).await.map_err(refusal)? else {
                return next.run(request).await;
            };
            let mut work = next.run(request);
            poll_fn(|cx| {
                let polled = work.as_mut().poll(cx);
                if polled.is_pending() {
                    turn.follow(ctx.is_asking());
                }
                polled
            })
            .await
        })
    }
}

fn refusal(crowded: Crowded) -> Error {
    let (waiting, scope) = match crowded {
        Crowded::Caller(waiting) => (waiting, "for this caller"),
        Crowded::InAll(waiting) => (waiting, "in all"),
    };
    Error::from(RpcError::new(
        Code::BUSY,
        format!(
            "The server is busy: {waiting} calls wait for their turn {scope}; try again later."
        ),
    ))
}
