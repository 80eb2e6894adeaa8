//! What happens around every handler, the same on every transport.
//!
//! To add a step, implement [`Middleware`] in a file of its own and hand it to
//! [`ServerBuilder::middleware`](crate::ServerBuilder::middleware); the built-in ones are below.
//! Override the hook of the request kind that it is about, or [`Middleware::on_request`] for all:
//!
//! ```
//! use pymcp_kit::middleware::{ResponseFuture, Middleware, Next, Request};
//!
//! struct CountCalls(std::sync::atomic::AtomicU64);
//!
//! impl Middleware for CountCalls {
//!     fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
//!         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!         next.run(request)
//!     }
//! }
//! ```

mod arguments;
mod budget;
mod cache;
mod encode;
mod panic_guard;
mod timeout;
mod turns;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{
    CallToolResult, CreateTaskResult, GetPromptResult, JsonObject, ReadResourceResult,
};

use crate::component::{
    Arguments, BoxFuture, CacheHint, Found, PreparedTool, Prompt, Settings, Tool,
};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::label::Label;
use crate::limits::CallLimits;
use crate::metrics::Metrics;
use crate::store::BudgetStore;
use crate::wire::WireLimits;

pub use crate::protocol::List;
pub use cache::CacheConfig;
pub(crate) use encode::{encode, server_info, within};
pub(crate) use timeout::{too_long, within_time};

/// What a hook returns.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// A step around requests. Every hook may look at the request, change it, answer it itself, or run
/// what is left and change the outcome. A hook that is not overridden costs nothing.
pub trait Middleware: Send + Sync + 'static {
    /// Every request, before the hook of its kind.
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }

    /// `tools/call`.
    fn on_call_tool<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }

    /// `resources/read`.
    fn on_read_resource<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }

    /// `prompts/get`.
    fn on_get_prompt<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }

    /// `tools/list`, `resources/list`, `resources/templates/list`, `prompts/list`.
    fn on_list<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }

    /// Everything else: `initialize`, `server/discover`, `ping`, `logging/setLevel`,
    /// `completion/complete`, subscriptions, tasks, skills.
    fn on_protocol<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        next.run(request)
    }
}

/// One request in the pipeline.
pub struct Request {
    /// Its context.
    pub ctx: Ctx,
    /// What it asks for.
    pub kind: RequestKind,
}

/// What a request asks for.
pub enum RequestKind {
    /// `tools/call`.
    Tool(ToolCall),
    /// `resources/read`.
    Resource(ResourceRead),
    /// `prompts/get`.
    Prompt(PromptGet),
    /// One of the four list methods, with the cursor as it came.
    List(List, Option<String>),
    /// A method of the protocol itself.
    Protocol(ProtocolCall),
}

/// A `tools/call`.
pub struct ToolCall {
    /// The name as it came.
    pub name: String,
    /// The arguments: as they came, until the built-in steps have put them right.
    pub arguments: Arguments,
    pub(crate) tool: Option<Arc<PreparedTool>>,
}

impl ToolCall {
    /// The tool that is called, when there is one of this name.
    pub fn tool(&self) -> Option<&Tool> {
        self.tool.as_ref().map(|prepared| &prepared.tool)
    }
}

/// A `resources/read`.
pub struct ResourceRead {
    /// The URI as it came, its scheme in lower case.
    pub uri: String,
    pub(crate) found: Option<Found>,
}

/// A `prompts/get`.
pub struct PromptGet {
    /// The name as it came.
    pub name: String,
    /// The arguments as they came.
    pub arguments: JsonObject,
    pub(crate) prompt: Option<Arc<Prompt>>,
}

/// A method of the protocol itself.
pub struct ProtocolCall {
    /// Its name.
    pub method: &'static str,
    /// Whether it is answered only when its client goes away.
    pub(crate) lasting: bool,
    /// Runs it when nothing in front objected; gives the result as JSON.
    pub(crate) run: Box<dyn FnOnce(Ctx) -> BoxFuture<'static, Result<Bytes>> + Send>,
}

impl RequestKind {
    /// The method's name on the wire.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tools/call",
            Self::Resource(_) => "resources/read",
            Self::Prompt(_) => "prompts/get",
            Self::List(list, _) => list.method(),
            Self::Protocol(call) => call.method,
        }
    }

    /// Whether it is answered only when its client goes away: nothing is late then.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Protocol(ProtocolCall { lasting: true, .. }))
    }

    /// The name of the component it is for, when there is such a component.
    pub(crate) fn label(&self) -> Option<&Arc<Label>> {
        match self {
            Self::Tool(call) => call.tool.as_ref().map(|prepared| &prepared.tool.label),
            Self::Resource(read) => read.found.as_ref().map(|found| match found {
                Found::Resource(resource) => &resource.label,
                Found::Template(prepared, _) => &prepared.template.label,
            }),
            Self::Prompt(get) => get.prompt.as_ref().map(|prompt| &prompt.label),
            Self::List(..) | Self::Protocol(_) => None,
        }
    }

    /// The name that it asks for, when there is no such component; none of a URI, which may hold anything.
    pub(crate) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Tool(call) if call.tool.is_none() => Some(&call.name),
            Self::Prompt(get) if get.prompt.is_none() => Some(&get.name),
            _ => None,
        }
    }

    /// The settings of the component it is for, when there is such a component.
    pub fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Tool(call) => call.tool.as_ref().map(|prepared| &prepared.tool.settings),
            Self::Resource(read) => read.found.as_ref().map(|found| match found {
                Found::Resource(resource) => &resource.settings,
                Found::Template(prepared, _) => &prepared.template.settings,
            }),
            Self::Prompt(get) => get.prompt.as_ref().map(|prompt| &prompt.settings),
            Self::List(..) | Self::Protocol(_) => None,
        }
    }
}

