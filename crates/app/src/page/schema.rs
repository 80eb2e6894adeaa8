//! A JSON Schema in words: what each argument is, may be, and is for.
//!
//! It is for people who read, so what it cannot say in words (conditions, patterns of names) it leaves out; the schema
//! itself is what clients get. To say more, add a line to [`bounds`].

use serde::Serialize;
use serde_json::{Map, Value};

/// Arguments of one schema that are shown, with those inside others.
const MOST_FIELDS: usize = 60;

/// Arguments inside each other that are shown.
const MOST_DEPTH: usize = 4;

/// References that lead to references, and are followed.
const MOST_STEPS: usize = 8;

/// Types inside types that are named.
const MOST_TYPES: usize = 4;

/// Alternatives of one schema that are looked at.
const MOST_ALTERNATIVES: usize = 8;

/// Values that are named of those that are allowed.
const MOST_VALUES: usize = 24;

/// Characters of a value.
const MOST_VALUE: usize = 120;

/// Something that is sent or comes back: an argument, a variable, a member of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    /// Its name; with a dot for what is inside another one, and `[]` for what is in a list.
    pub(super) path: String,
    /// What it is: `string`, `list of integers`.
    pub(super) kind: String,
    /// Whether it has to be there.
    pub(super) required: bool,
    /// What it may be and is by default, in words.
    pub(super) facts: Vec<String>,
    /// What it is for; empty for nothing.
    pub(super) description: String,
}

/// The fields of a schema, and how many more there are than are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Fields {
    /// Those that are shown.
    pub(super) fields: Vec<Field>,
    /// Whether there are more.
    pub(super) cut: bool,
}

