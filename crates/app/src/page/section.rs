//! The components that a server lists, kind by kind, in the order in which they were added.

use std::collections::HashSet;

use pymcp_kit::component::Registry;
use serde::Serialize;

use super::item::{Item, RESULT};
use crate::limits_page::Shown as _;

/// Components of one kind that are shown; clients list the others.
const MOST_ITEMS: usize = 200;

/// Bytes of all texts of components that are shown.
const MOST_BYTES: usize = 512 << 10;

/// All components of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    /// Its anchor.
    pub(super) id: &'static str,
    /// What the components are called.
    pub(super) title: &'static str,
    /// One sentence for people who do not know the protocol.
    pub(super) about: &'static str,
    /// All there are.
    pub(super) count: String,
    /// Those that are shown.
    pub(super) items: Vec<Item>,
    /// The method that lists those that are not; empty where all are shown.
    pub(super) more: &'static str,
}

/// What is said of a kind of components, and the method that lists them.
struct Heading {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    method: &'static str,
}

const TOOLS: Heading = Heading {
    id: "tools",
    title: "Tools",
    about: "What a model can call.",
    method: "tools/list",
};

const RESOURCES: Heading = Heading {
    id: "resources",
    title: "Resources",
    about: "What a client can read.",
    method: "resources/list",
};

const TEMPLATES: Heading = Heading {
    id: "templates",
    title: "Resource templates",
    about: "Resources whose address a client completes.",
    method: "resources/templates/list",
};

const PROMPTS: Heading = Heading {
    id: "prompts",
    title: "Prompts",
    about: "Messages that a person picks in a client.",
    method: "prompts/list",
};

/// The kinds of components that there are.
pub(super) fn sections(registry: &Registry) -> Vec<Section> {
    let mut room = MOST_BYTES;
    let tools = TOOLS.over(registry.tools(), &mut room, |tool| {
        let definition = tool.definition();
        let annotations = definition.annotations.as_ref();
        let title = definition.title.as_deref();
        let title = title.or(annotations.and_then(|one| one.title.as_deref()));
        Item::new(
            "tool",
            tool.name(),
            title,
            definition.description.as_deref(),
        )
        .annotated(annotations)
        .settings(tool.settings())
        .schema("Arguments", Some(&definition.input_schema))
        .schema(RESULT, definition.output_schema.as_deref())
    });
    let resources = RESOURCES.over(registry.resources(), &mut room, |resource| {
        let definition = resource.definition();
        let title = definition.title.as_deref().unwrap_or(&definition.name);
        let description = definition.description.as_deref();
        Item::new("resource", resource.uri(), Some(title), description)
            .fact(definition.mime_type.as_deref())
            .size(definition.size)
            .settings(resource.settings())
    });
    let templates = TEMPLATES.over(registry.templates(), &mut room, |template| {
        let definition = template.definition();
        let title = definition.title.as_deref().unwrap_or(&definition.name);
        let description = definition.description.as_deref();
        Item::new(
            "template",
            template.uri_template(),
            Some(title),
            description,
        )
        .fact(definition.mime_type.as_deref())
        .settings(template.settings())
        .schema("Variables", Some(template.schema()))
    });
    let prompts = PROMPTS.over(registry.prompts(), &mut room, |prompt| {
        let definition = prompt.definition();
        let title = definition.title.as_deref();
        Item::new(
            "prompt",
            prompt.name(),
            title,
            definition.description.as_deref(),
        )
        .settings(prompt.settings())
        .schema("Arguments", Some(prompt.schema()))
    });
    let mut sections = vec![tools, resources, templates, prompts];
    sections.retain(|section| !section.items.is_empty() || !section.more.is_empty());
    sections
}

impl Heading {
    /// The components below it, as many as there is room for.
    fn over<T>(
        self,
        mut all: impl Iterator<Item = T>,
        room: &mut usize,
        item: impl Fn(T) -> Item,
    ) -> Section {
        let mut items: Vec<Item> = Vec::new();
        let mut anchors = HashSet::new();
        let mut more = 0;
        for one in all.by_ref().take(MOST_ITEMS) {
            let mut item = item(one);
            let weight = item.weight();
            if weight > *room {
                more = 1;
                break;
            }
            *room -= weight;
            // Names that differ can look alike in an anchor.
            if !anchors.insert(item.id.clone()) {
                item.id = format!("{}--{}", item.id, items.len());
                anchors.insert(item.id.clone());
            }
            items.push(item);
        }
        more += all.count();
        Section {
            id: self.id,
            title: self.title,
            about: self.about,
            count: (items.len() + more).shown(),
            items,
            more: if more > 0 { self.method } else { "" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(names: impl IntoIterator<Item = String>, text: &str) -> Section {
        let item = |name: String| Item::new("tool", &name, None, Some(text));
        let mut room = MOST_BYTES;
        TOOLS.over(names.into_iter(), &mut room, item)
    }

    #[test]
    fn an_anchor_belongs_to_one_component() {
        let section = section(["a b", "a-b", "a/b"].map(str::to_owned), "");
        let ids: Vec<_> = section.items.iter().map(|item| &*item.id).collect();
        assert_eq!(ids, ["tool-a-b", "tool-a-b--1", "tool-a-b--2"]);
    }

    #[test]
    fn what_there_is_too_much_of_is_counted() {
        let names = || (0..1234).map(|number| format!("t{number}"));
        let many = section(names(), "");
        assert_eq!(
            (many.items.len(), &*many.count, many.more),
            (MOST_ITEMS, "1,234", "tools/list")
        );
        let long = "x".repeat(7000);
        let large = section(names().take(100), &long);
        assert_eq!(
            (large.items.len(), &*large.count),
            (MOST_BYTES / 7003, "100")
        );
        assert_eq!(section(names().take(3), &long).more, "");
    }
}
