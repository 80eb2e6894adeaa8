//! Requests to the client, and the ids of those that wait for them.

use pymcp_kit::testing::message::{
    answer, asks_user, call, error, error_text, notification, request, text,
};
use serde_json::{Value, json};

use super::{ask_user, assert_ends, connected};

fn width(value: Value) -> Value {
    json!({ "action": "accept", "content": { "value": value } })
}

#[test]
fn an_id_in_flight_cannot_be_used_twice() {
    let mut server = connected("2025-11-25", asks_user());
    let question = ask_user(&mut server, json!(7));
    for duplicate in [
        call(7, "measure", json!({ "at": 1.0 })),
        request(7, "ping", json!({})),
    ] {
        server.send(&duplicate);
        let reply = server.recv().value;
        assert_eq!(
            (&reply["id"], error(&reply).0),
            (&json!(7), -32600),
            "{reply}"
        );
    }
    // The text "7" is another id than the number.
    let other = ask_user(&mut server, json!("7"));
    for (question, id) in [(question, json!(7)), (other, json!("7"))] {
        server.send(&answer(&question, width(json!(2.0))));
        assert_eq!(server.recv().value["params"]["level"], "warning");
        let reply = server.recv().value;
        assert_eq!(reply["id"], id);
        assert!(
            reply["result"]["structuredContent"]["result"].is_f64(),
            "{reply}"
        );
    }
    // It is free again.
    ask_user(&mut server, json!(7));
}

#[test]
fn a_cancelled_question_is_never_answered_and_the_server_lives_on() {
    let mut server = connected("2025-11-25", asks_user());
    let question = ask_user(&mut server, json!(2));
    server.send(&notification(
        "notifications/cancelled",
        json!({ "requestId": 2, "reason": "gone" }),
    ));
    server.assert_silent();
    server.send(&answer(&question, width(json!(2.0))));
    server.assert_silent();
    // Cancelling what is not there is nothing to talk about.
    for params in [
        json!({ "requestId": 2 }),
        json!({ "requestId": null }),
        json!({}),
    ] {
        server.send(&notification("notifications/cancelled", params));
    }
    server.assert_silent();
    // Another id: that of a request is taken until nothing is left of it.
    ask_user(&mut server, json!(3));
    server.assert_silent();
}

#[test]
fn the_user_and_the_model_can_be_asked() {
    for version in ["2025-06-18", "2025-11-25"] {
        let mut server = connected(version, json!({ "elicitation": {}, "sampling": {} }));
        let question = ask_user(&mut server, json!(2));
        assert_eq!(
            question["params"]["requestedSchema"]["properties"]["value"]["type"],
            "number"
        );
        server.send(&answer(&question, width(json!("2.5"))));
        assert_eq!(server.recv().value["params"]["data"], "Received width: 2.5");
        let drawn = server.recv().value["result"]["structuredContent"]["result"]
            .as_f64()
            .unwrap();
        assert!((0.0..std::f64::consts::TAU).contains(&drawn));

        let question = ask_user(&mut server, json!(3));
        server.send(&answer(&question, json!({ "action": "cancel" })));
        assert_eq!(server.recv().value["params"]["level"], "warning");
        assert_eq!(error_text(&server.recv().value), "Cancelled by the user.");

        server.send(&call(4, "summarize", json!({ "text": "The sea is wide." })));
        assert_eq!(server.recv().value["method"], "notifications/message");
        let question = server.recv().value;
        assert_eq!(question["method"], "sampling/createMessage");
        assert_eq!(
            question["params"]["messages"][0]["content"]["text"],
            "The sea is wide."
        );
        let said = json!({ "type": "text", "text": "Arr, wide she be!" });
        server.send(&answer(
            &question,
            json!({ "role": "assistant", "model": "m", "content": said }),
        ));
        assert_eq!(text(&server.recv().value), "Arr, wide she be!");

        server.send(&call(6, "summarize", json!({ "text": "The sea is wide." })));
        server.recv();
        let question = server.recv().value;
        let parts = json!([{ "type": "text", "text": "Arr" }, { "type": "text", "text": "matey" }]);
        server.send(&answer(
            &question,
            json!({ "role": "assistant", "model": "m", "content": parts }),
        ));
        let said = server.recv().value;
        assert_eq!(text(&said), "Arr\nmatey", "{version}");

        server.send(&call(5, "summarize", json!({ "text": "The sea is wide." })));
        server.recv();
        let question = server.recv().value;
        let refusal = json!({ "code": -1, "message": "User rejected sampling request" });
        server.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "error": refusal }));
        assert!(error_text(&server.recv().value).contains("User rejected"));
        assert_ends(server);
    }
}