/// The fields of the object that a schema describes.
pub(super) fn fields(schema: &Map<String, Value>) -> Fields {
    let root = Value::Object(schema.clone());
    let reader = Reader { root: &root };
    let mut fields = Fields::default();
    reader.members(&root, "", 1, &mut fields);
    fields
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    /// What a schema refers to, unless it is one itself.
    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MOST_STEPS {
            let pointer = schema.get("$ref").and_then(Value::as_str);
            let target = pointer
                .and_then(|pointer| pointer.strip_prefix('#'))
                .and_then(|pointer| self.root.pointer(pointer));
            schema = match (target, only(schema, "allOf")) {
                (Some(target), _) => target,
                (None, Some(one)) => one,
                (None, None) => return schema,
            };
        }
        schema
    }

    /// The alternatives that are something, of a schema that has some; else the schema.
    fn alternatives(&self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolve(schema);
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| schema.get(key)?.as_array());
        match alternatives {
            Some(all) => {
                let all = all.iter().take(MOST_ALTERNATIVES);
                all.map(|one| self.resolve(one)).collect()
            }
            None => vec![schema],
        }
    }

    fn members(&self, schema: &'a Value, before: &str, depth: usize, into: &mut Fields) {
        for object in self.alternatives(schema) {
            let required = object.get("required").and_then(Value::as_array);
            let is_required = |name: &str| {
                let names = required.into_iter().flatten();
                names.into_iter().any(|one| one.as_str() == Some(name))
            };
            let members = object.get("properties").and_then(Value::as_object);
            for (name, member) in members.into_iter().flatten() {
                if into.fields.len() >= MOST_FIELDS {
                    into.cut = true;
                    return;
                }
                let path = format!("{before}{name}");
                if into.fields.iter().any(|known| known.path == path) {
                    continue;
                }
                into.fields
                    .push(self.field(member, path.clone(), is_required(name)));
                self.inside(member, &path, depth, into);
            }
        }
    }

    /// What is inside a member: an object, or a list of objects.
    fn inside(&self, member: &'a Value, path: &str, depth: usize, into: &mut Fields) {
        for one in self.alternatives(member) {
            let (inner, before) = match one.get("items") {
                Some(items) => (items, format!("{path}[].")),
                None => (one, format!("{path}.")),
            };
            let has_members = |schema: &&Value| schema.get("properties").is_some();
            if !self.alternatives(inner).iter().any(has_members) {
                continue;
            }
            match depth < MOST_DEPTH {
                true => self.members(inner, &before, depth + 1, into),
                false => into.cut = true,
            }
        }
    }

    fn field(&self, schema: &'a Value, path: String, required: bool) -> Field {
        let resolved = self.resolve(schema);
        let said = [schema, resolved]
            .iter()
            .find_map(|one| one.get("description")?.as_str());
        let mut facts = Vec::new();
        for one in self.alternatives(schema) {
            bounds(one, &mut facts);
            if let Some(items) = one.get("items") {
                let mut each = Vec::new();
                bounds(self.resolve(items), &mut each);
                if !each.is_empty() {
                    facts.push(format!("each {}", each.join(", ")));
                }
            }
        }
        let default = [schema, resolved].iter().find_map(|one| one.get("default"));
        if let Some(default) = default.filter(|default| !default.is_null()) {
            facts.insert(0, format!("default {}", value(default)));
        }
        facts.dedup();
        Field {
            path,
            kind: self.kind(schema, MOST_TYPES),
            required,
            facts,
            description: said.unwrap_or_default().to_owned(),
        }
    }

    /// What a schema is, in words.
    fn kind(&self, schema: &'a Value, steps: usize) -> String {
        let Some(steps) = steps.checked_sub(1) else {
            return "value".to_owned();
        };
        let mut kinds: Vec<String> = Vec::new();
        let alternatives = self.alternatives(schema);
        for &one in &alternatives {
            let several = one.get("anyOf").or(one.get("oneOf")).is_some();
            let found = match one.get("type") {
                _ if several && alternatives.len() > 1 => vec![self.kind(one, steps)],
                Some(Value::Array(all)) => {
                    let names = all.iter().filter_map(Value::as_str);
                    names.map(|name| self.named(one, name, steps)).collect()
                }
                Some(Value::String(name)) => vec![self.named(one, name, steps)],
                _ => vec![untyped(one).to_owned()],
            };
            for kind in found {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        kinds.sort_by_key(|kind| kind == "null");
        kinds.join(" or ")
    }

    fn named(&self, schema: &'a Value, name: &str, steps: usize) -> String {
        let inner = match name {
            "array" => schema.get("items"),
            "object" => schema
                .get("additionalProperties")
                .filter(|more| more.is_object()),
            _ => None,
        };
        let of = match (name, schema.get("properties")) {
            ("array", _) => "list",
            ("object", None) => "object",
            _ => return name.to_owned(),
        };
        match inner.map(|inner| self.kind(inner, steps)) {
            Some(kind) => format!("{of} of {}", plural(&kind)),
            None => of.to_owned(),
        }
    }
}

/// The one schema of `allOf`, if it has one.
fn only<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    match schema.get(key)?.as_array()?.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// What a schema is that does not say its type.
fn untyped(schema: &Value) -> &'static str {
    let sample = schema.get("const").or_else(|| schema.get("enum")?.get(0));
    match sample {
        Some(Value::String(_)) => "string",
        Some(Value::Number(_)) => "number",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Null) => "null",
        _ if schema.get("properties").is_some() => "object",
        _ if *schema == Value::Bool(false) => "nothing",
        _ => "any value",
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "string" | "integer" | "number" | "boolean" | "object" | "value" => format!("{kind}s"),
        "any value" => "any values".to_owned(),
        _ => match kind.strip_prefix("list") {
            Some(rest) => format!("lists{rest}"),
            None => kind.to_owned(),
        },
    }
}

