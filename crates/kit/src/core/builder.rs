//! Putting a server together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{Implementation, ServerCapabilities};
use serde_json::{Value, json};

use crate::ask::{SealedLimits, SealedStates};
use crate::build_error::BuildError;
use crate::component::{
    CacheHint, Components, Definition, Exposed, News, Paging, Prompt, Registry, Resource,
    ResourceTemplate, Settings, Tool,
};
use crate::context::{Facts, HeaderNames, LogData};
use crate::error::{self, Explain, UserError};
use crate::keys::KeyRing;
use crate::limits::{CallLimits, Places, Shares};
use crate::middleware::{self, CacheConfig, Middleware};
use crate::protocol::Kind;
use crate::skills::Skills;
use crate::store::{MemoryNonces, NonceStore};
use crate::tasks::{MemoryTaskStore, TaskLimits, TaskStore, Tasks};
use crate::wire::WireLimits;

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
    disabled: Vec<(Kind, String)>,
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
    nonces: Arc<dyn NonceStore>,
    tasks: TaskLimits,
    task_store: Option<Arc<dyn TaskStore>>,
    skills: Option<Skills>,
    explain: Vec<Explain>,
    refused: Option<String>,
}

impl ServerBuilder {
    pub(super) fn new(info: Implementation) -> Self {
        Self {
            registry: Registry::of(&info.name),
            info,
            instructions: None,
            disabled: Vec::new(),
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
            nonces: Arc::new(MemoryNonces::default()),
            tasks: TaskLimits::default(),
            task_store: None,
            skills: None,
            explain: Vec::new(),
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

    /// The keys that sign what clients carry. Without them one is generated: then a question that
    /// is open, and a cursor, end with the process, and are unknown to its replicas.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Remembers elsewhere which state of a question was used; replicas need to share that.
    pub fn nonce_store(mut self, store: impl NonceStore) -> Self {
        self.nonces = Arc::new(store);
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
        if let Some(why) = self.refused {
            return Err(BuildError(why));
        }
        let headers = HeaderNames::new(&self.headers)?;
        let largest = self.skills.as_ref().map_or(0, Skills::largest_read);
        if largest > 0 && largest + RESULT_ENVELOPE > self.calls.result_bytes {
            return Err(BuildError(format!(
                "A file of the skills cannot be served: it takes {largest} bytes of JSON, and a result can have {}.",
                self.calls.result_bytes
            )));
        }
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
            self.exposed,
            self.max_components,
            paging,
        )?);
        for (kind, name) in self.disabled {
            if !components.switch(kind, &name, false) {
                return Err(BuildError(format!(
                    "'{name}' cannot be switched off: there is no such component, or it is off already."
                )));
            }
        }
        let store = self
            .task_store
            .unwrap_or_else(|| Arc::new(MemoryTaskStore::new(self.tasks)));
        let told = Arc::clone(&components);
        let tasks = Tasks::with_listener(store, self.tasks, move |task| {
            told.bus.publish(&News::Task(Arc::clone(task)));
        });
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
        });
        let stack = middleware::stack(
            &self.calls,
            self.wire.clone(),
            self.cache,
            self.middleware,
            self.inner_middleware,
        );
        let limits = SealedLimits {
            rounds: self.calls.ask_rounds,
            ttl: self.calls.ask_timeout,
            bytes: self.calls.ask_state_bytes,
        };
        let in_flight = Shares::new(self.calls.in_flight, self.calls.in_flight_per_caller);
        let subscriptions = Subscriptions::new(&self.calls);
        Ok(Server(Arc::new(Inner {
            facts,
            components,
            instructions: self.instructions,
            sealed: SealedStates {
                keys,
                nonces: self.nonces,
                limits,
            },
            tasks,
            skills: self.skills,
            wire: self.wire,
            calls: self.calls,
            stack,
            in_flight,
            subscriptions,
        })))
    }

    fn add(mut self, add: impl FnOnce(&mut Registry) -> Result<(), String>) -> Self {
        if let Err(why) = add(&mut self.registry) {
            self.refused.get_or_insert(why);
        }
        self
    }
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
