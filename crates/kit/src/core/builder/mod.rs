//! Putting a server together. What it is told is here; `build` makes the server from it.

mod build;

use std::path::Path;
use std::sync::Arc;

use rmcp::model::Implementation;
use serde_json::Value;

use crate::audit::Audit;
use crate::build_error::BuildError;
use crate::component::{
    Definition, Exposed, Prompt, Registry, Resource, ResourceTemplate, Selection, Settings, Tool,
};
use crate::context::LogData;
use crate::error::{self, Explain, UserError};
use crate::keys::KeyRing;
use crate::limits::CallLimits;
use crate::metrics::Metrics;
use crate::middleware::{CacheConfig, Middleware};
use crate::protocol::Kind;
use crate::skills::Skills;
use crate::store::{
    BucketLimits, BucketStore, BudgetStore, Bus, EndedSessionStore, EventStore, NonceStore,
    TokenChangeStore,
};
use crate::tasks::{TaskLimits, TaskStore};
use crate::telemetry::Observer;
use crate::wire::WireLimits;

/// Components on one page of a list.
const PAGE_SIZE: usize = 500;

/// Components that a server has, unless it is told otherwise.
const MAX_COMPONENTS: usize = 10_000;

/// Puts a server together.
pub struct ServerBuilder {
    info: Implementation,
    instructions: Option<String>,
    registry: Registry,
    selection: Selection,
    disabled: Vec<(Kind, String)>,
    configuration: Vec<(String, Value)>,
    exposed: Exposed,
    max_components: usize,
    wire: WireLimits,
    calls: CallLimits,
    cache: CacheConfig,
    middleware: Vec<Arc<dyn Middleware>>,
    inner_middleware: Vec<Arc<dyn Middleware>>,
    log_data: Option<LogData>,
    headers: Vec<String>,
    page_size: usize,
    keys: Option<KeyRing>,
    nonces: Option<Arc<dyn NonceStore>>,
    buckets: BucketLimits,
    bucket_store: Option<Arc<dyn BucketStore>>,
    budget_store: Option<Arc<dyn BudgetStore>>,
    ended_sessions: Option<Arc<dyn EndedSessionStore>>,
    token_changes: Option<Arc<dyn TokenChangeStore>>,
    event_store: Option<Arc<dyn EventStore>>,
    bus: Option<Arc<dyn Bus>>,
    #[cfg(feature = "redis")]
    redis: Option<crate::store::redis::Redis>,
    tasks: TaskLimits,
    task_store: Option<Arc<dyn TaskStore>>,
    skills: Option<Skills>,
    explain: Vec<Explain>,
    audit: Option<Audit>,
    observers: Vec<Arc<dyn Observer>>,
    metrics: Vec<Metrics>,
    #[cfg(feature = "otlp")]
    traces: Option<crate::otlp::Traces>,
    refused: Option<String>,
}

