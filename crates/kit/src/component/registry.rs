//! Everything a server exposes, found by name in constant time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Settings;
use super::arguments::Arguments;
use super::checks;
use super::components::Component;
use super::definition::{Definition, Describe};
use super::pinned;
use super::prompt::Prompt;
use super::resource::Resource;
use super::selection::Selection;
use super::template::{PreparedTemplate, ResourceTemplate};
use super::tool::{PreparedTool, Tool};
use super::uri;
use crate::auth::Scopes;
use crate::protocol::Kind;

/// The components of a server, in the order they were added: that is the order of every list.
#[derive(Default, Clone)]
pub struct Registry {
    /// The server's name, which clients put before those of its tools.
    server: String,
    pub(crate) tools: Index<PreparedTool>,
    pub(crate) resources: Index<Resource>,
    pub(crate) templates: Vec<Arc<PreparedTemplate>>,
    pub(crate) prompts: Index<Prompt>,
    /// What looks at each component that is added, in this order.
    pub(crate) describe: Vec<Describe>,
}

pub(crate) struct Index<T> {
    pub(crate) ordered: Vec<Arc<T>>,
    by_name: HashMap<String, Arc<T>>,
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        Self {
            ordered: self.ordered.clone(),
            by_name: self.by_name.clone(),
        }
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            ordered: Vec::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<T> Index<T> {
    fn insert(&mut self, name: String, item: T) -> Result<(), String> {
        let item = Arc::new(item);
        if self.by_name.insert(name, Arc::clone(&item)).is_some() {
            return Err("there is another one of the same name".into());
        }
        self.ordered.push(item);
        Ok(())
    }

    /// Removes one, and says which place it had.
    fn remove(&mut self, name: &str) -> Option<usize> {
        let removed = self.by_name.remove(name)?;
        let place = self
            .ordered
            .iter()
            .position(|one| Arc::ptr_eq(one, &removed))?;
        self.ordered.remove(place);
        Some(place)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.by_name.get(name)
    }

    /// Those whose name is wanted, in the same order.
    fn filtered(&self, name: impl Fn(&T) -> &str, wanted: impl Fn(&str) -> bool) -> Self {
        let ordered = self.ordered.iter().filter(|item| wanted(name(item)));
        let by_name = self.by_name.iter().filter(|(name, _)| wanted(name));
        Self {
            ordered: ordered.cloned().collect(),
            by_name: by_name
                .map(|(name, item)| (name.clone(), Arc::clone(item)))
                .collect(),
        }
    }
}

/// Where a URI leads.
#[derive(Clone)]
pub(crate) enum Found {
    Resource(Arc<Resource>),
    Template(Arc<PreparedTemplate>, Arguments),
}

impl Registry {
    /// Nothing yet, of the server with this name.
    pub(crate) fn of(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a component, after the same checks whenever that is.
    pub(crate) fn insert(&mut self, component: Component) -> Result<(), String> {
        match component {
            Component::Tool(tool) => self.add_tool(tool),
            Component::Resource(resource) => self.add_resource(resource),
            Component::Template(template) => self.add_template(template),
            Component::Prompt(prompt) => self.add_prompt(prompt),
        }
    }

    /// Removes a component, and says which place it had among those of its kind.
    pub(crate) fn remove(&mut self, kind: Kind, name: &str) -> Option<usize> {
        match kind {
            Kind::Tool => self.tools.remove(name),
            Kind::Resource => self.resources.remove(name),
            Kind::Prompt => self.prompts.remove(name),
            Kind::Template => {
                let place = self
                    .templates()
                    .position(|one| one.uri_template() == name)?;
                self.templates.remove(place);
                Some(place)
            }
        }
    }

    /// Moves the component of a kind that was added last.
    pub(crate) fn move_last_to(&mut self, kind: Kind, place: usize) {
        fn move_last<T>(all: &mut Vec<T>, place: usize) {
            if let Some(last) = all.pop() {
                all.insert(place.min(all.len()), last);
            }
        }
        match kind {
            Kind::Tool => move_last(&mut self.tools.ordered, place),
            Kind::Resource => move_last(&mut self.resources.ordered, place),
            Kind::Prompt => move_last(&mut self.prompts.ordered, place),
            Kind::Template => move_last(&mut self.templates, place),
        }
    }

    /// Components of all kinds.
    pub(crate) fn len(&self) -> usize {
        self.tools.ordered.len()
            + self.resources.ordered.len()
            + self.prompts.ordered.len()
            + self.templates.len()
    }

    pub(crate) fn add_tool(&mut self, mut tool: Tool) -> Result<(), String> {
        for describe in &self.describe {
            let definition = Definition::Tool {
                wraps_result: tool.wraps_result,
                definition: &mut tool.definition,
            };
            describe(definition, &tool.settings);
        }
        tool.label.declare(&tool.settings.effects);
        let name = tool.name().to_owned();
        let add = |tools: &mut Index<PreparedTool>| {
            let prepared = PreparedTool::new(tool)?;
            checks::tool(&prepared.tool, &self.server)?;
            pinned::pin_tool(&prepared.tool)?;
            tools.insert(name.clone(), prepared)
        };
        add(&mut self.tools).map_err(|why| format!("The tool '{name}' cannot be served: {why}."))
    }

    pub(crate) fn add_resource(&mut self, mut resource: Resource) -> Result<(), String> {
        let uri = uri::normalize(resource.uri()).into_owned();
        resource.definition.uri.clone_from(&uri);
        for describe in &self.describe {
            describe(
                Definition::Resource(&mut resource.definition),
                &resource.settings,
            );
        }
        resource.label.declare(&resource.settings.effects);
        // An empty one was set to say that there is nothing to tell.
        let meta = &mut resource.definition.meta;
        meta.take_if(|meta| meta.is_empty());
        let added = match uri::is_uri(&uri) {
            true => checks::resource(&resource, &self.server)
                .and_then(|()| pinned::pin_resource(&resource))
                .and_then(|()| self.resources.insert(uri.clone(), resource)),
            false => Err("its URI has no scheme, or holds blanks or control characters".into()),
        };
        added.map_err(|why| format!("The resource '{uri}' cannot be served: {why}."))
    }

    pub(crate) fn add_template(&mut self, mut template: ResourceTemplate) -> Result<(), String> {
        for describe in &self.describe {
            describe(
                Definition::Template(&mut template.definition),
                &template.settings,
            );
        }
        template.label.declare(&template.settings.effects);
        let uri = template.uri_template().to_owned();
        let refuse =
            |why: String| format!("The resource template '{uri}' cannot be served: {why}.");
        if self.has(Kind::Template, &uri) {
            return Err(refuse("there is another one of the same URI".into()));
        }
        let prepared = PreparedTemplate::new(template).map_err(refuse)?;
        checks::template(&prepared.template, &self.server).map_err(refuse)?;
        pinned::pin_template(&prepared.template).map_err(refuse)?;
        self.templates.push(Arc::new(prepared));
        Ok(())
    }

    pub(crate) fn add_prompt(&mut self, mut prompt: Prompt) -> Result<(), String> {
        for describe in &self.describe {
            describe(Definition::Prompt(&mut prompt.definition), &prompt.settings);
        }
        prompt.label.declare(&prompt.settings.effects);
        let name = prompt.name().to_owned();
        let add = |prompts: &mut Index<Prompt>| {
            let prompt = prompt.prepare()?;
            checks::prompt(&prompt, &self.server)?;
            pinned::pin_prompt(&prompt)?;
            prompts.insert(name.clone(), prompt)
        };
        add(&mut self.prompts)
            .map_err(|why| format!("The prompt '{name}' cannot be served: {why}."))
    }

    /// All tools.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.ordered.iter().map(|prepared| &prepared.tool)
    }

