use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::Server;
use crate::protocol::{HttpSignals, MODERN_VERSION};
use crate::wire::Body;
use crate::{Ctx, Error, Principal, Tool};

fn object(value: Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

/// The annotations of a schema with these properties.
fn of(properties: Value) -> Result<Mirrored, String> {
    Mirrored::of(&object(json!({"type": "object", "properties": properties})))
}

/// One mirrored argument `v` of this type, compared with `Mcp-Param-V`.
fn check(kind: &str, body: Value, headers: &[&[u8]]) -> Result<(), String> {
    let mirrored = of(json!({"v": {"type": kind, "x-mcp-header": "V"}})).unwrap();
    let mut map = HeaderMap::new();
    for value in headers {
        map.append("mcp-param-v", HeaderValue::from_bytes(value).unwrap());
    }
    mirrored.check(&object(body), &map)
}

#[test]
fn what_clients_would_drop_is_refused() {
    let one = |schema: Value| json!({"v": schema});
    let annotated = |kind: Value| one(json!({"type": kind, "x-mcp-header": "V"}));
    let named = |header: Value| one(json!({"type": "string", "x-mcp-header": header}));
    let bound =
        |key: &str, value: Value| one(json!({"type": "integer", "x-mcp-header": "V", key: value}));
    let inner = json!({"type": "string", "x-mcp-header": "V"});
    for (properties, why) in [
        (named(json!("")), "no header name"),
        (named(json!("My Region")), "no header name"),
        (named(json!("Region:Primary")), "no header name"),
        (named(json!("Région")), "no header name"),
        (named(json!("Region\t1")), "no header name"),
        (named(json!("Region\r\nX: 1")), "no header name"),
        (named(json!(true)), "no header name"),
        (annotated(json!("number")), "is of type \"number\""),
        (annotated(json!("array")), "is of type \"array\""),
        (annotated(json!("object")), "is of type \"object\""),
        (annotated(json!("null")), "is of type \"null\""),
        (
            annotated(json!(["string", "null"])),
            "is of type [\"string\",\"null\"]",
        ),
        (one(json!({"x-mcp-header": "V"})), "no type of its own"),
        (
            bound("maximum", json!(9_007_199_254_740_992_u64)),
            "'maximum' beyond",
        ),
        (bound("minimum", json!(i64::MIN)), "'minimum' beyond"),
        (bound("enum", json!([1, 1e300])), "'enum' beyond"),
        (
            one(json!({"type": "array", "items": inner})),
            "inside the property 'v'",
        ),
        (
            one(json!({"anyOf": [inner, {"type": "null"}]})),
            "inside the property 'v'",
        ),
        (
            one(json!({"oneOf": [{"properties": {"x": inner}}]})),
            "inside the property 'v.x'",
        ),
        (
            one(json!({"if": {"properties": {"x": inner}}})),
            "inside the property 'v.x'",
        ),
        (one(json!({"not": inner})), "inside the property 'v'"),
        (
            one(json!({"patternProperties": {"x": inner}})),
            "inside the property 'v'",
        ),
        (
            one(json!({"additionalProperties": inner})),
            "inside the property 'v'",
        ),
        (
            json!({"a": {"type": "string", "x-mcp-header": "Region"},
                   "b": {"type": "object", "properties": {"c": {"type": "string", "x-mcp-header": "REGION"}}}}),
            "\"REGION\" twice",
        ),
    ] {
        let error = of(properties.clone()).unwrap_err();
        assert!(error.contains(why), "{properties}: {error}");
    }
    for schema in [
        json!({"type": "object", "x-mcp-header": "V"}),
        json!({"type": "object", "properties": {"v": {"$ref": "#/$defs/v"}}, "$defs": {"v": inner}}),
    ] {
        let error = Mirrored::of(&object(schema)).unwrap_err();
        assert!(error.contains("outside the properties"), "{error}");
    }
}

#[test]
fn secrets_are_not_mirrored() {
    for (name, secret) in [
        ("password", true),
        ("dbPassword", true),
        ("api_key", true),
        ("apiKey", true),
        ("APIKEY", true),
        ("access-token", true),
        ("oauth2Token", true),
        ("client.secret", true),
        ("max_tokens", false),
        ("keyboard", false),
        ("region", false),
        ("secretary", false),
    ] {
        let found = of(json!({name: {"type": "string", "x-mcp-header": "V"}}));
        assert_eq!(found.is_err(), secret, "{name}");
        assert!(of(json!({name: {"type": "string"}})).is_ok(), "{name}");
    }
    let header = of(json!({"value": {"type": "string", "x-mcp-header": "Api-Key"}}));
    assert!(header.unwrap_err().contains("sounds like a secret"));
}

#[test]
fn what_only_looks_like_an_annotation_is_none() {
    let found = of(json!({
        "x-mcp-header": {"type": "string"},
        "place": {"type": "object", "default": {"x-mcp-header": "no"}, "properties": {
            "city": {"type": "string", "x-mcp-header": "City", "examples": [{"x-mcp-header": 1}]},
        }},
        "safe": {"type": "integer", "x-mcp-header": "Method", "maximum": 9_007_199_254_740_991_u64},
    }))
    .unwrap();
    let labels: Vec<_> = found.labels().collect();
    assert_eq!(labels, ["Mcp-Param-City", "Mcp-Param-Method"]);
    let arguments = object(json!({"place": {"city": "Ulm"}}));
    let headers = |city: &'static str| {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("mcp-param-city"),
            HeaderValue::from_static(city),
        )])
    };
    assert_eq!(found.check(&arguments, &headers("Ulm")), Ok(()));
    assert_eq!(
        found.check(&arguments, &headers("Bonn")),
        Err("The header Mcp-Param-City differs from the argument 'place.city'.".into())
    );
}

