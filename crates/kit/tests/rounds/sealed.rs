//! A state counts once, within its time, for the call it was made for; anything else never runs the component.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pymcp_kit::core::CallLimits;
use pymcp_kit::store::{MemoryNonces, NonceStore, StoreError, StoreFuture};
use pymcp_kit::{Caller, KeyRing, Principal};
use serde_json::{Value, json};

use super::stage::{Stage, accept, again, asked, state, tea, text};

fn five() -> Value {
    json!({ "amount": accept(5) })
}

#[test]
fn an_honest_client_gets_its_order_and_pays_once() {
    let stage = Stage::new();
    let first = stage.call(tea());
    assert_eq!(asked(&first), ["amount"]);
    let second = stage.call(again(tea(), state(&first), five()));
    assert_eq!(asked(&second), ["wrap"]);
    // The arguments are the same, however they are written.
    let spelled = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"inputResponses":{"wrap":{"action":"accept","content":{"value":true}}},"requestState":"STATE", "arguments": {"\u0069tem" : "t\u0065a"},"name":"ord\u0065r"}}"#;
    let third = stage.send(&spelled.replace("STATE", &state(&second)));
    assert_eq!(text(&third), ("5 tea, wrapped", false));
    assert_eq!(stage.runs(), 3);
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 1);
}

#[test]
fn a_tampered_state() {
    let stage = Stage::new();
    let genuine = stage.ordered();
    for at in 0..genuine.len() {
        let mut forged = genuine.clone().into_bytes();
        forged[at] = match forged[at] {
            b'A' => b'B',
            _ => b'A',
        };
        let forged = String::from_utf8(forged).unwrap();
        stage.refuses("tools/call", again(tea(), forged, five()));
        stage.refuses("tools/call", again(tea(), &genuine[..at], five()));
    }
    for suffix in [".", "=", "A", " ", "\n", ".AAAA", "\u{0}"] {
        stage.refuses(
            "tools/call",
            again(tea(), format!("{genuine}{suffix}"), five()),
        );
    }
    // Nothing of that has used it up.
    assert_eq!(asked(&stage.call(again(tea(), genuine, five()))), ["wrap"]);
}

#[test]
fn a_replayed_state() {
    let stage = Stage::new();
    let first = stage.ordered();
    let second = state(&stage.call(again(tea(), &*first, five())));
    stage.refuses("tools/call", again(tea(), &*first, five()));
    stage.refuses(
        "tools/call",
        again(tea(), &*first, json!({ "amount": accept(1) })),
    );
    let done = stage.call(again(tea(), &*second, json!({ "wrap": accept(false) })));
    assert_eq!(text(&done), ("5 tea, as it is", false));
    for used in [first, second] {
        stage.refuses("tools/call", again(tea(), used, json!({})));
    }
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 1);
}

#[test]
fn of_many_at_the_same_time_one_gets_through() {
    let stage = Stage::new();
    let state = stage.ordered();
    let before = stage.runs();
    let answers: Vec<Value> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| stage.call(again(tea(), &*state, five()))))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let through = answers.iter().filter(|answer| answer["result"].is_object());
    assert_eq!(through.count(), 1, "{answers:?}");
    assert_eq!(stage.runs(), before + 1);
}

#[test]
fn an_expired_state() {
    let stage = Stage::of("test", |builder| {
        builder.call_limits(CallLimits {
            ask_timeout: Duration::ZERO,
            ..CallLimits::default()
        })
    });
    let state = stage.ordered();
    // It is good until the end of the millisecond; nothing but time brings that about.
    thread::sleep(Duration::from_millis(2));
    stage.refuses("tools/call", again(tea(), state, five()));
}

#[test]
fn the_state_of_another_principal() {
    let stage = Stage::new();
    let principal = Principal::authenticated;
    let everybody = [
        Principal::ANONYMOUS,
        principal("alice"),
        principal("bob"),
        principal(""),
        principal("\u{0}"),
        principal("alice\u{0}"),
    ];
    for owner in &everybody {
        let owned = stage.seen_by(owner.clone());
        let state = owned.ordered();
        for other in everybody.iter().filter(|other| *other != owner) {
            let stolen = again(tea(), &*state, five());
            stage.seen_by(other.clone()).refuses("tools/call", stolen);
        }
        // It is the principal that counts, not the connection.
        let elsewhere = stage.seen_by(owner.clone());
        assert_eq!(
            asked(&elsewhere.call(again(tea(), state, five()))),
            ["wrap"]
        );
    }
}

