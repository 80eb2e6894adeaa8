//! What holds for every input, tried with many: identities of the wire format, of arguments, of
//! URI variables and of cache keys, all through what the crate offers to others.

#![allow(clippy::unwrap_used)]

mod components;
mod messages;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::{CacheConfig, Principal, Server, Tool};
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
        let mut exchange = match self
            .server
            .receive(&self.connection, &Permit::unrestricted(), body)
            .into_exchange()
        {
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

/// An integer as it is written, up to so many digits.
fn any_digits(max: usize) -> impl Strategy<Value = String> {
    let long = proptest::string::string_regex(&format!("-?[1-9][0-9]{{0,{}}}", max - 1)).unwrap();
    prop_oneof![any::<i64>().prop_map(|n| n.to_string()), long]
}