#[test]
fn header_and_argument_are_the_same_or_the_request_is_refused() {
    const HIGH: u64 = u64::MAX;
    for (kind, body, header, fine) in [
        // Text, to the letter.
        ("string", json!("us-west1"), "us-west1", true),
        ("string", json!("us-west1"), " \tus-west1\t ", true),
        ("string", json!("us west 1"), "us west 1", true),
        ("string", json!("us-west1"), "US-WEST1", false),
        ("string", json!(""), "", true),
        ("string", json!("x"), "", false),
        ("string", json!(" padded "), "=?base64?IHBhZGRlZCA=?=", true),
        ("string", json!(" padded "), " padded ", false),
        ("string", json!("日本語"), "=?base64?5pel5pys6Kqe?=", true),
        (
            "string",
            json!("line1\nline2"),
            "=?base64?bGluZTEKbGluZTI=?=",
            true,
        ),
        (
            "string",
            json!("=?base64?literal?="),
            "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
            true,
        ),
        (
            "string",
            json!("=?base64?literal?="),
            "=?base64?literal?=",
            false,
        ),
        ("string", json!("Hello"), "=?BASE64?SGVsbG8=?=", false),
        ("string", json!("Hello"), "=?base64?SGVsbG8?=", false),
        ("string", json!("Hello"), "=?base64?SGVs!!!bG8=?=", false),
        ("string", json!("x"), "=?base64?/w==?=", false),
        ("string", json!("42"), "42.0", false),
        // Booleans in lower case.
        ("boolean", json!(true), "true", true),
        ("boolean", json!(false), "false", true),
        ("boolean", json!(true), "True", false),
        ("boolean", json!(true), "1", false),
        ("boolean", json!(false), "true", false),
        // Integers as numbers.
        ("integer", json!(42), "42", true),
        ("integer", json!(42), "42.0", true),
        ("integer", json!(42.0), "42", true),
        ("integer", json!(100), "1e2", true),
        ("integer", json!(1e2), "100", true),
        ("integer", json!(120), "1.20E+2", true),
        ("integer", json!(5), "50e-1", true),
        ("integer", json!(0), "-0", true),
        ("integer", json!(-7), "-7", true),
        ("integer", json!(-7), "7", false),
        ("integer", json!(42), "42.5", false),
        ("integer", json!(42), "42.", false),
        ("integer", json!(42), "0x2a", false),
        ("integer", json!(42), "4 2", false),
        ("integer", json!(42), "+42", false),
        ("integer", json!(42), "", false),
        ("integer", json!(42), "1e999999999", false),
        ("integer", json!(0), "0e-999999999", true),
        // Not by way of a double, which would take these for equal.
        (
            "integer",
            json!(9_007_199_254_740_993_i64),
            "9007199254740993",
            true,
        ),
        (
            "integer",
            json!(9_007_199_254_740_993_i64),
            "9007199254740992",
            false,
        ),
        ("integer", json!(HIGH), "18446744073709551615", true),
        ("integer", json!(HIGH), "18446744073709551616", false),
        ("integer", json!(1e300), "1e300", false),
        // What the schema refuses with better words.
        ("integer", json!("42"), "42", true),
        ("integer", json!(3.5), "3.5", true),
        ("integer", json!(3.5), "3", false),
    ] {
        let outcome = check(kind, json!({"v": body}), &[header.as_bytes()]);
        assert_eq!(outcome.is_ok(), fine, "{body} {header:?}: {outcome:?}");
    }
}

