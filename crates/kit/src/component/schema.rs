//! JSON Schemas from Rust types, and what is compiled from them once: a validator, and a plan for
//! reading arguments leniently ([`super::plan`]).

use std::sync::OnceLock;

use jsonschema::Validator;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Value, json};

use super::complaint::{self, Subject};
use super::plan::Plan;
use super::{nulls, well_formed};

/// The only dialect of JSON Schema that is read; it is what a schema without `$schema` is in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Schema keywords whose value maps names to schemas, so that the names are no keywords.
pub(super) const NAMED: [&str; 4] = [
    "properties",
    "$defs",
    "patternProperties",
    "dependentSchemas",
];

/// The schema of a type as an object; references are inlined where the type is not recursive.
fn of<T: JsonSchema + ?Sized>(contract: Contract) -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        settings.contract = contract;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    tidy(&mut schema);
    nulls::settle(&mut schema);
    match schema {
        Value::Object(mut schema) => {
            // The name of the Rust type.
            schema.shift_remove("title");
            schema
        }
        // `true`, for a type that may be anything.
        _ => JsonObject::new(),
    }
}

/// Drops what says nothing to a client: formats such as `uint8` that JSON Schema does not define.
fn tidy(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    let numeric = match schema.get("type") {
        Some(Value::String(one)) => is_numeric(one),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).any(is_numeric),
        _ => false,
    };
    if numeric {
        schema.shift_remove("format");
    }
    subschemas(schema, tidy);
}

/// Visits the schemas directly inside a schema.
pub(super) fn subschemas(schema: &mut JsonObject, visit: fn(&mut Value)) {
    for (keyword, value) in schema.iter_mut() {
        match value {
            Value::Object(named) if NAMED.contains(&keyword.as_str()) => {
                named.values_mut().for_each(visit)
            }
            // Values, not schemas.
            _ if matches!(keyword.as_str(), "default" | "const" | "enum" | "examples") => {}
            Value::Array(several) => several.iter_mut().for_each(visit),
            other => visit(other),
        }
    }
}

fn is_numeric(kind: &str) -> bool {
    matches!(kind, "integer" | "number")
}

/// The schema of a tool's or prompt's arguments: always an object, and closed.
pub(crate) fn input<T: JsonSchema>() -> JsonObject {
    let mut schema = of::<T>(Contract::Deserialize);
    schema.shift_remove("description");
    schema.entry("type").or_insert_with(|| json!("object"));
    // Members of alternatives are unknown outside of them.
    let alternatives = ["anyOf", "oneOf", "allOf"];
    if !alternatives.iter().any(|one| schema.contains_key(*one)) {
        schema
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
    }
    schema
}

/// The schema of a tool's result; `true` when the value is wrapped as `{"result": …}` because
/// structured content has to be an object for clients before 2026-07-28.
pub(crate) fn output<T: JsonSchema + ?Sized>() -> (JsonObject, bool) {
    let mut schema = of::<T>(Contract::Serialize);
    if schema.get("type").and_then(Value::as_str) == Some("object") {
        schema.shift_remove("description");
        return (schema, false);
    }
    let Value::Object(wrapped) = json!({
        "type": "object",
        "properties": { "result": schema },
        "required": ["result"],
    }) else {
        unreachable!()
    };
    (wrapped, true)
}

/// The schema to show a user who is asked for a `T`; `true` when it is wrapped as `{"value": …}`
/// because a form has to be an object.
pub(crate) fn form<T: JsonSchema>() -> (JsonObject, bool) {
    let mut schema = of::<T>(Contract::Deserialize);
    if schema.get("type").and_then(Value::as_str) == Some("object") {
        schema.shift_remove("additionalProperties");
        if let Some(Value::Object(members)) = schema.get_mut("properties") {
            for member in members.values_mut().filter_map(Value::as_object_mut) {
                nulls::remove(member);
                name_choices(member);
            }
        }
        return (schema, false);
    }
    let optional = nulls::remove(&mut schema);
    name_choices(&mut schema);
    schema.entry("title").or_insert_with(|| json!("Value"));
    let required: &[&str] = if optional { &[] } else { &["value"] };
    let Value::Object(wrapped) = json!({
        "type": "object",
        "properties": { "value": schema },
        "required": required,
    }) else {
        unreachable!()
    };
    (wrapped, true)
}

/// Choices that have something to say of themselves, as forms have them: a `const` and a title.
fn name_choices(member: &mut JsonObject) {
    if let Some(Value::Object(items)) = member.get_mut("items") {
        name_choices(items);
    }
    let Some(Value::Array(choices)) = member.get_mut("oneOf") else {
        return;
    };
    for choice in choices.iter_mut().filter_map(Value::as_object_mut) {
        let Some(value) = choice.get("const").cloned() else {
            return;
        };
        let title = ["title", "description"]
            .iter()
            .find_map(|key| choice.get(*key).cloned());
        let title = title.unwrap_or_else(|| value.clone());
        *choice = JsonObject::from_iter([("const".into(), value), ("title".into(), title)]);
    }
    member.entry("type").or_insert_with(|| json!("string"));
}

/// The names of required members.
pub(crate) fn required(schema: &JsonObject) -> impl Iterator<Item = &str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A schema, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Made at the start only where making it may fail (`well_formed.rs` says why).
    validator: OnceLock<Result<Validator, String>>,
    pub(crate) plan: Plan,
    /// What complaints find the allowed values in.
    schema: Value,
    /// Whether it is that of a form.
    form: bool,
}

impl Compiled {
    /// # Errors
    /// When it is not a valid schema, or refers to something outside itself.
    pub(crate) fn new(schema: &JsonObject) -> Result<Self, String> {
        Self::compile(schema, false)
    }

    /// Also asserts formats (`email`, `uri`, `date`, `date-time`), as forms want.
    pub(crate) fn form(schema: &JsonObject) -> Result<Self, String> {
        Self::compile(schema, true)
    }

    fn compile(schema: &JsonObject, form: bool) -> Result<Self, String> {
        if let Some(dialect) = schema.get("$schema")
            && dialect.as_str().map(|uri| uri.trim_end_matches('#')) != Some(DIALECT)
        {
            return Err(format!("its schema has to be of the dialect {DIALECT}"));
        }
        let compiled = Self {
            validator: OnceLock::new(),
            plan: Plan::of(schema),
            schema: Value::Object(schema.clone()),
            form,
        };
        if !well_formed::is_plain(schema) {
            compiled.validator()?;
        }
        Ok(compiled)
    }

    fn validator(&self) -> Result<&Validator, String> {
        let made = self.validator.get_or_init(|| {
            let options = jsonschema::draft202012::options().should_validate_formats(self.form);
            let made = options.build(&self.schema);
            made.map_err(|error| error.to_string())
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// What is wrong with `value`, as one sentence that names members and no values.
    pub(crate) fn complain(&self, value: &Value) -> Option<String> {
        let validator = match self.validator() {
            Ok(validator) => validator,
            // What cannot be checked is not let through.
            Err(error) => return Some(error),
        };
        if validator.is_valid(value) {
            return None;
        }
        let subject = Subject {
            schema: &self.schema,
            member: if self.form { "field" } else { "argument" },
        };
        Some(complaint::sentence(validator.iter_errors(value), subject))
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
