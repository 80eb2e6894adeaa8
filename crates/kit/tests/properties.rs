//! What holds for every input, tried with many: identities of the wire format, of arguments, of
//! URI variables and of cache keys, all through what the crate offers to others.

#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use jsonschema::Validator;
use proptest::collection::vec;
use proptest::prelude::*;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::wire::{self, Body, Id, Message, Outcome, WireLimits};
use pymcp_kit::{
    CacheConfig, Ctx, Error, Integer, Principal, ResourceTemplate, Result, Server, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A server and a client of it that has introduced itself. No handler here ever waits.
struct Peer {
    server: Server,
    connection: Arc<Connection>,
}

impl Peer {
    fn of_tool(tool: Tool) -> Self {
        // Answers stay for as long as the test runs.
        let cache = CacheConfig {
            ttl: Duration::from_secs(86_400),
            ..CacheConfig::default()
        };
        Self::new(
            Server::builder("test", "0.0.0")
                .tool(tool)
                .cache(cache)
                .build()
                .unwrap(),
        )
    }

    fn new(server: Server) -> Self {
        let peer = Self {
            server,
            connection: Connection::new(Principal::ANONYMOUS),
        };
        let client = json!({ "name": "test", "version": "0.0.0" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        assert!(peer.request("initialize", &params.to_string())["result"].is_object());
        peer
    }

    /// The whole answer to a request; `params` is text, because a tree rounds long numbers.
    fn request(&self, method: &str, params: &str) -> Value {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let body = self.server.parse(text.as_bytes()).unwrap();
        let mut exchange = match self.server.receive(&self.connection, body).into_exchange() {
            Ok(exchange) => exchange,
            Err(answer) => return serde_json::from_slice(&answer.unwrap().body).unwrap(),
        };
        loop {
            match exchange.next_event().now_or_never().unwrap().unwrap() {
                Event::Message(_) | Event::Release => {}
                Event::Answer(answer) => return serde_json::from_slice(&answer.body).unwrap(),
            }
        }
    }

    /// The structured content of a call of the tool `t`; `None` when the arguments are refused.
    fn call(&self, arguments: &str) -> Option<Value> {
        let mut answer = self.request(
            "tools/call",
            &format!(r#"{{"name":"t","arguments":{arguments}}}"#),
        );
        let mut result = answer["result"].take();
        assert!(result.is_object(), "{answer}");
        (result["isError"] != true).then(|| result["structuredContent"].take())
    }
}

/// Any JSON, with the numbers that every reader keeps.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        quarters().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Doubles that need no rounding to be written and read.
fn quarters() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|n| f64::from(n) / 4.0)
}

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

/// An integer as it is written, up to so many digits.
fn any_digits(max: usize) -> impl Strategy<Value = String> {
    let long = proptest::string::string_regex(&format!("-?[1-9][0-9]{{0,{}}}", max - 1)).unwrap();
    prop_oneof![any::<i64>().prop_map(|n| n.to_string()), long]
}

fn any_id() -> impl Strategy<Value = Id> {
    let text = prop_oneof![
        any_digits(255),
        "\\PC{0,30}".prop_map(|text| json!(text).to_string())
    ];
    text.prop_map(|text| Id::from_json(&text, 256).unwrap())
}

fn read(text: &[u8]) -> Message<'_> {
    match wire::parse(text, &WireLimits::default()) {
        Ok(Body::Single(message)) => message,
        other => panic!("{other:?}"),
    }
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

#[derive(Deserialize, JsonSchema)]
struct Saying {
    text: String,
    fails: bool,
}

/// Says a text on every way out that a tool has.
async fn say(ctx: Ctx, saying: Saying) -> Result<String> {
    ctx.info(saying.text.as_str()).await;
    ctx.progress(1.0, None, Some(&saying.text)).await;
    match saying.fails {
        true => Err(Error::user(saying.text)),
        false => Ok(saying.text),
    }
}

/// Text with the characters that some clients split lines at.
fn splitting() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\u{2028}".to_owned()),
        Just("\u{2029}".to_owned()),
        Just("\u{2027}\u{202a}".to_owned()),
        "\\PC{0,4}",
    ];
    vec(part, 1..8).prop_map(|parts| parts.concat())
}

/// Members of an envelope that may be `null`, in any order and number.
fn nulls(members: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(members, 0..=members.len()).prop_shuffle()
}

/// An envelope with these members, and with these as `null`, before or behind them.
fn enveloped(members: &str, nulls: &[&str], before: bool) -> String {
    let nulls: Vec<String> = nulls
        .iter()
        .map(|name| format!("\"{name}\":null"))
        .collect();
    let parts = match before {
        true => [nulls, vec![members.to_owned()]].concat(),
        false => [vec![members.to_owned()], nulls].concat(),
    };
    format!("{{\"jsonrpc\":\"2.0\",{}}}", parts.join(","))
}