#[test]
fn headers_without_arguments_and_the_reverse_are_refused() {
    for body in [
        json!({}),
        json!({"v": null}),
        json!({"v": ["x"]}),
        json!({"v": {}}),
    ] {
        assert_eq!(check("string", body.clone(), &[]), Ok(()), "{body}");
        let error = check("string", body.clone(), &[b"x"]).unwrap_err();
        assert!(
            error.contains("is there, but the argument 'v' is not"),
            "{error}"
        );
    }
    let body = json!({"v": "x"});
    for (headers, why) in [
        (
            &[][..],
            "The header Mcp-Param-V is missing; it repeats the argument 'v'.",
        ),
        (
            &[b"x".as_slice(), b"x"],
            "The header Mcp-Param-V appears twice.",
        ),
        (
            &[b"\xff".as_slice()],
            "The header Mcp-Param-V holds characters it must not; use base64.",
        ),
        (
            &[b"=?base64?*?=".as_slice()],
            "The header Mcp-Param-V is not valid base64 text.",
        ),
    ] {
        assert_eq!(check("string", body.clone(), headers), Err(why.into()));
    }
}

#[derive(Deserialize, JsonSchema)]
struct Args {
    value: Option<String>,
    #[schemars(extend("x-mcp-header" = "Count"))]
    #[serde(default)]
    count: i64,
}

fn tool() -> Tool {
    let handler = |_: Ctx, args: Args| async move {
        Ok::<_, Error>(format!("{} {}", args.value.unwrap_or_default(), args.count))
    };
    Tool::new("route", handler).mirrored("value", "Value")
}

/// The error code that a request is answered with before its tool runs; `None` when it runs.
fn code(server: &Server, message: &Value, headers: Option<&HeaderMap>) -> Option<i32> {
    let text = message.to_string();
    let Ok(Body::Single(message)) = server.parse(text.as_bytes()) else {
        panic!("{text}");
    };
    let signals = headers.map(|all| HttpSignals {
        version: Some(MODERN_VERSION),
        method: Some("tools/call"),
        name: Some("route"),
        all: Some(all),
        ..HttpSignals::default()
    });
    let inbound = server.inspect(message, signals);
    let connection = Connection::stateless(Principal::ANONYMOUS);
    match server
        .handle(&connection, &Permit::unrestricted(), inbound)
        .into_exchange()
    {
        Err(answer) => answer.unwrap().error.map(|code| code.0),
        Ok(_) => None,
    }
}

/// The cases of the conformance suite's `http-custom-header-server-validation`.
#[test]
fn calls_over_http_are_compared_with_their_headers() {
    let server = Server::builder("test", "0").tool(tool()).build().unwrap();
    let call = |value: &str| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "route", "arguments": {"value": value}, "_meta": meta,
        }})
    };
    for (value, header, expected) in [
        ("Hello", Some("=?base64?SGVsbG8=?="), None),
        ("Hello", Some("=?base64?SGVsbG8?="), Some(-32020)),
        ("Hello", Some("=?base64?SGVs!!!bG8=?="), Some(-32020)),
        ("SGVsbG8=", Some("SGVsbG8="), None),
        ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8="), None),
        ("test-value", None, Some(-32020)),
        ("test-value", Some("other"), Some(-32020)),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("mcp-param-value", header.parse().unwrap());
        }
        assert_eq!(
            code(&server, &call(value), Some(&headers)),
            expected,
            "{value} {header:?}"
        );
        // Over stdio there are no headers.
        assert_eq!(code(&server, &call(value), None), None);
    }
}

#[test]
fn the_author_is_told_what_cannot_be_mirrored() {
    let refused = |tool: Tool| {
        let built = Server::builder("test", "0").tool(tool).build();
        built.err().unwrap().to_string()
    };
    for (tool, why) in [
        (
            tool().mirrored("vlaue", "V"),
            "the property 'vlaue' has 'x-mcp-header' and no type of its own",
        ),
        (tool().mirrored("count", "VALUE"), "\"VALUE\" twice"),
        (tool().mirrored("count", "Token"), "sounds like a secret"),
    ] {
        let error = refused(tool);
        assert!(
            error.starts_with("The tool 'route' cannot be served: "),
            "{error}"
        );
        assert!(error.contains(why), "{error}");
    }
    let server = Server::builder("test", "0").tool(tool()).build().unwrap();
    let registry = server.registry();
    let schema = &registry.tools().next().unwrap().definition().input_schema;
    assert_eq!(
        schema["properties"]["value"],
        json!({"type": "string", "x-mcp-header": "Value"})
    );
    assert_eq!(
        server.registry().mirrored_headers(),
        ["Mcp-Param-Count", "Mcp-Param-Value"]
    );
}
