//! What differs between two manifests, and how much it matters: by component and field.
//!
//! A member of a definition that this file does not know is [`Class::Info`]. A fact beside the definition and a keyword of a
//! schema are [`Class::Breaking`] unless this file knows better. To class something, add it to [`Place::member`].

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Item, ItemKind, Manifest};

/// Changes that are told one by one. What differs beyond that is told as whole components.
const MAX_CHANGES: usize = 10_000;

/// Bytes of a name and a pointer below which no change is looked for: what differs there is told as a whole.
const MAX_PATH: usize = 2048;

/// Levels of a value below which no change is looked for.
const MAX_DEPTH: usize = 64;

/// How much a change matters; the last one matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Neither of the others: a version, an icon.
    Info,
    /// Words that a model reads, and so what it does: names, descriptions, instructions, annotations.
    Routing,
    /// What may be done, by whom, how often, with which arguments: effects, scopes, schemas, limits, configuration.
    Breaking,
}

impl Class {
    /// All of them, the one that matters most first.
    pub const ALL: [Self; 3] = [Self::Breaking, Self::Routing, Self::Info];

    /// Its name in small letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Routing => "routing",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What kind of item it is in.
    pub kind: ItemKind,
    /// The item's name.
    pub name: String,
    /// Where in the item's content: a JSON pointer (RFC 6901). Empty: the item as a whole.
    pub path: String,
    /// How much it matters.
    pub class: Class,
    /// What was there; none if nothing was.
    pub before: Option<Value>,
    /// What is there now; none if it is gone.
    pub after: Option<Value>,
}

/// What differs from `before` to `after`, in the order of the items and of their fields; nothing where they are equal.
/// Making each change in `before` gives the items of `after`.
///
/// It takes time in proportion to the size of both, and tells at most 10,000 places: what differs beyond them is told as
/// whole components.
pub fn drift(before: &Manifest, after: &Manifest) -> Vec<Change> {
    let mut found = Found::default();
    let (mut old, mut new) = (
        before.items().iter().peekable(),
        after.items().iter().peekable(),
    );
    let known = Reach::of(before.items());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => (old.kind, &old.name).cmp(&(new.kind, &new.name)),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return found.changes,
        };
        match order {
            std::cmp::Ordering::Less => found.extend(old.next().map(gone)),
            std::cmp::Ordering::Greater => found.extend(new.next().map(|item| added(item, &known))),
            std::cmp::Ordering::Equal => {
                if let (Some(old), Some(new)) = (old.next(), new.next())
                    && old.digest != new.digest
                {
                    found.compare(old, new);
                }
            }
        }
    }
}

fn gone(item: &Item) -> Change {
    Change {
        kind: item.kind,
        name: item.name.clone(),
        path: String::new(),
        class: Class::Breaking,
        before: Some(item.content.clone()),
        after: None,
    }
}

/// A new component is one more that a model can choose, and more than that where it reaches further than all before.
fn added(item: &Item, known: &Reach<'_>) -> Change {
    let class = match item.kind {
        ItemKind::Configuration | ItemKind::Server => Class::Breaking,
        _ if Reach::of([item]).is_within(known) => Class::Routing,
        _ => Class::Breaking,
    };
    Change {
        kind: item.kind,
        name: item.name.clone(),
        path: String::new(),
        class,
        before: None,
        after: Some(item.content.clone()),
    }
}

/// What the components of a manifest do to the world, and what callers need for that.
struct Reach<'a> {
    effects: BTreeSet<&'a str>,
    scopes: BTreeSet<&'a str>,
}

impl<'a> Reach<'a> {
    fn of(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let (mut effects, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        for item in items {
            effects.extend(words(&item.content["effects"]));
            scopes.extend(words(&item.content["scopes"]));
        }
        Self { effects, scopes }
    }

    fn is_within(&self, other: &Self) -> bool {
        self.effects.is_subset(&other.effects) && self.scopes.is_subset(&other.scopes)
    }
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[derive(Default)]
struct Found {
    changes: Vec<Change>,
}

impl Found {
    fn extend(&mut self, change: Option<Change>) {
        self.changes.extend(change);
    }

    fn compare(&mut self, old: &Item, new: &Item) {
        let begin = self.changes.len();
        let mut walk = Walk {
            item: old,
            path: String::new(),
            found: &mut self.changes,
        };
        walk.value(Place::of(old.kind), 0, &old.content, &new.content);
        if self.changes.len() > MAX_CHANGES {
            self.changes.truncate(begin);
            self.changes.push(Change {
                after: Some(new.content.clone()),
                ..gone(old)
            });
        }
    }
}

/// What a value is, as far as its class goes.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The content of the server's item, and its identity in it.
    Server,
    Identity,
    /// The content of a component's item, and its definition in it.
    Component,
    Definition,
    /// Something in which everything is of one class.
    All(Class),
    /// A JSON Schema.
    Schema,
    /// An object whose members are schemas, whatever they are called.
    Schemas,
    /// The arguments of a prompt, and one of them.
    Arguments,
    Argument,
}

/// Keywords of JSON Schema that only say something (Validation 2020-12 §9; Core 2020-12 §8.3).
const SAYINGS: [&str; 5] = ["title", "description", "$comment", "examples", "deprecated"];

/// Keywords whose value is an object of schemas.
const NAMED: [&str; 5] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
];