impl ServerBuilder {
    pub(super) fn new(info: Implementation) -> Self {
        Self {
            registry: Registry::of(&info.name),
            info,
            instructions: None,
            selection: Selection::default(),
            disabled: Vec::new(),
            configuration: Vec::new(),
            exposed: Exposed::default(),
            max_components: MAX_COMPONENTS,
            wire: WireLimits::default(),
            calls: CallLimits::default(),
            cache: CacheConfig::default(),
            middleware: Vec::new(),
            inner_middleware: Vec::new(),
            log_data: None,
            headers: Vec::new(),
            page_size: PAGE_SIZE,
            keys: None,
            nonces: None,
            buckets: BucketLimits::default(),
            bucket_store: None,
            budget_store: None,
            ended_sessions: None,
            token_changes: None,
            event_store: None,
            bus: None,
            #[cfg(feature = "redis")]
            redis: None,
            tasks: TaskLimits::default(),
            task_store: None,
            skills: None,
            explain: Vec::new(),
            audit: None,
            observers: Vec::new(),
            metrics: Vec::new(),
            #[cfg(feature = "otlp")]
            traces: None,
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

    /// Starts with a component disabled: see [`Components::switch`](crate::Components::switch).
    pub fn disabled(mut self, kind: Kind, name: impl Into<String>) -> Self {
        self.disabled.push((kind, name.into()));
        self
    }

    /// Has only components for which `keep` says yes; all that were added so far or will be, also by [`Components::add`](crate::Components::add)
    /// while the server runs. `keep` is told the kind, the name (of a resource the normalised URI, of a template the URI
    /// template) and what the author says: effects, tags, scopes. With several, each has to say yes.
    ///
    /// What is left out is as if it had never been written: it is in no list, nothing knows its name, no budget counts it, a
    /// kind of which nothing is left is not advertised, and [`Components::switch`](crate::Components::switch) finds nothing to switch on. It is asked
    /// once of each component, not by calls.
    ///
    /// ```
    /// use pymcp_kit::{Ctx, Kind, NoArgs, Result, Server, Tool};
    ///
    /// async fn answer(_: Ctx, _: NoArgs) -> Result<u32> {
    ///     Ok(42)
    /// }
    ///
    /// let server = Server::builder("example", "1.0.0")
    ///     .tool(Tool::new("answer", answer))
    ///     .tool(Tool::new("delete", answer).tags(["admin"]))
    ///     .retain(|_, _, settings| !settings.tags.iter().any(|tag| tag == "admin"))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(server.registry().tools().count(), 1);
    /// assert!(!server.components().switch(Kind::Tool, "delete", true));
    /// ```
    pub fn retain(
        mut self,
        keep: impl Fn(Kind, &str, &Settings) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.selection.and(keep);
        self
    }

    /// The components that were added so far, also those that [`ServerBuilder::retain`] leaves out.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Advertises a kind of components of which there may be none at first, so that clients ask for
    /// them and hear of those that are added later: see [`Components::add`](crate::Components::add).
    pub fn advertise(mut self, kind: Kind) -> Self {
        self.exposed = self.exposed.and(kind);
        self
    }

    /// Components of all kinds that the server can have, also with those that are added while it runs.
    /// Default 10,000.
    pub fn max_components(mut self, components: usize) -> Self {
        self.max_components = components;
        self
    }

    /// Adds a step to the pipeline, behind those added before it.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Adds a step next to the handlers, behind those added before it: it sees a result before that is
    /// encoded and kept in the response cache, and nothing of a call that the cache answers or whose
    /// arguments are refused. What a task ends with passes no step.
    pub fn inner_middleware(mut self, middleware: impl Middleware) -> Self {
        self.inner_middleware.push(Arc::new(middleware));
        self
    }

    /// Has `describe` look at each component that is added after this, and add to what clients are
    /// told of it: `_meta`, say.
    pub fn describe(
        mut self,
        describe: impl Fn(Definition<'_>, &Settings) + Send + Sync + 'static,
    ) -> Self {
        self.registry.describe.push(Arc::new(describe));
        self
    }

    /// What `data` of a log message to the client is, made from what the handler logs; by default
    /// just that.
    pub fn log_data(mut self, data: fn(Value) -> Value) -> Self {
        self.log_data = Some(data);
        self
    }

    /// Names request headers of HTTP that handlers and middleware may see: [`Ctx::header`]. No other
    /// header is kept, and the values of these are never logged.
    ///
    /// At most 16 names. A request in which one of them appears twice, has more than 4 KiB or is not
    /// visible ASCII is refused with a status 400. Results are cached for the same values only.
    /// Web pages of allowed origins may send these headers.
    ///
    /// Such a header is what the client says, unless a proxy in front sets it in every request.
    ///
    /// [`Ctx::header`]: crate::Ctx::header
    pub fn headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.headers.extend(names.into_iter().map(Into::into));
        self
    }

    /// Lets errors of this type say by themselves which of them the caller can mend: see
    /// [`UserError`].
    pub fn user_errors<E: UserError>(mut self) -> Self {
        self.explain.push(error::explain::<E>);
        self
    }

    /// Has `observer` hear of every request when it is finished, of every message that is refused, and of what opens and
    /// closes. It is called where that happens, so it must be quick and never wait.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Writes a line for each call and each denial into this log, ahead of the answer: see [`Audit`].
    pub fn audit(mut self, audit: &Audit) -> Self {
        self.audit = Some(audit.clone());
        self
    }

    /// Counts what happens: see [`Metrics`].
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics.push(metrics.clone());
        self.observe(metrics.clone())
    }

    /// Sends a span for each request to a collector: see [`Traces`](crate::otlp::Traces).
    #[cfg(feature = "otlp")]
    pub fn traces(mut self, traces: &crate::otlp::Traces) -> Self {
        self.traces = Some(traces.clone());
        self.observe(traces.clone())
    }

    /// Adds a part of the configuration, as it was resolved, to the manifest: an item of kind `configuration` called `name`,
    /// with whatever pins it: no secret, nothing of this machine or moment. Names that the kit has itself are `calls`,
    /// `messages`, `cache`, `tasks`, `buckets`, `components`, `headers` and `skills`; a server with two of a name is not
    /// built.
    pub fn configuration(mut self, name: impl Into<String>, value: Value) -> Self {
        self.configuration.push((name.into(), value));
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

    /// Changes some of the bounds of calls, and keeps the others.
    pub fn change_call_limits(mut self, change: impl FnOnce(&mut CallLimits)) -> Self {
        change(&mut self.calls);
        self
    }

    /// Changes some of the bounds of the response cache, and keeps the others.
    pub fn change_cache(mut self, change: impl FnOnce(&mut CacheConfig)) -> Self {
        change(&mut self.cache);
        self
    }

    /// Sets the bounds of the response cache.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = cache;
        self
    }

    /// Components on one page of a list, at least 1. Default 500: few clients ask for a second page.
    pub fn page_size(mut self, components: usize) -> Self {
        self.page_size = components.max(1);
        self
    }

    /// The keys that sign what clients carry. Without them one is generated: then a session over HTTP,
    /// a question that is open, a handle and a cursor end with the process, and are unknown to its
    /// replicas.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Remembers elsewhere which state of a question was used; replicas need to share that.
    pub fn nonce_store(mut self, store: impl NonceStore) -> Self {
        self.nonces = Some(Arc::new(store));
        self
    }

    /// Sets the bounds of what is remembered between calls: see [`Ctx::bucket`](crate::Ctx::bucket).
    pub fn bucket_limits(mut self, limits: BucketLimits) -> Self {
        self.buckets = limits;
        self
    }

    /// Keeps elsewhere what is remembered between calls; replicas need to share that. Without it each
    /// process has its own, in memory.
    pub fn bucket_store(mut self, store: impl BucketStore) -> Self {
        self.bucket_store = Some(Arc::new(store));
        self
    }

    /// Counts budgets elsewhere ([`CallLimits::budget`]), so that those of one principal are the same on all replicas.
    /// Without it each process counts its own.
    pub fn budget_store(mut self, store: impl BudgetStore) -> Self {
        self.budget_store = Some(Arc::new(store));
        self
    }

    /// Tells other replicas over HTTP which legacy sessions were ended with `DELETE`, and hears of theirs. Without it an id
    /// that was ended at one replica is good at the others.
    pub fn ended_session_store(mut self, store: impl EndedSessionStore) -> Self {
        self.ended_sessions = Some(Arc::new(store));
        self
    }

    /// Tells other replicas over HTTP which tokens of [`Tokens`](crate::auth::tokens::Tokens) were revoked, and hears of theirs:
    /// at once where there is a [`bus`](Self::bus), within half a second otherwise. Without it each process goes by its own list.
    pub fn token_change_store(mut self, store: impl TokenChangeStore) -> Self {
        self.token_changes = Some(Arc::new(store));
        self
    }

    /// Keeps elsewhere what is said in responses that legacy clients over HTTP can resume, so that they can do so at any replica.
    /// Replicas also need a [`bus`](Self::bus), on which the one that writes and the one that reads hear of each other; without
    /// both each process keeps its own only.
    pub fn event_store(mut self, store: impl EventStore) -> Self {
        self.event_store = Some(Arc::new(store));
        self
    }

    /// Tells other replicas at once what they have to know: that a list or a resource has changed, that a task has. Without it
    /// each process keeps that to itself.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Some(Arc::new(bus));
        self
    }

