//! What is wrong with a value, in words: members and what is allowed, never what was given.
//!
//! Of a value that fits none of several alternatives the one that was meant is found first: by the
//! member that tells them apart (serde's `tag`), by the only member there is (an enum without a
//! tag), or by the type. Then only what is wrong in that one is said.

use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind};
use serde_json::Value;

/// Complaints about one value.
const MAX_COMPLAINTS: usize = 5;

/// Values or names that are listed.
const MAX_LISTED: usize = 20;

/// Characters of a name that the caller wrote.
const MAX_NAME: usize = 64;

/// How deep alternatives in alternatives are followed.
const MAX_DEPTH: usize = 8;

/// Errors that are looked into: of a long list there is one for each item and each alternative.
const MAX_ERRORS: usize = 64;

/// What a value was checked against.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    /// The whole schema.
    pub(super) schema: &'s Value,
    /// What its members are called: arguments, fields.
    pub(super) member: &'static str,
}

/// All that is wrong, as parts of one sentence.
pub(super) fn sentence<'e>(
    errors: impl Iterator<Item = ValidationError<'e>>,
    subject: Subject<'_>,
) -> String {
    let mut words = Words {
        subject,
        said: Vec::new(),
        left: MAX_ERRORS,
    };
    for error in errors.take(MAX_COMPLAINTS) {
        words.explain(&error, 0);
    }
    words.said.join("; ")
}

struct Words<'s> {
    subject: Subject<'s>,
    said: Vec<String>,
    /// Errors that may still be looked into.
    left: usize,
}

impl<'s> Words<'s> {
    fn say(&mut self, complaint: String) {
        if self.said.len() < MAX_COMPLAINTS && !self.said.contains(&complaint) {
            self.said.push(complaint);
        }
    }

