//! Tools.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Definition, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::blocking::{self, BlockingHandler};
use crate::error::{Error, HandlerError, Result};

use super::arguments::Arguments;
use super::handler::{Handler, Run, finish, refuse, with_state};
use super::mirrored::{self, Mirrored};
use super::result::{IntoToolResult, ToolResult};
use super::schema::{self, Compiled};
use super::{Settings, common_builders};
use crate::label::Label;
use crate::protocol::Kind;

/// The arguments of a tool that takes none.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub struct NoArgs {}

/// Whether calls of a tool can, or have to, become tasks (extension `io.modelcontextprotocol/tasks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSupport {
    /// A client that takes tasks gets one, any other waits for the result.
    Optional,
    /// A client that takes no tasks is refused.
    Required,
}

/// A tool: an async function, its schemas, and what clients are told of it.
///
/// ```
/// use pymcp_kit::{Ctx, Result, Tool};
///
/// /// Doc comments become descriptions.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// The number to double.
///     n: i32,
/// }
///
/// async fn double(_: Ctx, args: Args) -> Result<i64> {
///     Ok(i64::from(args.n) * 2)
/// }
///
/// let tool = Tool::new("double", double).description("Doubles a number.").read_only();
/// # let tool: Tool = tool;
/// assert_eq!(tool.name(), "double");
/// ```
///
/// What its calls share (a pool, a client, a store) is its state. The handler takes it between the
/// context and the arguments, and [`Tool::with`] hands it over:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// use pymcp_kit::{Ctx, NoArgs, Result, Tool};
///
/// async fn count(_: Ctx, calls: Arc<AtomicU64>, _: NoArgs) -> Result<u64> {
///     Ok(calls.fetch_add(1, Ordering::Relaxed) + 1)
/// }
///
/// let tool = Tool::new("count", count).with(Arc::default()).description("Counts its calls.");
/// # let tool: Tool = tool;
/// ```
///
/// `S` is the state that is still missing; a server takes tools that miss none.
pub struct Tool<S = ()> {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) task: Option<TaskSupport>,
    pub(crate) asks_before_task: bool,
    /// Whether its result is no object and goes out as `{"result": …}`.
    pub(crate) wraps_result: bool,
    pub(crate) label: Arc<Label>,
    pub(crate) run: Run<S, Arguments, ToolResult>,
}

