//! Which of the components that an author wrote a server has: what is left out is as if it had never been written.

use std::fmt;
use std::sync::Arc;

use super::Settings;
use crate::protocol::Kind;

/// Says of a component whether the server has it: by its kind, its name (of a resource its normalised URI, of a template
/// its URI template) and what its author says of it.
type Keep = Arc<dyn Fn(Kind, &str, &Settings) -> bool + Send + Sync>;

/// What every component has to pass, at start and when it is added later.
#[derive(Clone, Default)]
pub(crate) struct Selection(Vec<Keep>);

impl Selection {
    /// Has components pass this as well.
    pub(crate) fn and(
        &mut self,
        keep: impl Fn(Kind, &str, &Settings) -> bool + Send + Sync + 'static,
    ) {
        self.0.push(Arc::new(keep));
    }

    /// Whether everything passes, whatever it is.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this component passes.
    pub(crate) fn keeps(&self, kind: Kind, name: &str, settings: &Settings) -> bool {
        self.0.iter().all(|keep| keep(kind, name, settings))
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selection").field(&self.0.len()).finish()
    }
}