    /// Shares with the other replicas of the server what outlives a request: used request states, tasks, what is remembered
    /// between calls, budgets, which sessions were ended and which tokens revoked, responses that legacy clients can resume, and the bus on which they tell each other of changes; `docs/scaling.md` says what stays in a process. Replicas also need the same
    /// [`keys`](Self::keys). A store that is given for one of these alone is used for that.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, redis: &crate::store::redis::Redis) -> Self {
        self.redis = Some(redis.clone());
        self
    }

    /// Sets the bounds of tasks.
    pub fn task_limits(mut self, limits: TaskLimits) -> Self {
        self.tasks = limits;
        self
    }

    /// Keeps tasks elsewhere than in memory.
    pub fn task_store(mut self, store: impl TaskStore) -> Self {
        self.task_store = Some(Arc::new(store));
        self
    }

    /// Serves skills, with their files as resources.
    pub fn skills(mut self, skills: Skills) -> Self {
        let resources: Vec<Resource> = skills.resources().collect();
        for resource in resources {
            self = self.resource(resource);
        }
        self.skills = Some(skills);
        self
    }

    /// [`ServerBuilder::skills`] of a folder; see [`Skills::read_folder`].
    pub fn skills_folder(mut self, path: impl AsRef<Path>) -> Self {
        match Skills::read_folder(path) {
            Ok(skills) => self.skills(skills),
            Err(BuildError(why)) => {
                self.refused.get_or_insert(why);
                self
            }
        }
    }

    fn add(mut self, add: impl FnOnce(&mut Registry) -> Result<(), String>) -> Self {
        if let Err(why) = add(&mut self.registry) {
            self.refused.get_or_insert(why);
        }
        self
    }
}
