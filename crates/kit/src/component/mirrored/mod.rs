//! Arguments of a tool that HTTP clients repeat in headers, so that proxies can route by them
//! (`x-mcp-header`, SEP-2243; 2026-07-28 `server/tools#x-mcp-header` and streamable HTTP
//! `#custom-headers-from-tool-parameters`).
//!
//! A header says what the body says, or the request is refused: a proxy that goes by the one and a
//! server that goes by the other must not be told different things. That holds for a header whose
//! argument is absent or `null`, too; the specification only says that clients leave it out.
//!
//! | file | what it does |
//! | --- | --- |
//! | `rules` | reads annotations and checks them at start |
//! | `value` | compares a header with an argument |

mod rules;
mod value;

use std::collections::HashSet;

use http::{HeaderMap, HeaderName};
use rmcp::model::JsonObject;
use serde_json::Value;

pub(crate) use value::decode;

/// The member of a property's schema that names the header.
pub(crate) const ANNOTATION: &str = "x-mcp-header";

/// What stands before that name in the header.
const PREFIX: &str = "Mcp-Param-";

/// The mirrored arguments of one tool; empty for most.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Mirrored {
    members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    /// The names that lead to the argument.
    path: Vec<String>,
    header: HeaderName,
    /// The header as its author wrote it.
    label: String,
}

impl Mirrored {
    /// Reads the annotations of an input schema.
    ///
    /// # Errors
    /// The first one that clients would drop the tool for, or that would give away a secret.
    pub(crate) fn of(schema: &JsonObject) -> Result<Self, String> {
        let mut found = Self::default();
        found.walk(schema, &mut Vec::new(), true)?;
        let mut seen = HashSet::new();
        match found.members.iter().find(|one| !seen.insert(&one.header)) {
            Some(twice) => Err(format!(
                "its arguments have '{ANNOTATION}' \"{}\" twice; upper and lower case are the same",
                &twice.label[PREFIX.len()..]
            )),
            None => Ok(found),
        }
    }

    /// The headers, as their authors wrote them.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.label.as_str())
    }

    /// Compares the headers of a request with its arguments, as they came.
    ///
    /// # Errors
    /// The first header that is missing, superfluous, malformed or different, as one sentence
    /// without its value.
    pub(crate) fn check(&self, arguments: &JsonObject, headers: &HeaderMap) -> Result<(), String> {
        self.members
            .iter()
            .try_for_each(|member| member.check(arguments, headers))
    }
}

impl Member {
    fn check(&self, arguments: &JsonObject, headers: &HeaderMap) -> Result<(), String> {
        let label = &self.label;
        let argument = || format!("the argument '{}'", self.path.join("."));
        let mut values = headers.get_all(&self.header).iter();
        let header = values.next();
        if values.next().is_some() {
            return Err(format!("The header {label} appears twice."));
        }
        let value = self
            .value(arguments)
            .filter(|value| value::is_primitive(value));
        let (header, value) = match (header, value) {
            (None, None) => return Ok(()),
            (Some(_), None) => {
                return Err(format!(
                    "The header {label} is there, but {} is not; leave both out or send both.",
                    argument()
                ));
            }
            (None, Some(_)) => {
                return Err(format!(
                    "The header {label} is missing; it repeats {}.",
                    argument()
                ));
            }
            (Some(header), Some(value)) => (header, value),
        };
        let text = header
            .to_str()
            .map_err(|_| format!("The header {label} holds characters it must not; use base64."))?;
        let text = decode(text.trim_matches([' ', '\t']))
            .ok_or_else(|| format!("The header {label} is not valid base64 text."))?;
        match value::equal(&text, value) {
            true => Ok(()),
            false => Err(format!("The header {label} differs from {}.", argument())),
        }
    }

    fn value<'a>(&self, arguments: &'a JsonObject) -> Option<&'a Value> {
        let (first, rest) = self.path.split_first()?;
        rest.iter()
            .try_fold(arguments.get(first)?, |value, name| value.get(name))
    }
}

/// Puts the annotation on an argument, and takes `null` from its types. An argument that is not
/// there gets one without a type, which [`Mirrored::of`] refuses with the tool's name.
pub(crate) fn annotate(schema: &mut JsonObject, argument: &str, header: String) {
    let properties = schema
        .entry("properties")
        .or_insert_with(|| JsonObject::new().into());
    let property = properties.as_object_mut().map(|properties| {
        properties
            .entry(argument)
            .or_insert_with(|| JsonObject::new().into())
    });
    let Some(Value::Object(property)) = property else {
        return;
    };
    property.insert(ANNOTATION.into(), header.into());
    if let Some(Value::Array(kinds)) = property.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_mut_slice() {
            let only = only.take();
            property.insert("type".into(), only);
        }
    }
    if property.get("default") == Some(&Value::Null) {
        property.shift_remove("default");
    }
}

#[cfg(test)]
mod tests;
