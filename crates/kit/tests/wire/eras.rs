//! One component, clients of every revision over every transport, one test body: a component does not see how it asks.

mod sdk;
mod server;

use std::sync::atomic::Ordering;

use pymcp_kit::testing::message::{error, error_text, text};
use serde_json::{Value, json};

use self::server::{able, accept, traveller, trips};
use crate::support::link::{Transport, Way};
use crate::support::peer::{Asked, Peer};

/// What was asked, in an order that does not depend on the era.
fn questions(peer: &Peer) -> Vec<Asked> {
    let mut asked = peer.asked.clone();
    asked.sort_by_key(|(method, params)| format!("{method} {}", params["message"]));
    asked
}

fn form(message: &str, properties: Value) -> Asked {
    let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    ("elicitation/create".to_owned(), params)
}

fn a_call_with_many_questions_has_one_result(way: Way) {
    let (server, counts) = trips();
    let mut peer = Peer::connect(&server, way, able(), traveller);
    let answer = peer.call("trip", json!({ "to": "Crete" }));
    let expected = "3 days in Crete: O sea! From file:///home/ada to Tent (5).";
    assert_eq!(text(&answer), expected);
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "result": expected })
    );
    let days = json!({ "type": "integer", "minimum": 0, "maximum": 255, "title": "Value" });
    let stars = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
    let house = json!({ "type": "string" });
    let yes = json!({ "type": "boolean", "title": "Value" });
    let line =
        json!({ "role": "user", "content": { "type": "text", "text": "A line about Crete." } });
    let asked = [
        form("How many days?", json!({ "value": days })),
        form("Shall I book it?", json!({ "value": yes })),
        form(
            "Where do you sleep?",
            json!({ "house": house, "stars": stars }),
        ),
        ("roots/list".to_owned(), json!({})),
        (
            "sampling/createMessage".to_owned(),
            json!({ "messages": [line], "maxTokens": 50 }),
        ),
    ];
    assert_eq!(questions(&peer), asked);
    assert_eq!(counts.tickets.load(Ordering::SeqCst), 1);
    // The modern handler ran from its start after each of the three rounds.
    let runs = if way.is_modern() { 4 } else { 1 };
    assert_eq!(counts.runs.load(Ordering::SeqCst), runs);
    // Once more is another trip.
    peer.call("trip", json!({ "to": "Crete" }));
    assert_eq!(counts.tickets.load(Ordering::SeqCst), 2);
}

fn a_user_may_say_no_to_each_question(way: Way) {
    for (nth, action, expected, tickets) in [
        (1, "decline", "No trip.", 0),
        (1, "cancel", "No trip.", 0),
        (
            2,
            "decline",
            "3 days in Crete: O sea! From file:///home/ada to nowhere.",
            1,
        ),
        (3, "cancel", "Not booked.", 1),
    ] {
        let (server, counts) = trips();
        let mut forms = 0;
        let mut peer = Peer::connect(&server, way, able(), move |method, params| {
            forms += usize::from(method == "elicitation/create");
            match method {
                "elicitation/create" if forms == nth => json!({ "action": action }),
                _ => traveller(method, params),
            }
        });
        let answer = peer.call("trip", json!({ "to": "Crete" }));
        assert_eq!(text(&answer), expected, "{action} {nth}");
        assert_eq!(counts.tickets.load(Ordering::SeqCst), tickets);
    }
}

fn an_answer_that_does_not_fit_is_an_error_of_the_tool(way: Way) {
    for content in [
        json!({ "value": 300 }),
        json!({ "value": "many" }),
        json!({}),
    ] {
        let (server, counts) = trips();
        let mut peer = Peer::connect(&server, way, able(), move |_, _| accept(content.clone()));
        let answer = peer.call("trip", json!({ "to": "Crete" }));
        let complaint = error_text(&answer);
        assert!(complaint.starts_with("The answer to the elicitation does not fit"));
        assert_eq!(peer.asked.len(), 1);
        assert_eq!(counts.tickets.load(Ordering::SeqCst), 0);
    }
}

fn a_client_that_cannot_be_asked_is_told_what_it_lacks(way: Way) {
    let some = json!({ "elicitation": {}, "sampling": {} });
    for (capabilities, lacks, tickets) in [
        (json!({}), json!({ "elicitation": { "form": {} } }), 0),
        (
            json!({ "roots": {} }),
            json!({ "elicitation": { "form": {} } }),
            0,
        ),
        (some, json!({ "roots": {} }), 1),
    ] {
        let (server, counts) = trips();
        let mut peer = Peer::connect(&server, way, capabilities, traveller);
        let answer = peer.call("trip", json!({ "to": "Crete" }));
        if way.is_modern() {
            let (code, message) = error(&answer);
            assert_eq!(code, -32021);
            assert!(message.contains("does not support"), "{message}");
            let required = &answer["error"]["data"]["requiredCapabilities"];
            assert_eq!(*required, lacks);
        } else {
            assert!(error_text(&answer).contains("does not support"), "{answer}");
        }
        assert_eq!(counts.tickets.load(Ordering::SeqCst), tickets);
    }
}

fn prompts_and_resources_ask_like_tools(way: Way) {
    let (server, _) = trips();
    let mut peer = Peer::connect(&server, way, able(), traveller);
    let answer = peer.ask(
        "prompts/get",
        json!({ "name": "trip", "arguments": { "to": "Crete" } }),
    );
    let said = &answer["result"]["messages"][0]["content"]["text"];
    assert_eq!(*said, "3 days in Crete");
    for (uri, expected) in [
        ("trip://crete", "3 days in crete"),
        ("trip://to/rome", "3 days in rome"),
    ] {
        let answer = peer.ask("resources/read", json!({ "uri": uri }));
        assert_eq!(
            answer["result"]["contents"][0]["text"], expected,
            "{answer}"
        );
    }
    assert_eq!(peer.asked.len(), 3);
}

macro_rules! ways {
    ($($name:ident: $version:literal over $transport:ident,)*) => {
        $(mod $name {
            use super::*;

            const WAY: Way = Way { version: $version, transport: Transport::$transport };

            ways! { @bodies
                a_call_with_many_questions_has_one_result
                a_user_may_say_no_to_each_question
                an_answer_that_does_not_fit_is_an_error_of_the_tool
                a_client_that_cannot_be_asked_is_told_what_it_lacks
                prompts_and_resources_ask_like_tools
            }
        })*
    };
    (@bodies $($body:ident)*) => {
        $(#[test]
        fn $body() {
            super::$body(WAY);
        })*
    };
}

ways! {
    v2024_11_05_stdio: "2024-11-05" over Stdio,
    v2024_11_05_sse: "2024-11-05" over Sse,
    v2024_11_05_http: "2024-11-05" over Http,
    v2025_03_26_stdio: "2025-03-26" over Stdio,
    v2025_03_26_sse: "2025-03-26" over Sse,
    v2025_03_26_http: "2025-03-26" over Http,
    v2025_06_18_stdio: "2025-06-18" over Stdio,
    v2025_06_18_http: "2025-06-18" over Http,
    v2025_11_25_stdio: "2025-11-25" over Stdio,
    v2025_11_25_http: "2025-11-25" over Http,
    v2026_07_28_stdio: "2026-07-28" over Stdio,
    v2026_07_28_http: "2026-07-28" over Http,
}
