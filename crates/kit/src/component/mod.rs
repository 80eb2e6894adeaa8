//! Tools, resources and prompts: plain async functions with what a client needs to know of them.
//!
//! Each kind has one file. To add a kind of result, see `result.rs`; what a component may do to the
//! world is declared as its [`Effects`], which open its [`Doors`]. Schemas come from types (`schema.rs`) and are compiled once;
//! what clients cannot take of a definition is found in `checks.rs`, and `complaint.rs` has the words
//! for arguments that do not fit.

mod arguments;
mod bus;
mod checks;
mod complaint;
mod completion;
mod components;
mod definition;
pub(crate) mod form;
mod handler;
mod hint;
mod integer;
pub(crate) mod mirrored;
mod nulls;
mod pages;
pub(crate) mod pinned;
mod plan;
mod prompt;
mod registry;
mod resource;
mod result;
pub(crate) mod schema;
mod selection;
mod template;
mod tool;
mod uri;
mod uri_template;
mod views;
mod well_formed;

pub use crate::effects::{Effect, Effects, InvalidEffect};
pub use crate::protocol::Kind;
pub use arguments::Arguments;
pub(crate) use bus::{Interests, Mailbox, News};
pub use checks::Check;
pub(crate) use completion::Completers;
pub use completion::{Completion, CompletionRequest};
pub use components::{Component, Components};
pub(crate) use components::{Exposed, Snapshot};
pub use definition::Definition;
pub use handler::{Handler, ResourceHandler};
pub use hint::CacheHint;
pub(crate) use hint::complete_modern;
pub use integer::Integer;
pub(crate) use pages::Paging;
pub use prompt::{IntoPrompt, Prompt};
pub(crate) use registry::Found;
pub use registry::Registry;
pub use resource::{IntoContents, ReadTarget, Resource};
pub use result::{IntoToolResult, ToolResult};
pub(crate) use selection::Selection;
pub(crate) use template::PreparedTemplate;
pub use template::ResourceTemplate;
pub(crate) use tool::PreparedTool;
pub use tool::{NoArgs, TaskSupport, Tool};
pub(crate) use uri::{MAX_URI, is_uri, lower_scheme, normalize};
pub(crate) use views::Seen;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Scopes;
use crate::doors::Doors;
use crate::error::Result;
use crate::label::Label;
pub(crate) use crate::store::BoxFuture;

/// What the server does with a component, as opposed to what clients are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether successful results may be kept and repeated for the same caller and arguments.
    pub cached: bool,
    /// Time a call may take; `None` means the server's default.
    pub timeout: Option<Duration>,
    /// What one use of it takes of its caller's budget ([`BudgetLimits`](crate::limits::BudgetLimits)).
    pub cost: u32,
    /// What it may do to the world: manifests and profiles read them, and its doors open by them.
    pub effects: Effects,
    /// Words to group it by.
    pub tags: Vec<String>,
    /// What a caller must be allowed to see and use it.
    pub scopes: Scopes,
    /// How long a modern client may keep what it read, and whether others may see it.
    pub hint: CacheHint,
    /// The rules it is allowed to break.
    pub allowed: Vec<Check>,
    /// Whether its state was made from its effects, so that they are final.
    opened: bool,
    /// Why it cannot be served, when that is known already.
    pub(crate) refused: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cached: false,
            timeout: None,
            cost: 1,
            effects: Effects::default(),
            tags: Vec::new(),
            scopes: Scopes::default(),
            hint: CacheHint::NONE,
            allowed: Vec::new(),
            opened: false,
            refused: None,
        }
    }
}

impl Settings {
    /// See `effects` of every kind of component.
    pub(crate) fn declare(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            if self.effects.insert(effect) && self.opened {
                self.refused.get_or_insert_with(|| {
                    "it declares effects after .with_doors(…), which makes its state from those before it; \
                     declare them first"
                        .to_owned()
                });
            }
        }
    }

    /// The state that is made from the doors of the component with this label; none if that fails.
    pub(crate) fn open<S>(
        &mut self,
        label: &Arc<Label>,
        make: impl FnOnce(&Doors) -> Result<S>,
    ) -> Option<S> {
        label.declare(&self.effects);
        self.opened = true;
        let made = make(&Doors::of(Some(label))).map_err(|error| {
            let why = error.into_text();
            let why = why.strip_suffix('.').unwrap_or(&why);
            self.refused
                .get_or_insert_with(|| format!("its state cannot be made: {why}"));
        });
        made.ok()
    }

    /// See `asks` of every kind of component.
    pub(crate) fn asks<T: schemars::JsonSchema + 'static>(&mut self) {
        self.declare([Effect::AsksUser]);
        if let Err(why) = form::of::<T>() {
            self.refused.get_or_insert(why.to_string());
        }
    }
}

