//! Tools, resources and prompts: plain async functions with what a client needs to know of them.
//!
//! Each kind has one file. To add a kind of result, see `result.rs`; what a component may do to the
//! world is declared in `effects.rs`. Schemas come from types (`schema.rs`) and are compiled once;
//! what clients cannot take of a definition is found in `checks.rs`, and `complaint.rs` has the words
//! for arguments that do not fit.

mod arguments;
mod bus;
mod checks;
mod complaint;
mod completion;
mod components;
mod definition;
mod effects;
pub(crate) mod form;
mod handler;
mod hint;
mod integer;
pub(crate) mod mirrored;
mod nulls;
mod pages;
mod plan;
mod prompt;
mod registry;
mod resource;
mod result;
pub(crate) mod schema;
mod template;
mod tool;
mod uri_template;

pub use crate::protocol::Kind;
pub use arguments::Arguments;
pub(crate) use bus::{Interests, Mailbox, News};
pub use checks::Check;
pub(crate) use completion::Completers;
pub use completion::{Completion, CompletionRequest};
pub use components::{Component, Components};
pub(crate) use components::{Exposed, Snapshot};
pub use definition::Definition;
pub use effects::{Effect, Effects};
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
pub(crate) use template::PreparedTemplate;
pub use template::ResourceTemplate;
pub(crate) use tool::PreparedTool;
pub use tool::{NoArgs, TaskSupport, Tool};
pub(crate) use uri_template::{MAX_URI, is_uri, lower_scheme, normalize};

use std::time::Duration;

pub(crate) use crate::store::BoxFuture;

/// What the server does with a component, as opposed to what clients are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether successful results may be kept and repeated for the same caller and arguments.
    pub cached: bool,
    /// Time a call may take; `None` means the server's default.
    pub timeout: Option<Duration>,
    /// What it does to the world.
    pub effects: Effects,
    /// Words to group it by.
    pub tags: Vec<String>,
    /// How long a modern client may keep what it read, and whether others may see it.
    pub hint: CacheHint,
    /// The rules it is allowed to break.
    pub allowed: Vec<Check>,
    /// Why it cannot be served, when that is known already.
    pub(crate) refused: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cached: false,
            timeout: None,
            effects: Effects::default(),
            tags: Vec::new(),
            hint: CacheHint::NONE,
            allowed: Vec::new(),
            refused: None,
        }
    }
}

impl Settings {
    /// See `asks` of every kind of component.
    pub(crate) fn asks<T: schemars::JsonSchema + 'static>(&mut self) {
        if let Err(why) = form::of::<T>() {
            self.refused.get_or_insert(why.to_string());
        }
    }
}

/// Builder methods that every kind of component has; `$name` is the kind in the docs.
macro_rules! common_builders {
    () => {
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

        /// What it does to the world beyond computing an answer.
        pub fn effects(
            mut self,
            effects: impl IntoIterator<Item = $crate::component::Effect>,
        ) -> Self {
            self.settings.effects = effects.into_iter().collect();
            self
        }

        /// Its definition may break this rule: see [`Check`](crate::Check).
        pub fn allow(mut self, check: $crate::component::Check) -> Self {
            self.settings.allowed.push(check);
            self
        }

        /// Says that it asks the user for a `T` (`ctx.elicit::<T>(…)`, [`Form`](crate::Form)),
        /// so that the server is not built when a `T` makes no form. Otherwise the first question
        /// for one fails.
        pub fn asks<T: schemars::JsonSchema + 'static>(mut self) -> Self {
            self.settings.asks::<T>();
            self
        }

        /// What the server does with it.
        pub fn settings(&self) -> &$crate::component::Settings {
            &self.settings
        }
    };
}
use common_builders;
