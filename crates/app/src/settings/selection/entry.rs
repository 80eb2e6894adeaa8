//! One entry of a list of components, such as `take`, `data://logo`, `tag:admin` or `effect:network`: what it means among
//! the components of a server. Another way to name components is a variant of [`Entry`] and a line in [`readings`].

use std::fmt;

use pymcp_kit::component::{Registry, Settings};
use pymcp_kit::{Effect, Kind};

use crate::sources::{nearest, shown};

/// Names of one sort that are listed where an entry fits nothing.
const MAX_LISTED: usize = 20;

/// What an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The component of this kind and name; of a resource its normalised URI.
    Component(Kind, String),
    /// All components with this tag.
    Tag(String),
    /// All components with an effect of this kind, whatever other effects they have.
    Effect(&'static str),
}

impl Entry {
    /// Whether it means this component.
    pub(super) fn means(&self, kind: Kind, name: &str, settings: &Settings) -> bool {
        match self {
            Self::Component(of, named) => *of == kind && named == name,
            Self::Tag(tag) => settings.tags.contains(tag),
            Self::Effect(kind) => settings.effects.iter().any(|one| one.kind() == *kind),
        }
    }

    /// What sort of thing it is, with its article.
    fn sort(&self) -> &'static str {
        match self {
            Self::Component(kind, _) => a(*kind),
            Self::Tag(_) => "a tag",
            Self::Effect(_) => "a kind of effect",
        }
    }
}

impl fmt::Display for Entry {
    /// In the way that is never ambiguous.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(kind, name) => write!(f, "{}:{name}", word(*kind)),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Effect(kind) => write!(f, "effect:{kind}"),
        }
    }
}

/// The word for a kind, as it stands before a colon.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "tool",
        Kind::Resource => "resource",
        Kind::Template => "template",
        Kind::Prompt => "prompt",
    }
}

fn a(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "a tool",
        Kind::Resource => "a resource",
        Kind::Template => "a resource template",
        Kind::Prompt => "a prompt",
    }
}

/// Why an entry means nothing, or too much.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What follows `--enable has 'x', ` in a sentence, with its end.
    pub(super) reason: String,
    /// What there is, for the line below.
    pub(super) hint: Option<String>,
}

const KINDS: [Kind; 4] = [Kind::Tool, Kind::Resource, Kind::Template, Kind::Prompt];

/// What an entry means among these components.
///
/// # Errors
/// It means nothing, or several things.
pub(super) fn resolve(text: &str, registry: &Registry) -> Result<Entry, Refused> {
    // Who says which sort it is means no other; but `tag:` and the like may also be the scheme of a URI.
    if let Some(entry) = explicit(text, registry) {
        return Ok(entry);
    }
    let mut readings = readings(text, registry);
    match readings.len() {
        1 => Ok(readings.remove(0)),
        0 => Err(unknown(text, registry)),
        _ => {
            let sorts: Vec<_> = readings.iter().map(Entry::sort).collect();
            let ways: Vec<_> = readings.iter().map(|one| shown(&one.to_string())).collect();
            Err(Refused {
                reason: format!(
                    "which is {}; write {}.",
                    listed(&sorts, "and"),
                    listed(&ways, "or")
                ),
                hint: None,
            })
        }
    }
}

/// What an entry means that says which sort of thing it is, if there is such a thing.
fn explicit(text: &str, registry: &Registry) -> Option<Entry> {
    let (sort, name) = text.split_once(':')?;
    match sort {
        "tag" => tag(name, registry),
        "effect" => effect(name),
        sort => {
            let kind = KINDS.into_iter().find(|kind| word(*kind) == sort)?;
            component(kind, name, registry)
        }
    }
}

/// Everything that a word alone can mean.
fn readings(text: &str, registry: &Registry) -> Vec<Entry> {
    let components = KINDS
        .into_iter()
        .filter_map(|kind| component(kind, text, registry));
    components
        .chain(tag(text, registry))
        .chain(effect(text))
        .collect()
}

