//! Putting a server together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ExtensionCapabilities, Implementation, JsonObject, ServerCapabilities, TASKS_EXTENSION_ID,
};
use serde_json::{Value, json};

use crate::ask::{SealedLimits, SealedStates};
use crate::audit::Audit;
#[cfg(feature = "jwt")]
use crate::auth::jwt;
use crate::build_error::BuildError;
use crate::component::{
    CacheHint, Components, Definition, Exposed, News, Paging, Prompt, Registry, Resource,
    ResourceTemplate, Selection, Settings, Tool, normalize,
};
use crate::context::{Buckets, Facts, HeaderNames, LogData};
use crate::error::{self, Explain, UserError};
use crate::keys::KeyRing;
use crate::limits::{CallLimits, Limit, Places, Shares};
use crate::metrics::{Metrics, readings};
use crate::middleware::{self, CacheConfig, Middleware};
use crate::protocol::Kind;
use crate::skills::Skills;
#[cfg(feature = "redis")]
use crate::store::redis::RedisBuckets;
use crate::store::{
    BucketLimits, BucketStore, BudgetStore, Bus, EndedSessionStore, EventStore, MemoryBuckets,
    MemoryNonces, NonceStore, TokenChangeStore,
};
use crate::streams::SharedStreams;
#[cfg(feature = "redis")]
use crate::tasks::RedisTasks;
use crate::tasks::{MemoryTaskStore, TaskLimits, TaskStore, Tasks};
use crate::telemetry::{Observer, Observers};
use crate::wire::WireLimits;

use super::audited::Denials;
use super::pinned::{self, Bounds};
use super::replicas::Replicas;
use super::server::{Inner, Server};
use super::subscriptions::Subscriptions;

/// How long modern clients may keep the lists: those that listen hear of a change at once, and a
/// restart with other components is noticed within this time.
const LIST_HINT: CacheHint = CacheHint {
    ttl: Duration::from_secs(60),
    public: false,
};

/// Components on one page of a list.
const PAGE_SIZE: usize = 500;

/// Components that a server has, unless it is told otherwise.
const MAX_COMPONENTS: usize = 10_000;

