//! Any bytes as a message. What is accepted is read a second time, into a tree, and the two
//! readings have to agree; what is refused is refused as JSON-RPC says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pymcp_kit::wire::{self, Body, Code, Id, Malformed, Message, Outcome, WireLimits};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    let default = read(bytes, &WireLimits::default());
    let tiny = WireLimits {
        message_bytes: 512,
        depth: 3,
        nodes: 12,
        batch: 2,
        id_bytes: 8,
        method_bytes: 12,
    };
    if let Ok(Body::Single(message)) = read(bytes, &tiny)
        && is_accepted(&message)
    {
        assert_eq!(
            default,
            Ok(Body::Single(message)),
            "wider limits read it differently"
        );
    }
});

/// Whether it is more than an id whose owner is told what is wrong, which other limits may find something else to be.
fn is_accepted(message: &Message<'_>) -> bool {
    let Message::Response(response) = message else {
        return true;
    };
    !matches!(
        response.outcome,
        Outcome::Malformed(_) | Outcome::Missing(_)
    )
}

fn read<'a>(bytes: &'a [u8], limits: &WireLimits) -> Result<Body<'a>, Malformed> {
    let body = wire::parse(bytes, limits);
    match &body {
        Err(refused) => check_refusal(refused),
        Ok(Body::Single(message)) => {
            assert!(bytes.len() <= limits.message_bytes);
            check_message(message, std::str::from_utf8(bytes).unwrap(), limits);
        }
        Ok(Body::Batch(members)) => {
            let texts: Vec<&RawValue> = serde_json::from_slice(bytes).unwrap();
            assert!((1..=limits.batch).contains(&members.len()) && texts.len() == members.len());
            for (member, text) in members.iter().zip(texts) {
                match member {
                    Ok(message) => check_message(message, text.get(), limits),
                    Err(refused) => check_refusal(refused),
                }
            }
        }
    }
    body
}

fn check_refusal(refused: &Malformed) {
    assert!(
        [Code::PARSE, Code::INVALID_REQUEST].contains(&refused.error.code),
        "{refused:?}"
    );
    let answer: Value =
        serde_json::from_slice(&wire::error(refused.id.as_ref(), &refused.error)).unwrap();
    assert_eq!(answer["error"]["code"], refused.error.code.0);
    assert_eq!(answer["id"].is_null(), refused.id.is_none());
}

fn check_message(message: &Message<'_>, text: &str, limits: &WireLimits) {
    match message {
        Message::Request(request) => {
            check_id(&request.id, text, limits);
            check_method(&request.method, limits);
            request
                .params
                .iter()
                .for_each(|params| check_part(params, limits));
        }
        Message::Notification(notification) => {
            check_method(&notification.method, limits);
            notification
                .params
                .iter()
                .for_each(|params| check_part(params, limits));
        }
        Message::Response(response) => {
            // What names it twice has one of the two.
            if let Some(id) = response.id.as_ref().filter(|_| is_accepted(message)) {
                check_id(id, text, limits);
            }
            match &response.outcome {
                Outcome::Result(part) | Outcome::Error(part) => check_part(part, limits),
                Outcome::Malformed(error) | Outcome::Missing(error) => {
                    let refused = Malformed {
                        id: None,
                        error: error.clone(),
                    };
                    check_refusal(&refused);
                }
            }
        }
    }
}

fn check_method(method: &str, limits: &WireLimits) {
    assert!(method.len() <= limits.method_bytes);
}

/// The answer carries the id that was sent: a number digit for digit, a string character for
/// character.
fn check_id(id: &Id, message: &str, limits: &WireLimits) {
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let answer = wire::result(id, b"{}");
    let echoed: Identified<'_> = serde_json::from_slice(&answer).unwrap();
    let sent: Identified<'_> = serde_json::from_str(message).unwrap();
    assert!(sent.id.get().len() <= limits.id_bytes);
    match sent.id.get().starts_with('"') {
        true => {
            let string = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap();
            assert_eq!(string(echoed.id), string(sent.id));
        }
        false => assert_eq!(echoed.id.get(), sent.id.get()),
    }
}

/// A part that was accepted as text is, once it is a tree, what the limits promise.
fn check_part(text: &str, limits: &WireLimits) {
    let tree: Value = serde_json::from_str(text).unwrap();
    let size = Size::of(&tree);
    assert!(size.depth <= limits.depth, "{} levels", size.depth);
    assert!(size.nodes <= limits.nodes, "{} values", size.nodes);
    // A tree keeps one of two members of the same name, the text has both.
    assert_eq!(size.members, members_in(text), "a member was lost");
}

#[derive(Default)]
struct Size {
    depth: usize,
    nodes: usize,
    members: usize,
}

impl Size {
    fn of(tree: &Value) -> Self {
        let (children, members): (Vec<&Value>, _) = match tree {
            Value::Array(items) => (items.iter().collect(), 0),
            Value::Object(object) => (object.values().collect(), object.len()),
            _ => {
                return Self {
                    nodes: 1,
                    ..Self::default()
                };
            }
        };
        children.into_iter().map(Self::of).fold(
            Self {
                depth: 1,
                nodes: 1,
                members,
            },
            |sum, child| Self {
                depth: sum.depth.max(child.depth + 1),
                nodes: sum.nodes + child.nodes,
                members: sum.members + child.members,
            },
        )
    }
}

/// How many members all objects of a JSON text have: each has one colon outside of strings.
fn members_in(text: &str) -> usize {
    let (mut members, mut quoted, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b':' if !quoted => members += 1,
            _ => {}
        }
    }
    members
}