/// Keywords whose value is a schema, or a list of them.
const NESTED: [&str; 15] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords whose lists mean the same in any order, but are read in it.
const UNORDERED: [&str; 3] = ["required", "enum", "type"];

impl Place {
    fn of(kind: ItemKind) -> Self {
        match kind {
            ItemKind::Configuration => Self::All(Class::Breaking),
            ItemKind::Server => Self::Server,
            _ => Self::Component,
        }
    }

    /// What the member of this name is.
    fn member(self, name: &str) -> Self {
        let (info, routing) = (Self::All(Class::Info), Self::All(Class::Routing));
        let breaking = Self::All(Class::Breaking);
        match (self, name) {
            (Self::All(_), _) => self,

            (Self::Server, "identity") => Self::Identity,
            (Self::Server, "instructions") => routing,
            (Self::Server, _) => breaking,
            (Self::Identity, "name" | "title" | "description") => routing,
            (Self::Identity, _) => info,

            (Self::Component, "definition") => Self::Definition,
            (Self::Component, "schema") => Self::Schema,
            (Self::Component, "completes") => routing,
            (Self::Component, "tags") => info,
            (Self::Component, _) => breaking,

            (Self::Definition, "name" | "title" | "description" | "annotations") => routing,
            (Self::Definition, "inputSchema" | "outputSchema") => Self::Schema,
            (Self::Definition, "arguments") => Self::Arguments,
            (Self::Definition, "uri" | "uriTemplate" | "mimeType" | "execution") => breaking,
            (Self::Definition, _) => info,

            (Self::Argument, "name" | "required") => breaking,
            (Self::Argument | Self::Arguments, _) => routing,

            (Self::Schemas, _) => Self::Schema,
            (Self::Schema, _) if SAYINGS.contains(&name) || name.starts_with("x-") => routing,
            (Self::Schema, _) if NAMED.contains(&name) => Self::Schemas,
            (Self::Schema, _) if NESTED.contains(&name) => Self::Schema,
            (Self::Schema, _) => breaking,
        }
    }

    /// What an element of a list is.
    fn element(self) -> Self {
        match self {
            Self::Arguments => Self::Argument,
            same => same,
        }
    }

    /// The class of a change of the whole value.
    fn class(self) -> Class {
        match self {
            Self::All(class) => class,
            _ => Class::Breaking,
        }
    }
}

/// Compares the values of one item.
struct Walk<'a> {
    item: &'a Item,
    path: String,
    found: &'a mut Vec<Change>,
}

impl Walk<'_> {
    fn value(&mut self, at: Place, depth: usize, old: &Value, new: &Value) {
        // One more than are told says that there are too many.
        if self.found.len() > MAX_CHANGES {
            return;
        }
        let length = self.item.name.len() + self.path.len();
        let may_descend = depth < MAX_DEPTH && length < MAX_PATH;
        match (old, new) {
            (Value::Object(old), Value::Object(new)) if may_descend => {
                self.members(at, depth + 1, old, new);
            }
            (Value::Array(old), Value::Array(new)) if may_descend && is_pairwise(old, new) => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    self.below(&index.to_string(), |walk| {
                        walk.value(at.element(), depth + 1, old, new);
                    });
                }
            }
            _ if old == new => {}
            _ => self.tell(at.class(), Some(old), Some(new)),
        }
    }

    fn members(
        &mut self,
        at: Place,
        depth: usize,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) {
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for name in names {
            let place = at.member(name);
            self.below(name, |walk| match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) if is_same_in_another_order(at, name, old, new) => {
                    walk.tell(Class::Routing, Some(old), Some(new));
                }
                (Some(old), Some(new)) => walk.value(place, depth, old, new),
                (old, new) => walk.tell(place.class(), old, new),
            });
        }
    }

    fn below(&mut self, name: &str, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        for c in name.chars() {
            match c {
                '~' => self.path.push_str("~0"),
                '/' => self.path.push_str("~1"),
                c => self.path.push(c),
            }
        }
        then(self);
        self.path.truncate(length);
    }

    fn tell(&mut self, class: Class, before: Option<&Value>, after: Option<&Value>) {
        self.found.push(Change {
            kind: self.item.kind,
            name: self.item.name.clone(),
            path: self.path.clone(),
            class,
            before: before.cloned(),
            after: after.cloned(),
        });
    }
}

/// Whether two lists differ place by place: as many objects or lists in one as in the other. Lists of anything else are
/// told as a whole.
fn is_pairwise(old: &[Value], new: &[Value]) -> bool {
    let is_tree = |value: &Value| value.is_object() || value.is_array();
    old.len() == new.len() && old.iter().chain(new).all(is_tree)
}

/// Whether it is one of the lists of a schema in which only the order is another.
fn is_same_in_another_order(at: Place, keyword: &str, old: &Value, new: &Value) -> bool {
    if !matches!(at, Place::Schema) || !UNORDERED.contains(&keyword) || old == new {
        return false;
    }
    let texts = |list: &Value| {
        let list = list.as_array()?.iter().map(Value::as_str);
        let mut texts: Vec<_> = list.collect::<Option<_>>()?;
        texts.sort_unstable();
        Some(texts.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    matches!((texts(old), texts(new)), (Some(old), Some(new)) if old == new)
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
