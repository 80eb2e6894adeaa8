//! Arguments, keys of the cache, and variables of URIs.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jsonschema::Validator;
use proptest::collection::vec;
use proptest::prelude::*;
use pymcp_kit::{Ctx, Error, Integer, ResourceTemplate, Result, Server, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Peer, any_digits, any_json, quarters};

/// What a client might write where something else is wanted.
fn any_argument() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        " ?[-+]?[0-9_]{1,25}(\\.0*)?",
        "[-+.0-9e]{1,8}",
        "(?i)true|yes|on|off|n|0|1|maybe",
        "\\PC{0,5}"
    ];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        quarters().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3..3).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(1e300)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("integer|flag|text", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Arguments of [`Lenient`], some of which fit.
fn any_arguments() -> impl Strategy<Value = Value> {
    let argument = |name: &'static str, value: BoxedStrategy<Value>| {
        let given = prop_oneof![2 => value, 3 => any_argument()];
        given.prop_map(move |value| (name.to_owned(), value))
    };
    let numbers = (vec(any::<i32>(), 0..3)).prop_map(Value::from);
    let nested =
        (any::<u64>(), any::<bool>()).prop_map(|(n, flag)| json!({ "integer": n, "flag": flag }));
    let member = prop_oneof![
        argument("integer", any::<i64>().prop_map(Value::from).boxed()),
        argument("small", any::<i8>().prop_map(Value::from).boxed()),
        argument("number", quarters().prop_map(Value::from).boxed()),
        argument("flag", any::<bool>().prop_map(Value::from).boxed()),
        argument("text", "[0-9]{1,3}|\\PC{0,5}".prop_map(Value::from).boxed()),
        argument("list", numbers.boxed()),
        argument("nested", nested.boxed()),
        argument("either", any::<bool>().prop_map(Value::from).boxed()),
        argument("unknown", Just(Value::Null).boxed()),
    ];
    vec(member, 0..4).prop_map(|members| Value::Object(members.into_iter().collect()))
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Lenient {
    integer: Option<i64>,
    #[schemars(range(min = -2, max = 100))]
    small: Option<i8>,
    number: Option<f64>,
    flag: Option<bool>,
    text: Option<String>,
    list: Option<Vec<i32>>,
    nested: Option<Nested>,
    either: Option<Either>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Nested {
    integer: Option<u64>,
    flag: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Integer(i64),
    Flag(bool),
}

async fn echo(_: Ctx, arguments: Lenient) -> Result<Lenient> {
    Ok(arguments)
}

/// What clients are told of those arguments, read by itself.
fn validator() -> Validator {
    let tool = Tool::new("t", echo);
    jsonschema::draft202012::new(&json!(tool.definition().input_schema)).unwrap()
}

#[derive(Deserialize, JsonSchema)]
struct Integers {
    a: Integer,
    b: Option<Integer>,
    /// A number beside them, which has no digits to keep.
    c: Option<f64>,
}

async fn integers(_: Ctx, args: Integers) -> Result<(Integer, Option<Integer>, bool)> {
    Ok((args.a, args.b, args.c.is_some()))
}

#[derive(Deserialize, JsonSchema)]
struct Question {
    #[serde(rename = "x")]
    _x: Option<Value>,
    #[serde(rename = "y")]
    _y: Option<Value>,
}

/// Answers how often it ran, which a repeated answer does not.
fn counter() -> Tool {
    let runs = Arc::new(AtomicU64::new(0));
    let count = move |_: Ctx, _: Question| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Error>(run) }
    };
    Tool::new("t", count).cached()
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Variables {
    one: String,
    rest: String,
    query: Option<String>,
}

async fn read_variables(_: Ctx, variables: Variables) -> Result<String> {
    Ok(serde_json::to_string(&variables)?)
}

fn template() -> Server {
    let template = ResourceTemplate::new("x://{one}/café/{+rest}{?query}", "t", read_variables);
    Server::builder("test", "0.0.0")
        .template(template)
        .build()
        .unwrap()
}

// A server each for all cases of a test, which run in one thread.
thread_local! {
    static SCHEMA: Rc<Validator> = Rc::new(validator());
    static LENIENT: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", echo)));
    static INTEGERS: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", integers)));
    static COUNTER: Rc<Peer> = Rc::new(Peer::of_tool(counter()));
    static TEMPLATE: Rc<Peer> = Rc::new(Peer::new(template()));
}

proptest! {
    // A failure names its smallest input; that becomes a test of its own, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_arrive_and_leave_exactly(
        a in any_digits(300),
        b in prop::option::of(any_digits(4300)),
        c in prop::option::of(any_digits(300)),
    ) {
        let peer = INTEGERS.with(Rc::clone);
        let (quoted, number) = (json!(b), c.as_deref().unwrap_or("null"));
        let result = peer.call(&format!(r#"{{"a":{a},"b":{quoted},"c":{number}}}"#)).unwrap();
        prop_assert_eq!(&result["result"], &json!([written(&a), b.as_deref().map(written), c.is_some()]));
    }

    #[test]
    fn what_fits_the_schema_is_left_alone(arguments in any_arguments()) {
        let (peer, schema) = (LENIENT.with(Rc::clone), SCHEMA.with(Rc::clone));
        let read = serde_json::from_value::<Lenient>(arguments.clone()).ok();
        let fits = schema.is_valid(&arguments);
        if let Some(read) = read.filter(|_| fits) {
            let result = peer.call(&arguments.to_string());
            prop_assert_eq!(result, Some(serde_json::to_value(read).unwrap()));
        }
    }

    #[test]
    fn what_was_put_right_stays_as_it_is(arguments in any_arguments()) {
        let peer = LENIENT.with(Rc::clone);
        if let Some(once) = peer.call(&arguments.to_string()) {
            prop_assert_eq!(peer.call(&once.to_string()), Some(once));
        }
    }

    #[test]
    fn the_cache_knows_a_question_whatever_the_order_of_its_members(x in any_json(), y in any_json()) {
        let peer = COUNTER.with(Rc::clone);
        let ask = |arguments: &Value| peer.call(&arguments.to_string()).unwrap();
        let (question, other) = (json!({ "x": x, "y": y }), json!({ "x": y, "y": x }));
        let answer = ask(&question);
        prop_assert_eq!(ask(&backwards(&question)), answer.clone());
        prop_assert_eq!(ask(&other) == answer, question == other);
    }

    #[test]
    fn the_cache_tells_questions_apart(x in any_json(), y in any_json()) {
        let peer = COUNTER.with(Rc::clone);
        let ask = |x: &Value| peer.call(&json!({ "x": x }).to_string()).unwrap();
        prop_assert_eq!(ask(&x) == ask(&y), x == y);
    }

    #[test]
    fn variables_of_a_uri_arrive_as_they_were(
        one in ".{1,30}", rest in ".{1,30}", query in prop::option::of(".{0,30}"), upper in any::<bool>(),
        literal in prop::sample::select(vec!["café", "caf%C3%A9", "caf%c3%a9", "%63a%66%C3%a9"]),
    ) {
        let mut uri = format!("x://{}/{literal}/{}", encoded(&one, upper), encoded(&rest, upper));
        if let Some(query) = &query {
            uri.push_str(&format!("?other=1&query={}", encoded(query, upper)));
        }
        let answer = TEMPLATE.with(Rc::clone).request("resources/read", &json!({ "uri": uri }).to_string());
        let text = answer["result"]["contents"][0]["text"].as_str().unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!(Variables { one, rest, query }));
    }
}

/// How an integer leaves: as a number as far as every client reads it exactly, as text beyond.
fn written(digits: &str) -> Value {
    match digits.parse::<i64>() {
        Ok(n) if n.unsigned_abs() < 1 << 53 => json!(n),
        _ => json!(digits),
    }
}

/// The same tree with the members of all its objects in the opposite order.
fn backwards(tree: &Value) -> Value {
    match tree {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .rev()
                .map(|(name, value)| (name.clone(), backwards(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(backwards).collect(),
        scalar => scalar.clone(),
    }
}

fn encoded(text: &str, upper: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}
