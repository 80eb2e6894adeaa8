//! What a manifest pins of a component: the table is in [`crate::manifest`].
//!
//! The digest of an item is computed once, when its component is added, and kept with the component's label: a change at
//! run time hashes 32 bytes for each of the others.

use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::{Value, json};

use super::completion::Completers;
use super::components::Exposed;
use super::{
    CacheHint, Effect, Prompt, Registry, Resource, ResourceTemplate, Settings, TaskSupport, Tool,
};
use crate::label::Label;
use crate::manifest::{self, Digest, Error, ItemKind, Manifest, Projection};

/// What is pinned beside the components.
pub(crate) struct Frame {
    /// The content of the server's own item, where it answers to this.
    server: ServerContent,
    /// The parts of the configuration, by name.
    configuration: Vec<(String, Value)>,
    /// Their digests.
    digests: Vec<Digest>,
}

type ServerContent = Box<dyn Fn(Exposed, Projection) -> Value + Send + Sync>;

impl Frame {
    /// # Errors
    /// A part of the configuration is there twice, or cannot be pinned.
    pub(crate) fn new(
        server: impl Fn(Exposed, Projection) -> Value + Send + Sync + 'static,
        configuration: Vec<(String, Value)>,
    ) -> Result<Self, Error> {
        let items = configuration.iter().map(of_configuration);
        let digests = Manifest::new(Projection::Full, items)?;
        Ok(Self {
            server: Box::new(server),
            configuration,
            digests: digests.items().iter().map(|item| item.digest).collect(),
        })
    }

    fn server(&self, exposed: Exposed, projection: Projection) -> Pinned {
        let content = (self.server)(exposed, projection);
        (ItemKind::Server, manifest::SERVER.to_owned(), content)
    }

    /// The manifest of these components in it.
    pub(super) fn manifest(
        &self,
        components: &Registry,
        exposed: Exposed,
        projection: Projection,
    ) -> Result<Manifest, Error> {
        // Skills are files that the author wrote; all else is set.
        let configuration = self.configuration.iter();
        let configuration = configuration.filter(|(name, _)| match projection {
            Projection::Full => true,
            Projection::Code => name == "skills",
            _ => false,
        });
        let items = std::iter::once(self.server(exposed, projection))
            .chain(components.pinned(projection))
            .chain(configuration.map(of_configuration));
        Manifest::new(projection, items)
    }

    /// The digest of [`Projection::Full`].
    pub(super) fn digest(&self, components: &Registry, exposed: Exposed) -> Result<Digest, Error> {
        let server = digest(self.server(exposed, Projection::Full))?;
        let all = std::iter::once(server)
            .chain(components.digests())
            .chain(self.digests.iter().copied());
        Ok(manifest::digest_of(Projection::Full, all))
    }
}

fn of_configuration((name, value): &(String, Value)) -> Pinned {
    (ItemKind::Configuration, name.clone(), value.clone())
}

/// An item of a manifest that is not hashed yet: its kind, its name, what is in it.
type Pinned = (ItemKind, String, Value);

impl Registry {
    /// An item for each component.
    fn pinned(&self, projection: Projection) -> impl Iterator<Item = Pinned> {
        let tools = self.tools().map(move |one| tool(one, projection));
        let resources = self.resources().map(move |one| resource(one, projection));
        let templates = self.templates().map(move |one| template(one, projection));
        let prompts = self.prompts().map(move |one| prompt(one, projection));
        tools.chain(resources).chain(templates).chain(prompts)
    }

    /// The digests of [`Projection::Full`] of all components.
    fn digests(&self) -> impl Iterator<Item = Digest> {
        let tools = self.tools().map(|one| &one.label);
        let resources = self.resources().map(|one| &one.label);
        let templates = self.templates().map(|one| &one.label);
        let prompts = self.prompts().map(|one| &one.label);
        let all = tools.chain(resources).chain(templates).chain(prompts);
        all.filter_map(|label| label.digest.get().copied())
    }
}

