use proptest::prelude::*;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::component::schema;

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Args {
    shape: Option<Shape>,
    shapes: Option<Vec<Shape>>,
    unit: Option<Unit>,
    step: Option<Step>,
    either: Option<Either>,
    colour: Option<Colour>,
    nested: Option<Nested>,
    #[schemars(length(min = 1, max = 2))]
    list: Option<Vec<u8>>,
    #[schemars(length(min = 1))]
    word: Option<String>,
}

/// serde's `tag`.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(dead_code)]
enum Shape {
    Circle {
        #[schemars(range(min = 1))]
        radius: u32,
    },
    Box {
        width: u32,
        inner: Option<Unit>,
    },
    Point,
}

/// serde's `tag` and `content`.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
#[allow(dead_code)]
enum Unit {
    Metre(#[schemars(range(max = 9))] u8),
    Foot(String),
}

/// Without a tag of its own.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
enum Step {
    Wait { seconds: u32 },
    Jump(u8),
    Stop,
    Rest,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Either {
    Text(#[schemars(length(min = 3))] String),
    Flag(bool),
    Pair { left: u8, right: u8 },
    Trio { left: u8, middle: u8, other: u8 },
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
enum Colour {
    /// Like the sky.
    Blue,
    /// Like grass.
    Green,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Nested {
    flag: bool,
}

fn of(schema: &JsonObject, value: &Value) -> Option<String> {
    schema::Compiled::new(schema).unwrap().complain(value)
}

fn complaint(value: Value) -> String {
    of(&schema::input::<Args>(), &value).unwrap_or_default()
}

#[test]
fn a_tag_is_named_with_its_values_and_then_what_is_wrong_in_the_variant() {
    let values = r#""circle", "box", "point""#;
    for (given, expected) in [
        (
            json!({ "shape": "s3cret" }),
            format!("'shape' must be an object whose 'kind' is one of {values}"),
        ),
        (
            json!({ "shape": { "radius": 5 } }),
            format!("'shape.kind' is required, one of {values}"),
        ),
        (
            json!({ "shape": { "kind": "s3cret" } }),
            format!("'shape.kind' must be one of {values}"),
        ),
        (
            json!({ "shape": { "kind": "circle" } }),
            "'shape.radius' is required".to_owned(),
        ),
        (
            json!({ "shape": { "kind": "circle", "radius": 0 } }),
            "'shape.radius' must be at least 1".to_owned(),
        ),
        (
            json!({ "shape": { "kind": "box", "width": "s3cret" } }),
            "'shape.width' must be of type integer".to_owned(),
        ),
        (
            json!({ "shapes": [{ "kind": "point" }, { "kind": "s3cret" }] }),
            format!("'shapes.1.kind' must be one of {values}"),
        ),
        // A choice in a choice.
        (
            json!({ "shape": { "kind": "box", "width": 1, "inner": { "t": "s3cret" } } }),
            r#"'shape.inner.t' must be one of "Metre", "Foot""#.to_owned(),
        ),
        (
            json!({ "unit": { "t": "Metre", "c": 10 } }),
            "'unit.c' must be at most 9".to_owned(),
        ),
        (
            json!({ "unit": { "t": "Foot" } }),
            "'unit.c' is required".to_owned(),
        ),
    ] {
        assert_eq!(complaint(given.clone()), expected, "{given}");
    }
    assert_eq!(complaint(json!({ "shape": { "kind": "point" } })), "");
}

#[test]
fn an_enum_without_a_tag_is_told_apart_by_its_only_member() {
    let all = r#"'step' must be one of "Stop", "Rest", or an object with exactly one of the members 'Wait', 'Jump'"#;
    for (given, expected) in [
        (json!({ "step": "s3cret" }), all),
        (json!({ "step": 5 }), all),
        (json!({ "step": { "s3cret": 5 } }), all),
        (
            json!({ "step": { "Wait": {} } }),
            "'step.Wait.seconds' is required",
        ),
        (
            json!({ "step": { "Jump": "s3cret" } }),
            "'step.Jump' must be of type integer",
        ),
        (
            json!({ "colour": "s3cret" }),
            r#"'colour' must be one of "Blue", "Green""#,
        ),
    ] {
        assert_eq!(complaint(given.clone()), expected, "{given}");
    }
}

#[test]
fn alternatives_without_a_name_are_told_apart_by_their_type() {
    for (given, expected) in [
        (
            json!({ "either": 5 }),
            "'either' must be of type string or boolean or object",
        ),
        (
            json!({ "either": "x" }),
            "'either' must have at least 3 characters",
        ),
        (
            json!({ "either": { "left": 1 } }),
            "'either' fits none of its 4 alternatives, of the nearest one because 'either.right' is required",
        ),
    ] {
        assert_eq!(complaint(given.clone()), expected, "{given}");
    }
}

#[test]
fn one_is_singular() {
    for (given, expected) in [
        (json!({ "list": [] }), "'list' must have at least 1 item"),
        (
            json!({ "list": [1, 2, 3] }),
            "'list' must have at most 2 items",
        ),
        (
            json!({ "word": "" }),
            "'word' must have at least 1 character",
        ),
        (
            json!({ "nested": { "flag": true, "x\n": 1 } }),
            r#"'nested' has no member named "x\n""#,
        ),
        (json!({ "nested": {} }), "'nested.flag' is required"),
    ] {
        assert_eq!(complaint(given.clone()), expected, "{given}");
    }
    let schema = json!({ "type": "object", "minProperties": 1, "maxProperties": 2,
        "properties": { "o": { "minProperties": 1 } } });
    let schema = schema.as_object().unwrap();
    let complaint = |value| of(schema, &value).unwrap_or_default();
    assert_eq!(complaint(json!({})), "there must be at least 1 argument");
    assert_eq!(
        complaint(json!({ "a": 1, "b": 2, "c": 3 })),
        "there must be at most 2 arguments"
    );
    assert_eq!(
        complaint(json!({ "o": {} })),
        "'o' must have at least 1 member"
    );
}

#[test]
fn what_is_listed_and_complained_of_is_bounded() {
    let words: Vec<String> = (0..30).map(|n| format!("w{n}")).collect();
    let schema = json!({ "properties": { "w": { "enum": words } } });
    let told = of(schema.as_object().unwrap(), &json!({ "w": "x" })).unwrap();
    assert!(told.ends_with(r#""w19" and 10 more"#), "{told}");
    let many: JsonObject = (0..20)
        .map(|n| (format!("m{n}"), json!({ "type": "integer" })))
        .collect();
    let values: JsonObject = many.keys().map(|name| (name.clone(), json!("x"))).collect();
    let schema = json!({ "properties": many });
    let told = of(schema.as_object().unwrap(), &Value::Object(values)).unwrap();
    assert_eq!(told.matches(';').count(), MAX_COMPLAINTS - 1);
}

/// Any JSON, with a secret in every text.
fn secret() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!("s3cret")),
    ];
    let name = prop::sample::select(vec![
        "kind", "radius", "width", "inner", "t", "c", "Wait", "Jump", "left", "flag", "x",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let tag = prop::sample::select(vec!["circle", "box", "Metre", "s3cret"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
            tag.prop_map(|tag| json!({ "kind": tag, "t": tag })),
        ]
    })
}

proptest! {
    #[test]
    fn no_complaint_repeats_a_value(name in prop::sample::select(vec![
        "shape", "shapes", "unit", "step", "either", "colour", "nested", "list", "word",
    ]), value in secret()) {
        let told = complaint(json!({ name: value }));
        prop_assert!(!told.contains("s3cret"), "{}", told);
        prop_assert!(told.len() < 2000);
    }
}
