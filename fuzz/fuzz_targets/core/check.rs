//! What the server sends has the shape that JSON-RPC and MCP give it.

use pymcp_kit::core::Answer;
use pymcp_kit::wire::Id;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A message that is no answer.
pub enum Said {
    /// A request to the client, of this id.
    Question(u64),
    Progress(f64),
    Other,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    result: Option<Map<String, Value>>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    code: i32,
    message: String,
    #[serde(rename = "data")]
    _data: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    jsonrpc: &'a str,
    id: Option<u64>,
    method: &'a str,
    params: Map<String, Value>,
}

/// An answer that is owed.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// The id that it is under; `None` for what could not be read.
    pub id: Option<Id>,
    /// Whether it may as well be under none: the id may be one of the server's own.
    pub or_none: bool,
}

impl Owed {
    pub fn to(id: Option<Id>) -> Self {
        Self { id, or_none: false }
    }
}

/// One answer, or the array of a batch: takes each out of those that are owed.
pub fn answer(answer: &Answer, owed: &mut Vec<Owed>) {
    let responses: Vec<Response<'_>> = match answer.body.first() {
        Some(b'[') => serde_json::from_slice(&answer.body).unwrap(),
        _ => vec![serde_json::from_slice(&answer.body).unwrap()],
    };
    assert!(!responses.is_empty());
    for response in responses {
        assert_eq!(response.jsonrpc, "2.0");
        assert_ne!(response.result.is_some(), response.error.is_some());
        if let Some(error) = &response.error {
            assert!((-32768..=-31000).contains(&error.code) && !error.message.is_empty());
        }
        if let Some(code) = answer.error {
            assert_eq!(response.error.map(|error| error.code), Some(code.0));
        }
        let id = response.id.get();
        let same = |owed: &Owed| owed.id.as_ref().map_or("null", Id::as_json) == id;
        let other = |owed: &Owed| owed.or_none && id == "null";
        let at = owed
            .iter()
            .position(same)
            .or_else(|| owed.iter().position(other))
            .expect("an answer to nothing, or a second one");
        owed.swap_remove(at);
    }
}

/// A notification or a request to the client.
pub fn message(text: &[u8]) -> Said {
    let message: Message<'_> = serde_json::from_slice(text).unwrap();
    assert_eq!(message.jsonrpc, "2.0");
    match (message.method, message.id) {
        ("elicitation/create" | "sampling/createMessage", Some(id)) => Said::Question(id),
        ("notifications/progress", None) => {
            Said::Progress(message.params["progress"].as_f64().unwrap())
        }
        ("notifications/message" | "notifications/resources/updated", None) => Said::Other,
        (method, id) => panic!("{method} with id {id:?}"),
    }
}
