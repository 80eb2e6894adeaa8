use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Every keyword of the meta-schema, and one that is none.
const KEYWORDS: &str = "
    $anchor $comment $defs $dynamicAnchor $dynamicRef $id $recursiveAnchor $ref $schema
    $vocabulary additionalProperties allOf anyOf const contains contentEncoding contentMediaType
    contentSchema default definitions dependencies dependentRequired dependentSchemas deprecated
    description else enum examples exclusiveMaximum exclusiveMinimum format if items maxContains
    maxItems maxLength maxProperties maximum minContains minItems minLength minProperties
    minimum multipleOf not oneOf pattern patternProperties prefixItems properties propertyNames
    readOnly required then title type unevaluatedItems unevaluatedProperties uniqueItems
    writeOnly x-other
";

fn any_keyword() -> impl Strategy<Value = String> {
    let keywords: Vec<_> = KEYWORDS.split_whitespace().collect();
    proptest::sample::select(keywords).prop_map(str::to_owned)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..6_i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(2.0)),
        "object|string|integer|null|a|b|#|email|date|base64|application/json|\\[a-|\\PC{0,3}"
            .prop_map(Value::from),
        Just(json!(["a", "b"])),
        Just(json!(["a", "a"])),
        Just(json!(["object", "null"])),
        Just(json!([])),
        Just(json!({})),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![4 => any_keyword(), 1 => "[ab]"];
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((name, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_schema() -> impl Strategy<Value = JsonObject> {
    let members = vec((any_keyword(), any_value()), 1..4);
    members.prop_map(|members| members.into_iter().collect::<JsonObject>())
}

/// Nothing can go wrong when its validator is made, with formats or without.
fn compiles(schema: &JsonObject) -> bool {
    let schema = Value::Object(schema.clone());
    [false, true].into_iter().all(|formats| {
        let options = jsonschema::draft202012::options().should_validate_formats(formats);
        options.build(&schema).is_ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_plain_compiles(mut schema in any_schema()) {
        // Its caller has looked at it.
        schema.shift_remove("$schema");
        prop_assert!(!is_plain(&schema) || compiles(&schema), "{schema:?}");
    }
}

/// With a value that fits each keyword, so that few of the schemas are refused: what is random seldom is a schema.
#[test]
fn every_keyword_may_be_plain_or_needs_a_look() {
    let schemas = r#"{
        "$comment": "c", "$defs": {"a": true}, "additionalProperties": false, "allOf": [{}],
        "anyOf": [true, false], "const": [1], "contains": {}, "contentEncoding": "base64",
        "contentMediaType": "application/json", "contentSchema": {}, "default": null,
        "definitions": {"a": {}}, "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {}},
        "deprecated": true, "description": "d", "else": {}, "enum": [1, "a", null],
        "examples": [1], "exclusiveMaximum": 1.5, "exclusiveMinimum": -1, "format": "email",
        "if": {}, "items": {"type": "string"}, "maxContains": 1, "maxItems": 1, "maxLength": 1,
        "maxProperties": 1, "maximum": 1e300, "minContains": 0, "minItems": 0, "minLength": 0,
        "minProperties": 0, "minimum": -1e300, "multipleOf": 0.5, "not": {}, "oneOf": [{}],
        "prefixItems": [{}], "properties": {"$ref": {"type": "null"}, "pattern": {}},
        "propertyNames": {"maxLength": 3}, "readOnly": true, "required": ["a", "b"],
        "then": {}, "title": "t", "type": ["object", "null"], "unevaluatedItems": false,
        "unevaluatedProperties": {}, "uniqueItems": true, "writeOnly": false, "x-other": {"$id": 1}
    }"#;
    let schemas: Value = serde_json::from_str(schemas).unwrap();
    for (keyword, value) in schemas.as_object().unwrap() {
        let schema = JsonObject::from_iter([(keyword.clone(), value.clone())]);
        assert!(is_plain(&schema) && compiles(&schema), "{keyword}");
    }
    let whole = schemas.as_object().unwrap();
    assert!(is_plain(whole) && compiles(whole));
    let looked_at = json!({
        "$anchor": "a", "$dynamicAnchor": "a", "$dynamicRef": "#", "$id": "urn:a", "$ref": "#",
        "$vocabulary": {}, "$recursiveRef": "#", "$recursiveAnchor": "a", "dependencies": {},
        "pattern": "a", "patternProperties": {"a": {}}, "discriminator": {}, "other": 1,
    });
    for (keyword, value) in looked_at.as_object().unwrap() {
        let schema = JsonObject::from_iter([(keyword.clone(), value.clone())]);
        assert!(!is_plain(&schema), "{keyword}");
        let below = JsonObject::from_iter([("items".to_owned(), json!(schema))]);
        assert!(!is_plain(&below), "{keyword}");
    }
}

#[test]
fn what_is_wrong_is_not_plain() {
    for schema in [
        json!({"type": "text"}),
        json!({"type": []}),
        json!({"type": ["null", "null"]}),
        json!({"required": ["a", "a"]}),
        json!({"required": "a"}),
        json!({"minLength": -1}),
        json!({"multipleOf": 0}),
        json!({"anyOf": []}),
        json!({"items": [{}]}),
        json!({"properties": {"a": {"properties": {"b": 1}}}}),
        json!({"items": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}),
    ] {
        assert!(!is_plain(schema.as_object().unwrap()), "{schema}");
    }
}
