//! What may be mirrored: a tool that breaks one of these rules is dropped by its clients, so it is not
//! served in the first place (`server/tools#x-mcp-header`).

use http::HeaderName;
use rmcp::model::JsonObject;
use serde_json::Value;

use super::value::MAX_SAFE;
use super::{ANNOTATION, Member, Mirrored, PREFIX};

/// Words in a name that make it a secret, which no proxy should see.
const SECRETS: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "key",
    "apikey",
    "credential",
    "credentials",
];

impl Mirrored {
    /// `plain`: whether only `properties` lie between the root and this schema.
    pub(super) fn walk(
        &mut self,
        schema: &JsonObject,
        path: &mut Vec<String>,
        plain: bool,
    ) -> Result<(), String> {
        if let Some(header) = schema.get(ANNOTATION) {
            if !plain || path.is_empty() {
                return Err(format!(
                    "'{ANNOTATION}' {} stands {}; only properties of the arguments, and of objects in them, can have it, \
                     not what is reached through items, alternatives, conditions or references",
                    header,
                    match path.is_empty() {
                        true => "outside the properties".to_owned(),
                        false => format!("inside the property '{}'", path.join(".")),
                    },
                ));
            }
            self.members.push(Member::new(path, schema, header)?);
        }
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        path.push(name.clone());
                        self.walk_value(property, path, plain)?;
                        path.pop();
                    }
                }
                // Names, not keywords.
                (
                    "$defs" | "definitions" | "dependentSchemas" | "patternProperties",
                    Value::Object(named),
                ) => {
                    for schema in named.values() {
                        self.walk_value(schema, path, false)?;
                    }
                }
                // Values, not schemas.
                ("default" | "const" | "enum" | "examples" | ANNOTATION, _) => {}
                (_, value) => self.walk_value(value, path, false)?,
            }
        }
        Ok(())
    }

    fn walk_value(
        &mut self,
        value: &Value,
        path: &mut Vec<String>,
        plain: bool,
    ) -> Result<(), String> {
        match value {
            Value::Object(schema) => self.walk(schema, path, plain),
            Value::Array(schemas) => schemas
                .iter()
                .try_for_each(|schema| self.walk_value(schema, path, false)),
            _ => Ok(()),
        }
    }
}

impl Member {
    fn new(path: &[String], schema: &JsonObject, header: &Value) -> Result<Self, String> {
        let property = path.join(".");
        let Some(name) = header.as_str().filter(|name| is_token(name)) else {
            return Err(format!(
                "the property '{property}' has '{ANNOTATION}' {header}, which is no header name; use letters, digits and '-'"
            ));
        };
        match schema.get("type") {
            Some(Value::String(kind)) if ["string", "integer", "boolean"].contains(&&**kind) => {}
            Some(kind) => {
                return Err(format!(
                    "the property '{property}' has '{ANNOTATION}' and is of type {kind}; \
                     only \"string\", \"integer\" and \"boolean\" can be mirrored, and not together with \"null\""
                ));
            }
            None => {
                return Err(format!(
                    "the property '{property}' has '{ANNOTATION}' and no type of its own; is it an argument of the tool?"
                ));
            }
        }
        if let Some(bound) = beyond_safe(schema) {
            return Err(format!(
                "the property '{property}' has '{ANNOTATION}' and '{bound}' beyond ±(2^53 - 1), which not every client keeps exact"
            ));
        }
        let own = path.last().map_or("", String::as_str);
        if [own, name].into_iter().any(is_secret) {
            return Err(format!(
                "the property '{property}' sounds like a secret and has '{ANNOTATION}': proxies and their logs see headers; \
                 remove the annotation, or rename the property if it is none"
            ));
        }
        let label = format!("{PREFIX}{name}");
        match HeaderName::from_bytes(label.as_bytes()) {
            Ok(header) => Ok(Self {
                path: path.to_vec(),
                header,
                label,
            }),
            Err(_) => Err(format!(
                "the property '{property}' has an '{ANNOTATION}' that is too long"
            )),
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(allowed)
}

/// The keyword by which a schema speaks of integers that JSON does not keep everywhere.
fn beyond_safe(schema: &JsonObject) -> Option<&'static str> {
    let beyond = |value: &Value| value.as_f64().is_some_and(|n| n.abs() > MAX_SAFE as f64);
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "const",
        "enum",
        "default",
    ]
    .into_iter()
    .find(|keyword| match schema.get(*keyword) {
        Some(Value::Array(values)) => values.iter().any(beyond),
        Some(value) => beyond(value),
        None => false,
    })
}

/// Whether a name such as `apiKey`, `access_token` or `db-password` has a word for a secret.
/// `max_tokens` and `keyboard` have not.
fn is_secret(name: &str) -> bool {
    let mut words = String::new();
    let mut lower = false;
    for letter in name.chars() {
        if lower && letter.is_uppercase() {
            words.push(' ');
        }
        lower = letter.is_lowercase() || letter.is_ascii_digit();
        words.extend(letter.to_lowercase());
    }
    words
        .split(|letter: char| !letter.is_alphanumeric())
        .any(|word| SECRETS.contains(&word))
}
