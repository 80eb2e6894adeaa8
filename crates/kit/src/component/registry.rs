//! Everything a server exposes, found by name in constant time, with its lists written once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
};

use crate::core::Era;

use super::arguments::Arguments;
use super::prompt::Prompt;
use super::resource::Resource;
use super::template::{PreparedTemplate, ResourceTemplate};
use super::tool::{PreparedTool, Tool};
use super::uri_template;

/// The components of a server, in the order they were added: that is the order of every list.
#[derive(Default)]
pub struct Registry {
    pub(crate) tools: Index<PreparedTool>,
    pub(crate) resources: Index<Resource>,
    pub(crate) templates: Vec<Arc<PreparedTemplate>>,
    pub(crate) prompts: Index<Prompt>,
}

pub(crate) struct Index<T> {
    pub(crate) ordered: Vec<Arc<T>>,
    by_name: HashMap<String, Arc<T>>,
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

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.by_name.get(name)
    }
}

/// Where a URI leads.
#[derive(Clone)]
pub(crate) enum Found {
    Resource(Arc<Resource>),
    Template(Arc<PreparedTemplate>, Arguments),
}

impl Registry {
    pub(crate) fn add_tool(&mut self, tool: Tool) -> Result<(), String> {
        let name = tool.name().to_owned();
        let add =
            |tools: &mut Index<PreparedTool>| tools.insert(name.clone(), PreparedTool::new(tool)?);
        add(&mut self.tools).map_err(|why| format!("The tool '{name}' cannot be served: {why}."))
    }

    pub(crate) fn add_resource(&mut self, mut resource: Resource) -> Result<(), String> {
        let uri = uri_template::normalize(resource.uri()).into_owned();
        let meta = &mut resource.definition.meta;
        meta.get_or_insert_with(|| resource.settings.meta());
        // An empty one was set to say that there is nothing to tell.
        meta.take_if(|meta| meta.is_empty());
        let added = match uri_template::has_scheme(&uri) {
            true => self.resources.insert(uri.clone(), resource),
            false => Err("its URI has no scheme".into()),
        };
        added.map_err(|why| format!("The resource '{uri}' cannot be served: {why}."))
    }

    pub(crate) fn add_template(&mut self, template: ResourceTemplate) -> Result<(), String> {
        let uri = template.uri_template().to_owned();
        let prepared = PreparedTemplate::new(template)
            .map_err(|why| format!("The resource template '{uri}' cannot be served: {why}."))?;
        self.templates.push(Arc::new(prepared));
        Ok(())
    }

    pub(crate) fn add_prompt(&mut self, prompt: Prompt) -> Result<(), String> {
        let name = prompt.name().to_owned();
        self.prompts
            .insert(name.clone(), prompt.prepare())
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
}

/// The results of the list methods in one era, written once.
pub(crate) struct Lists {
    pub(crate) tools: Bytes,
    pub(crate) resources: Bytes,
    pub(crate) templates: Bytes,
    pub(crate) prompts: Bytes,
}

impl Lists {
    /// Writes the lists; `finish` adds what every result of the era carries.
    pub(crate) fn write<E>(
        registry: &Registry,
        era: Era,
        finish: impl Fn(serde_json::Value) -> Result<Bytes, E>,
    ) -> Result<Self, E>
    where
        E: From<serde_json::Error>,
    {
        macro_rules! list {
            ($kind:ident, $items:expr) => {{
                let mut list =
                    $kind::with_all_items($items.map(|item| item.definition().clone()).collect());
                if era == Era::Legacy {
                    list.result_type = None;
                }
                finish(serde_json::to_value(list)?)?
            }};
        }
        Ok(Self {
            tools: list!(ListToolsResult, registry.tools()),
            resources: list!(ListResourcesResult, registry.resources()),
            templates: list!(ListResourceTemplatesResult, registry.templates()),
            prompts: list!(ListPromptsResult, registry.prompts()),
        })
    }
}
