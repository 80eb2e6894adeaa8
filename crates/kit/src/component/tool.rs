//! Tools.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Definition, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::context::Ctx;
use crate::error::{Error, Result};

use super::arguments::Arguments;
use super::mirrored::{self, Mirrored};
use super::result::{IntoToolResult, ToolResult};
use super::schema::{self, Compiled};
use super::{Handler, Settings, common_builders};

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
/// assert_eq!(tool.name(), "double");
/// ```
pub struct Tool {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) task: Option<TaskSupport>,
    pub(crate) asks_before_task: bool,
    /// Whether its result is no object and goes out as `{"result": …}`.
    pub(crate) wraps_result: bool,
    pub(crate) handler: Handler<Arguments, ToolResult>,
}

impl Tool {
    /// A tool called `name` that runs `handler`: 1 to 128 of `A-Za-z0-9_-`, and few enough for every
    /// client ([`Check::NameLength`](super::Check)).
    ///
    /// The input schema comes from the type of the arguments, the output schema from the result.
    pub fn new<A, R, F, Fut>(name: &'static str, handler: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: IntoToolResult + Send + 'static,
        F: Fn(Ctx, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        let (output, wrapped) = R::output_schema().unzip();
        let wrapped = wrapped.unwrap_or_default();
        let mut definition = Definition::new_with_raw(name, None, Arc::new(schema::input::<A>()));
        definition.output_schema = output;
        Self {
            definition,
            settings: Settings::default(),
            task: None,
            asks_before_task: false,
            wraps_result: wrapped,
            handler: Box::new(move |ctx, arguments| {
                match arguments.parse::<A>() {
                    Ok(arguments) => {
                        let call = handler(ctx, arguments);
                        Box::pin(async move { call.await?.into_tool_result(wrapped) })
                    }
                    // The schema let it through and the type did not: an integer too large for its
                    // type, mostly. The words are serde's, without the value.
                    Err(error) => Box::pin(async move { Err(Error::user(misfit(name, &error))) }),
                }
            }),
        }
    }

    /// A tool whose input schema is written by hand: an object schema (JSON Schema 2020-12), published
    /// as it is. Arguments are checked against it like any others.
    pub fn raw<R, F, Fut>(name: &'static str, input_schema: JsonObject, handler: F) -> Self
    where
        R: IntoToolResult + Send + 'static,
        F: Fn(Ctx, JsonObject) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
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

    /// The task begins where the handler awaits [`Ctx::start_task`], not at once: questions before
    /// that are asked as for any other call.
    pub fn asks_before_task(mut self) -> Self {
        self.asks_before_task = true;
        self
    }

    common_builders!();

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

fn misfit(name: &str, error: &serde_json::Error) -> String {
    let detail = error.to_string();
    match detail.starts_with("missing field") {
        true => format!("Invalid arguments for '{name}': {detail}."),
        false => format!(
            "Invalid arguments for '{name}': a value is out of the range that the tool can take."
        ),
    }
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
