use serde_json::json;

use super::*;

fn plan(kinds: &Value) -> Plan {
    Plan::of(json!({ "type": kinds }).as_object().unwrap())
}

fn coerced(kind: &str, mut value: Value) -> Value {
    put_right(&mut value, &plan(&json!([kind])));
    value
}

fn put_right(value: &mut Value, plan: &Plan) {
    Coercion::new(plan, &WireLimits::default()).coerce(value, plan.root(), 0);
}

#[test]
fn integers_are_read_as_python_reads_them() {
    for (given, expected) in [
        (json!("12"), json!(12)),
        (json!(" 12 "), json!(12)),
        (json!("1_2"), json!(12)),
        (json!("12.0"), json!(12)),
        (json!("+7"), json!(7)),
        (json!("007"), json!(7)),
        (json!("-3"), json!(-3)),
        (json!(12.0), json!(12)),
        (json!(true), json!(1)),
        (json!("18446744073709551615"), json!(u64::MAX)),
    ] {
        assert_eq!(coerced("integer", given.clone()), expected, "{given}");
    }
    for refused in [
        json!("abc"),
        json!(""),
        json!("5.5"),
        json!("1e2"),
        json!("0x10"),
        json!("5."),
        json!("_1"),
        json!("1__2"),
        json!("٣"),
        json!(5.5),
        json!(null),
        json!([5]),
        json!("9".repeat(MAX_DIGITS + 1)),
    ] {
        assert_eq!(coerced("integer", refused.clone()), refused);
    }
}

#[test]
fn booleans_and_numbers_are_read_leniently_and_strings_never_made_up() {
    for yes in [
        json!("true"),
        json!("yes"),
        json!("on"),
        json!("T"),
        json!(1),
        json!(1.0),
        json!("1"),
    ] {
        assert_eq!(coerced("boolean", yes), json!(true));
    }
    for refused in [json!(2), json!(""), json!("maybe"), json!(null)] {
        assert_eq!(coerced("boolean", refused.clone()), refused);
    }
    assert_eq!(coerced("number", json!("1.5")), json!(1.5));
    assert_eq!(coerced("number", json!(true)), json!(1.0));
    for refused in [json!("nan"), json!("inf"), json!("x")] {
        assert_eq!(coerced("number", refused.clone()), refused);
    }
    assert_eq!(coerced("string", json!(5)), json!(5));
}

#[test]
fn a_nullable_integer_keeps_null_and_reads_text() {
    let plan = plan(&json!(["integer", "null"]));
    let mut value = json!("2");
    put_right(&mut value, &plan);
    assert_eq!(value, json!(2));
    let mut null = Value::Null;
    put_right(&mut null, &plan);
    assert_eq!(null, Value::Null);
}

#[test]
fn integers_beyond_64_bits_keep_their_digits() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}, "x": {"type": "number"}}});
    let plan = Plan::of(schema.as_object().unwrap());
    let digits = "1000000000000000000000000000001";
    for written in [digits.to_owned(), format!("\"{digits}\"")] {
        let params = format!(r#"{{"name":"t","arguments":{{"n":{written},"x":1e300}}}}"#);
        let values: Value = serde_json::from_str(&params).unwrap();
        let mut arguments = Arguments::read(
            values["arguments"].as_object().unwrap().clone(),
            &plan,
            &params,
        );
        arguments.coerce(&plan, &WireLimits::default());
        #[derive(serde::Deserialize)]
        struct Args {
            n: crate::component::Integer,
            x: f64,
        }
        let args: Args = arguments.parse().unwrap();
        assert_eq!(args.n.to_string(), digits);
        assert_eq!(args.x, 1e300);
    }
}

#[test]
fn a_number_beside_a_long_integer_stays_a_number() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}, "x": {"type": "number"}}});
    let plan = Plan::of(schema.as_object().unwrap());
    let digits = "9".repeat(30);
    let params = format!(r#"{{"arguments":{{"n":{digits},"x":{digits}}}}}"#);
    let values: Value = serde_json::from_str(&params).unwrap();
    let arguments = Arguments::read(
        values["arguments"].as_object().unwrap().clone(),
        &plan,
        &params,
    );
    assert_eq!(arguments.exact, [("n".to_owned(), digits)]);
}

