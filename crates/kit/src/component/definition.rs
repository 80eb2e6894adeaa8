//! What clients are told of a component, for who adds something to all of them.

use std::sync::Arc;

use rmcp::model;

use super::Settings;

/// What clients are told of one component, while it is added to a server.
#[non_exhaustive]
pub enum Definition<'a> {
    /// Of a tool.
    #[non_exhaustive]
    Tool {
        /// As `tools/list` has it. The input schema is checked and compiled afterwards.
        definition: &'a mut model::Tool,
        /// Whether its result is no object and goes out as `{"result": …}`.
        wraps_result: bool,
    },
    /// Of a resource, as `resources/list` has it.
    Resource(&'a mut model::Resource),
    /// Of a resource template, as `resources/templates/list` has it.
    Template(&'a mut model::ResourceTemplate),
    /// Of a prompt, as `prompts/list` has it.
    Prompt(&'a mut model::Prompt),
}

/// Looks at each component that is added, and may change what clients are told of it.
pub(crate) type Describe = Arc<dyn Fn(Definition<'_>, &Settings) + Send + Sync>;