/// What a value may be, in words.
fn bounds(schema: &Value, facts: &mut Vec<String>) {
    let number = |key: &str| {
        schema
            .get(key)
            .filter(|value| value.is_number())
            .map(ToString::to_string)
    };
    let mut range = |least: Option<String>, most: Option<String>, unit: &str| {
        let one = |number: &str| {
            if number == "1" {
                unit.trim_end_matches('s').to_owned()
            } else {
                unit.to_owned()
            }
        };
        facts.extend(match (least, most) {
            (Some(least), Some(most)) if least == most => {
                Some(format!("exactly {least}{}", one(&least)))
            }
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (Some(least), None) => Some(format!("at least {least}{}", one(&least))),
            (None, Some(most)) => Some(format!("at most {most}{}", one(&most))),
            (None, None) => None,
        });
    };
    range(number("minimum"), number("maximum"), "");
    range(number("minLength"), number("maxLength"), " characters");
    range(number("minItems"), number("maxItems"), " items");
    range(number("minProperties"), number("maxProperties"), " members");
    facts.extend(number("exclusiveMinimum").map(|bound| format!("more than {bound}")));
    facts.extend(number("exclusiveMaximum").map(|bound| format!("less than {bound}")));
    facts.extend(number("multipleOf").map(|bound| format!("a multiple of {bound}")));
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
        facts.push("no item twice".to_owned());
    }
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    facts.extend(text("format").map(|format| format!("format {format}")));
    facts.extend(
        text("pattern").map(|pattern| format!("matches {}", shortened(pattern.to_owned()))),
    );
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        one_of(values.iter(), facts);
    }
    if let Some(only) = schema.get("const").filter(|only| !only.is_null()) {
        one_of([only].into_iter(), facts);
    }
}

/// What starts a fact that names values.
const ONE_OF: &str = "one of ";

/// Adds values to the fact that names them.
fn one_of<'v>(values: impl Iterator<Item = &'v Value>, facts: &mut Vec<String>) {
    for (place, one) in values.filter(|one| !one.is_null()).enumerate() {
        if place == MOST_VALUES {
            if let Some(fact) = facts.last_mut() {
                fact.push_str(", …");
            }
            return;
        }
        let one = value(one);
        match facts.iter_mut().find(|fact| fact.starts_with(ONE_OF)) {
            Some(fact) => {
                fact.push_str(", ");
                fact.push_str(&one);
            }
            None => facts.push(format!("{ONE_OF}{one}")),
        }
    }
}

