//! What each era may do on a connection.

use pymcp_kit::testing::message::{call, error, modern, notification, request, text};
use pymcp_kit::testing::raw::StdioServer;
use serde_json::{Value, json};

use super::{assert_ends, connected};
use crate::support::over_stdio;

#[test]
fn both_eras_are_served_on_one_connection() {
    let mut server = over_stdio();
    let list = || modern(request("new", "tools/list", json!({})), json!({}));
    server.send(&list());
    assert_eq!(server.recv().value["result"]["resultType"], "complete");
    // The modern request was no handshake.
    server.send(&request("old", "tools/list", json!({})));
    assert_eq!(error(&server.recv().value).0, -32600);
    server.initialize("2025-11-25", &json!({})).unwrap();
    server.send(&request("old", "tools/list", json!({})));
    server.send(&list());
    let (old, new) = (server.recv().value, server.recv().value);
    assert_eq!((&old["id"], &new["id"]), (&json!("old"), &json!("new")));
    assert_eq!(old["result"].get("resultType"), None, "{old}");
    assert_eq!(new["result"]["resultType"], "complete");
    server.send(&modern(request(3, "server/discover", json!({})), json!({})));
    let versions = server.recv().value["result"]["supportedVersions"].clone();
    let all = json!([
        "2026-07-28",
        "2025-11-25",
        "2025-06-18",
        "2025-03-26",
        "2024-11-05"
    ]);
    assert_eq!(versions, all);
    assert_ends(server);
}

/// A modern server sends no requests: what needs an answer says so, by capability or in words.
#[test]
fn a_modern_request_that_needs_an_answer_ends_with_its_question() {
    let mut server = over_stdio();
    for (tool, arguments, capability) in [
        ("measure", json!({ "at": 1.0 }), "elicitation"),
        ("summarize", json!({ "text": "x" }), "sampling"),
    ] {
        let with = |capabilities| modern(call(1, tool, arguments.clone()), capabilities);
        server.send(&with(json!({})));
        let reply = server.recv().value;
        assert_eq!(error(&reply).0, -32021, "{reply}");
        assert!(
            reply["error"]["data"]["requiredCapabilities"][capability].is_object(),
            "{reply}"
        );
        server.send(&with(json!({ capability: {} })));
        let reply = server.recv().value;
        let result = &reply["result"];
        assert_eq!(result["resultType"], "input_required", "{reply}");
        assert!(result["requestState"].is_string(), "{reply}");
        let asked = result["inputRequests"].as_object().unwrap();
        assert_eq!(asked.len(), 1, "{reply}");
        assert!(
            asked.values().all(|question| question["method"]
                .as_str()
                .is_some_and(|method| method.starts_with(capability))),
            "{reply}"
        );
    }
    server.assert_silent();
    assert_ends(server);
}

#[test]
fn a_legacy_client_chooses_the_level_of_its_logs() {
    let mut server = connected("2025-11-25", json!({}));
    // Names of one's own, because a cached answer logs nothing.
    let hail = |server: &mut StdioServer, name: &str| {
        server.send(&call(2, "hail", json!({ "name": name })));
        let first = server.recv().value;
        match first["method"].as_str() {
            Some(_) => {
                assert_eq!(server.recv().value["id"], 2);
                first["params"]["level"].as_str().map(str::to_owned)
            }
            None => None,
        }
    };
    assert_eq!(hail(&mut server, "one").as_deref(), Some("info"));
    for (level, name, heard) in [
        ("warning", "two", None),
        ("warning", "", Some("warning")),
        ("emergency", " ", None),
        ("debug", "three", Some("info")),
    ] {
        server.send(&request(3, "logging/setLevel", json!({ "level": level })));
        assert_eq!(server.recv().value["result"], json!({}));
        assert_eq!(
            hail(&mut server, name).as_deref(),
            heard,
            "{level} {name:?}"
        );
    }
    server.send(&request(4, "logging/setLevel", json!({ "level": "loud" })));
    assert_eq!(error(&server.recv().value).0, -32602);
    assert_ends(server);
}

#[test]
fn a_modern_client_hears_logs_only_as_each_request_asks() {
    let mut server = over_stdio();
    for (level, name, heard) in [
        (None, "one", false),
        (Some("info"), "two", true),
        (Some("warning"), "three", false),
        (Some("warning"), "", true),
        (None, " ", false),
    ] {
        let mut hail = modern(call(name, "hail", json!({ "name": name })), json!({}));
        if let Some(level) = level {
            hail["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        server.send(&hail);
        let mut reply = server.recv().value;
        assert_eq!(
            reply["method"] == "notifications/message",
            heard,
            "{level:?} {name:?}"
        );
        if heard {
            reply = server.recv().value;
        }
        assert_eq!(reply["id"], name);
    }
    assert_ends(server);
}

#[test]
fn batches_are_served_in_the_one_revision_that_has_them() {
    let batch = json!([
        request(1, "ping", json!({})),
        notification("notifications/cancelled", json!({ "requestId": 99 })),
        call("two", "factorial", json!({ "n": 5 })),
        request(3, "no/such", json!({})),
        { "jsonrpc": "2.0", "id": 4 },
        call(5, "hail", json!({ "name": "Ada" })),
    ]);
    let mut server = connected("2025-03-26", json!({}));
    server.send(&batch);
    let mut notified = 0;
    let answers = loop {
        match server.recv().value {
            Value::Array(answers) => break answers,
            _ => notified += 1,
        }
    };
    assert_eq!(notified, 1, "the hail logs");
    let by_id = |id: Value| {
        let mut found = answers.iter().filter(|answer| answer["id"] == id);
        (
            found.next().unwrap_or_else(|| panic!("{id}: {answers:?}")),
            assert!(found.next().is_none()),
        )
            .0
    };
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(by_id(json!(1))["result"], json!({}));
    assert_eq!(text(by_id(json!("two"))), "120");
    assert_eq!(error(by_id(json!(3))).0, -32601);
    assert_eq!(error(by_id(json!(4))).0, -32600);
    assert!(text(by_id(json!(5))).starts_with("Ahoy, Ada!"));
    // Of notifications alone nothing comes back.
    server.send(&json!([notification(
        "notifications/initialized",
        json!({})
    )]));
    server.assert_silent();
    assert_ends(server);

    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut server = connected(version, json!({}));
        server.send(&batch);
        let reply = server.recv().value;
        assert_eq!(
            (error(&reply).0, &reply["id"]),
            (-32600, &Value::Null),
            "{version}"
        );
        server.assert_silent();
    }
}