/// Builder methods that every kind of component has; `$name` is its type.
macro_rules! common_builders {
    ($name:ident) => {
        /// A name for people.
        pub fn title(mut self, title: impl Into<String>) -> Self {
            self.definition.title = Some(title.into());
            self
        }

        /// What it does, in a sentence or two that a model can act on.
        pub fn description(mut self, description: impl Into<String>) -> Self {
            self.definition.description = Some(description.into().into());
            self
        }

        /// Words to group it by. Clients see nothing of them, unless
        /// [`describe`](crate::ServerBuilder::describe) tells them.
        pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
            self.settings.tags = tags.into_iter().map(Into::into).collect();
            self
        }

        /// Scopes that a caller must all have to see and use it, where callers authenticate; for all others it does not
        /// exist. Without authentication everybody may.
        ///
        /// Words of visible ASCII without quotes and backslashes; the server is not built with any other.
        pub fn scopes<T: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
            match $crate::auth::Scopes::new(scopes) {
                Ok(scopes) => self.settings.scopes = scopes,
                Err(bad) => {
                    self.settings.refused.get_or_insert(bad.to_string());
                }
            }
            self
        }

        /// Pictures for it: `https:` or `data:` URIs.
        pub fn icons(mut self, icons: impl IntoIterator<Item = rmcp::model::Icon>) -> Self {
            self.definition.icons = Some(icons.into_iter().collect());
            self
        }

        /// Successful results may be repeated for the same caller and arguments until the server's
        /// cache lets go of them. Only for what has no effect and may be a little old.
        pub fn cached(mut self) -> Self {
            self.settings.cached = true;
            self
        }

        /// The time a call may take, instead of the server's default. Waiting for the user or the
        /// model does not count.
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.timeout = Some(timeout);
            self
        }

        /// What one use of it takes of its caller's budget ([`BudgetLimits`](crate::limits::BudgetLimits)), instead of 1:
        /// more for what is dear, 0 for what is free. What costs more than a budget ever has takes all of it.
        pub fn cost(mut self, cost: u32) -> Self {
            self.settings.cost = cost;
            self
        }

        /// What it does to the world beyond computing an answer, besides what was declared before. It can do nothing
        /// else: the doors for that ([`Ctx::doors`](crate::Ctx::doors)) are shut. Manifests, locks, profiles and
        /// confinement go by what is declared here.
        ///
        /// ```
        /// use pymcp_kit::{Ctx, Effect, NoArgs, Result, Tool};
        ///
        /// async fn draw(ctx: Ctx, _: NoArgs) -> Result<u8> {
        ///     let mut die = [0];
        ///     ctx.random(&mut die)?;
        ///     Ok(die[0] % 6 + 1)
        /// }
        ///
        /// let tool: Tool = Tool::new("draw", draw).effects([Effect::Random]);
        /// ```
        ///
        /// The server is not built with a value that has not the form of its kind: see [`Effect`](crate::Effect).
        pub fn effects(
            mut self,
            effects: impl IntoIterator<Item = $crate::component::Effect>,
        ) -> Self {
            self.settings.declare(effects);
            self
        }

        /// Its definition may break this rule: see [`Check`](crate::Check).
        pub fn allow(mut self, check: $crate::component::Check) -> Self {
            self.settings.allowed.push(check);
            self
        }

        /// Says that it asks the user for a `T` (`ctx.elicit::<T>(…)`, [`Form`](crate::Form)): declares
        /// [`Effect::AsksUser`](crate::Effect::AsksUser), and the server is not built when a `T` makes no form.
        /// Otherwise the first question for one fails.
        pub fn asks<T: schemars::JsonSchema + 'static>(mut self) -> Self {
            self.settings.asks::<T>();
            self
        }

        /// [`Self::with`], for a state that is made from what was declared before, so that what the component declares
        /// and what its state can do are the same: a client that knows its hosts, a key of the environment, a folder.
        ///
        /// ```
        /// use std::sync::Arc;
        ///
        /// use pymcp_kit::{Ctx, Effect, NoArgs, Result, Tool};
        ///
        /// struct Client {
        ///     hosts: Vec<String>,
        /// }
        ///
        /// async fn count(_: Ctx, client: Arc<Client>, _: NoArgs) -> Result<usize> {
        ///     Ok(client.hosts.len())
        /// }
        ///
        /// let tool: Tool = Tool::new("count", count)
        ///     .effects([Effect::network("api.example.org")])
        ///     .with_doors(|doors| {
        ///         let hosts = doors.hosts().map(str::to_owned).collect();
        ///         Ok(Arc::new(Client { hosts }))
        ///     });
        /// ```
        ///
        /// When it fails, or uses what was not declared, or effects are declared after it, the server is not built.
        pub fn with_doors(
            mut self,
            make: impl FnOnce(&$crate::doors::Doors) -> $crate::error::Result<S>,
        ) -> $name
        where
            S: Clone + Send + Sync,
        {
            match self.settings.open(&self.label, make) {
                Some(state) => self.with(state),
                None => self.map_run($crate::component::handler::without_state),
            }
        }

        /// What the server does with it.
        pub fn settings(&self) -> &$crate::component::Settings {
            &self.settings
        }
    };
}
use common_builders;
