//! Work that blocks: handlers that are no futures, on threads of their own and so many at a time.
//!
//! Such a handler cannot be dropped where it waits. When its call has ended (its time is up, its
//! client cancelled it or left) the client has its answer at once, and the handler learns it at its
//! next check. Until it returns it keeps its place among those that may run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::label::Label;
use crate::protocol::Level;

/// Time for which a handler may go on after its call has ended before it is warned about.
const LINGER: Duration = Duration::from_secs(5);

/// A handler of [`Tool::blocking`](crate::Tool::blocking): `fn(BlockingCtx, Args) -> Result<T>`, or
/// `fn(BlockingCtx, State, Args) -> Result<T>` for a tool that is given its state
/// [`with`](crate::Tool::with). `M` is a marker by which the compiler tells the two apart.
#[diagnostic::on_unimplemented(
    message = "this is no blocking handler",
    label = "not a function of the shape of a blocking handler",
    note = "a blocking handler is `fn(BlockingCtx, Args) -> Result<T>`, or `fn(BlockingCtx, State, Args) -> Result<T>` with `.with(state)`; an async one is for `Tool::new`",
    note = "a closure needs the types of its parameters, and is `Send + Sync + 'static`"
)]
pub trait BlockingHandler<M, S>: Send + Sync + 'static {
    /// What the caller gives: a struct of arguments.
    type Args;
    /// What comes of it.
    type Value;
    /// What may come of it instead.
    type Error;

    /// Does the work.
    ///
    /// # Errors
    /// What the handler ends with.
    fn call(
        &self,
        ctx: BlockingCtx,
        state: S,
        args: Self::Args,
    ) -> Result<Self::Value, Self::Error>;
}

impl<F, A, R, E> BlockingHandler<(A,), ()> for F
where
    F: Fn(BlockingCtx, A) -> Result<R, E> + Send + Sync + 'static,
{
    type Args = A;
    type Value = R;
    type Error = E;

    fn call(&self, ctx: BlockingCtx, (): (), args: A) -> Result<R, E> {
        self(ctx, args)
    }
}

impl<F, S, A, R, E> BlockingHandler<(S, A), S> for F
where
    F: Fn(BlockingCtx, S, A) -> Result<R, E> + Send + Sync + 'static,
{
    type Args = A;
    type Value = R;
    type Error = E;

    fn call(&self, ctx: BlockingCtx, state: S, args: A) -> Result<R, E> {
        self(ctx, state, args)
    }
}

/// One request, as a blocking handler sees it: what [`Ctx`] says, without `await`.
///
/// ```
/// use pymcp_kit::{BlockingCtx, NoArgs, Result, Tool};
///
/// fn count(ctx: BlockingCtx, _: NoArgs) -> Result<u64> {
///     let mut sum = 0_u64;
///     for step in 0..1_000_u64 {
///         // Often enough that nobody waits for it, and seldom enough that it costs nothing.
///         ctx.check()?;
///         ctx.progress(step as f64, Some(1_000.0), None);
///         sum += step;
///     }
///     Ok(sum)
/// }
///
/// let tool: Tool = Tool::blocking("count", count);
/// ```
#[derive(Clone, Debug)]
pub struct BlockingCtx {
    ctx: Ctx,
    runtime: Handle,
    /// Whether nobody waits for the result any more.
    abandoned: Arc<AtomicBool>,
}

impl BlockingCtx {
    /// The context: for what needs no `await`. What asks the user or the model is for async handlers.
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// Whether the call has ended: its time is up, or its client cancelled it or left. Nobody hears of
    /// the result then.
    pub fn cancelled(&self) -> bool {
        self.abandoned.load(Ordering::Acquire) || self.ctx.is_cancelled()
    }

    /// [`BlockingCtx::cancelled`], for the `?` in a loop.
    ///
    /// # Errors
    /// When the call has ended.
    pub fn check(&self) -> Result<()> {
        match self.cancelled() {
            true => Err(Error::user("The call has ended.")),
            false => Ok(()),
        }
    }

    /// [`Ctx::progress`]; waits while the client reads slowly.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        self.wait(self.ctx.progress(progress, total, message));
    }

    /// [`Ctx::log`]; waits while the client reads slowly.
    pub fn log(&self, level: Level, message: impl Into<Value>) {
        self.wait(self.ctx.log(level, message));
    }

    /// [`BlockingCtx::log`] at [`Level::Info`].
    pub fn info(&self, message: impl Into<Value>) {
        self.log(Level::Info, message);
    }

    /// [`BlockingCtx::log`] at [`Level::Warning`].
    pub fn warning(&self, message: impl Into<Value>) {
        self.log(Level::Warning, message);
    }

    /// Waits for something that is said, for as long as there is somebody to hear it.
    fn wait(&self, said: impl Future<Output = ()>) {
        if self.cancelled() {
            return;
        }
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = said => {}
                () = self.ctx.cancelled() => {}
            }
        });
    }
}

/// Who waits for the result. Dropped before it is there, it tells the handler, and warns about one
/// that does not listen.
struct Waiting<R: Send + 'static> {
    told: Option<oneshot::Receiver<Result<R>>>,
    ctx: BlockingCtx,
    label: Arc<Label>,
}

impl<R: Send + 'static> Drop for Waiting<R> {
    fn drop(&mut self) {
        let Some(told) = self.told.take() else {
            return;
        };
        self.ctx.abandoned.store(true, Ordering::Release);
        let label = Arc::clone(&self.label);
        // Ends with the handler, so there are never more of these than places.
        self.ctx.runtime.spawn(async move {
            if tokio::time::timeout(LINGER, told).await.is_err() {
                tracing::warn!(
                    kind = label.kind.as_str(),
                    name = &*label.name,
                    "a blocking handler still runs 5 s after its call has ended and occupies a thread; call BlockingCtx::check more often"
                );
            }
        });
    }
}

/// Runs `work` on a thread of its own, as soon as there is a place for it.
pub(crate) async fn run<R: Send + 'static>(
    ctx: Ctx,
    label: Arc<Label>,
    work: impl FnOnce(BlockingCtx) -> Result<R> + Send + 'static,
) -> Result<R> {
    let places = Arc::clone(&ctx.facts().blocking);
    let waits = |in_all| label.warn_once_of_places(in_all);
    let place = places.take(ctx.caller(), waits).await;
    let (tell, told) = oneshot::channel();
    let ctx = BlockingCtx {
        ctx,
        runtime: Handle::current(),
        abandoned: Arc::default(),
    };
    let mut waiting = Waiting {
        told: Some(told),
        ctx: ctx.clone(),
        label,
    };
    // Not one of the runtime's: it would wait for all of them when it ends.
    thread::Builder::new()
        .name("blocking-handler".to_owned())
        .spawn(move || {
            let runtime = ctx.runtime.clone();
            let _entered = runtime.enter();
            let done = work(ctx);
            drop(place);
            // Nobody may wait any more.
            let _ = tell.send(done);
        })?;
    let done = match &mut waiting.told {
        Some(told) => told.await,
        None => return Err(Error::internal("a blocking handler has no result")),
    };
    waiting.told = None;
    // The panic hook has logged where it happened.
    done.unwrap_or_else(|_| Err(Error::internal("a blocking handler panicked")))
}
