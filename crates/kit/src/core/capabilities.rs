//! What a server says that it can do.

use rmcp::model::{ExtensionCapabilities, JsonObject, ServerCapabilities, TASKS_EXTENSION_ID};
use serde_json::{Value, json};

use crate::component::Exposed;
use crate::skills::Skills;

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