#[test]
fn the_state_of_another_tool_or_method_or_other_arguments() {
    let stage = Stage::new();
    let places = [
        ("tools/call", tea()),
        (
            "tools/call",
            json!({ "name": "reorder", "arguments": { "item": "tea" } }),
        ),
        (
            "tools/call",
            json!({ "name": "order", "arguments": { "item": "te" } }),
        ),
        (
            "tools/call",
            json!({ "name": "order", "arguments": { "item": "tea", "x": 1 } }),
        ),
        ("tools/call", json!({ "name": "silent" })),
        ("tools/call", json!({ "name": "silent", "arguments": {} })),
        ("prompts/get", tea()),
        ("resources/read", json!({ "uri": "data://order" })),
    ];
    for (i, (method, params)) in places.iter().enumerate() {
        let first = stage.request(method, params.clone());
        if params["name"] == "silent" {
            assert_eq!(text(&first), ("done", false));
            continue;
        }
        for (_, (other, elsewhere)) in places.iter().enumerate().filter(|(j, _)| i != *j) {
            stage.refuses(other, again(elsewhere.clone(), state(&first), five()));
        }
        let next = stage.request(method, again(params.clone(), state(&first), five()));
        assert_eq!(asked(&next), ["wrap"]);
    }
}

#[test]
fn the_state_of_another_server() {
    let ring = |name: &str, byte| (name.to_owned(), vec![byte; 32]);
    let keyed = |name, keys: &[(String, Vec<u8>)]| {
        let keys = KeyRing::new(keys.to_vec()).unwrap();
        Stage::of(name, |builder| builder.keys(keys))
    };
    let ours = keyed("test", &[ring("a", 1)]);
    for other in [
        Stage::new(),
        keyed("test", &[ring("a", 2)]),
        keyed("test", &[ring("b", 1)]),
        keyed("another", &[ring("a", 1)]),
    ] {
        ours.refuses("tools/call", again(tea(), other.ordered(), five()));
        other.refuses("tools/call", again(tea(), ours.ordered(), five()));
    }
    // A replica, and one whose key was replaced meanwhile.
    for replica in [
        keyed("test", &[ring("a", 1)]),
        keyed("test", &[ring("b", 2), ring("a", 1)]),
    ] {
        let next = replica.call(again(tea(), ours.ordered(), five()));
        assert_eq!(asked(&next), ["wrap"]);
    }
}

#[test]
fn something_else_that_the_server_has_signed() {
    let stage = Stage::of("test", |builder| builder.page_size(1));
    let page = stage.request("tools/list", json!({}));
    let cursor = page["result"]["nextCursor"].as_str().unwrap();
    stage.refuses("tools/call", again(tea(), cursor, five()));
    let cursor = json!({ "cursor": stage.ordered() });
    let answer = stage.request("tools/list", cursor);
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn garbage() {
    let stage = Stage::new();
    let huge = "A".repeat(900 << 10);
    let dots = ".".repeat(100_000);
    for garbage in [
        "",
        " ",
        "null",
        "{}",
        "rs1",
        "rs2",
        "rs2...",
        "rs2....",
        "rs2.Z2VuZXJhdGVk.AAAAAAAAAAA.AAAA",
        "rs1.AAAAAAAAAAB7fQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "rs2.\u{0}.\u{fffd}.\u{1f4a9}",
        &huge,
        &format!("rs2.Z2VuZXJhdGVk.{huge}.AAAA"),
        &dots,
    ] {
        for call in [tea(), json!({ "name": "silent" })] {
            stage.refuses("tools/call", again(call, garbage, five()));
        }
        stage.refuses("prompts/get", again(tea(), garbage, json!({})));
        let uri = json!({ "uri": "data://order" });
        stage.refuses("resources/read", again(uri, garbage, json!({})));
    }
    for wrong in [json!(7), json!(true), json!([]), json!({ "state": "x" })] {
        let answer = stage.call(again(tea(), wrong, five()));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(stage.runs(), 0);
    assert_eq!(
        asked(&stage.call(again(tea(), Value::Null, json!({})))),
        ["amount"]
    );
}

#[test]
fn a_client_that_cannot_be_asked_has_no_state_either() {
    let stage = Stage::new();
    let (state, before) = (stage.ordered(), stage.runs());
    let message = |state: &str| {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"silent","requestState":"{state}",{meta}}}}}"#
        )
    };
    for state in [&*state, "x"] {
        let answer = stage.send(&message(state));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(stage.runs(), before);
}

