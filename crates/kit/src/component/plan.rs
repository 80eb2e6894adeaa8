//! What may be put right in a value before it is validated, read off its schema once.

use std::collections::HashMap;
use std::sync::LazyLock;

use rmcp::model::JsonObject;
use serde_json::Value;

use super::schema::required;

/// The schema `true`.
static ANYTHING: LazyLock<JsonObject> = LazyLock::new(JsonObject::new);

/// What may be put right, for a schema and all that it refers to. Schemas may be recursive, so it is
/// a graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The first one is for the whole value.
    nodes: Vec<Node>,
    /// Whether there may be members besides those that are known: then none is unknown.
    open: bool,
}

/// What may stand in one place.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) integer: bool,
    pub(crate) number: bool,
    pub(crate) boolean: bool,
    pub(crate) string: bool,
    pub(crate) object: bool,
    pub(crate) array: bool,
    /// Whether `null` is a value here.
    pub(crate) null: bool,
    /// Whether some schema of it says nothing of the type.
    anything: bool,
    /// Whether the text of no characters is a value here.
    pub(crate) empty_text: bool,
    pub(crate) members: HashMap<String, Member>,
    /// Of members that have no name in the schema.
    pub(crate) others: Option<usize>,
    pub(crate) items: Option<usize>,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) node: usize,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// Whether it has a default that a `null` stands for: `null` is not one of the values that its
    /// schema names.
    defaults: bool,
}

impl Node {
    /// Whether the schema says nothing of what is inside.
    pub(crate) fn is_free(&self) -> bool {
        self.members.is_empty() && self.items.is_none() && self.others.is_none()
    }

    /// Whether there is a text that is read as a value here: a text as it is, what numbers and
    /// booleans are written like, and JSON for objects and lists.
    pub(crate) fn takes_text(&self) -> bool {
        let scalar = self.string || self.integer || self.number || self.boolean;
        scalar || self.object || self.array || self.anything
    }
}

impl Plan {
    pub(crate) fn of(schema: &JsonObject) -> Self {
        let mut reader = Reader {
            root: schema,
            nodes: Vec::new(),
            known: HashMap::new(),
        };
        reader.node(vec![schema]);
        Self {
            nodes: reader.nodes,
            open: schema.get("additionalProperties") != Some(&Value::Bool(false))
                || schema.contains_key("patternProperties"),
        }
    }

    pub(crate) fn root(&self) -> &Node {
        self.node(0)
    }

    pub(crate) fn node(&self, place: usize) -> &Node {
        &self.nodes[place]
    }

    /// What may be put right in a member of the whole.
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        self.root()
            .members
            .get(name)
            .map(|member| self.node(member.node))
    }

    /// Whether a member of the whole has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.root().members.contains_key(name)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Takes every other member for unknown.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// Whether a `null` here is as if the member were left out.
    pub(crate) fn is_absent(&self, member: &Member, value: &Value) -> bool {
        let counts = || self.node(member.node).null && !member.defaults;
        value.is_null() && member.optional && !counts()
    }

    /// Members of the whole that no text can be read as, by name.
    pub(crate) fn unreachable(&self) -> Option<&str> {
        let members = self.root().members.iter();
        members
            .filter(|(_, member)| !self.node(member.node).takes_text())
            .map(|(name, _)| name.as_str())
            .min()
    }
}

/// Reads schemas into nodes.
struct Reader<'s> {
    root: &'s JsonObject,
    nodes: Vec<Node>,
    /// The nodes of schemas, by where those stand: a recursive schema comes by its own place again.
    known: HashMap<Vec<*const JsonObject>, usize>,
}

impl<'s> Reader<'s> {
    /// The node of a place for which there are several schemas, of which one is to fit.
    fn node(&mut self, schemas: Vec<&'s JsonObject>) -> usize {
        let key = schemas.iter().map(|one| std::ptr::from_ref(*one)).collect();
        if let Some(place) = self.known.get(&key) {
            return *place;
        }
        let place = self.nodes.len();
        self.known.insert(key, place);
        self.nodes.push(Node::default());
        let node = self.read(&schemas);
        self.nodes[place] = node;
        place
    }

    fn read(&mut self, schemas: &[&'s JsonObject]) -> Node {
        let mut node = Node {
            null: schemas
                .iter()
                .any(|schema| self.allows_null(schema, &mut Vec::new())),
            ..Node::default()
        };
        let mut parts = Vec::new();
        for schema in schemas {
            self.gather(schema, &mut parts);
        }
        let mut members: Vec<(&str, Vec<&JsonObject>, bool, bool)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let (mut items, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            node.allow(part);
            let required: Vec<&str> = required(part).collect();
            let properties = part.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                let place = *places.entry(name).or_insert_with(|| {
                    members.push((name, Vec::new(), false, false));
                    members.len() - 1
                });
                let (_, schemas, optional, defaults) = &mut members[place];
                schemas.extend(schema(property));
                *optional |= !required.contains(&&**name);
                *defaults |= property.get("default").is_some_and(|it| !it.is_null())
                    && !names_null(property);
            }
            items.extend(part.get("items").and_then(Value::as_object));
            others.extend(part.get("additionalProperties").and_then(Value::as_object));
        }
        for (name, schemas, optional, defaults) in members {
            let node_of = self.node(schemas);
            let member = Member {
                node: node_of,
                optional,
                defaults,
            };
            node.members.insert(name.to_owned(), member);
        }
        node.items = (!items.is_empty()).then(|| self.node(items));
        node.others = (!others.is_empty()).then(|| self.node(others));
        node
    }