/// Bytes of what a result holds besides the contents of a file.
const RESULT_ENVELOPE: usize = 4 << 10;

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

    /// Starts with a component disabled: see [`Components::switch`].
    pub fn disabled(mut self, kind: Kind, name: impl Into<String>) -> Self {
        self.disabled.push((kind, name.into()));
        self
    }

    /// Has only components for which `keep` says yes; all that were added so far or will be, also by [`Components::add`]
    /// while the server runs. `keep` is told the kind, the name (of a resource the normalised URI, of a template the URI
    /// template) and what the author says: effects, tags, scopes. With several, each has to say yes.
    ///
    /// What is left out is as if it had never been written: it is in no list, nothing knows its name, no budget counts it, a
    /// kind of which nothing is left is not advertised, and [`Components::switch`] finds nothing to switch on. It is asked
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
    /// them and hear of those that are added later: see [`Components::add`].
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

    /// Makes the server: compiles schemas, checks names, writes the lists.
    ///
    /// # Errors
    /// The first component that cannot be served, and why.
    pub fn build(self) -> Result<Server, BuildError> {
        #[cfg(feature = "redis")]
        let this = self.sharing();
        #[cfg(not(feature = "redis"))]
        let this = self;
        this.finish()
    }

    fn finish(mut self) -> Result<Server, BuildError> {
        if let Some(why) = self.refused {
            return Err(BuildError(why));
        }
        let headers = HeaderNames::new(&self.headers)?;
        let mut budgets = self.calls.budget.tools.keys();
        if let Some(name) = budgets.find(|name| !self.registry.has(Kind::Tool, name)) {
            return Err(BuildError(format!(
                "There is a budget for the tool '{name}', and no such tool; name one of the server's tools."
            )));
        }
        // A budget of what is left out has nothing to count.
        if !self.selection.is_everything() {
            let left = self.registry.selected(&self.selection);
            let tools = &mut self.calls.budget.tools;
            tools.retain(|name, _| left.has(Kind::Tool, name));
            let is_left = |uri: &str| left.has(Kind::Resource, &normalize(uri));
            self.skills = self.skills.and_then(|skills| skills.retained(is_left));
        }
        let largest = self.skills.as_ref().map_or(0, Skills::largest_read);
        if largest > 0 && largest + RESULT_ENVELOPE > self.calls.result_bytes {
            return Err(BuildError(format!(
                "A file of the skills cannot be served: it takes {largest} bytes of JSON, and a result can have {}.",
                self.calls.result_bytes
            )));
        }
        let mut configuration = Bounds {
            calls: &self.calls,
            wire: &self.wire,
            cache: &self.cache,
            tasks: &self.tasks,
            buckets: &self.buckets,
            page_size: self.page_size,
            max_components: self.max_components,
            headers: &self.headers,
            skills: self.skills.as_ref(),
        }
        .configuration();
        configuration.extend(self.configuration);
        let frame = pinned::frame(
            self.info.clone(),
            self.instructions.clone(),
            self.skills.is_some(),
            configuration,
        )
        .map_err(|error| BuildError(error.to_string()))?;
        let keys = Arc::new(match self.keys {
            Some(keys) => keys,
            None => KeyRing::generate()?,
        });
        let internal = |error: serde_json::Error| BuildError(error.to_string());
        let paging = Paging {
            items: self.page_size,
            bytes: self.calls.result_bytes / 2,
            hint: LIST_HINT,
            keys: Arc::clone(&keys),
            server: serde_json::to_value(&self.info).map_err(internal)?,
        };
        let components = Arc::new(Components::new(
            self.registry,
            self.selection,
            self.exposed,
            self.max_components,
            paging,
            frame,
        )?);
        for (kind, name) in self.disabled {
            if !components.leaves_out(kind, &name) && !components.switch(kind, &name, false) {
                return Err(BuildError(format!(
                    "'{name}' cannot be switched off: there is no such component, or it is off already."
                )));
            }
        }
        let store = self.task_store.unwrap_or_else(|| {
            let store = MemoryTaskStore::new(self.tasks);
            store.measure("tasks", &self.metrics);
            Arc::new(store)
        });
        let told = Arc::clone(&components);
        let tasks = Tasks::with_listener(store, self.tasks, move |task| {
            told.bus.publish(&News::Task(Arc::clone(task)));
        });
        let streams = self.event_store.zip(self.bus.clone());
        let streams = streams.map(|(store, bus)| SharedStreams::new(store, bus));
        let replicas = self.bus.map(|bus| Replicas::new(bus, &components, &tasks));
        if let Some(replicas) = &replicas {
            replicas.measure(&self.metrics);
        }
        for metrics in &self.metrics {
            let components = Arc::downgrade(&components);
            metrics.manifest(move || {
                let components = components.upgrade();
                components.map_or_else(String::new, |all| all.current().digest.to_string())
            });
        }
        let facts = Arc::new(Facts {
            server: self.info,
            ask_timeout: self.calls.ask_timeout,
            ask_unread: self.calls.ask_unread,
            questions_per_session: self.calls.questions_per_session,
            questions: Shares::new(self.calls.questions, self.calls.questions_per_caller),
            components: Arc::clone(&components) as _,
            log_data: self.log_data,
            headers,
            explain: self.explain,
            blocking: Places::new(self.calls.blocking, self.calls.blocking_per_caller),
            buckets: Buckets {
                store: self
                    .bucket_store
                    .unwrap_or_else(|| Arc::new(MemoryBuckets::new(self.buckets))),
                limits: self.buckets,
            },
            keys: Arc::clone(&keys),
        });
        let stack = middleware::stack(
            &self.calls,
            self.wire.clone(),
            self.cache,
            self.middleware,
            self.inner_middleware,
            self.budget_store,
            &self.metrics,
        );
        let limits = SealedLimits {
            rounds: self.calls.ask_rounds,
            ttl: self.calls.ask_timeout,
            bytes: self.calls.ask_state_bytes,
        };
        let in_flight = Shares::new(self.calls.in_flight, self.calls.in_flight_per_caller);
        let subscriptions = Subscriptions::new(&self.calls);
        measure(&self.metrics, &facts, &in_flight, &subscriptions);
        if let Some(audit) = &self.audit {
            audit.measure(&self.metrics);
        }
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces {
            traces.measure(&self.metrics);
        }
        Ok(Server(Arc::new(Inner {
            facts,
            components,
            instructions: self.instructions,
            sealed: SealedStates {
                keys,
                nonces: self
                    .nonces
                    .unwrap_or_else(|| Arc::new(MemoryNonces::default())),
                limits,
            },
            tasks,
            skills: self.skills,
            wire: self.wire,
            calls: self.calls,
            stack,
            in_flight,
            subscriptions,
            observers: Observers::new(self.observers),
            metrics: self.metrics,
            ended_sessions: self.ended_sessions,
            token_changes: self.token_changes,
            streams,
            replicas,
            audit: self.audit,
            denials: Denials::default(),
        })))
    }

    /// Has all that replicas share kept in one store, but for what has a store of its own.
    #[cfg(feature = "redis")]
    fn sharing(mut self) -> Self {
        let Some(redis) = self.redis.take() else {
            return self;
        };
        redis.measure(&self.metrics);
        let (buckets, tasks) = (self.buckets, self.tasks);
        self.nonces.get_or_insert_with(|| Arc::new(redis.clone()));
        self.budget_store
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.ended_sessions
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.token_changes
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.event_store
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.bus
            .get_or_insert_with(|| Arc::clone(&redis.bus) as Arc<dyn Bus>);
        self.bucket_store
            .get_or_insert_with(|| Arc::new(RedisBuckets::new(&redis, buckets)));
        self.task_store
            .get_or_insert_with(|| Arc::new(RedisTasks::new(&redis, tasks)));
        self
    }

    fn add(mut self, add: impl FnOnce(&mut Registry) -> Result<(), String>) -> Self {
        if let Err(why) = add(&mut self.registry) {
            self.refused.get_or_insert(why);
        }
        self
    }
}