    /// The headers `Mcp-Param-*` that tools declare, each once, in order.
    pub(crate) fn mirrored_headers(&self) -> Vec<String> {
        let tools = self.tools.ordered.iter();
        let labels: BTreeMap<String, &str> = tools
            .flat_map(|tool| tool.mirrored.labels())
            .map(|label| (label.to_ascii_lowercase(), label))
            .collect();
        labels.into_values().map(str::to_owned).collect()
    }

    /// All resources with a fixed URI.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.ordered.iter().map(|resource| &**resource)
    }

    /// The resource with this fixed URI, in whichever form the URI is written.
    pub fn resource(&self, uri: &str) -> Option<&Resource> {
        let found = self.resources.get(&uri::normalize(uri));
        found.map(|resource| &**resource)
    }

    /// All resource templates.
    pub fn templates(&self) -> impl Iterator<Item = &ResourceTemplate> {
        self.templates.iter().map(|prepared| &prepared.template)
    }

    /// All prompts.
    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.ordered.iter().map(|prompt| &**prompt)
    }

    /// The resource at a normalised URI: a fixed one before a template.
    pub(crate) fn find(&self, uri: &str) -> Option<Found> {
        if let Some(resource) = self.resources.get(uri) {
            return Some(Found::Resource(Arc::clone(resource)));
        }
        self.templates.iter().find_map(|template| {
            template
                .match_uri(uri)
                .map(|variables| Found::Template(Arc::clone(template), variables))
        })
    }

    /// The template that is written like this, or that this URI fits.
    pub(crate) fn find_template(&self, uri: &str) -> Option<Arc<PreparedTemplate>> {
        let written = self
            .templates
            .iter()
            .find(|one| one.template.uri_template() == uri);
        let fits = || {
            let uri = uri::normalize(uri);
            self.templates
                .iter()
                .find(|one| one.match_uri(&uri).is_some())
        };
        written.or_else(fits).cloned()
    }

    /// Whether anything suggests values for arguments or variables.
    pub(crate) fn completes(&self) -> bool {
        self.prompts().any(|one| !one.completers.is_empty())
            || self.templates().any(|one| !one.completers.is_empty())
    }

    /// Whether calls of a tool can become tasks.
    pub(crate) fn has_tasks(&self) -> bool {
        self.tools().any(|tool| tool.task.is_some())
    }

    /// Whether there is such a component; resources are named by their normalised URI.
    pub(crate) fn has(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Tool => self.tools.get(name).is_some(),
            Kind::Resource => self.resources.get(name).is_some(),
            Kind::Template => self.templates().any(|one| one.uri_template() == name),
            Kind::Prompt => self.prompts.get(name).is_some(),
        }
    }

    /// The scopes that components need, each set of them once.
    pub(crate) fn needs(&self) -> Vec<Scopes> {
        let tools = self.tools().map(Tool::settings);
        let resources = self.resources().map(Resource::settings);
        let templates = self.templates().map(ResourceTemplate::settings);
        let prompts = self.prompts().map(Prompt::settings);
        let all = tools.chain(resources).chain(templates).chain(prompts);
        let mut needs: Vec<Scopes> = Vec::new();
        for Settings { scopes, .. } in all {
            if !scopes.is_empty() && !needs.contains(scopes) {
                needs.push(scopes.clone());
            }
        }
        needs
    }

    /// The components whose scopes are allowed, in the same order.
    pub(crate) fn allowed(&self, allowed: impl Fn(&Scopes) -> bool) -> Self {
        self.settled(|_, _, settings| allowed(&settings.scopes))
    }

    /// The components that are selected, in the same order.
    pub(crate) fn selected(&self, selection: &Selection) -> Self {
        self.settled(|kind, name, settings| selection.keeps(kind, name, settings))
    }

    /// The components that are wanted for what their author says of them, in the same order.
    fn settled(&self, wanted: impl Fn(Kind, &str, &Settings) -> bool) -> Self {
        self.filtered(|kind, name| {
            let settings = match kind {
                Kind::Tool => self.tools.get(name).map(|one| one.tool.settings()),
                Kind::Resource => self.resources.get(name).map(|one| one.settings()),
                Kind::Prompt => self.prompts.get(name).map(|one| one.settings()),
                Kind::Template => {
                    let mut templates = self.templates();
                    let found = templates.find(|one| one.uri_template() == name);
                    found.map(ResourceTemplate::settings)
                }
            };
            settings.is_none_or(|settings| wanted(kind, name, settings))
        })
    }

    /// The components that are wanted, in the same order.
    pub(crate) fn filtered(&self, wanted: impl Fn(Kind, &str) -> bool) -> Self {
        let templates = self.templates.iter();
        Self {
            server: self.server.clone(),
            tools: self
                .tools
                .filtered(|one| one.tool.name(), |name| wanted(Kind::Tool, name)),
            resources: self
                .resources
                .filtered(Resource::uri, |uri| wanted(Kind::Resource, uri)),
            templates: templates
                .filter(|one| wanted(Kind::Template, one.template.uri_template()))
                .cloned()
                .collect(),
            prompts: self
                .prompts
                .filtered(Prompt::name, |name| wanted(Kind::Prompt, name)),
            describe: self.describe.clone(),
        }
    }
}
