//! Forms: what a user can be asked to fill in (`client/elicitation#form-mode`), made of a type once.
//!
//! That a type makes no form is known only when a handler asks for it, since nothing else names the
//! type: a handler is any function. So a component can say what it asks for (`Tool::asks`), and the
//! server is not built; without that the first question of the type fails, in front of every client
//! alike, and so in the first test of the handler.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use rmcp::model::{ElicitationSchema, JsonObject};
use schemars::JsonSchema;
use serde::Deserialize as _;
use serde_json::Value;

use super::schema::{self, Compiled};

/// Formats that a field of text can have.
const FORMATS: [&str; 4] = ["date", "date-time", "email", "uri"];

/// What fields can be.
const FIELDS: &str = "a string, a number, a boolean, an enum without data or a list of one";

/// A form, ready to be shown and to read answers.
#[derive(Debug)]
pub(crate) struct FormSchema {
    pub(crate) schema: JsonObject,
    /// Whether the answer is the only field, `value`.
    pub(crate) wrapped: bool,
    pub(crate) compiled: Compiled,
}

/// A form, or why there is none: as a clause that begins with the type.
pub(crate) type Made = Result<Arc<FormSchema>, Arc<str>>;

/// The form of a type. It is made once in the life of the process.
pub(crate) fn of<T: JsonSchema + 'static>() -> Made {
    // One for each type that is asked for, and types are finite.
    static MADE: LazyLock<RwLock<HashMap<TypeId, Made>>> = LazyLock::new(RwLock::default);
    let key = TypeId::of::<T>();
    let made = MADE.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = made.get(&key) {
        return made.clone();
    }
    drop(made);
    let (schema, wrapped) = schema::form::<T>();
    let made: Made = FormSchema::new(schema, wrapped)
        .map(Arc::new)
        .map_err(|why| {
            let name = std::any::type_name::<T>();
            format!("a user cannot be asked for a {name}: {why}").into()
        });
    let mut all = MADE.write().unwrap_or_else(PoisonError::into_inner);
    all.entry(key).or_insert(made).clone()
}

impl FormSchema {
    pub(crate) fn new(mut schema: JsonObject, wrapped: bool) -> Result<Self, String> {
        // A form without fields asks for a yes or a no.
        schema
            .entry("properties")
            .or_insert_with(|| Value::Object(JsonObject::new()));
        check(&schema)?;
        let mut compiled = Compiled::form(&schema)?;
        // Forms do not say that they are closed, and what was not asked is nobody's business.
        compiled.plan.close();
        Ok(Self {
            schema,
            wrapped,
            compiled,
        })
    }
}

/// Whether a schema is one of a form.
///
/// # Errors
/// The first field that cannot be shown, and what could stand there instead.
fn check(schema: &JsonObject) -> Result<(), String> {
    let fields = schema.get("properties").and_then(Value::as_object);
    if schema.get("type").is_none_or(|kind| kind != "object") {
        return Err(format!("a form is a struct of named fields, or {FIELDS}"));
    }
    for (name, field) in fields.into_iter().flatten() {
        check_field(field).map_err(|why| format!("its field '{name}' {why}"))?;
    }
    ElicitationSchema::deserialize(&Value::Object(schema.clone()))
        .map(|_| ())
        .map_err(|error| format!("its schema is none of a form ({error})"))
}

fn check_field(field: &Value) -> Result<(), String> {
    let kind = field.get("type").and_then(Value::as_str);
    match kind {
        Some("object") => Err(format!(
            "is an object, and forms are flat: put its members beside the others, or ask for them in a form of their own; a field is {FIELDS}"
        )),
        Some("array") => match field.get("items").is_some_and(is_choice) {
            true => Ok(()),
            false => Err("is a list of something else than the variants of an enum".into()),
        },
        Some("string") => match field.get("format").and_then(Value::as_str) {
            Some(format) if !FORMATS.contains(&format) => Err(format!(
                "has the format '{format}', and a form has only {}",
                FORMATS.join(", ")
            )),
            _ => Ok(()),
        },
        Some("number" | "integer" | "boolean") => Ok(()),
        _ if is_choice(field) => Ok(()),
        _ => Err(format!(
            "is of a type that no form can show; a field is {FIELDS}"
        )),
    }
}

/// Whether a schema lists the words to choose from.
fn is_choice(schema: &Value) -> bool {
    let words = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    let titled = |choices: &Vec<Value>| {
        choices
            .iter()
            .all(|choice| choice.get("const").is_some_and(Value::is_string))
    };
    words("enum").is_some_and(|words| words.iter().all(Value::is_string))
        || ["oneOf", "anyOf"].into_iter().filter_map(words).any(titled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Nested {
        street: String,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[allow(dead_code)]
    enum Colour {
        Red,
        Blue,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[allow(dead_code)]
    enum Tagged {
        A { x: u8 },
        B,
    }

    macro_rules! asked {
        ($($field:tt)*) => {{
            #[derive(serde::Deserialize, JsonSchema)]
            #[allow(dead_code)]
            struct Asked { $($field)* }
            of::<Asked>().map(|_| ()).map_err(|why| why.to_string())
        }};
    }

    #[test]
    fn a_form_is_flat_and_its_fields_are_simple() {
        for fine in [
            asked!(a: String, b: Option<u8>, c: f64, d: bool),
            asked!(a: Colour, b: Option<Colour>, c: Vec<Colour>),
            asked!(#[schemars(extend("format" = "email"))] a: String),
            asked!(),
        ] {
            assert_eq!(fine, Ok(()));
        }
        for (refused, words) in [
            (asked!(home: Nested), ["'home'", "flat"]),
            (asked!(home: Option<Nested>), ["'home'", "flat"]),
            (asked!(homes: Vec<Nested>), ["'homes'", "list"]),
            (asked!(names: Vec<String>), ["'names'", "list"]),
            (asked!(what: Value), ["'what'", "type"]),
            (asked!(what: Tagged), ["'what'", "type"]),
            (
                asked!(#[schemars(extend("format" = "uuid"))] id: String),
                ["'id'", "'uuid'"],
            ),
        ] {
            let why = refused.unwrap_err();
            assert!(why.contains("::Asked: its field "), "{why}");
            assert!(words.iter().all(|word| why.contains(word)), "{why}");
        }
    }

    #[test]
    fn a_value_is_asked_for_too_and_a_form_is_made_once() {
        assert!(of::<f64>().is_ok_and(|form| form.wrapped));
        assert!(of::<Option<Colour>>().is_ok());
        for refused in [of::<Vec<String>>(), of::<Tagged>()] {
            assert!(refused.is_err_and(|why| why.contains("'value'")));
        }
        let [first, again] = [of::<Colour>(), of::<Colour>()];
        assert!(Arc::ptr_eq(&first.unwrap(), &again.unwrap()));
    }
}
