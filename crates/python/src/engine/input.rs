//! JSON to Python.

use jiter::JsonValue;
use monty_types::MontyObject;
use serde_json::value::RawValue;

use crate::run::Kind;
use crate::wire::RunError;

/// The members of a JSON object, in their order.
pub(super) fn read(inputs: Option<&RawValue>) -> Result<Vec<(String, MontyObject)>, RunError> {
    let Some(inputs) = inputs else {
        return Ok(Vec::new());
    };
    let JsonValue::Object(members) = parse(inputs)? else {
        return Err(RunError::new(Kind::Inputs, "inputs has to be an object."));
    };
    let mut names = std::collections::HashSet::new();
    if let Some((name, _)) = members.iter().find(|(name, _)| !names.insert(name)) {
        return Err(RunError::new(
            Kind::Inputs,
            format!("inputs has {name:?} more than once."),
        ));
    }
    Ok(members
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), object(value)))
        .collect())
}

/// One JSON value.
pub(super) fn value(json: &RawValue) -> Result<MontyObject, RunError> {
    parse(json).map(|value| object(&value))
}

fn parse(json: &RawValue) -> Result<JsonValue<'_>, RunError> {
    let text = json.get();
    JsonValue::parse(text.as_bytes(), false).map_err(|error| {
        RunError::new(
            Kind::Inputs,
            format!(
                "The JSON cannot be read: {}.",
                error.description(text.as_bytes())
            ),
        )
    })
}

fn object(value: &JsonValue<'_>) -> MontyObject {
    match value {
        JsonValue::Null => MontyObject::None,
        JsonValue::Bool(flag) => MontyObject::Bool(*flag),
        JsonValue::Int(integer) => MontyObject::Int(*integer),
        JsonValue::BigInt(integer) => MontyObject::BigInt(integer.clone()),
        JsonValue::Float(number) => MontyObject::Float(*number),
        JsonValue::Str(text) => MontyObject::String(text.clone().into_owned()),
        JsonValue::Array(items) => MontyObject::List(items.iter().map(object).collect()),
        JsonValue::Object(members) => MontyObject::dict(
            members
                .iter()
                .map(|(name, value)| {
                    (
                        MontyObject::String(name.clone().into_owned()),
                        object(value),
                    )
                })
                .collect::<Vec<_>>(),
        ),
    }
}
