use serde_json::json;

use super::*;

fn plan(kinds: &Value) -> Plan {
    Plan::of(json!({ "type": kinds }).as_object().unwrap())
}

fn coerced(kind: &str, mut value: Value) -> Value {
    coerce(&mut value, &plan(&json!([kind])));
    value
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
    coerce(&mut value, &plan);
    assert_eq!(value, json!(2));
    let mut null = Value::Null;
    coerce(&mut null, &plan);
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
        arguments.coerce(&plan);
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
        arguments.coerce(&plan);
        let args: Args = arguments.parse().unwrap();
        assert_eq!(args.anything.get().replace(' ', ""), text.replace(' ', ""));
        assert!(args.flag);
    }
}
