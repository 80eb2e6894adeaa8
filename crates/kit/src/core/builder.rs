//! Putting a server together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rmcp::model::{Implementation, ServerCapabilities};
use serde_json::json;

use crate::component::{CacheHint, Lists, Prompt, Registry, Resource, ResourceTemplate, Tool};
use crate::context::Facts;
use crate::middleware::{self, CacheConfig, Middleware};
use crate::wire::WireLimits;

use super::era::Era;
use super::server::{Inner, Server};

/// How long modern clients may keep the lists: they do not change while the server runs, and a
/// restart with other components is noticed within this time.
const LIST_HINT: CacheHint = CacheHint {
    ttl: Duration::from_secs(60),
    public: false,
};

/// Bounds of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// Time one request may take, without the time the client takes to answer questions.
    /// Default 30 s; a component can set its own.
    pub timeout: Duration,
    /// Time the client has to answer a question (elicitation, sampling). Default 10 min.
    pub ask_timeout: Duration,
    /// Requests in flight on one connection. Default 256.
    pub in_flight_per_connection: usize,
    /// Requests in flight in all. Default 1,024.
    pub in_flight: usize,
    /// Bytes of one result. Default 1 MiB.
    pub result_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            ask_timeout: Duration::from_secs(600),
            in_flight_per_connection: 256,
            in_flight: 1024,
            result_bytes: 1 << 20,
        }
    }
}

/// A server cannot be built as described; one sentence says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError(pub(crate) String);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Puts a server together.
pub struct ServerBuilder {
    info: Implementation,
    instructions: Option<String>,
    registry: Registry,
    wire: WireLimits,
    calls: CallLimits,
    cache: CacheConfig,
    middleware: Vec<Arc<dyn Middleware>>,
    refused: Option<String>,
}

impl ServerBuilder {
    pub(super) fn new(info: Implementation) -> Self {
        Self {
            info,
            instructions: None,
            registry: Registry::default(),
            wire: WireLimits::default(),
            calls: CallLimits::default(),
            cache: CacheConfig::default(),
            middleware: Vec::new(),
            refused: None,
        }
    }

    /// Adds a tool.
    pub fn tool(self, tool: Tool) -> Self {
        self.add(|registry| registry.add_tool(tool))
    }

    /// Adds a resource.
    pub fn resource(self, resource: Resource) -> Self {
        self.add(|registry| registry.add_resource(resource))
    }

    /// Adds a resource template. Where several match, the first one added answers.
    pub fn template(self, template: ResourceTemplate) -> Self {
        self.add(|registry| registry.add_template(template))
    }

    /// Adds a prompt.
    pub fn prompt(self, prompt: Prompt) -> Self {
        self.add(|registry| registry.add_prompt(prompt))
    }

    /// Adds a step to the pipeline, behind those added before it.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Tells clients how to use the server.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Sets the bounds of messages.
    pub fn wire_limits(mut self, limits: WireLimits) -> Self {
        self.wire = limits;
        self
    }

    /// Sets the bounds of calls.
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        self.calls = limits;
        self
    }

    /// Sets the bounds of the response cache.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = cache;
        self
    }

    /// Makes the server: compiles schemas, checks names, writes the lists.
    ///
    /// # Errors
    /// The first component that cannot be served, and why.
    pub fn build(self) -> Result<Server, BuildError> {
        if let Some(why) = self.refused {
            return Err(BuildError(why));
        }
        let facts = Arc::new(Facts {
            server: self.info,
            ask_timeout: self.calls.ask_timeout,
        });
        let internal = |error: serde_json::Error| BuildError(error.to_string());
        let json = |value| Ok::<_, serde_json::Error>(Bytes::from(serde_json::to_vec(&value)?));
        let legacy = Lists::write(&self.registry, Era::Legacy, json).map_err(internal)?;
        let modern = Lists::write(&self.registry, Era::Modern, |list| {
            json(middleware::complete_modern(list, LIST_HINT, &facts))
        })
        .map_err(internal)?;
        let stack = middleware::stack(&self.calls, self.cache, self.middleware);
        Ok(Server(Arc::new(Inner {
            facts,
            capabilities: capabilities(&self.registry),
            instructions: self.instructions,
            registry: self.registry,
            legacy,
            modern,
            wire: self.wire,
            calls: self.calls,
            stack,
            in_flight: Arc::default(),
            subscribers: Mutex::default(),
        })))
    }

    fn add(mut self, add: impl FnOnce(&mut Registry) -> Result<(), String>) -> Self {
        if let Err(why) = add(&mut self.registry) {
            self.refused.get_or_insert(why);
        }
        self
    }
}

/// What legacy clients are told; nothing is advertised that would not be answered.
fn capabilities(registry: &Registry) -> ServerCapabilities {
    let mut capabilities = ServerCapabilities::default();
    capabilities.logging = Some(Default::default());
    let unchanging = json!({ "listChanged": false });
    // `from_value` of a literal cannot fail; an absent capability would be the honest fallback.
    if registry.tools().next().is_some() {
        capabilities.tools = serde_json::from_value(unchanging.clone()).ok();
    }
    if registry.prompts().next().is_some() {
        capabilities.prompts = serde_json::from_value(unchanging).ok();
    }
    if registry.resources().next().is_some() || registry.templates().next().is_some() {
        capabilities.resources =
            serde_json::from_value(json!({ "subscribe": true, "listChanged": false })).ok();
    }
    capabilities
}
