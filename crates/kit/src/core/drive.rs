//! Runs a handler until it is done, or waits for something that its request cannot wait for.
//!
//! Where this stands in the life of a call is drawn in `docs/architecture.md`.

use std::future::poll_fn;
use std::task::Poll;

use crate::component::BoxFuture;
use crate::context::Ctx;
use crate::label::Label;
use crate::rounds::Rounds;

/// How a run of a handler ended.
pub(super) enum Driven<T> {
    /// With its result.
    Done(T),
    /// It waits for answers of the client: the round is over.
    Asked,
    /// It goes on as a task.
    Task(BoxFuture<'static, T>),
}

/// Runs `work`, which is the handler of `ctx`, of the component with this label.
pub(super) async fn drive<T>(ctx: &Ctx, label: &Label, work: BoxFuture<'static, T>) -> Driven<T> {
    // Nearly every request: nobody who could be asked, and no task to become.
    if ctx.rounds().is_none() && !ctx.run().can_become_task() {
        return Driven::Done(label.run(work).await);
    }
    let mut end = EndRounds(Some(ctx));
    let mut work = Some(work);
    poll_fn(|cx| {
        let Some(running) = &mut work else {
            return Poll::Pending;
        };
        if let Poll::Ready(done) = label.poll(running, cx) {
            return Poll::Ready(Driven::Done(done));
        }
        // Before what it waits for is looked at: what another task says after that must wake us.
        ctx.run().register_driver(cx.waker());
        if ctx.run().becomes_task()
            && let Some(work) = work.take()
        {
            // Its open questions go on as the task's.
            end.0 = None;
            return Poll::Ready(Driven::Task(work));
        }
        match ctx.rounds().is_some_and(Rounds::end_if_waiting) {
            true => Poll::Ready(Driven::Asked),
            false => Poll::Pending,
        }
    })
    .await
}

/// However a run ends: what it spawned, and what asks there, waits for nothing.
struct EndRounds<'a>(Option<&'a Ctx>);

impl Drop for EndRounds<'_> {
    fn drop(&mut self) {
        if let Some(rounds) = self.0.and_then(Ctx::rounds) {
            rounds.end();
        }
    }
}
