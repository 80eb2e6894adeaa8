//! Messages of the wire.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::wire::{self, Body, Id, Message, Outcome, WireLimits};
use pymcp_kit::{Ctx, Error, Principal, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Peer, any_digits, any_json};

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

// A server for all cases, which run in one thread.
thread_local! {
    static SAYING: Rc<Peer> = Rc::new(Peer::of_tool(Tool::new("t", say)));
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
                Ok(body) => match peer.server.receive(&connection, &Permit::unrestricted(), body).into_exchange() {
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
}