    /// A schema and its alternatives, references followed, each once.
    fn gather(&self, schema_: &'s JsonObject, parts: &mut Vec<&'s JsonObject>) {
        if parts.iter().any(|known| std::ptr::eq(*known, schema_)) {
            return;
        }
        parts.push(schema_);
        for alternative in alternatives(schema_).chain(self.target(schema_)) {
            self.gather(alternative, parts);
        }
    }

    /// What `$ref` refers to: another place of the same schema.
    fn target(&self, schema_: &JsonObject) -> Option<&'s JsonObject> {
        let reference = schema_.get("$ref")?.as_str()?.strip_prefix('#')?;
        let Some(path) = reference.strip_prefix('/') else {
            return reference.is_empty().then_some(self.root);
        };
        let (first, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        schema(self.root.get(first)?.pointer(rest)?)
    }

    /// Whether a schema takes `null`; `above` are the references that led to it.
    fn allows_null(&self, schema_: &'s JsonObject, above: &mut Vec<&'s JsonObject>) -> bool {
        let kinds = match schema_.get("type") {
            Some(Value::String(kind)) => kind == "null",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "null"),
            _ => true,
        };
        let values = match schema_.get("enum") {
            Some(Value::Array(values)) => values.iter().any(Value::is_null),
            _ => schema_.get("const").is_none_or(Value::is_null),
        };
        if !kinds || !values {
            return false;
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let Some(Value::Array(several)) = schema_.get(keyword) else {
                continue;
            };
            let mut allows = |one: &'s Value| {
                schema(one).is_some_and(|schema_| self.allows_null(schema_, above))
            };
            let allowed = match keyword {
                "allOf" => several.iter().all(&mut allows),
                _ => several.iter().any(&mut allows),
            };
            if !allowed {
                return false;
            }
        }
        match (schema_.get("$ref"), self.target(schema_)) {
            (None, _) => true,
            (Some(_), Some(target)) if !above.iter().any(|one| std::ptr::eq(*one, target)) => {
                above.push(target);
                let allowed = self.allows_null(target, above);
                above.pop();
                allowed
            }
            // It leads round in a circle, or nowhere.
            (Some(_), _) => false,
        }
    }
}

fn schema(value: &Value) -> Option<&JsonObject> {
    match value {
        Value::Object(schema) => Some(schema),
        Value::Bool(true) => Some(&ANYTHING),
        _ => None,
    }
}

/// Whether a schema names `null` among its values, rather than saying nothing of them.
fn names_null(schema: &Value) -> bool {
    let lists = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    let kind = schema.get("type");
    kind.is_some_and(|kind| kind == "null")
        || lists("type").is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
        || lists("enum").is_some_and(|values| values.iter().any(Value::is_null))
        || schema.get("const").is_some_and(Value::is_null)
        || ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(lists)
            .flatten()
            .any(names_null)
}

fn alternatives(schema_: &JsonObject) -> impl Iterator<Item = &JsonObject> {
    ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|keyword| schema_.get(keyword)?.as_array())
        .flatten()
        .filter_map(Value::as_object)
}

impl Node {
    fn allow(&mut self, schema: &JsonObject) {
        match schema.get("type") {
            Some(Value::String(kind)) => self.allow_kind(kind),
            Some(Value::Array(kinds)) => kinds
                .iter()
                .filter_map(Value::as_str)
                .for_each(|kind| self.allow_kind(kind)),
            _ => {
                let values = schema.get("enum").and_then(Value::as_array);
                let mut values = values
                    .into_iter()
                    .flatten()
                    .chain(schema.get("const"))
                    .peekable();
                // Alternatives and references say it elsewhere.
                self.anything |= values.peek().is_none()
                    && !["anyOf", "oneOf", "allOf", "$ref"]
                        .iter()
                        .any(|keyword| schema.contains_key(*keyword));
                values.for_each(|value| self.allow_value(value));
            }
        }
        let empty = |value: &Value| value == "";
        let excluded = schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|values| !values.iter().any(empty))
            || schema.get("const").is_some_and(|value| !empty(value))
            || schema.get("minLength").and_then(Value::as_u64) > Some(0);
        self.empty_text |= (self.string || self.anything) && !excluded;
    }

    fn allow_value(&mut self, value: &Value) {
        match value {
            Value::String(_) => self.string = true,
            Value::Bool(_) => self.boolean = true,
            Value::Number(number) if number.is_f64() => self.number = true,
            Value::Number(_) => self.integer = true,
            Value::Object(_) => self.object = true,
            Value::Array(_) => self.array = true,
            Value::Null => {}
        }
    }

    fn allow_kind(&mut self, kind: &str) {
        match kind {
            "integer" => self.integer = true,
            "number" => self.number = true,
            "boolean" => self.boolean = true,
            "string" => self.string = true,
            "object" => self.object = true,
            "array" => self.array = true,
            _ => {}
        }
    }
}