#[test]
fn unknown_arguments_are_named_and_gone() {
    let mut schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let open = Plan::of(schema.as_object().unwrap());
    schema["additionalProperties"] = json!(false);
    let plan = Plan::of(schema.as_object().unwrap());
    let mut arguments = Arguments::from(json!({"n": 1, "[/x]": 2}).as_object().unwrap().clone());
    assert!(arguments.strip_unknown(&open).is_empty());
    assert_eq!(arguments.strip_unknown(&plan), ["[/x]"]);
    assert_eq!(Value::Object(arguments.values), json!({"n": 1}));
}

#[test]
fn free_form_arguments_keep_the_digits_of_their_integers() {
    #[derive(serde::Deserialize)]
    struct Args {
        anything: Box<RawValue>,
        flag: bool,
    }
    let schema = json!({
        "type": "object",
        "properties": {
            "anything": { "type": ["object", "null"], "additionalProperties": true },
            "flag": { "type": "boolean" },
        },
    });
    let plan = Plan::of(schema.as_object().unwrap());
    for text in [
        r#"{"n": [1180591620717411303424], "s": "x"}"#,
        r#"{"n": 12}"#,
    ] {
        let params =
            format!(r#"{{"name": "t", "arguments": {{"anything": {text}, "flag": "yes"}}}}"#);
        let values: Value = serde_json::from_str(&params).unwrap();
        let values = values["arguments"].as_object().unwrap().clone();
        let mut arguments = Arguments::read(values, &plan, &params);
        arguments.coerce(&plan, &WireLimits::default());
        let args: Args = arguments.parse().unwrap();
        assert_eq!(args.anything.get().replace(' ', ""), text.replace(' ', ""));
        assert!(args.flag);
    }
}

/// What the arguments are after they were put right.
fn read(schema: Value, arguments: Value) -> Value {
    let plan = Plan::of(schema.as_object().unwrap());
    let mut arguments = Arguments::from(arguments.as_object().unwrap().clone());
    arguments.coerce(&plan, &WireLimits::default());
    Value::Object(arguments.values)
}

#[test]
fn null_is_as_if_it_were_left_out_where_that_is_allowed() {
    let tree = json!({ "type": "object", "properties": {
        "left": { "$ref": "#/$defs/tree" }, "value": { "type": "integer" } } });
    let schema = json!({
        "type": "object",
        "$defs": { "tree": tree },
        "properties": {
            "needed": { "type": "integer" },
            "length": { "type": "integer", "default": 12 },
            "either": { "anyOf": [{ "type": "string" }, { "type": "boolean" }] },
            "hole": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
            "anything": {},
            "whatever": true,
            "nested": { "type": "object", "properties": { "a": { "type": "integer" } } },
            "list": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "integer" } } } },
            "by_name": { "type": "object", "additionalProperties": {
                "type": "object", "properties": { "a": { "type": "integer" } } } },
            "tree": { "$ref": "#/$defs/tree" },
        },
        "required": ["needed"],
    });
    for (given, expected) in [
        (
            json!({ "length": null, "either": null, "tree": null }),
            json!({}),
        ),
        (json!({ "needed": null }), json!({ "needed": null })),
        (
            json!({ "hole": null, "anything": null, "whatever": null, "unknown": null }),
            json!({ "hole": null, "anything": null, "whatever": null, "unknown": null }),
        ),
        (
            json!({ "nested": { "a": null, "b": null }, "list": [{ "a": null }, { "a": "1" }] }),
            json!({ "nested": { "b": null }, "list": [{}, { "a": 1 }] }),
        ),
        (
            json!({ "by_name": { "x": { "a": null }, "y": { "a": "1" } } }),
            json!({ "by_name": { "x": {}, "y": { "a": 1 } } }),
        ),
        (
            json!({ "tree": { "left": { "left": { "left": null, "value": "7" }, "value": null } } }),
            json!({ "tree": { "left": { "left": { "value": 7 } } } }),
        ),
    ] {
        assert_eq!(read(schema.clone(), given.clone()), expected, "{given}");
    }
}