/// Computes the digest of a component that is added, and keeps it with its label; if there is none, why.
fn pin(label: &Label, pinned: Pinned) -> Result<(), String> {
    let digest = digest(pinned).map_err(|why| format!("it {}", why.of_item()))?;
    // It is added to one server, once.
    let _ = label.digest.set(digest);
    Ok(())
}

pub(super) fn pin_tool(one: &Tool) -> Result<(), String> {
    pin(&one.label, tool(one, Projection::Full))
}

pub(super) fn pin_resource(one: &Resource) -> Result<(), String> {
    pin(&one.label, resource(one, Projection::Full))
}

pub(super) fn pin_template(one: &ResourceTemplate) -> Result<(), String> {
    pin(&one.label, template(one, Projection::Full))
}

pub(super) fn pin_prompt(one: &Prompt) -> Result<(), String> {
    pin(&one.label, prompt(one, Projection::Full))
}

fn digest((kind, name, content): Pinned) -> Result<Digest, Error> {
    manifest::item_digest(Projection::Full, kind, &name, &content).map(|(digest, _)| digest)
}

fn tool(tool: &Tool, projection: Projection) -> Pinned {
    let task = tool.task.map(|support| match support {
        TaskSupport::Optional => "optional",
        TaskSupport::Required => "required",
    });
    let own = json!({ "task": task, "asksBeforeTask": tool.asks_before_task });
    let content = content(projection, &tool.definition, &tool.settings, own);
    (ItemKind::Tool, tool.name().to_owned(), content)
}

fn resource(resource: &Resource, projection: Projection) -> Pinned {
    let own = json!({ "cacheHint": hint(resource.settings.hint) });
    let content = content(projection, &resource.definition, &resource.settings, own);
    (ItemKind::Resource, resource.uri().to_owned(), content)
}

fn template(template: &ResourceTemplate, projection: Projection) -> Pinned {
    let own = json!({
        "cacheHint": hint(template.settings.hint),
        "completes": completes(&template.completers),
        "schema": template.variables,
    });
    let content = content(projection, &template.definition, &template.settings, own);
    (
        ItemKind::ResourceTemplate,
        template.uri_template().to_owned(),
        content,
    )
}

fn prompt(prompt: &Prompt, projection: Projection) -> Pinned {
    let own = json!({
        "argumentBytes": prompt.argument_bytes,
        "completes": completes(&prompt.completers),
        "schema": prompt.schema(),
    });
    let content = content(projection, &prompt.definition, &prompt.settings, own);
    (ItemKind::Prompt, prompt.name().to_owned(), content)
}

/// What is pinned of any component, and what only its kind has.
fn content(
    projection: Projection,
    definition: &impl Serialize,
    settings: &Settings,
    own: Value,
) -> Value {
    let mut content = JsonObject::new();
    content.insert("definition".into(), as_sent(definition));
    if projection == Projection::Shown {
        return content.into();
    }
    let Settings {
        cached,
        timeout,
        cost,
        effects,
        tags,
        scopes,
        // Of resources and templates only.
        hint: _,
        // Of the build, not of what is served.
        allowed: _,
        refused: _,
        opened: _,
    } = settings;
    let mut effects: Vec<String> = match projection {
        Projection::Code => effects.iter().map(|one| one.kind().to_owned()).collect(),
        _ => effects.iter().map(Effect::to_string).collect(),
    };
    effects.dedup();
    let common = json!({
        "cached": cached,
        "cost": cost,
        "effects": effects,
        "scopes": scopes.iter().collect::<Vec<_>>(),
        "tags": tags,
        "timeoutMs": timeout.map(millis),
    });
    for members in [common, own] {
        if let Value::Object(members) = members {
            content.extend(members);
        }
    }
    content.into()
}

/// A value as whoever reads its JSON has it. By way of its text, as a number of single precision is another one there.
pub(crate) fn as_sent(value: &impl Serialize) -> Value {
    let text = serde_json::to_vec(value).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

fn hint(hint: CacheHint) -> Value {
    json!({ "ttlMs": hint.ttl_ms(), "scope": hint.scope() })
}

fn completes(completers: &Completers) -> Vec<&str> {
    let mut names: Vec<&str> = completers.names().collect();
    names.sort_unstable();
    names
}
