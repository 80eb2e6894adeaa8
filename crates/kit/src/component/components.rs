//! The components of a running server: which of them are switched on, and who hears of a change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::auth::Permit;
use crate::build_error::BuildError;
use crate::context::Ctx;
use crate::manifest::{self, Digest, Manifest, Projection};
use crate::protocol::Kind;

use super::bus::{Bus, News};
use super::pages::{Pages, Paging};
use super::pinned::Frame;
use super::prompt::Prompt;
use super::registry::Registry;
use super::resource::Resource;
use super::selection::Selection;
use super::template::ResourceTemplate;
use super::tool::Tool;
use super::uri::normalize;
use super::views::{Seen, Views};

/// A component of any kind, as [`Components::add`] takes it.
#[allow(clippy::large_enum_variant)] // it lives for one call
pub enum Component {
    /// A tool.
    Tool(Tool),
    /// A resource.
    Resource(Resource),
    /// A resource template.
    Template(ResourceTemplate),
    /// A prompt.
    Prompt(Prompt),
}

impl From<Tool> for Component {
    fn from(tool: Tool) -> Self {
        Self::Tool(tool)
    }
}

impl From<Resource> for Component {
    fn from(resource: Resource) -> Self {
        Self::Resource(resource)
    }
}

impl From<ResourceTemplate> for Component {
    fn from(template: ResourceTemplate) -> Self {
        Self::Template(template)
    }
}

impl From<Prompt> for Component {
    fn from(prompt: Prompt) -> Self {
        Self::Prompt(prompt)
    }
}

impl Component {
    fn kind(&self) -> Kind {
        match self {
            Self::Tool(_) => Kind::Tool,
            Self::Resource(_) => Kind::Resource,
            Self::Template(_) => Kind::Template,
            Self::Prompt(_) => Kind::Prompt,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Tool(tool) => tool.name().to_owned(),
            Self::Resource(resource) => normalize(resource.uri()).into_owned(),
            Self::Template(template) => template.uri_template().to_owned(),
            Self::Prompt(prompt) => prompt.name().to_owned(),
        }
    }
}

/// Everything a server can expose, and what of it is switched on right now.
///
/// Requests that are under way finish with the components they started with, and nothing that was
/// cached of a component is repeated by another one of its name. Each change writes the lists anew,
/// which takes time in proportion to their length.
pub struct Components {
    paging: Paging,
    /// What of all that is written there is.
    selection: Selection,
    frame: Frame,
    /// The most components.
    most: usize,
    /// What is disabled. Held while a change is made, so that the last one is the one that counts.
    disabled: Mutex<HashSet<(Kind, String)>>,
    current: ArcSwap<Snapshot>,
    pub(crate) bus: Bus,
}

/// What is switched on, with its lists.
pub(crate) struct Snapshot {
    /// With what is left out.
    written: Arc<Registry>,
    everything: Arc<Registry>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) pages: Pages,
    pub(crate) exposed: Exposed,
    /// The digest of the manifest of everything that is switched on, whoever may see what of it.
    pub(crate) digest: Digest,
    paging: Paging,
    views: Views,
}

/// What a server has, or had: what it answers to, whether or not there is something right now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exposed {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
    pub(crate) prompts: bool,
    pub(crate) completions: bool,
    pub(crate) tasks: bool,
}

impl Exposed {
    /// The same and this kind.
    pub(crate) fn and(mut self, kind: Kind) -> Self {
        match kind {
            Kind::Tool => self.tools = true,
            Kind::Resource | Kind::Template => self.resources = true,
            Kind::Prompt => self.prompts = true,
        }
        self
    }

    fn and_of(self, registry: &Registry) -> Self {
        let any_resource =
            registry.resources().next().is_some() || registry.templates().next().is_some();
        Self {
            tools: self.tools || registry.tools().next().is_some(),
            resources: self.resources || any_resource,
            prompts: self.prompts || registry.prompts().next().is_some(),
            completions: self.completions || registry.completes(),
            tasks: self.tasks || registry.has_tasks(),
        }
    }
}

impl Snapshot {
    /// The part that this permit allows, unless that is everything.
    fn part_for(&self, permit: &Permit) -> Option<Arc<Self>> {
        self.views.part(permit, |allowed| {
            let registry = Arc::new(self.registry.allowed(allowed));
            // What could be written whole can be written in part.
            let pages = Pages::write(
                &registry,
                &self.everything,
                self.paging.clone(),
                self.digest,
            )
            .ok()?;
            Some(Arc::new(Self {
                written: Arc::clone(&self.written),
                everything: Arc::clone(&self.everything),
                registry,
                pages,
                // What a server answers to does not depend on who asks.
                exposed: self.exposed,
                digest: self.digest,
                paging: self.paging.clone(),
                views: Views::default(),
            }))
        })
    }
}

