//! For as long as a session or a subscription lasts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::core::Connection;
use pymcp_kit::session::{SessionLimits, Sessions};
use pymcp_kit::{Caller, Principal};
use serde_json::{Value, json};

use super::MEMORY;
use super::hostile::{members, objects};
use super::stage::{Stage, able, is_short, modern, request};

/// URIs that one session or subscription may name.
const URIS: usize = 256;

fn introduction() -> Value {
    json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1.0" },
    })
}

#[test]
fn of_an_introduction() {
    let stage = Stage::new();
    for (shape, hostile) in objects() {
        let text = hostile.to_string();
        let mut all = Vec::new();
        for pointer in [
            "/capabilities/experimental",
            "/capabilities/extensions",
            "/capabilities/tasks",
        ] {
            let mut params = introduction();
            let member = pointer.rsplit('/').next().unwrap();
            params["capabilities"][member] = json!({ "x/y": hostile });
            all.push((pointer, params));
        }
        for (member, value) in [
            ("name", json!(text)),
            ("version", json!(text)),
            ("title", json!(text)),
            ("websiteUrl", hostile.clone()),
            ("icons", json!([hostile])),
        ] {
            let mut params = introduction();
            params["clientInfo"][member] = value;
            all.push((member, params));
        }
        for member in ["_meta", "other"] {
            let mut params = introduction();
            params[member] = hostile.clone();
            all.push((member, params));
        }
        let mut params = introduction();
        params["protocolVersion"] = json!(text);
        all.push(("protocolVersion", params));
        for (member, params) in all {
            let accepted = is_short(&params["capabilities"], &params["clientInfo"]);
            let connection = Connection::new(Principal::ANONYMOUS);
            let what = format!("{shape} as {member}");
            let kept = stage.assert_bounded(&what, &connection, [request("initialize", &params)]);
            let answer = kept.answer.unwrap();
            match accepted {
                true => assert!(answer["result"].is_object(), "{what}: {answer}"),
                false => assert_eq!(answer["error"]["code"], -32602, "{what}"),
            }
            // Of what was said next to nothing is kept.
            assert!(kept.bytes < 8 << 10, "{what}: {} bytes", kept.bytes);
        }
    }
}

#[test]
fn of_subscriptions_of_a_session() {
    let stage = Stage::new();
    for length in [8, 100, 2048] {
        let connection = stage.legacy();
        let uris = (0..URIS + 10).map(|i| json!({ "uri": format!("a:{i:x>0$}", length - 2) }));
        let messages = uris.map(|params| request("resources/subscribe", &params));
        stage.assert_bounded(&format!("URIs of {length} bytes"), &connection, messages);
    }
}

#[test]
fn of_a_subscription() {
    let stage = Stage::new();
    let connection = Connection::stateless(Principal::ANONYMOUS);
    let listen = |notifications: Value| {
        request(
            "subscriptions/listen",
            &modern(json!({ "notifications": notifications }), able()),
        )
    };
    for length in [8, 100, 2048] {
        let uris: Vec<String> = (0..URIS)
            .map(|i| format!("a:{i:x>0$}", length - 2))
            .collect();
        let what = format!("URIs of {length} bytes");
        let kept = stage.assert_bounded(
            &what,
            &connection,
            [listen(json!({ "resourceSubscriptions": uris }))],
        );
        assert!(kept.answer.is_none(), "it goes on");
        let kept = stage.assert_bounded(&what, &connection, [listen(json!({ "taskIds": uris }))]);
        assert!(
            kept.bytes < 32 << 10,
            "nobody has such tasks: {} bytes",
            kept.bytes
        );
    }
    for (shape, hostile) in objects() {
        let mut wanted = hostile.clone();
        wanted["toolsListChanged"] = json!(true);
        stage.assert_bounded(&shape, &connection, [listen(wanted)]);
    }
    let many: Vec<String> = (0..10_000).map(|i| format!("a:{i}")).collect();
    let refused = stage.assert_bounded(
        "many",
        &connection,
        [listen(json!({ "resourceSubscriptions": many }))],
    );
    assert_eq!(refused.answer.unwrap()["error"]["code"], -32602);
}

#[test]
fn of_other_messages_in_a_session() {
    let stage = Stage::new();
    let connection: Arc<Connection> = stage.legacy();
    for (shape, hostile) in objects() {
        for (method, params) in [
            ("ping", hostile.clone()),
            ("tools/list", json!({ "cursor": hostile.to_string() })),
            ("tools/list", json!({ "_meta": hostile })),
            (
                "logging/setLevel",
                json!({ "level": "error", "other": hostile }),
            ),
            ("tools/call", json!({ "name": hostile.to_string() })),
            (
                "resources/unsubscribe",
                json!({ "uri": format!("a:{}", members(100).to_string().len()), "_meta": hostile }),
            ),
        ] {
            let kept = stage.assert_bounded(
                &format!("{shape} in {method}"),
                &connection,
                [request(method, &params)],
            );
            assert!(kept.bytes < 8 << 10, "{method}: {} bytes", kept.bytes);
        }
        for method in [
            "notifications/cancelled",
            "notifications/progress",
            "no/such",
        ] {
            let message =
                json!({ "jsonrpc": "2.0", "method": method, "params": hostile }).to_string();
            stage.assert_bounded(&format!("{shape} in {method}"), &connection, [message]);
        }
    }
}

/// Sessions over HTTP are in their ids: of ten thousand that idle next to nothing is kept.
#[test]
fn of_many_sealed_sessions() {
    const MANY: usize = 10_000;
    let stage = Stage::new();
    let clock = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let _clock = clock.enter();
    let later = || clock.block_on(tokio::time::advance(Duration::from_secs(2)));
    let sessions = Sessions::new(SessionLimits::default(), Arc::clone(stage.server.keys()));
    let address = IpAddr::from([192, 0, 2, 1]);
    let serve = |id: &str, opener: &Caller| {
        let found = sessions.get(id, &Principal::ANONYMOUS, opener, address);
        found.unwrap().unwrap().restored
    };
    // Each of somebody else, and used, as clients do.
    let open = || {
        let connection = stage.legacy();
        let (peer, opener) = (connection.peer().unwrap(), connection.caller().clone());
        let id = sessions.open_sealed(connection, &peer, &opener).unwrap();
        assert!(!serve(id.as_str(), &opener));
        (id.to_string(), opener)
    };
    let (first, opener) = open();
    let before = MEMORY.allocated();
    for _ in 1..MANY {
        open();
    }
    assert_eq!(sessions.len(), MANY, "all of them were used a moment ago");
    later();
    sessions.sweep();
    stage.server.sweep();
    let kept = MEMORY.allocated().saturating_sub(before);
    assert_eq!(sessions.len(), SessionLimits::default().remembered);
    assert!(kept <= 2 << 20, "{kept} bytes");
    assert!(serve(&first, &opener), "forgotten, and served all the same");
}