fn component(kind: Kind, name: &str, registry: &Registry) -> Option<Entry> {
    let name = match kind {
        Kind::Tool => registry
            .tools()
            .map(|one| one.name())
            .find(|it| *it == name),
        Kind::Resource => registry.resource(name).map(|one| one.uri()),
        Kind::Template => {
            let mut templates = registry.templates().map(|one| one.uri_template());
            templates.find(|it| *it == name)
        }
        Kind::Prompt => registry
            .prompts()
            .map(|one| one.name())
            .find(|it| *it == name),
    };
    name.map(|name| Entry::Component(kind, name.to_owned()))
}

fn tag(word: &str, registry: &Registry) -> Option<Entry> {
    let mut all = super::each(registry).into_iter();
    let is_there = all.any(|(_, _, settings)| settings.tags.iter().any(|tag| tag == word));
    is_there.then(|| Entry::Tag(word.to_owned()))
}

/// Every kind of effect can be named, also where nothing has it: a tool that is added later may.
fn effect(word: &str) -> Option<Entry> {
    let kind = Effect::KINDS.into_iter().find(|kind| *kind == word)?;
    Some(Entry::Effect(kind))
}

/// What is said of an entry that means nothing: what may have been meant, and what there is.
fn unknown(text: &str, registry: &Registry) -> Refused {
    let all = super::each(registry);
    let names = |kind: Kind| -> Vec<String> {
        let of_kind = all.iter().filter(|(of, ..)| *of == kind);
        of_kind.map(|(_, name, _)| (*name).to_owned()).collect()
    };
    let mut tags: Vec<_> = all.iter().flat_map(|(.., it)| it.tags.clone()).collect();
    tags.sort_unstable();
    tags.dedup();
    let effects = Effect::KINDS.map(str::to_owned).to_vec();
    let explicit = text.split_once(':').map_or("", |(sort, _)| sort);
    let (what, known, as_written): (&str, Vec<String>, bool) = match explicit {
        "tool" => ("no tool of this server", names(Kind::Tool), false),
        "prompt" => ("no prompt of this server", names(Kind::Prompt), false),
        "resource" => ("no resource of this server", names(Kind::Resource), false),
        "template" => {
            let what = "no resource template of this server";
            (what, names(Kind::Template), false)
        }
        "tag" => ("a tag that nothing has", tags.clone(), false),
        "effect" => ("no kind of effect", effects.clone(), false),
        _ => {
            let what = "no tool, resource, template, prompt, tag or effect of this server";
            let all = KINDS.into_iter().flat_map(names);
            let all = all.chain(tags.clone()).chain(effects.clone());
            (what, all.collect(), true)
        }
    };
    let written = match as_written {
        true => text,
        false => text.split_once(':').map_or(text, |(_, name)| name),
    };
    let meant = nearest(written, known.iter().map(String::as_str));
    let reason = match (meant, as_written) {
        (Some(meant), true) => format!("which is {what}; did you mean {}?", shown(meant)),
        (Some(meant), false) => {
            format!("which is {what}; did you mean {explicit}:{}?", shown(meant))
        }
        (None, _) => format!("which is {what}."),
    };
    let parts = [
        ("tools", names(Kind::Tool)),
        ("resources", names(Kind::Resource)),
        ("templates", names(Kind::Template)),
        ("prompts", names(Kind::Prompt)),
        ("tags", tags),
        ("effects", effects),
    ];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<_> = parts.map(|(sort, names)| some(sort, &names)).collect();
    Refused {
        reason,
        hint: Some(format!("There are {}.", parts.join("; "))),
    }
}

/// `tools greet, take and 3 more`
fn some(sort: &str, names: &[String]) -> String {
    let listed: Vec<_> = names.iter().take(MAX_LISTED).map(|it| shown(it)).collect();
    let listed = listed.join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => format!("{sort} {listed}"),
        more => format!("{sort} {listed} and {more} more"),
    }
}

/// `a tool, a prompt and a tag`
pub(super) fn listed<T: AsRef<str>>(words: &[T], last: &str) -> String {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., word] => format!("{} {last} {word}", first.join(", ")),
    }
}
