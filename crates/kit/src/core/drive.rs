//! Runs a handler until it is done, or waits for something that its request cannot wait for.

use std::future::poll_fn;
use std::task::Poll;

use crate::ask::Rounds;
use crate::component::BoxFuture;
use crate::context::Ctx;

/// How a run of a handler ended.
pub(super) enum Driven<T> {
    /// With its result.
    Done(T),
    /// It waits for answers of the client: the round is over.
    Asked,
    /// It goes on as a task.
    Task(BoxFuture<'static, T>),
}

/// Runs `work`, which is the handler of `ctx`.
pub(super) async fn drive<T>(ctx: &Ctx, work: BoxFuture<'static, T>) -> Driven<T> {
    let mut work = Some(work);
    poll_fn(|cx| {
        let Some(running) = &mut work else {
            return Poll::Pending;
        };
        // Before it runs: what it says from another task while it runs must wake us.
        ctx.register_driver(cx.waker());
        if let Poll::Ready(done) = running.as_mut().poll(cx) {
            if let Some(rounds) = ctx.rounds() {
                rounds.end();
            }
            return Poll::Ready(Driven::Done(done));
        }
        if ctx.becomes_task()
            && let Some(work) = work.take()
        {
            return Poll::Ready(Driven::Task(work));
        }
        match ctx.rounds().is_some_and(Rounds::is_over) {
            true => Poll::Ready(Driven::Asked),
            false => Poll::Pending,
        }
    })
    .await
}