/// A store that says how much it was told to remember.
#[derive(Default)]
struct Counting(MemoryNonces, Arc<AtomicUsize>);

impl NonceStore for Counting {
    fn claim<'a>(&'a self, by: &'a Caller, nonce: u128, ttl: Duration) -> StoreFuture<'a, bool> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.claim(by, nonce, ttl)
    }

    fn is_used<'a>(&'a self, owner: &'a Principal, nonce: u128) -> StoreFuture<'a, bool> {
        self.0.is_used(owner, nonce)
    }
}

#[test]
fn a_round_in_which_nothing_was_answered_is_not_remembered() {
    let store = Counting::default();
    let claims = Arc::clone(&store.1);
    let stage = Stage::of("test", |builder| builder.nonce_store(store));
    let first = stage.ordered();
    for answers in [
        json!({}),
        json!({ "wrap": accept(true) }),
        json!({ "never": 1 }),
    ] {
        let round = stage.call(again(tea(), &*first, answers));
        assert_eq!(asked(&round), ["amount"]);
    }
    assert_eq!(claims.load(Ordering::SeqCst), 0);
    // It counts once even so, and then not even for nothing.
    let second = stage.call(again(tea(), &*first, five()));
    assert_eq!(asked(&second), ["wrap"]);
    for answers in [five(), json!({})] {
        stage.refuses("tools/call", again(tea(), &*first, answers));
    }
    // What holds an answer could be gone on from as often as it is used: that is remembered.
    let second = state(&second);
    let claimed = claims.load(Ordering::SeqCst);
    let third = stage.call(again(tea(), &*second, json!({})));
    assert_eq!(asked(&third), ["wrap"]);
    assert_eq!(claims.load(Ordering::SeqCst), claimed + 1);
    stage.refuses(
        "tools/call",
        again(tea(), second, json!({ "wrap": accept(true) })),
    );
    let wrap = json!({ "wrap": accept(true) });
    let done = stage.call(again(tea(), state(&third), wrap));
    assert_eq!(text(&done), ("5 tea, wrapped", false));
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 1);
}

/// Nothing was used up, so the client loses nothing: neither its answers nor what was done already.
#[test]
fn after_a_store_that_could_not_tell_the_same_state_is_still_good() {
    struct Away(StoreError, Arc<AtomicBool>);
    impl NonceStore for Away {
        fn claim<'a>(&'a self, _: &'a Caller, _: u128, _: Duration) -> StoreFuture<'a, bool> {
            let away = self.1.load(Ordering::SeqCst);
            Box::pin(ready(if away { Err(self.0) } else { Ok(true) }))
        }

        fn is_used<'a>(&'a self, _: &'a Principal, _: u128) -> StoreFuture<'a, bool> {
            let away = self.1.load(Ordering::SeqCst);
            Box::pin(ready(if away { Err(self.0) } else { Ok(false) }))
        }
    }
    for error in [StoreError::Full, StoreError::Unavailable] {
        let away = Arc::<AtomicBool>::default();
        let store = Away(error, Arc::clone(&away));
        let stage = Stage::of("test", |builder| builder.nonce_store(store));
        let next = stage.call(again(tea(), stage.ordered(), five()));
        let (state, before) = (state(&next), stage.runs());
        let retry = || again(tea(), &*state, json!({ "wrap": accept(true) }));
        away.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            let answer = stage.call(retry());
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains("same call again"), "{message}");
            assert_eq!(stage.runs(), before);
        }
        away.store(false, Ordering::SeqCst);
        assert_eq!(text(&stage.call(retry())), ("5 tea, wrapped", false));
        assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 1);
    }
}
