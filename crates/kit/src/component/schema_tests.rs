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
    assert_eq!(
        *name,
        json!({"type": "string", "description": "Perhaps a name."})
    );
    assert_eq!(schema["properties"]["nested"]["type"], "object");
    let text = schema.to_string();
    for noise in ["$ref", "$defs", "$schema", "\"title\"", "Not shown"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
}

/// Every way in which a type can be optional.
#[derive(Deserialize, Serialize, JsonSchema)]
#[allow(dead_code)]
struct Optional {
    text: Option<String>,
    #[schemars(range(min = 1))]
    number: Option<u8>,
    #[serde(default)]
    flag: bool,
    #[serde(default = "ten")]
    ten: Option<u64>,
    plain: Option<Plain>,
    /// Of the member.
    colour: Option<Colour>,
    either: Option<Either>,
    nested: Option<Nested>,
    list: Option<Vec<Nullable>>,
    holes: Option<Vec<Option<i32>>>,
    by_name: Option<std::collections::BTreeMap<String, Option<bool>>>,
    tree: Option<Box<Tree>>,
    anything: Option<Value>,
}

fn ten() -> Option<u64> {
    Some(10)
}

#[derive(Deserialize, Serialize, JsonSchema)]
enum Plain {
    A,
    B,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Text(String),
    Flag(bool),
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Nullable {
    inner: Option<i32>,
}

/// Only a recursive type keeps its references.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Tree {
    left: Option<Box<Tree>>,
    value: Option<i32>,
}

#[test]
fn what_is_optional_has_the_schema_of_its_value() {
    let schema = Value::Object(input::<Optional>());
    assert_eq!(schema.get("required"), None);
    let properties = &schema["properties"];
    for (name, kind) in [
        ("text", "string"),
        ("number", "integer"),
        ("flag", "boolean"),
        ("ten", "integer"),
        ("plain", "string"),
        ("nested", "object"),
        ("list", "array"),
        ("holes", "array"),
        ("by_name", "object"),
    ] {
        assert_eq!(properties[name]["type"], kind, "{name}");
    }
    assert_eq!(properties["number"]["minimum"], 1);
    assert_eq!(properties["ten"]["default"], 10);
    assert_eq!(properties["plain"]["enum"], json!(["A", "B"]));
    assert_eq!(properties["colour"]["description"], "Of the member.");
    assert!(properties["colour"]["oneOf"].is_array());
    assert_eq!(
        properties["either"],
        json!({"anyOf": [{"type": "string"}, {"type": "boolean"}]})
    );
    let inner = &properties["list"]["items"]["properties"]["inner"];
    assert_eq!(*inner, json!({"type": "integer"}));
    let tree = &properties["tree"]["properties"];
    assert_eq!(tree["left"], json!({"$ref": "#/$defs/Tree"}));
    assert_eq!(schema["$defs"]["Tree"]["properties"], *tree);
    // Here `null` is a value.
    let integer_or_null = json!({"anyOf": [{"type": "integer"}, {"type": "null"}]});
    assert_eq!(properties["holes"]["items"], integer_or_null);
    assert_eq!(
        properties["by_name"]["additionalProperties"]["anyOf"][1],
        json!({"type": "null"})
    );
    assert!(!schema.to_string().contains(r#""null"]"#), "{schema}");
}

#[test]
fn what_an_answer_may_leave_out_is_not_null_and_what_it_never_does_may_be() {
    #[derive(Serialize, JsonSchema)]
    struct Answer {
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        kept: Option<String>,
    }
    let (schema, _) = output::<Answer>();
    let shown = Value::Object(schema.clone());
    assert_eq!(shown["properties"]["note"], json!({"type": "string"}));
    assert_eq!(
        shown["properties"]["kept"],
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]})
    );
    assert_eq!(shown["required"], json!(["kept"]));
    let compiled = Compiled::new(&schema).unwrap();
    for note in [None, Some("x".to_owned())] {
        let answer = Answer { note, kept: None };
        assert_eq!(compiled.complain(&json!(answer)), None);
    }
    let (wrapped, _) = output::<Option<u8>>();
    assert_eq!(
        wrapped["properties"]["result"]["anyOf"][1],
        json!({"type": "null"})
    );
}

#[test]
fn scalars_are_wrapped_and_objects_are_not() {
    assert_eq!(
        Value::Object(output::<String>().0),
        json!({
            "type": "object",
            "properties": {"result": {"type": "string"}},
            "required": ["result"],
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
fn a_validator_is_made_when_it_is_first_asked_unless_that_may_fail() {
    let compiled = Compiled::new(&input::<Args>()).unwrap();
    assert!(compiled.validator.get().is_none());
    assert!(compiled.complain(&json!({})).is_some());
    assert!(compiled.validator.get().is_some());
    let of = |schema: Value| Compiled::new(schema.as_object().unwrap());
    let compiled = of(json!({"properties": {"a": {"pattern": "^a"}}})).unwrap();
    assert!(compiled.validator.get().is_some());
    for wrong in [
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"properties": {"a": {"type": "text"}}}),
        json!({"properties": {"a": {"$ref": "#/$defs/nothing"}}}),
    ] {
        assert!(of(wrong.clone()).is_err(), "{wrong}");
    }
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
#[derive(Deserialize, Serialize, JsonSchema)]
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