impl Components {
    pub(crate) fn new(
        written: Registry,
        selection: Selection,
        exposed: Exposed,
        most: usize,
        paging: Paging,
        frame: Frame,
    ) -> Result<Self, BuildError> {
        let none = HashSet::new();
        let written = written.into();
        let snapshot = snapshot(written, &selection, &none, exposed, most, &paging, &frame)?;
        Ok(Self {
            paging,
            selection,
            frame,
            most,
            current: ArcSwap::new(snapshot),
            disabled: Mutex::default(),
            bus: Bus::default(),
        })
    }

    /// Whether this is one of those that are left out.
    pub(crate) fn leaves_out(&self, kind: Kind, name: &str) -> bool {
        let (current, name) = (self.current.load(), of_kind(kind, name));
        current.written.has(kind, &name) && !current.everything.has(kind, &name)
    }

    /// Everything there is at this moment, whether it is switched on or not.
    pub fn everything(&self) -> Arc<Registry> {
        Arc::clone(&self.current.load().everything)
    }

    /// What is switched on at this moment, whoever may use it. It is another one after each change, and
    /// the same until then.
    pub fn enabled(&self) -> Arc<Registry> {
        Arc::clone(&self.current.load().registry)
    }

    /// The manifest at this moment: see [`Server::manifest`](crate::Server::manifest).
    pub(crate) fn manifest(&self, projection: Projection) -> Result<Manifest, manifest::Error> {
        let snapshot = self.current.load_full();
        let components = match projection {
            Projection::Code => &snapshot.written,
            _ => &snapshot.registry,
        };
        self.frame
            .manifest(components, snapshot.exposed, projection)
    }

    pub(crate) fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// What is there for whoever has this permit.
    pub(crate) fn seen_with(&self, permit: &Permit) -> Seen {
        let all = self.current.load();
        let part = all.part_for(permit);
        Seen { all, part }
    }

    /// Adds a component behind the others, switched on, and tells the clients that want to know. One that
    /// [`ServerBuilder::retain`](crate::ServerBuilder::retain) leaves out is left out here as well, and nobody hears of it;
    /// its name is taken all the same.
    ///
    /// Clients learn what kinds of components a server has when they introduce themselves: see
    /// [`ServerBuilder::advertise`](crate::ServerBuilder::advertise) for kinds of which there is none
    /// at first. A browser may send the headers of [`Tool::mirrored`] only of tools that were there
    /// at start.
    ///
    /// ```
    /// use pymcp_kit::{Ctx, Kind, NoArgs, Result, Server, Tool};
    ///
    /// async fn answer(_: Ctx, _: NoArgs) -> Result<u32> {
    ///     Ok(42)
    /// }
    ///
    /// let server = Server::builder("example", "1.0.0").advertise(Kind::Tool).build().unwrap();
    /// server.components().add(Tool::new("answer", answer)).unwrap();
    /// assert!(server.components().add(Tool::new("answer", answer)).is_err());
    /// assert!(server.components().remove(Kind::Tool, "answer"));
    /// ```
    ///
    /// # Errors
    /// What [`ServerBuilder::build`](crate::ServerBuilder::build) refuses it for; nothing is changed.
    pub fn add(&self, component: impl Into<Component>) -> Result<(), BuildError> {
        let component = component.into();
        let (kind, name) = (component.kind(), component.name());
        self.edit(kind, &name, |written, _| written.insert(component))
    }

    /// Puts a component in the place of the one of its kind and name, in one step: no request finds
    /// neither. Without one it is added. What is switched off stays so. Where the new one is left out, as by
    /// [`Components::add`], there is none from now on.
    ///
    /// # Errors
    /// As [`Components::add`].
    pub fn replace(&self, component: impl Into<Component>) -> Result<(), BuildError> {
        let component = component.into();
        let (kind, name) = (component.kind(), component.name());
        self.edit(kind, &name, |written, _| {
            let place = written.remove(kind, &name);
            written.insert(component)?;
            if let Some(place) = place {
                written.move_last_to(kind, place);
            }
            Ok(())
        })
    }

