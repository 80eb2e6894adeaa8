use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;

/// Not shown to clients.
#[derive(Deserialize, Serialize, JsonSchema)]
#[allow(dead_code)]
struct Args {
    /// How many.
    #[schemars(range(min = 1, max = 9))]
    count: u8,
    /// Perhaps a name.
    name: Option<String>,
    nested: Option<Nested>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[allow(dead_code)]
struct Nested {
    flag: bool,
}

#[test]
fn input_is_closed_flat_and_described() {
    let schema = Value::Object(input::<Args>());
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["count"]));
    let count = &schema["properties"]["count"];
    assert_eq!(
        *count,
        json!({"type": "integer", "minimum": 1, "maximum": 9, "description": "How many."})
    );
    let name = &schema["properties"]["name"];
    assert_eq!(name["type"], json!(["string", "null"]));
    assert_eq!(name["default"], Value::Null);
    let text = schema.to_string();
    for noise in ["$ref", "$defs", "$schema", "\"title\"", "Not shown"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
}

#[test]
fn scalars_are_wrapped_and_objects_are_not() {
    assert_eq!(
        Value::Object(output::<String>().0),
        json!({
            "type": "object",
            "properties": {"result": {"type": "string"}},
            "required": ["result"],
            "x-fastmcp-wrap-result": true,
        })
    );
    let (schema, wrapped) = output::<Nested>();
    assert!(!wrapped);
    assert_eq!(schema["properties"]["flag"]["type"], "boolean");
}

#[test]
fn complaints_name_members_and_never_values() {
    let compiled = Compiled::new(&input::<Args>()).unwrap();
    let complaint = |value| compiled.complain(&value);
    assert_eq!(complaint(json!({"count": 3})), None);
    assert_eq!(complaint(json!({})).unwrap(), "'count' is required");
    assert_eq!(
        complaint(json!({"count": 0})).unwrap(),
        "'count' must be at least 1"
    );
    assert_eq!(
        complaint(json!({"count": "s3cret"})).unwrap(),
        "'count' must be of type integer"
    );
    let nested = complaint(json!({"count": 1, "nested": {"flag": "s3cret"}})).unwrap();
    assert!(
        nested.contains("nested") && !nested.contains("s3cret"),
        "{nested}"
    );
}

#[test]
fn a_schema_that_points_elsewhere_is_refused() {
    let Value::Object(schema) =
        json!({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}})
    else {
        unreachable!()
    };
    assert!(Compiled::new(&schema).is_err());
}

/// Enough to choose from.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
enum Colour {
    /// Like the sky.
    Blue,
    #[schemars(title = "Like grass")]
    Green,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Answers {
    name: Option<String>,
    #[serde(default)]
    age: Option<u8>,
    colour: Colour,
    other: Option<Colour>,
    /// Any number of them.
    #[serde(default)]
    more: Vec<Colour>,
    #[schemars(title = "Your score")]
    score: f64,
    #[schemars(extend("format" = "email"))]
    mail: String,
}

#[test]
fn every_natural_type_makes_a_form() {
    let (form, wrapped) = form::<Answers>();
    assert!(!wrapped);
    let shown = Value::Object(form.clone());
    rmcp::model::ElicitationSchema::deserialize(&shown).unwrap_or_else(|e| panic!("{e}: {shown}"));
    let properties = &shown["properties"];
    assert_eq!(properties["name"]["type"], "string");
    assert_eq!(properties["score"]["title"], "Your score");
    assert_eq!(
        properties["colour"]["oneOf"],
        json!([{"const": "Blue", "title": "Like the sky."}, {"const": "Green", "title": "Like grass"}])
    );
    let required: Vec<_> = required(&form).collect();
    assert_eq!(required, ["colour", "score", "mail"]);
    let compiled = Compiled::form(&form).unwrap();
    let mut good = json!({"colour": "Blue", "score": 1.5, "mail": "a@example.com"});
    assert_eq!(compiled.complain(&good), None);
    good["mail"] = json!("nobody");
    assert!(compiled.complain(&good).is_some());
    for shown in [
        super::form::<Option<u8>>().0,
        super::form::<Option<Colour>>().0,
    ] {
        let shown = Value::Object(shown);
        rmcp::model::ElicitationSchema::deserialize(&shown)
            .unwrap_or_else(|e| panic!("{e}: {shown}"));
    }
}