/// A value, as JSON of a bounded length.
fn value(value: &Value) -> String {
    shortened(value.to_string())
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_VALUE) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: Value) -> Fields {
        fields(schema.as_object().unwrap())
    }

    /// The fields as lines: `path: kind, required; fact; fact`.
    fn lines(schema: Value) -> Vec<String> {
        let line = |field: &Field| {
            let required = if field.required { ", required" } else { "" };
            let mut line = format!("{}: {}{required}", field.path, field.kind);
            for fact in &field.facts {
                line = format!("{line}; {fact}");
            }
            line
        };
        read(schema).fields.iter().map(line).collect()
    }

    #[test]
    fn what_types_declare_is_said_in_words() {
        let schema = json!({
            "type": "object",
            "required": ["n"],
            "properties": {
                "n": { "type": "integer", "minimum": 1, "maximum": 100, "default": 10 },
                "k": { "type": ["integer", "null"], "minimum": 0, "default": null },
                "name": { "type": "string", "minLength": 1, "maxLength": 80, "default": "Ada" },
                "x": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.5 },
                "yes": { "type": "boolean" },
                "tags": { "type": "array", "items": { "type": "string", "maxLength": 8 }, "minItems": 1, "uniqueItems": true },
                "grid": { "type": "array", "items": { "type": "array", "items": { "type": "number" } } },
                "map": { "type": "object", "additionalProperties": { "type": "integer" } },
                "colour": { "enum": ["red", "green", null] },
                "when": { "type": "string", "format": "date" },
                "code": { "type": "string", "pattern": "^[A-Z]{2}$", "minLength": 2, "maxLength": 2 },
                "any": true,
                "least": { "type": "string", "minLength": 1 },
            },
        });
        assert_eq!(
            lines(schema),
            [
                "n: integer, required; default 10; 1 to 100",
                "k: integer or null; at least 0",
                "name: string; default \"Ada\"; 1 to 80 characters",
                "x: number; more than 0; less than 1; a multiple of 0.5",
                "yes: boolean",
                "tags: list of strings; at least 1 item; no item twice; each at most 8 characters",
                "grid: list of lists of numbers",
                "map: object of integers",
                "colour: string; one of \"red\", \"green\"",
                "when: string; format date",
                "code: string; exactly 2 characters; matches ^[A-Z]{2}$",
                "any: any value",
                "least: string; at least 1 character",
            ]
        );
    }

    #[test]
    fn what_is_inside_and_what_is_referred_to_is_found() {
        let schema = json!({
            "type": "object",
            "properties": {
                "filter": { "$ref": "#/$defs/Filter", "description": "Which ones." },
                "items": { "type": "array", "items": { "$ref": "#/$defs/Item" } },
                "unit": { "anyOf": [{ "$ref": "#/$defs/Unit" }, { "type": "null" }] },
                "either": { "oneOf": [{ "const": "a", "description": "A." }, { "const": "b" }] },
                "old": { "allOf": [{ "$ref": "#/$defs/Unit" }], "default": "cm" },
            },
            "$defs": {
                "Filter": {
                    "type": "object",
                    "required": ["size"],
                    "properties": { "size": { "type": "integer" }, "deep": { "$ref": "#/$defs/Deep" } },
                },
                "Deep": { "type": "object", "properties": { "x": { "type": "number" } } },
                "Item": { "type": "object", "properties": { "id": { "type": "string" } } },
                "Unit": { "type": "string", "enum": ["cm", "in"] },
            },
        });
        assert_eq!(read(schema.clone()).fields[0].description, "Which ones.");
        assert_eq!(
            lines(schema),
            [
                "filter: object",
                "filter.size: integer, required",
                "filter.deep: object",
                "filter.deep.x: number",
                "items: list of objects",
                "items[].id: string",
                "unit: string or null; one of \"cm\", \"in\"",
                "either: string; one of \"a\", \"b\"",
                "old: string; default \"cm\"; one of \"cm\", \"in\"",
            ]
        );
    }

    #[test]
    fn a_schema_without_end_has_one_here() {
        let tree = json!({
            "type": "object",
            "properties": { "next": { "$ref": "#" }, "all": { "type": "array", "items": { "$ref": "#" } } },
        });
        let found = read(tree);
        assert!(found.cut && found.fields.len() <= MOST_FIELDS, "{found:?}");
        let circle = json!({
            "type": "object",
            "properties": { "x": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "$ref": "#/$defs/B" }, "B": { "$ref": "#/$defs/A" } },
        });
        assert_eq!(lines(circle), ["x: any value"]);
        let nested = json!({
            "type": "object",
            "properties": { "x": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "type": "array", "items": { "$ref": "#/$defs/A" } } },
        });
        assert!(lines(nested)[0].starts_with("x: list of lists"));
        let doubling = json!({
            "type": "object",
            "properties": { "x": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "anyOf": [{ "$ref": "#/$defs/A" }, { "$ref": "#/$defs/A" }] } },
        });
        assert_eq!(read(doubling).fields.len(), 1);
        let many: Map<_, _> = (0..1000)
            .map(|i| (format!("a{i}"), json!({ "type": "string" })))
            .collect();
        let many = read(json!({ "type": "object", "properties": many }));
        assert_eq!((many.fields.len(), many.cut), (MOST_FIELDS, true));
        let values: Vec<_> = (0..1000).map(|i| json!("x".repeat(i))).collect();
        let long = lines(json!({ "type": "object", "properties": { "v": { "enum": values } } }));
        assert!(long[0].len() < 5000 && long[0].ends_with('…'), "{long:?}");
    }

    #[test]
    fn what_is_no_schema_is_no_panic() {
        for odd in [
            json!({}),
            json!({ "properties": 7 }),
            json!({ "properties": { "a": null, "b": [], "c": { "type": 7, "enum": {}, "items": 3, "anyOf": {} } } }),
            json!({ "properties": { "a": { "$ref": "other.json" }, "b": { "$ref": "#/nowhere" } }, "required": "a" }),
        ] {
            assert!(read(odd).fields.len() <= 3);
        }
    }
}