/// Has metrics say how much of what is bounded is used up, and what the bounds refused.
fn measure(metrics: &[Metrics], facts: &Facts, in_flight: &Shares, subscriptions: &Subscriptions) {
    facts.questions.measure("questions", metrics);
    facts.blocking.measure("blocking_handlers", metrics);
    in_flight.measure("requests", metrics);
    subscriptions.measure("subscriptions", metrics);
    for metrics in metrics {
        let in_flight = in_flight.clone();
        metrics.read(&readings::IN_FLIGHT, "", move || in_flight.taken() as u64);
        for limit in Limit::ALL {
            metrics.read(&readings::LIMIT_REFUSALS, limit.as_str(), move || {
                limit.refused()
            });
        }
        #[cfg(feature = "jwt")]
        for (result, fetched) in jwt::FETCHES {
            metrics.read(&readings::KEY_FETCHES, result, fetched);
        }
    }
}

/// [`capabilities`] with the extensions, which are of the modern era.
pub(super) fn modern_capabilities(exposed: Exposed, has_skills: bool) -> ServerCapabilities {
    let mut capabilities = capabilities(exposed);
    let mut extensions = ExtensionCapabilities::new();
    if exposed.tasks {
        extensions.insert(TASKS_EXTENSION_ID.into(), JsonObject::new());
    }
    if has_skills && let Value::Object(settings) = Skills::settings() {
        extensions.insert(Skills::EXTENSION.into(), settings);
    }
    if !extensions.is_empty() {
        capabilities.extensions = Some(extensions);
    }
    capabilities
}

/// What clients of both eras are told; nothing is advertised that would not be answered.
pub(super) fn capabilities(exposed: Exposed) -> ServerCapabilities {
    let mut capabilities = ServerCapabilities::default();
    capabilities.logging = Some(Default::default());
    let changing = json!({ "listChanged": true });
    // `from_value` of a literal cannot fail; an absent capability would be the honest fallback.
    if exposed.tools {
        capabilities.tools = serde_json::from_value(changing.clone()).ok();
    }
    if exposed.prompts {
        capabilities.prompts = serde_json::from_value(changing).ok();
    }
    if exposed.resources {
        capabilities.resources =
            serde_json::from_value(json!({ "subscribe": true, "listChanged": true })).ok();
    }
    if exposed.completions {
        capabilities.completions = Some(Default::default());
    }
    capabilities
}
