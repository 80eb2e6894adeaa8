//! For as long as a call lasts.

use pymcp_kit::Principal;
use pymcp_kit::core::Connection;
use serde_json::{Value, json};

use super::hostile::objects;
use super::stage::{Stage, able, is_short, modern, request};

/// Arguments that the tools take as they are.
fn arguments(hostile: &Value) -> Vec<(&'static str, Value)> {
    let flags = vec![true; hostile.to_string().len() / 5];
    vec![
        ("unknown arguments", json!({ "other": hostile })),
        ("a text", json!({ "text": hostile.to_string() })),
        (
            "a list",
            json!({ "flags": &flags[..flags.len().min(40_000)] }),
        ),
    ]
}

#[test]
fn of_arguments() {
    let stage = Stage::new();
    let (legacy, alone) = (stage.legacy(), Connection::stateless(Principal::ANONYMOUS));
    for (shape, hostile) in objects() {
        for (kind, arguments) in arguments(&hostile) {
            let what = format!("{shape} as {kind}");
            let call = |tool| json!({ "name": tool, "arguments": arguments });
            let message = request("tools/call", &call("cached"));
            let kept = stage.assert_bounded(&what, &legacy, [message]);
            assert!(kept.answer.is_none(), "{what}: it waits");
            for tool in ["wait", "task"] {
                let message = request("tools/call", &modern(call(tool), able()));
                let kept = stage.assert_bounded(&what, &alone, [message]);
                assert_eq!(kept.answer.is_none(), tool == "wait", "{what}");
            }
        }
    }
}

/// Not only tools.
#[test]
fn of_prompts_resources_and_completions() {
    let stage = Stage::new();
    let (legacy, alone) = (stage.legacy(), Connection::stateless(Principal::ANONYMOUS));
    for (shape, hostile) in objects() {
        let text = hostile.to_string();
        let names: Value = hostile
            .as_object()
            .unwrap()
            .keys()
            .map(|key| (key.clone(), json!("")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let uri = format!("text://{}", "x".repeat(text.len()));
        for (method, params) in [
            (
                "prompts/get",
                json!({ "name": "wait", "arguments": { "text": text } }),
            ),
            (
                "prompts/get",
                json!({ "name": "wait", "arguments": { "text": "", "other": text } }),
            ),
            ("resources/read", json!({ "uri": uri })),
            (
                "resources/read",
                json!({ "uri": "data://wait", "other": hostile }),
            ),
            (
                "completion/complete",
                json!({
                    "ref": { "type": "ref/prompt", "name": "wait" },
                    "argument": { "name": "text", "value": text },
                    "context": { "arguments": names },
                }),
            ),
        ] {
            let what = format!("{shape} in {method}");
            stage.assert_bounded(&what, &legacy, [request(method, &params)]);
            let params = modern(params, able());
            stage.assert_bounded(&what, &alone, [request(method, &params)]);
        }
    }
}

/// A modern client says in every call who it is, what it was asked and what it knows.
#[test]
fn of_the_envelope_of_a_modern_call() {
    let stage = Stage::new();
    let alone = Connection::stateless(Principal::ANONYMOUS);
    for (shape, hostile) in objects() {
        let text = hostile.to_string();
        let with = |capabilities: Value, meta: &str, value: Value| {
            let mut call = modern(json!({ "name": "wait" }), capabilities);
            call["_meta"][meta] = value;
            call
        };
        let client = |member: &str, value: Value| {
            let mut client = json!({ "name": "test", "version": "1.0" });
            client[member] = value;
            with(able(), "io.modelcontextprotocol/clientInfo", client)
        };
        let mut experimental = able();
        experimental["experimental"]["x/y"] = hostile.clone();
        let mut extended = able();
        extended["extensions"]["x/y"] = hostile.clone();
        let mut state = modern(json!({ "name": "wait" }), json!({}));
        state["requestState"] = json!(text);
        for (kind, call) in [
            (
                "experimental",
                modern(json!({ "name": "wait" }), experimental),
            ),
            ("extensions", modern(json!({ "name": "wait" }), extended)),
            ("clientInfo.name", client("name", json!(text))),
            ("clientInfo.x", client("x", hostile.clone())),
            ("clientInfo.icons", client("icons", json!([hostile]))),
            ("_meta.x", with(able(), "x", hostile.clone())),
            (
                "_meta.progressToken",
                with(able(), "progressToken", json!("x".repeat(200))),
            ),
            ("requestState", state),
        ] {
            let what = format!("{shape} as {kind}");
            let kept = stage.assert_bounded(&what, &alone, [request("tools/call", &call)]);
            let meta = &call["_meta"];
            let accepted = call.get("requestState").is_none()
                && is_short(
                    &meta["io.modelcontextprotocol/clientCapabilities"],
                    meta.get("io.modelcontextprotocol/clientInfo")
                        .unwrap_or(&json!("")),
                );
            match kept.answer {
                None => assert!(accepted, "{what}"),
                Some(answer) => {
                    assert!(!accepted, "{what}: {answer}");
                    assert_eq!(answer["error"]["code"], -32602, "{what}");
                }
            }
        }
    }
}

#[test]
fn of_answers() {
    let stage = Stage::new();
    let (legacy, alone) = (stage.legacy(), Connection::stateless(Principal::ANONYMOUS));
    for (shape, hostile) in objects() {
        for tool in ["wait", "ask"] {
            let mut call = modern(json!({ "name": tool }), able());
            call["inputResponses"] = hostile.clone();
            let what = format!("{shape} as the answers to '{tool}'");
            stage.assert_bounded(&what, &alone, [request("tools/call", &call)]);
        }
        // A question that is waiting, and answers to questions that nobody asked.
        let call = json!({ "name": "ask", "_meta": hostile });
        let nobody = json!({ "jsonrpc": "2.0", "id": 1_u64 << 40, "result": hostile }).to_string();
        stage.assert_bounded(&shape, &legacy, [request("tools/call", &call), nobody]);
        let update = modern(
            json!({ "taskId": "none", "inputResponses": hostile }),
            able(),
        );
        stage.assert_bounded(&shape, &alone, [request("tasks/update", &update)]);
    }
}