/// What came of a request that is not an [`Error`].
pub enum Response {
    /// Of a tool; it may be an error that the caller can mend.
    Tool(CallToolResult),
    /// Of a resource, with how long it may be kept.
    Resource(ReadResourceResult, CacheHint),
    /// Of a prompt.
    Prompt(GetPromptResult),
    /// The round is over: the members of an `InputRequiredResult` (modern era).
    InputRequired(JsonObject),
    /// The call goes on as this task (modern era).
    Task(CreateTaskResult),
    /// Already written as the JSON of the result; `is_error` as in a tool's result.
    Encoded {
        /// The `result` member of the response.
        json: Bytes,
        /// Whether it is a tool's error.
        is_error: bool,
    },
}

impl Response {
    /// Whether it is a tool's error result.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Tool(result) => result.is_error == Some(true),
            Self::Encoded { is_error, .. } => *is_error,
            _ => false,
        }
    }
}

/// The built-in steps and the author's, in the order in which a request passes them. This is the
/// only place that decides it:
///
/// 1. the panic guard is outermost, so that nothing at all can leave a request unanswered;
/// 2. the timeout counts everything behind it;
/// 3. what the caller's budget has no more of is refused before anything is done for it, and what the
///    cache answers costs as well: it is not the work that is counted but the use;
/// 4. what is left waits for its turn, within its time;
/// 5. the author's steps (authorisation, limits, audit) see a request before any cache could
///    answer it, and as the client sent it;
/// 6. arguments are put right and checked before the cache looks at them, so that `5` and `"5"`
///    are one entry and a wrong call is never one;
/// 7. the cache keeps results as they go out;
/// 8. encoding bounds their size;
/// 9. the author's inner steps stand next to the handler: what they add is kept with the result.
pub(crate) fn stack(
    config: &CallLimits,
    wire: WireLimits,
    cache: CacheConfig,
    author: Vec<Arc<dyn Middleware>>,
    inner: Vec<Arc<dyn Middleware>>,
    budgets: Option<Arc<dyn BudgetStore>>,
    metrics: &[Metrics],
) -> Vec<Arc<dyn Middleware>> {
    let mut stack: Vec<Arc<dyn Middleware>> = vec![
        Arc::new(panic_guard::PanicGuard),
        Arc::new(timeout::Timeout(config.timeout)),
    ];
    if let Some(budget) = budget::SpendBudget::new(&config.budget, budgets, metrics) {
        stack.push(Arc::new(budget));
    }
    if let Some(turns) = turns::TakeTurns::new(config.concurrency, metrics) {
        stack.push(Arc::new(turns));
    }
    stack.extend(author);
    stack.push(Arc::new(arguments::ArgumentCheck::new(wire)));
    if let Some(cache) = cache::ResponseCache::new(cache) {
        cache.measure(metrics);
        stack.push(Arc::new(cache));
    }
    stack.push(Arc::new(encode::Encode {
        max_bytes: config.result_bytes,
    }));
    stack.extend(inner);
    stack
}

/// What a request comes to behind all steps: the core fills it in.
pub(crate) trait Endpoint: Send + Sync {
    /// Runs the component, or the method of the protocol.
    fn run(&self, request: Request) -> ResponseFuture<'_>;
}

/// The steps that are left.
pub struct Next<'a> {
    end: &'a dyn Endpoint,
    rest: &'a [Arc<dyn Middleware>],
    /// Whether the first of `rest` has had its `on_request`.
    inside: bool,
}

impl<'a> Next<'a> {
    pub(crate) fn start(stack: &'a [Arc<dyn Middleware>], end: &'a dyn Endpoint) -> Self {
        Self {
            end,
            rest: stack,
            inside: false,
        }
    }

    /// Runs the steps that are left and the handler.
    pub fn run(self, request: Request) -> ResponseFuture<'a> {
        let Some((first, rest)) = self.rest.split_first() else {
            return self.end.run(request);
        };
        if !self.inside {
            return first.on_request(
                request,
                Self {
                    inside: true,
                    ..self
                },
            );
        }
        let next = Self {
            rest,
            inside: false,
            ..self
        };
        match request.kind {
            RequestKind::Tool(_) => first.on_call_tool(request, next),
            RequestKind::Resource(_) => first.on_read_resource(request, next),
            RequestKind::Prompt(_) => first.on_get_prompt(request, next),
            RequestKind::List(..) => first.on_list(request, next),
            RequestKind::Protocol(_) => first.on_protocol(request, next),
        }
    }
}

/// A tool's error result: one sentence that the model can read.
pub(crate) fn tool_error(message: impl Into<String>) -> Response {
    let mut result = CallToolResult::error(vec![rmcp::model::ContentBlock::text(message)]);
    result.result_type = None;
    Response::Tool(result)
}

/// Turns an error that the caller of a tool can mend into a result; leaves the others.
pub(crate) fn soften(error: Error, ctx: &Ctx, label: Option<&Label>) -> Result<Response> {
    error
        .explained(&ctx.facts().explain)
        .into_user_message(ctx.era(), label)
        .map(tool_error)
}

#[cfg(test)]
mod tests;
