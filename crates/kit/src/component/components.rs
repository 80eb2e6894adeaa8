//! The components of a running server: which of them are switched on, and who hears of a change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::core::{Bus, News};

use super::pages::{Pages, Paging};
use super::registry::Registry;
use super::uri_template::normalize;

/// The kinds of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Tools, by name.
    Tool,
    /// Resources, by URI.
    Resource,
    /// Resource templates, by URI template.
    Template,
    /// Prompts, by name.
    Prompt,
}

/// Everything a server can expose, and what of it is switched on right now.
///
/// Requests that are under way finish with the components they started with.
pub struct Components {
    everything: Registry,
    paging: Paging,
    off: Mutex<HashSet<(Kind, String)>>,
    current: ArcSwap<Snapshot>,
    pub(crate) bus: Bus,
}

/// What is switched on, with its lists.
pub(crate) struct Snapshot {
    pub(crate) registry: Registry,
    pub(crate) pages: Pages,
}

impl Snapshot {
    fn new(
        registry: Registry,
        everything: &Registry,
        paging: Paging,
    ) -> Result<Arc<Self>, serde_json::Error> {
        let pages = Pages::write(&registry, everything, paging)?;
        Ok(Arc::new(Self { registry, pages }))
    }
}

impl Components {
    pub(crate) fn new(everything: Registry, paging: Paging) -> Result<Self, serde_json::Error> {
        let snapshot = Snapshot::new(everything.clone(), &everything, paging.clone())?;
        Ok(Self {
            paging,
            current: ArcSwap::new(snapshot),
            everything,
            off: Mutex::default(),
            bus: Bus::default(),
        })
    }

    /// Everything, whether it is switched on or not.
    pub fn everything(&self) -> &Registry {
        &self.everything
    }

    pub(crate) fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Switches a component on or off and tells the clients that want to know; `false` when there
    /// is none of that name, or it is as wanted already. All components start switched on.
    pub fn switch(&self, kind: Kind, name: &str, on: bool) -> bool {
        let name = match kind {
            Kind::Resource => normalize(name).into_owned(),
            _ => name.to_owned(),
        };
        if !self.everything.has(kind, &name) {
            return false;
        }
        // Held while the lists are written, so that the last switch is the one that counts.
        let mut off = self.off.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, name);
        let changed = match on {
            true => off.remove(&key),
            false => off.insert(key),
        };
        if !changed {
            return false;
        }
        let registry = self
            .everything
            .filtered(|kind, name| !off.contains(&(kind, name.to_owned())));
        match Snapshot::new(registry, &self.everything, self.paging.clone()) {
            Ok(snapshot) => self.current.store(snapshot),
            // All of it was written at start, so it can be written now.
            Err(error) => tracing::error!(%error, "the lists cannot be written anew"),
        }
        drop(off);
        self.changed(kind);
        true
    }

    /// Tells the clients that want to know that the list of these components has changed: for
    /// changes that the server does not see, [`Components::switch`] does it by itself.
    pub fn changed(&self, kind: Kind) {
        self.bus.publish(&News::Changed(kind));
    }

    /// Tells the clients that want to know that the resource at `uri` has changed: all of them that
    /// subscribed to it, so not for a URI behind which everybody sees something else.
    pub fn updated(&self, uri: &str) {
        self.bus
            .publish(&News::Updated(normalize(uri).into_owned()));
    }
}

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Components").finish_non_exhaustive()
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Kind {
    /// The kind in the words of logs and errors.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Template => "resource template",
            Self::Prompt => "prompt",
        }
    }

    /// The notification that tells of a change; templates are listed with the resources.
    pub(crate) fn list_changed(self) -> &'static str {
        match self {
            Self::Tool => "notifications/tools/list_changed",
            Self::Resource | Self::Template => "notifications/resources/list_changed",
            Self::Prompt => "notifications/prompts/list_changed",
        }
    }
}