impl<S: 'static> Tool<S> {
    /// A tool called `name` that runs `handler` (see [`Handler`]): 1 to 128 of `A-Za-z0-9_-`, and few
    /// enough for every client ([`Check::NameLength`](super::Check)).
    ///
    /// The input schema comes from the type of the arguments, the output schema from the result.
    pub fn new<H, M, K>(name: impl Into<Cow<'static, str>>, handler: H) -> Self
    where
        H: Handler<M, S>,
        H::Args: DeserializeOwned + JsonSchema + Send + 'static,
        H::Value: IntoToolResult + Send + 'static,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let label = Label::new(Kind::Tool, name);
        let (output, wrapped) = H::Value::output_schema().unzip();
        let wrapped = wrapped.unwrap_or_default();
        let of_run = Arc::clone(&label);
        let run: Run<S, Arguments, ToolResult> =
            Box::new(
                move |ctx, state, arguments| match arguments.parse::<H::Args>() {
                    Ok(arguments) => finish(
                        handler.call(ctx, state, arguments),
                        move |value: H::Value| value.into_tool_result(wrapped),
                    ),
                    Err(error) => refuse(misfit(&of_run.name, &error)),
                },
            );
        let input = schema::input::<H::Args>();
        let mut tool = Self::of(label, input, run);
        tool.definition.output_schema = output;
        tool.wraps_result = wrapped;
        tool
    }

    /// A tool whose handler blocks its thread: it computes for long, or waits without `await`. It runs
    /// on a thread of its own, so many of them at a time as
    /// [`CallLimits::blocking`](crate::CallLimits::blocking) says: see [`BlockingCtx`] and
    /// [`BlockingHandler`].
    ///
    /// Its client has an answer when its time is up, or none after it cancelled; the handler learns
    /// that at its next check and is never interrupted.
    ///
    /// [`BlockingCtx`]: crate::BlockingCtx
    pub fn blocking<H, M, K>(name: impl Into<Cow<'static, str>>, handler: H) -> Self
    where
        S: Send,
        H: BlockingHandler<M, S>,
        H::Args: DeserializeOwned + JsonSchema + Send + 'static,
        H::Value: IntoToolResult + 'static,
        H::Error: HandlerError<K>,
    {
        let label = Label::new(Kind::Tool, name);
        let (output, wrapped) = H::Value::output_schema().unzip();
        let wrapped = wrapped.unwrap_or_default();
        let (of_run, handler) = (Arc::clone(&label), Arc::new(handler));
        let run: Run<S, Arguments, ToolResult> = Box::new(move |ctx, state, arguments| {
            let arguments = match arguments.parse::<H::Args>() {
                Ok(arguments) => arguments,
                Err(error) => return refuse(misfit(&of_run.name, &error)),
            };
            let handler = Arc::clone(&handler);
            Box::pin(blocking::run(ctx, Arc::clone(&of_run), move |ctx| {
                let done = handler.call(ctx, state, arguments);
                done.map_err(HandlerError::into_error)?
                    .into_tool_result(wrapped)
            }))
        });
        let input = schema::input::<H::Args>();
        let mut tool = Self::of(label, input, run);
        tool.definition.output_schema = output;
        tool.wraps_result = wrapped;
        tool
    }

    fn of(label: Arc<Label>, input: JsonObject, run: Run<S, Arguments, ToolResult>) -> Self {
        Self {
            definition: Definition::new_with_raw(label.name.clone(), None, Arc::new(input)),
            settings: Settings::default(),
            task: None,
            asks_before_task: false,
            wraps_result: false,
            label,
            run,
        }
    }

    /// Hands the handler its state: a clone of it for each call.
    pub fn with(self, state: S) -> Tool
    where
        S: Clone + Send + Sync,
    {
        self.map_run(|run| with_state(run, state))
    }

    fn map_run(
        self,
        map: impl FnOnce(Run<S, Arguments, ToolResult>) -> Run<(), Arguments, ToolResult>,
    ) -> Tool {
        Tool {
            definition: self.definition,
            settings: self.settings,
            task: self.task,
            asks_before_task: self.asks_before_task,
            wraps_result: self.wraps_result,
            label: self.label,
            run: map(self.run),
        }
    }

    /// A tool whose input schema is written by hand: an object schema (JSON Schema 2020-12), published
    /// as it is. Arguments are checked against it like any others.
    pub fn raw<H, M, K>(
        name: impl Into<Cow<'static, str>>,
        input_schema: JsonObject,
        handler: H,
    ) -> Self
    where
        H: Handler<M, S, Args = JsonObject>,
        H::Value: IntoToolResult + Send + 'static,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let mut tool = Self::new(name, handler);
        tool.definition.input_schema = Arc::new(input_schema);
        tool
    }

    /// Calls can, or have to, become tasks: the client gets a handle at once and looks for the
    /// result. The whole handler runs as the task; what it asks is shown to whoever looks.
    pub fn task(mut self, support: TaskSupport) -> Self {
        self.task = Some(support);
        self
    }

    /// The task begins where the handler awaits [`Ctx::start_task`](crate::Ctx::start_task), not at once: questions before
    /// that are asked as for any other call.
    pub fn asks_before_task(mut self) -> Self {
        self.asks_before_task = true;
        self
    }

    common_builders!(Tool);

    /// The name clients call it by.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// What clients are told of it.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whether its result is no object, and so goes out as `{"result": …}`: structured content has
    /// to be an object for clients before 2026-07-28.
    pub fn wraps_result(&self) -> bool {
        self.wraps_result
    }

    /// Declares that it changes nothing.
    pub fn read_only(self) -> Self {
        self.annotate(|a| a.read_only(true))
    }

    /// Declares whether its changes destroy something; clients assume so unless told otherwise.
    pub fn destructive(self, destructive: bool) -> Self {
        self.annotate(|a| a.destructive(destructive))
    }

    /// Declares whether repeating a call changes nothing more.
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.annotate(|a| a.idempotent(idempotent))
    }

    /// Declares whether it deals with the world outside; clients assume so unless told otherwise.
    pub fn open_world(self, open_world: bool) -> Self {
        self.annotate(|a| a.open_world(open_world))
    }

    /// Sets the output schema of a tool that returns a [`ToolResult`] with structured content.
    pub fn output_schema<T: JsonSchema>(mut self) -> Self {
        let (schema, wraps) = schema::output::<T>();
        self.definition.output_schema = Some(Arc::new(schema));
        self.wraps_result = wraps;
        self
    }

    /// Has HTTP clients repeat an argument in the header `Mcp-Param-<header>`, so that proxies can
    /// route by it (SEP-2243); a request whose header and argument differ is refused.
    ///
    /// Only for a string, an integer or a boolean that is no secret, and that cannot be `null`.
    pub fn mirrored(mut self, argument: &str, header: impl Into<String>) -> Self {
        let schema = Arc::make_mut(&mut self.definition.input_schema);
        mirrored::annotate(schema, argument, header.into());
        self
    }

    fn annotate(mut self, change: impl FnOnce(ToolAnnotations) -> ToolAnnotations) -> Self {
        self.definition.annotations = Some(change(self.definition.annotations.unwrap_or_default()));
        self
    }
}

/// The schema let arguments through and the type did not: an integer too large for its type, mostly.
/// The words are serde's, without the value.
fn misfit(name: &str, error: &serde_json::Error) -> Error {
    let detail = error.to_string();
    Error::user(match detail.starts_with("missing field") {
        true => format!("Invalid arguments for '{name}': {detail}."),
        false => format!(
            "Invalid arguments for '{name}': a value is out of the range that the tool can take."
        ),
    })
}

/// A registered tool: everything that can be made ready before the first call is.
pub(crate) struct PreparedTool {
    pub(crate) tool: Tool,
    pub(crate) input: Compiled,
    pub(crate) mirrored: Mirrored,
    /// Checked in debug builds only: a result that breaks its own schema is a bug to find early.
    #[cfg(debug_assertions)]
    pub(crate) output: Option<Compiled>,
}

impl PreparedTool {
    pub(crate) fn new(tool: Tool) -> Result<Self, String> {
        check_name(tool.name())?;
        if tool.task.is_some() && tool.settings.cached {
            return Err("a tool that becomes a task cannot be cached".into());
        }
        check_root(&tool.definition.input_schema)?;
        let input = Compiled::new(&tool.definition.input_schema)?;
        let mirrored = Mirrored::of(&tool.definition.input_schema)?;
        #[cfg(debug_assertions)]
        let output = tool
            .definition
            .output_schema
            .as_deref()
            .map(Compiled::new)
            .transpose()?;
        Ok(Self {
            tool,
            input,
            mirrored,
            #[cfg(debug_assertions)]
            output,
        })
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    match (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err("a tool's name is 1 to 128 of the characters A-Z a-z 0-9 _ . -".into()),
    }
}

fn check_root(schema: &JsonObject) -> Result<(), String> {
    match schema.get("type").and_then(|kind| kind.as_str()) {
        Some("object") => Ok(()),
        _ => Err("the arguments have to be a struct".into()),
    }
}
