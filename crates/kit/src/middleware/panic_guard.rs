//! A panic in a handler or a step is an error answer, and nothing else stops.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::context::Note;
use crate::error::Error;

use super::{Middleware, Next, Request, ResponseFuture};

pub(super) struct PanicGuard;

impl Middleware for PanicGuard {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let ctx = request.ctx.clone();
        // Nothing that could be left half-changed is shared with the handler: its locks poison, and
        // everything of ours behind it is dropped with it.
        let guarded = AssertUnwindSafe(async move { next.run(request).await }).catch_unwind();
        // The panic hook has logged where it happened; the payload may hold a caller's value.
        Box::pin(async move {
            guarded.await.unwrap_or_else(|_| {
                ctx.note(Note::Panicked);
                Err(Error::internal("a handler panicked"))
            })
        })
    }
}
