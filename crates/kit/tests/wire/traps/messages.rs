//! The traps of messages and lists.

use std::time::Instant;

use futures_util::FutureExt as _;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::testing::message::{call, error, modern, request};
use pymcp_kit::testing::raw::{Request, Session, mirrored};
use pymcp_kit::{Ctx, NoArgs, Principal, Result, Server, Tool};
use serde_json::{Value, json};

use super::median;
use crate::support::over_http;

/// 9. A call costs the same whatever else there is, and lists are nobody else's business.
#[test]
fn cost_per_call_does_not_depend_on_the_number_of_tools() {
    async fn one(_: Ctx, _: NoArgs) -> Result<u32> {
        Ok(1)
    }
    let with = |count: usize| {
        let tools = (0..count).map(|i| Tool::new(format!("tool-{i}"), one));
        tools
            .fold(Server::builder("test", "1.0.0"), |server, tool| {
                server.tool(tool)
            })
            .build()
            .unwrap()
    };
    let body = modern(call(1, "tool-5", json!({})), json!({})).to_string();
    let connection = Connection::stateless(Principal::ANONYMOUS);
    let calls = |server: &Server| {
        let started = Instant::now();
        for _ in 0..100 {
            let reply = server.receive(
                &connection,
                &Permit::unrestricted(),
                server.parse(body.as_bytes()).unwrap(),
            );
            let mut exchange = reply.into_exchange().unwrap_or_else(|_| panic!("a call"));
            let event = exchange.next_event().now_or_never();
            assert!(matches!(event, Some(Some(Event::Answer(answer))) if answer.error.is_none()));
        }
        started.elapsed()
    };
    let (few, many) = (with(7), with(1000));
    let (small, large): (Vec<_>, Vec<_>) = (0..51).map(|_| (calls(&few), calls(&many))).unzip();
    let (small, large) = (median(small), median(large));
    assert!(
        large.as_secs_f64() < 1.5 * small.as_secs_f64(),
        "{large:?} with 1000 tools, {small:?} with 7"
    );
}

#[test]
fn lists_are_not_for_shared_caches() {
    let server = over_http(&[]);
    for method in [
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
        "server/discover",
    ] {
        let response = server.ask(&mirrored(&modern(request(1, method, json!({})), json!({}))));
        let result = &response.message()["result"];
        assert_eq!(result["cacheScope"], "private", "{method}: {result}");
        assert!(result["ttlMs"].is_u64(), "{method}: {result}");
    }
}

/// 10. Whatever is wrong with a message, the answer is JSON-RPC and says what.
#[test]
fn malformed_messages_get_json_rpc_errors() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("nonsense", -32700),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing",
            -32700,
        ),
        (
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            -32700,
        ),
        (
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            -32700,
        ),
        ("7", -32600),
        ("null", -32600),
        ("{}", -32600),
        ("[]", -32600),
        ("[7]", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
            -32600,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
            -32600,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
            -32600,
        ),
    ] {
        let bare = Request::post(body);
        let stateless = bare.clone().with("MCP-Protocol-Version", "2026-07-28");
        for request in [session.sign(bare.clone()), bare, stateless] {
            let response = server.ask(&request);
            assert_eq!(
                response.header("content-type"),
                Some("application/json"),
                "{body}"
            );
            assert_eq!(response.refusal(), (400, code), "{body}");
        }
    }
}

#[test]
fn bad_params_of_a_known_method_are_invalid_params() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    for (method, params) in [
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 7})),
        ("tools/call", json!({"name": "hail", "arguments": []})),
        ("tools/call", json!([])),
        ("tools/list", json!({"cursor": 7})),
        ("resources/read", json!({})),
        ("resources/read", json!({"uri": "no scheme"})),
        ("prompts/get", json!({"name": []})),
    ] {
        let answer = session.ask(&request(1, method, params.clone()));
        assert_eq!(error(&answer).0, -32602, "{method} {params}");
        if params.is_object() {
            let stateless = mirrored(&modern(request(1, method, params.clone()), json!({})));
            assert_eq!(
                server.ask(&stateless).refusal(),
                (400, -32602),
                "{method} {params}"
            );
        }
    }
    for (method, params) in [
        ("logging/setLevel", json!({"level": 7})),
        ("resources/subscribe", json!({})),
    ] {
        assert_eq!(
            error(&session.ask(&request(1, method, params))).0,
            -32602,
            "{method}"
        );
    }
    let unknown: Value = session.ask(&request(1, "tools/dance", json!({})));
    assert_eq!(error(&unknown).0, -32601);
}
