//! What of the components a caller may see: those whose scopes its permit covers.
//!
//! Whatever looks a component up does so in [`Seen`], so that what is not allowed is as if it did not exist, in
//! every list and every method alike.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::Guard;

use crate::auth::{Permit, Scopes};
use crate::wire::{Code, RpcError};

use super::components::Snapshot;
use super::prompt::Prompt;
use super::registry::Found;
use super::template::PreparedTemplate;
use super::tool::PreparedTool;

/// Parts that are kept, with their lists.
const MAX_PARTS: usize = 64;

/// The parts of a snapshot, by what they allow of what there is to allow.
#[derive(Default)]
pub(super) struct Views {
    /// The sets of scopes that components need, each once; none where none needs any.
    needs: Vec<Scopes>,
    parts: Mutex<HashMap<Box<[bool]>, Arc<Snapshot>>>,
}

impl Views {
    pub(super) fn of(registry: &super::Registry) -> Self {
        Self {
            needs: registry.needs(),
            parts: Mutex::default(),
        }
    }

    /// The part for this permit; `None` where it allows everything.
    pub(super) fn part(
        &self,
        permit: &Permit,
        make: impl FnOnce(&dyn Fn(&Scopes) -> bool) -> Option<Arc<Snapshot>>,
    ) -> Option<Arc<Snapshot>> {
        if self.needs.iter().all(|needed| permit.allows(needed)) {
            return None;
        }
        let allowed: Box<[bool]> = self.needs.iter().map(|need| permit.allows(need)).collect();
        let lock = || self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = lock().get(&allowed) {
            return Some(Arc::clone(part));
        }
        // Not under the lock: it takes time in proportion to the lists.
        let part = make(&|needed| permit.allows(needed))?;
        let mut parts = lock();
        if parts.len() >= MAX_PARTS {
            parts.clear();
        }
        parts.insert(allowed, Arc::clone(&part));
        Some(part)
    }
}

/// What a caller may see of what is switched on.
pub(crate) struct Seen {
    pub(super) all: Guard<Arc<Snapshot>>,
    pub(super) part: Option<Arc<Snapshot>>,
}

impl Deref for Seen {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        self.part.as_ref().unwrap_or(&self.all)
    }
}

impl Seen {
    /// The tool of this name.
    ///
    /// # Errors
    /// There is one, for callers with other scopes, and this caller can ask for those.
    pub(crate) fn tool(
        &self,
        name: &str,
        permit: &Permit,
    ) -> Result<Option<Arc<PreparedTool>>, RpcError> {
        self.find(
            permit,
            |snapshot| snapshot.registry.tools.get(name).cloned(),
            |found| &found.tool.settings().scopes,
        )
    }

    /// The prompt of this name; errors as [`Seen::tool`].
    pub(crate) fn prompt(
        &self,
        name: &str,
        permit: &Permit,
    ) -> Result<Option<Arc<Prompt>>, RpcError> {
        self.find(
            permit,
            |snapshot| snapshot.registry.prompts.get(name).cloned(),
            |found| &found.settings().scopes,
        )
    }

    /// The resource or template at this normalised URI; errors as [`Seen::tool`].
    pub(crate) fn resource(&self, uri: &str, permit: &Permit) -> Result<Option<Found>, RpcError> {
        self.find(
            permit,
            |snapshot| snapshot.registry.find(uri),
            |found| match found {
                Found::Resource(resource) => &resource.settings().scopes,
                Found::Template(prepared, _) => &prepared.template.settings().scopes,
            },
        )
    }

    /// The template that is written like this or fits this URI; errors as [`Seen::tool`].
    pub(crate) fn template(
        &self,
        uri: &str,
        permit: &Permit,
    ) -> Result<Option<Arc<PreparedTemplate>>, RpcError> {
        self.find(
            permit,
            |snapshot| snapshot.registry.find_template(uri),
            |found| &found.template.settings().scopes,
        )
    }

    /// Whether something is at this normalised URI that the caller must not hear of.
    pub(crate) fn hides(&self, uri: &str) -> bool {
        self.part.is_some()
            && self.registry.find(uri).is_none()
            && self.all.registry.find(uri).is_some()
    }

    fn find<T>(
        &self,
        permit: &Permit,
        look: impl Fn(&Snapshot) -> Option<T>,
        needs: impl Fn(&T) -> &Scopes,
    ) -> Result<Option<T>, RpcError> {
        if let Some(found) = look(self) {
            return Ok(Some(found));
        }
        let hidden = self.part.as_ref().and_then(|_| look(&self.all));
        match hidden {
            Some(hidden) if permit.can_ask_for_more() => Err(forbidden(needs(&hidden))),
            _ => Ok(None),
        }
    }
}

fn forbidden(needed: &Scopes) -> RpcError {
    RpcError::new(
        Code::FORBIDDEN,
        format!(
            "The access token lacks a scope: this needs {needed}; ask for a token that has it."
        ),
    )
    .with_scopes(needed.to_string())
}
