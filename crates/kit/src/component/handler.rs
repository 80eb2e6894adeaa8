//! What an author writes: async functions, with or without state, and the errors that they may end with.
//!
//! The traits are implemented for functions; nobody implements them by hand. `M` and `K` are markers
//! by which the compiler tells the shapes of functions and the kinds of errors apart.

use crate::context::Ctx;
use crate::error::{Error, HandlerError};

use super::BoxFuture;

/// A handler of a tool, resource template, prompt or completion:
/// `async fn(Ctx, Args) -> Result<T>`, or `async fn(Ctx, State, Args) -> Result<T>` for a component
/// that is given its state [`with`](crate::Tool::with).
///
/// ```
/// use pymcp_kit::{Ctx, NoArgs, Result, Tool};
///
/// async fn version(ctx: Ctx, _: NoArgs) -> Result<String> {
///     Ok(ctx.server().version.clone())
/// }
///
/// async fn motto(_: Ctx, motto: &'static str, _: NoArgs) -> Result<&'static str> {
///     Ok(motto)
/// }
///
/// let tools: [Tool; 2] = [
///     Tool::new("version", version),
///     Tool::new("motto", motto).with("Least privilege."),
/// ];
/// ```
///
/// Without its state, a tool is none that a server takes:
///
/// ```compile_fail
/// # use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
/// # async fn motto(_: Ctx, motto: &'static str, _: NoArgs) -> Result<&'static str> { Ok(motto) }
/// Server::builder("example", "1.0.0").tool(Tool::new("motto", motto));
/// ```
#[diagnostic::on_unimplemented(
    message = "this is no handler",
    label = "not an async function of the shape of a handler",
    note = "a handler is `async fn(Ctx, Args) -> Result<T>`, or `async fn(Ctx, State, Args) -> Result<T>` with `.with(state)`",
    note = "a closure needs the types of its parameters, as in `async |_: Ctx, args: Args| -> Result<T>`, and is `Send + Sync + 'static`"
)]
pub trait Handler<M, S>: Send + Sync + 'static {
    /// What the caller gives: a struct of arguments.
    type Args;
    /// What comes of it.
    type Value;
    /// What may come of it instead.
    type Error;
    /// The work.
    type Future: Future<Output = Result<Self::Value, Self::Error>>;

    /// Begins the work.
    fn call(&self, ctx: Ctx, state: S, args: Self::Args) -> Self::Future;
}

impl<F, Fut, A, R, E> Handler<(A,), ()> for F
where
    F: Fn(Ctx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>>,
{
    type Args = A;
    type Value = R;
    type Error = E;
    type Future = Fut;

    fn call(&self, ctx: Ctx, (): (), args: A) -> Fut {
        self(ctx, args)
    }
}

impl<F, Fut, S, A, R, E> Handler<(S, A), S> for F
where
    F: Fn(Ctx, S, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>>,
{
    type Args = A;
    type Value = R;
    type Error = E;
    type Future = Fut;

    fn call(&self, ctx: Ctx, state: S, args: A) -> Fut {
        self(ctx, state, args)
    }
}

/// A handler of a resource at a fixed URI: `async fn(Ctx) -> Result<T>`, or
/// `async fn(Ctx, State) -> Result<T>` for one that is given its state
/// [`with`](crate::Resource::with).
#[diagnostic::on_unimplemented(
    message = "this is no handler of a resource",
    label = "not an async function of the shape of a resource's handler",
    note = "a resource's handler is `async fn(Ctx) -> Result<T>`, or `async fn(Ctx, State) -> Result<T>` with `.with(state)`",
    note = "a closure needs the types of its parameters, as in `async |_: Ctx| -> Result<T>`, and is `Send + Sync + 'static`"
)]
pub trait ResourceHandler<M, S>: Send + Sync + 'static {
    /// What comes of it.
    type Value;
    /// What may come of it instead.
    type Error;
    /// The work.
    type Future: Future<Output = Result<Self::Value, Self::Error>>;

    /// Begins the work.
    fn call(&self, ctx: Ctx, state: S) -> Self::Future;
}

impl<F, Fut, R, E> ResourceHandler<(), ()> for F
where
    F: Fn(Ctx) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>>,
{
    type Value = R;
    type Error = E;
    type Future = Fut;

    fn call(&self, ctx: Ctx, (): ()) -> Fut {
        self(ctx)
    }
}

impl<F, Fut, S, R, E> ResourceHandler<(S,), S> for F
where
    F: Fn(Ctx, S) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>>,
{
    type Value = R;
    type Error = E;
    type Future = Fut;

    fn call(&self, ctx: Ctx, state: S) -> Fut {
        self(ctx, state)
    }
}

/// A handler whose arguments and results have the types that the protocol knows.
pub(crate) type Run<S, A, R> =
    Box<dyn Fn(Ctx, S, A) -> BoxFuture<'static, Result<R, Error>> + Send + Sync>;

/// Gives a handler its state: a clone for each call.
pub(crate) fn with_state<S, A, R>(run: Run<S, A, R>, state: S) -> Run<(), A, R>
where
    S: Clone + Send + Sync + 'static,
    A: 'static,
    R: 'static,
{
    Box::new(move |ctx, (), args| run(ctx, state.clone(), args))
}

/// A handler whose state could not be made; no server takes its component.
pub(crate) fn without_state<S, A, R>(_: Run<S, A, R>) -> Run<(), A, R>
where
    R: Send + 'static,
{
    Box::new(|_, (), _| {
        refuse(Error::internal(
            "the state of a component could not be made",
        ))
    })
}

/// The rest of a handler: its result becomes what the protocol knows.
pub(crate) fn finish<F, T, E, K, R>(
    work: F,
    into: impl FnOnce(T) -> Result<R, Error> + Send + 'static,
) -> BoxFuture<'static, Result<R, Error>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    E: HandlerError<K>,
{
    Box::pin(async move { work.await.map_err(HandlerError::into_error).and_then(into) })
}

/// What a handler that could not begin comes to.
pub(crate) fn refuse<R: Send + 'static>(error: Error) -> BoxFuture<'static, Result<R, Error>> {
    Box::pin(std::future::ready(Err(error)))
}