#[test]
fn null_is_the_default_unless_the_schema_names_it() {
    let schema = json!({ "type": "object", "properties": {
        "anything": { "default": 5 },
        "nothing": { "default": null },
        "named": { "type": ["string", "null"], "default": "x" },
        "listed": { "enum": ["x", null], "default": "x" },
        "either": { "anyOf": [{ "type": "string" }, { "type": "null" }], "default": "x" },
    } });
    let given =
        json!({ "anything": null, "nothing": null, "named": null, "listed": null, "either": null });
    let left = json!({ "nothing": null, "named": null, "listed": null, "either": null });
    assert_eq!(read(schema, given), left);
}

#[test]
fn constants_without_a_type_are_read_as_what_they_are() {
    let schema = json!({ "type": "object", "properties": {
        "number": { "enum": [1, 2] }, "flag": { "const": true }, "word": { "enum": ["1", 2] } } });
    let given = json!({ "number": "2", "flag": "yes", "word": "2" });
    let expected = json!({ "number": 2, "flag": true, "word": "2" });
    assert_eq!(read(schema, given), expected);
}

#[test]
fn json_in_a_string_is_read_where_no_string_may_stand() {
    let number = json!({ "type": "integer" });
    let object = json!({ "type": "object", "properties": { "a": number, "o": {
        "type": "object", "properties": { "b": number } } } });
    let schema = json!({ "type": "object", "properties": {
        "object": object,
        "list": { "type": "array", "items": object },
        "either": { "anyOf": [{ "type": "string" }, { "type": "object" }] },
        "choice": { "anyOf": [{ "const": "[x]" }, { "type": "array" }] },
        "text": { "type": "string" },
        "any": {},
    } });
    for (given, expected) in [
        (
            json!({ "object": r#"{"a": "1"}"# }),
            json!({ "object": { "a": 1 } }),
        ),
        (json!({ "object": " {} " }), json!({ "object": {} })),
        (
            json!({ "list": r#"[{"a": 1}, {"a": null}]"# }),
            json!({ "list": [{ "a": 1 }, {}] }),
        ),
        (
            json!({ "list": [r#"{"a": 1}"#, { "o": r#"{"b": "2"}"# }] }),
            json!({ "list": [{ "a": 1 }, { "o": { "b": 2 } }] }),
        ),
        // Twice.
        (
            json!({ "object": json!({ "o": r#"{"b": 2}"# }).to_string() }),
            json!({ "object": { "o": { "b": 2 } } }),
        ),
        // Where a string may stand, it is one.
        (
            json!({ "either": "{}", "choice": "[]", "text": "{}", "any": "{}" }),
            json!({ "either": "{}", "choice": "[]", "text": "{}", "any": "{}" }),
        ),
    ] {
        assert_eq!(read(schema.clone(), given.clone()), expected, "{given}");
    }
    // What is not what it should be stays, and validation finds the words.
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for text in [
        "[]",
        "{",
        "{} {}",
        "{'a': 1}",
        r#"{"a": NaN}"#,
        r#"{"a": 1, "a": 2}"#,
        r#"{"$serde_json::private::RawValue": "1"}"#,
        &format!(r#"{{"x": {}}}"#, deep(64)),
        &format!(r#"{{"x": [{}0]}}"#, "0,".repeat(50_000)),
    ] {
        let given = json!({ "object": text });
        assert_eq!(read(schema.clone(), given.clone()), given);
    }
    let within = json!({ "object": format!(r#"{{"x": {}}}"#, deep(61)) });
    assert!(read(schema.clone(), within)["object"].is_object());
    let shared = json!({ "list": vec![format!(r#"{{"x": [{}0]}}"#, "0,".repeat(30_000)); 2] });
    let read = read(schema, shared);
    assert!(
        read["list"][0].is_object() && read["list"][1].is_string(),
        "the bound is one for all"
    );
}

#[test]
fn json_in_a_string_keeps_its_digits_too() {
    #[derive(serde::Deserialize)]
    struct Args {
        anything: Box<RawValue>,
    }
    let schema = json!({ "type": "object", "properties": { "anything": { "type": "object" } } });
    let text = r#"{"n":1180591620717411303424}"#;
    let mut arguments = Arguments::from(json!({ "anything": text }).as_object().unwrap().clone());
    arguments.coerce(
        &Plan::of(schema.as_object().unwrap()),
        &WireLimits::default(),
    );
    let args: Args = arguments.parse().unwrap();
    assert_eq!(args.anything.get(), text);
}