    /// Those of one alternative.
    fn explain_all(&mut self, errors: &[ValidationError<'static>], depth: usize) {
        for error in errors.iter().take(MAX_COMPLAINTS) {
            self.explain(error, depth);
        }
    }

    fn explain(&mut self, error: &ValidationError<'_>, depth: usize) {
        use ValidationErrorKind as Kind;
        if self.said.len() == MAX_COMPLAINTS || self.left == 0 {
            return;
        }
        self.left -= 1;
        match error.kind() {
            Kind::OneOfNotValid { context } | Kind::AnyOf { context } if depth < MAX_DEPTH => {
                self.choose(error, context, depth + 1);
            }
            _ => {
                let complaint = self.simple(error);
                self.say(complaint);
            }
        }
    }

    fn simple(&self, error: &ValidationError<'_>) -> String {
        use ValidationErrorKind as Kind;
        let path = path(error);
        let place = place(&path);
        match error.kind() {
            Kind::Required { property } => {
                let name = below(&path, property.as_str().unwrap_or_default());
                format!("'{name}' is required")
            }
            Kind::Type { kind } => {
                let kinds: Vec<&str> = match kind {
                    TypeKind::Single(kind) => vec![kind.as_str()],
                    TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.as_str()).collect(),
                };
                format!("{place} must be of type {}", kinds.join(" or "))
            }
            Kind::Minimum { limit } => format!("{place} must be at least {limit}"),
            Kind::Maximum { limit } => format!("{place} must be at most {limit}"),
            Kind::ExclusiveMinimum { limit } => format!("{place} must be greater than {limit}"),
            Kind::ExclusiveMaximum { limit } => format!("{place} must be less than {limit}"),
            Kind::MultipleOf { multiple_of } => {
                format!("{place} must be a multiple of {multiple_of}")
            }
            Kind::MinLength { limit } => count(&place, "at least", *limit, "character"),
            Kind::MaxLength { limit } => count(&place, "at most", *limit, "character"),
            Kind::MinItems { limit } => count(&place, "at least", *limit, "item"),
            Kind::MaxItems { limit } => count(&place, "at most", *limit, "item"),
            Kind::AdditionalItems { limit } => count(
                &place,
                "at most",
                u64::try_from(*limit).unwrap_or(u64::MAX),
                "item",
            ),
            Kind::MinProperties { limit } => self.members(&path, "at least", *limit),
            Kind::MaxProperties { limit } => self.members(&path, "at most", *limit),
            Kind::UniqueItems => format!("{place} must not have the same item twice"),
            Kind::Enum { options } => match options.as_array() {
                Some(options) => format!("{place} must be one of {}", list(options.iter())),
                None => format!("{place} must be one of {options}"),
            },
            Kind::Constant { expected_value } => format!("{place} must be {expected_value}"),
            Kind::Pattern { pattern } => format!("{place} must match the pattern {pattern}"),
            Kind::Format { format } => format!("{place} must have the format '{format}'"),
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let name: String = match unexpected.first() {
                    Some(name) => name.chars().take(MAX_NAME).collect(),
                    None => String::new(),
                };
                // Quoted by `Debug`, since the name is the caller's.
                format!("{place} has no {} named {name:?}", self.noun(&path))
            }
            Kind::OneOfMultipleValid { .. } => {
                format!("{place} fits several alternatives, and must fit exactly one of them")
            }
            Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
                format!("{place} fits none of its alternatives")
            }
            Kind::FalseSchema => format!("{place} must be left out"),
            _ => format!("{place} {}", error.masked_with("has a value that")),
        }
    }

    /// What members are called here: those of the whole have a name of their own.
    fn noun(&self, path: &str) -> &'static str {
        match path {
            "" => self.subject.member,
            _ => "member",
        }
    }

    fn members(&self, path: &str, bound: &str, limit: u64) -> String {
        let noun = self.noun(path);
        match path {
            "" => format!("there must be {bound} {}", counted(limit, noun)),
            _ => count(&place(path), bound, limit, noun),
        }
    }

    /// Of several alternatives none fits; `context` has what is wrong with each.
    fn choose(
        &mut self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        depth: usize,
    ) {
        let value: &Value = error.instance();
        let path = path(error);
        let place = place(&path);
        let alternatives = self.alternatives(error);
        if alternatives.len() == context.len() {
            if let Some(tagged) = Tagged::of(&alternatives) {
                return self.tagged(&tagged, value, &path, context, depth);
            }
            if let Some(named) = Named::of(&alternatives) {
                return self.named(&named, value, &place, context, depth);
            }
        }
        // Those that are of the right type.
        let here = error.instance_path().as_str();
        let is_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), ValidationErrorKind::Type { .. })
                && error.instance_path().as_str() == here
        };
        let mut near: Vec<&Vec<ValidationError<'static>>> = context
            .iter()
            .filter(|errors| !errors.iter().any(is_type))
            .collect();
        near.sort_by_key(|errors| errors.len());
        match &*near {
            [] => {
                let mut kinds: Vec<&str> = Vec::new();
                for kind in alternatives.iter().copied().flat_map(kinds_of) {
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                self.say(match kinds.is_empty() {
                    true => format!("{place} fits none of its alternatives"),
                    false => format!("{place} must be of type {}", kinds.join(" or ")),
                });
            }
            [only] => self.explain_all(only, depth),
            [nearest, ..] => {
                let mut inner = Words {
                    subject: self.subject,
                    said: Vec::new(),
                    left: self.left,
                };
                inner.explain_all(nearest, depth);
                self.left = inner.left;
                let why = match inner.said.is_empty() {
                    true => String::new(),
                    false => format!(", of the nearest one because {}", inner.said.join(" and ")),
                };
                let alternatives = context.len();
                self.say(format!(
                    "{place} fits none of its {alternatives} alternatives{why}"
                ));
            }
        }
    }

    /// The alternatives that an error is about, references followed.
    fn alternatives(&self, error: &ValidationError<'_>) -> Vec<&'s Value> {
        let root = self.subject.schema;
        let several = root
            .pointer(error.schema_path().as_str())
            .and_then(Value::as_array);
        several
            .into_iter()
            .flatten()
            .map(|one| follow(root, one))
            .collect()
    }

    fn tagged(
        &mut self,
        tagged: &Tagged<'_>,
        value: &Value,
        path: &str,
        context: &[Vec<ValidationError<'static>>],
        depth: usize,
    ) {
        let (tag, values) = (tagged.tag, list(tagged.values.iter().copied()));
        let Some(members) = value.as_object() else {
            return self.say(format!(
                "{} must be an object whose '{tag}' is one of {values}",
                place(path)
            ));
        };
        let name = below(path, tag);
        let Some(chosen) = members.get(tag) else {
            return self.say(format!("'{name}' is required, one of {values}"));
        };
        match tagged.values.iter().position(|value| *value == chosen) {
            Some(at) => self.explain_all(&context[at], depth),
            None => self.say(format!("'{name}' must be one of {values}")),
        }
    }

    fn named(
        &mut self,
        named: &Named<'_>,
        value: &Value,
        place: &str,
        context: &[Vec<ValidationError<'static>>],
        depth: usize,
    ) {
        let members = value.as_object();
        if let Some((name, _)) = members
            .filter(|all| all.len() == 1)
            .and_then(|all| all.iter().next())
            && let Some((at, _)) = named.members.iter().find(|(_, known)| *known == name)
        {
            return self.explain_all(&context[*at], depth);
        }
        let names = named.members.iter().map(|(_, name)| format!("'{name}'"));
        let object = match named.members.len() {
            0 => String::new(),
            1 => format!("an object with the member {}", join(names)),
            _ => format!("an object with exactly one of the members {}", join(names)),
        };
        let words = list(named.words.iter().copied());
        self.say(match (named.words.is_empty(), named.members.is_empty()) {
            (true, _) => format!("{place} must be {object}"),
            (_, true) => format!("{place} must be one of {words}"),
            _ => format!("{place} must be one of {words}, or {object}"),
        });
    }
}

/// Objects that a member tells apart, which is another constant in each of them.
struct Tagged<'s> {
    tag: &'s str,
    values: Vec<&'s Value>,
}

impl<'s> Tagged<'s> {
    fn of(alternatives: &[&'s Value]) -> Option<Self> {
        let first = alternatives.first()?.get("properties")?.as_object()?;
        first.keys().find_map(|tag| {
            let values: Option<Vec<&Value>> = alternatives
                .iter()
                .map(|one| {
                    let required = one.get("required")?.as_array()?;
                    if !required.iter().any(|name| name == tag) {
                        return None;
                    }
                    constant(one.get("properties")?.get(tag)?)
                })
                .collect();
            let values = values?;
            let distinct = (1..values.len()).all(|at| !values[..at].contains(&values[at]));
            (distinct && values.len() > 1).then_some(Self { tag, values })
        })
    }
}

/// serde's enums without a tag: objects with one member each, and words.
struct Named<'s> {
    /// By the place among the alternatives.
    members: Vec<(usize, &'s String)>,
    words: Vec<&'s Value>,
}

impl<'s> Named<'s> {
    fn of(alternatives: &[&'s Value]) -> Option<Self> {
        let mut found = Self {
            members: Vec::new(),
            words: Vec::new(),
        };
        for (at, one) in alternatives.iter().enumerate() {
            if let Some(word) = constant(one) {
                found.words.push(word);
            } else if let Some(words) = one.get("enum").and_then(Value::as_array) {
                found.words.extend(words);
            } else {
                let properties = one.get("properties")?.as_object()?;
                let required = one.get("required")?.as_array()?;
                let name = properties.keys().next()?;
                if properties.len() != 1 || required.iter().ne([name.as_str()]) {
                    return None;
                }
                found.members.push((at, name));
            }
        }
        Some(found)
    }
}

/// The only value that a schema allows.
fn constant(schema: &Value) -> Option<&Value> {
    let only = || match schema.get("enum")?.as_array()?.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    schema.get("const").or_else(only)
}

/// The schema that a reference leads to, within bounds.
fn follow<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..MAX_DEPTH {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| root.pointer(pointer));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

fn kinds_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Where the error is, with dots between names.
fn path(error: &ValidationError<'_>) -> String {
    let pointer = error.instance_path().as_str();
    let names = pointer.split('/').skip(1);
    let names: Vec<String> = names
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect();
    names.join(".")
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

fn place(path: &str) -> String {
    match path {
        "" => "the value".to_owned(),
        _ => format!("'{path}'"),
    }
}

fn count(place: &str, bound: &str, limit: u64, noun: &str) -> String {
    format!("{place} must have {bound} {}", counted(limit, noun))
}

/// `1 item`, `2 items`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// JSON values, as many as can be read.
fn list<'v>(values: impl ExactSizeIterator<Item = &'v Value>) -> String {
    join(values.map(Value::to_string))
}

fn join(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(MAX_LISTED);
    let mut text = words.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

/// Names in quotes, as many as can be read.
pub(super) fn names<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    join(names.map(|name| format!("'{name}'")))
}

#[cfg(test)]
#[path = "complaint_tests.rs"]
mod tests;