    /// Removes a component and tells the clients that want to know; `false` when there is none of
    /// that name. Calls of it that are under way finish.
    pub fn remove(&self, kind: Kind, name: &str) -> bool {
        let name = of_kind(kind, name);
        let removed = self.edit(kind, &name, |written, disabled| {
            match written.remove(kind, &name) {
                Some(_) => {
                    disabled.remove(&(kind, name.clone()));
                    Ok(())
                }
                None => Err(String::new()),
            }
        });
        removed.is_ok()
    }

    /// Switches a component on or off and tells the clients that want to know; `false` when there
    /// is none of that name, or it is as wanted already. All components start switched on.
    pub fn switch(&self, kind: Kind, name: &str, on: bool) -> bool {
        let name = of_kind(kind, name);
        let key = (kind, name.clone());
        let switched = self.edit(kind, &name, |_, disabled| {
            let changed = self.everything().has(kind, &name)
                && match on {
                    true => disabled.remove(&key),
                    false => disabled.insert(key),
                };
            changed.then_some(()).ok_or_else(String::new)
        });
        switched.is_ok()
    }

    /// Makes a change of the component of this kind and name, all of it or nothing, and tells of it, unless it is of what
    /// is left out.
    fn edit(
        &self,
        kind: Kind,
        name: &str,
        change: impl FnOnce(&mut Registry, &mut HashSet<(Kind, String)>) -> Result<(), String>,
    ) -> Result<(), BuildError> {
        let mut disabled = self.disabled.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let mut written = Registry::clone(&before.written);
        let mut then_disabled = disabled.clone();
        change(&mut written, &mut then_disabled).map_err(BuildError)?;
        let next = snapshot(
            written.into(),
            &self.selection,
            &then_disabled,
            before.exposed,
            self.most,
            &self.paging,
            &self.frame,
        )?;
        let is_seen = before.everything.has(kind, name) || next.everything.has(kind, name);
        self.current.store(next);
        *disabled = then_disabled;
        drop(disabled);
        // Of this replica alone: another has components of its own.
        if is_seen {
            self.bus.publish_own(&News::Changed(kind));
        }
        Ok(())
    }

    /// Tells the clients that want to know that the list of these components has changed: for
    /// changes that the server does not see, [`Components::switch`] does it by itself. Replicas that share a
    /// store tell theirs, so it has to be true of all of them; what [`Components::switch`] changes is of this one alone.
    pub fn changed(&self, kind: Kind) {
        self.bus.announce(&News::Changed(kind));
    }

    /// Tells the clients that want to know that the resource at `uri` has changed: all of them that
    /// subscribed to it, at all replicas that share a store; so not for a URI behind which everybody sees something else.
    pub fn updated(&self, uri: &str) {
        self.bus
            .announce(&News::Updated(normalize(uri).into_owned()));
    }
}

/// The name that a component is known by.
fn of_kind(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Resource => normalize(name).into_owned(),
        _ => name.to_owned(),
    }
}

fn snapshot(
    written: Arc<Registry>,
    selection: &Selection,
    disabled: &HashSet<(Kind, String)>,
    exposed: Exposed,
    most: usize,
    paging: &Paging,
    frame: &Frame,
) -> Result<Arc<Snapshot>, BuildError> {
    if written.len() > most {
        return Err(BuildError(format!(
            "A server can have {most} components; ServerBuilder::max_components sets how many."
        )));
    }
    let everything = match selection.is_everything() {
        true => Arc::clone(&written),
        false => Arc::new(written.selected(selection)),
    };
    let registry = everything.filtered(|kind, name| !disabled.contains(&(kind, name.to_owned())));
    let registry = Arc::new(registry);
    let exposed = exposed.and_of(&everything);
    let digest = frame
        .digest(&registry, exposed)
        .map_err(|error| BuildError(error.to_string()))?;
    let pages = Pages::write(&registry, &everything, paging.clone(), digest)
        .map_err(|error| BuildError(error.to_string()))?;
    Ok(Arc::new(Snapshot {
        views: Views::of(&registry),
        registry,
        pages,
        exposed,
        digest,
        everything,
        written,
        paging: paging.clone(),
    }))
}

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Components").finish_non_exhaustive()
    }
}

impl Ctx {
    /// The server's components: to switch them on and off, and to say that they have changed.
    pub fn components(&self) -> &Components {
        match self.facts().components.downcast_ref() {
            Some(components) => components,
            None => unreachable!("the core puts nothing else there"),
        }
    }
}