// A server each for all cases of a test, which run in one thread.
thread_local! {
    static SCHEMA: Rc<Validator> = Rc::new(validator());
    static LENIENT: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", echo)));
    static INTEGERS: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", integers)));
    static SAYING: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", say)));
    static COUNTER: Rc<Peer> = Rc::new(Peer::of_tool(counter()));
    static TEMPLATE: Rc<Peer> = Rc::new(Peer::new(template()));
}

proptest! {
    // A failure names its smallest input; that becomes a test of its own, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_are_read_as_they_were_written(id in any_id(), method in "\\PC{1,20}", tree in any_json()) {
        prop_assume!(!tree.is_null());
        let text = tree.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        let request = wire::request(&id, &method, &tree);
        let Message::Request(request) = read(&request) else { panic!("a request") };
        prop_assert_eq!((&request.id, &*request.method, request.params), (&id, &*method, Some(&*text)));

        let notification = wire::notification(&method, &tree);
        let Message::Notification(notification) = read(&notification) else { panic!("a notification") };
        prop_assert_eq!((&*notification.method, notification.params), (&*method, Some(&*text)));

        let response = wire::result(&id, text.as_bytes());
        let Message::Response(response) = read(&response) else { panic!("a response") };
        prop_assert_eq!((response.id, response.outcome), (Some(id), Outcome::Result(&text)));
    }

    #[test]
    fn what_is_null_in_an_envelope_is_as_absent(
        id in any_id(),
        tree in any_json(),
        no_request in nulls(&["params", "result", "error", "x"]),
        no_result in nulls(&["params", "method", "error", "x"]),
        no_error in nulls(&["params", "method", "result", "x"]),
        before in any::<bool>(),
    ) {
        prop_assume!(!tree.is_null());
        for (members, nulls) in [
            (format!("\"id\":{id},\"method\":\"a\""), &no_request),
            ("\"method\":\"a\"".to_owned(), &no_request),
            (format!("\"id\":{id},\"result\":{tree}"), &no_result),
            (format!("\"id\":{id},\"error\":{tree}"), &no_error),
        ] {
            let (plain, with) = (enveloped(&members, &[], true), enveloped(&members, nulls, before));
            prop_assert_eq!(read(plain.as_bytes()), read(with.as_bytes()), "{}", with);
        }
    }

    #[test]
    fn no_message_splits_a_line(text in splitting(), fails in any::<bool>(), modern in any::<bool>()) {
        let peer = SAYING.with(Rc::clone);
        let connection = match modern {
            true => Connection::stateless(Principal::ANONYMOUS),
            false => Arc::clone(&peer.connection),
        };
        let saying = json!({ "text": text, "fails": fails });
        for (method, mut params) in [
            ("tools/call", json!({ "name": "t", "arguments": saying })),
            ("tools/call", json!({ "name": text })),
            ("tools/call", json!({ "name": "t", "arguments": { "text": [text], "fails": 0 } })),
            ("resources/read", json!({ "uri": format!("x:{text}") })),
            (&*text, json!({})),
        ] {
            params["_meta"]["progressToken"] = json!(text);
            if modern {
                params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
                params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
                params["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
            }
            let request = json!({ "jsonrpc": "2.0", "id": text, "method": method, "params": params }).to_string();
            let mut said = Vec::new();
            match peer.server.parse(request.as_bytes()) {
                Err(refused) => said.push(wire::error(refused.id.as_ref(), &refused.error)),
                Ok(body) => match peer.server.receive(&connection, body).into_exchange() {
                    Err(answer) => said.extend(answer.map(|answer| answer.body)),
                    Ok(mut exchange) => loop {
                        match exchange.next_event().now_or_never().unwrap() {
                            Some(Event::Message(message)) => said.push(message),
                            Some(Event::Answer(answer)) => {
                                said.push(answer.body);
                                break;
                            }
                            Some(Event::Release) => {}
                            None => break,
                        }
                    },
                },
            }
            prop_assert!(!said.is_empty());
            for message in said {
                let message = std::str::from_utf8(&message).unwrap();
                prop_assert!(!message.contains(['\u{2028}', '\u{2029}', '\n', '\r']), "{}", message);
                let message: Value = serde_json::from_str(message).unwrap();
                prop_assert!(message.get("id").is_none_or(|id| *id == text || id.is_null()));
            }
        }
    }

    #[test]
    fn a_string_is_one_id_however_it_is_escaped(text in "\\PC{0,20}") {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let id = Id::from_json(&json!(text).to_string(), 256).unwrap();
        prop_assert_eq!(Id::from_json(&format!("\"{escaped}\""), 256), Some(id.clone()));
        prop_assert_eq!(serde_json::from_str::<String>(id.as_json()).unwrap(), text);
    }

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
