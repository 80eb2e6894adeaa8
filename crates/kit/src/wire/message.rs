//! The JSON-RPC envelope: what kind of message it is, its id and method; the rest stays text.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{Code, RpcError};
use super::id::Id;
use super::limits::WireLimits;
use super::scan::{Budget, Flaw, Key, Node};

/// A request: it is owed exactly one answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Echoed in the answer.
    pub id: Id,
    /// The method as it came.
    pub method: Cow<'a, str>,
    /// The `params` as JSON text, within the limits; absent when the member is.
    pub params: Option<&'a str>,
}

/// A notification: never answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The method as it came.
    pub method: Cow<'a, str>,
    /// The `params` as JSON text, within the limits.
    pub params: Option<&'a str>,
}

/// The client's answer to a request of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The id we gave.
    pub id: Id,
    /// `Ok`: the `result`; `Err`: the `error`; both as JSON text, within the limits.
    pub outcome: Result<&'a str, &'a str>,
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notification<'a>),
    /// Is one.
    Response(Response<'a>),
}

/// A message that cannot be served, with the id when that much was readable.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    /// The id to answer under; `None` when it could not be read.
    pub id: Option<Id>,
    /// What is wrong with it.
    pub error: RpcError,
}

/// What one body or line holds.
#[derive(Debug, PartialEq)]
pub enum Body<'a> {
    /// One message.
    Single(Message<'a>),
    /// A batch, 1 to [`WireLimits::batch`] long. Only 2025-03-26 has them: the caller checks.
    Batch(Vec<Result<Message<'a>, Malformed>>),
}

/// Reads one body or line.
///
/// # Errors
/// [`Code::PARSE`] when the text is not JSON, [`Code::INVALID_REQUEST`] when it is JSON but not
/// JSON-RPC or outside `limits`.
pub fn parse<'a>(text: &'a [u8], limits: &WireLimits) -> Result<Body<'a>, Malformed> {
    if text.len() > limits.message_bytes {
        return Err(malformed(
            None,
            RpcError::invalid_request(format!(
                "The message is larger than the {} bytes allowed.",
                limits.message_bytes
            )),
        ));
    }
    let text = std::str::from_utf8(text).map_err(|_| {
        malformed(
            None,
            RpcError::new(Code::PARSE, "The message is not valid UTF-8."),
        )
    })?;
    let mut budget = Budget::new(limits);
    match text.trim_start().as_bytes().first() {
        Some(b'[') => batch(text, limits, &mut budget),
        _ => single(text, limits, &mut budget).map(Body::Single),
    }
}

fn batch<'a>(
    text: &'a str,
    limits: &WireLimits,
    budget: &mut Budget<'a>,
) -> Result<Body<'a>, Malformed> {
    // One pass that builds nothing, so that the list of slices below is bounded by the node limit.
    budget
        .check(text)
        .map_err(|flaw| malformed(None, explain(flaw, limits)))?;
    let parts: Vec<&'a RawValue> =
        serde_json::from_str(text).map_err(|e| malformed(None, syntax(&e.to_string())))?;
    if parts.is_empty() || parts.len() > limits.batch {
        return Err(malformed(
            None,
            RpcError::invalid_request(format!("A batch holds 1 to {} messages.", limits.batch)),
        ));
    }
    Ok(Body::Batch(
        parts
            .into_iter()
            .map(|part| single(part.get(), limits, &mut Budget::new(limits)))
            .collect(),
    ))
}

fn single<'a>(
    text: &'a str,
    limits: &WireLimits,
    budget: &mut Budget<'a>,
) -> Result<Message<'a>, Malformed> {
    let mut envelope = Envelope::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reader {
        envelope: &mut envelope,
        budget,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    let id = envelope
        .id
        .and_then(|id| Id::from_json(id, limits.id_bytes));
    // The id of a response is one of ours: the client would take an error under it for the answer to
    // a request of its own.
    let answerable =
        envelope.method.is_some() || (envelope.result.is_none() && envelope.error.is_none());
    let malformed = |id: Option<Id>, error| malformed(id.filter(|_| answerable), error);
    if let Err(error) = read {
        use serde_json::error::Category;
        let flaw = budget
            .take_flaw()
            .or(envelope.duplicate.then_some(Flaw::DuplicateKey));
        let error = match (flaw, error.classify()) {
            (Some(flaw), _) => explain(flaw, limits),
            (None, Category::Data) => RpcError::invalid_request(
                "A message is a JSON object with \"jsonrpc\": \"2.0\", and a string as \"method\".",
            ),
            _ => syntax(&error.to_string()),
        };
        // Of what is not JSON nothing is known, its id included (JSON-RPC 2.0 §5).
        return Err(malformed(id.filter(|_| error.code != Code::PARSE), error));
    }
    if envelope.id.is_some() && id.is_none() {
        return Err(malformed(
            None,
            RpcError::invalid_request(format!(
                "The \"id\" of a request is an integer or a string of at most {} bytes.",
                limits.id_bytes
            )),
        ));
    }
    for part in [envelope.params, envelope.result, envelope.error]
        .into_iter()
        .flatten()
    {
        if let Err(flaw) = budget.check(part) {
            return Err(malformed(id, explain(flaw, limits)));
        }
    }
    envelope
        .into_message(id.clone(), limits)
        .map_err(|error| malformed(id, error))
}

fn malformed(id: Option<Id>, error: RpcError) -> Malformed {
    Malformed { id, error }
}

fn syntax(detail: &str) -> RpcError {
    // Valid JSON, and more than any number type here can hold.
    if detail.starts_with("number out of range") {
        return RpcError::invalid_request(
            "A number in the message is too large to be read; send it as a string.",
        );
    }
    RpcError::new(
        Code::PARSE,
        format!("The message is not valid JSON: {detail}."),
    )
}

fn explain(flaw: Flaw, limits: &WireLimits) -> RpcError {
    match flaw {
        Flaw::Syntax(detail) => syntax(&detail),
        Flaw::TooDeep => RpcError::invalid_request(format!(
            "The message is nested deeper than the {} levels allowed.",
            limits.depth
        )),
        Flaw::TooManyNodes => RpcError::invalid_request(format!(
            "The message holds more than the {} values allowed.",
            limits.nodes
        )),
        Flaw::DuplicateKey => {
            RpcError::invalid_request("An object in the message names the same key twice.")
        }
        Flaw::ReservedKey => RpcError::invalid_request(
            "An object in the message has a key that is reserved and cannot be used.",
        ),
    }
}

/// The members of a message, as they came.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<Cow<'a, str>>,
    id: Option<&'a str>,
    method: Option<Cow<'a, str>>,
    params: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
    duplicate: bool,
}

impl<'a> Envelope<'a> {
    fn into_message(self, id: Option<Id>, limits: &WireLimits) -> Result<Message<'a>, RpcError> {
        if self.jsonrpc.as_deref() != Some("2.0") {
            return Err(RpcError::invalid_request("\"jsonrpc\" must be \"2.0\"."));
        }
        match (self.method, self.result, self.error) {
            (Some(method), None, None) => {
                if method.len() > limits.method_bytes {
                    return Err(RpcError::invalid_request(format!(
                        "\"method\" is longer than the {} bytes allowed.",
                        limits.method_bytes
                    )));
                }
                Ok(match id {
                    Some(id) => Message::Request(Request {
                        id,
                        method,
                        params: self.params,
                    }),
                    None => Message::Notification(Notification {
                        method,
                        params: self.params,
                    }),
                })
            }
            (None, Some(_), Some(_)) | (Some(_), ..) => Err(RpcError::invalid_request(
                "A message has exactly one of \"method\", \"result\" and \"error\".",
            )),
            (None, Some(result), None) => response(id, Ok(result)),
            (None, None, Some(error)) => response(id, Err(error)),
            (None, None, None) => Err(RpcError::invalid_request("\"method\" is missing.")),
        }
    }
}

fn response<'a>(
    id: Option<Id>,
    outcome: Result<&'a str, &'a str>,
) -> Result<Message<'a>, RpcError> {
    match id {
        Some(id) => Ok(Message::Response(Response { id, outcome })),
        None => Err(RpcError::invalid_request(
            "A response needs the \"id\" of its request.",
        )),
    }
}

struct Reader<'e, 'a> {
    envelope: &'e mut Envelope<'a>,
    budget: &'e mut Budget<'a>,
}

impl<'a> DeserializeSeed<'a> for Reader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Reader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let envelope = self.envelope;
        let mut unknown: Vec<Cow<'a, str>> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let raw = match &*key {
                "jsonrpc" => {
                    let text = map.next_value_seed(Key)?;
                    envelope.duplicate |= envelope.jsonrpc.replace(text).is_some();
                    None
                }
                "method" => {
                    let text = map.next_value_seed(Key)?;
                    envelope.duplicate |= envelope.method.replace(text).is_some();
                    None
                }
                "id" => Some(&mut envelope.id),
                "params" => Some(&mut envelope.params),
                "result" => Some(&mut envelope.result),
                "error" => Some(&mut envelope.error),
                _ => {
                    envelope.duplicate |=
                        unknown.contains(&key) || unknown.len() == UNKNOWN_MEMBERS;
                    unknown.push(key);
                    map.next_value_seed(Node(self.budget))?;
                    None
                }
            };
            if let Some(slot) = raw {
                let text: &'a RawValue = map.next_value()?;
                envelope.duplicate |= slot.replace(text.get()).is_some();
            }
            if envelope.duplicate {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(())
    }
}

/// Unknown members next to `method` and `id` are ignored, as JSON-RPC readers do, but not for ever.
const UNKNOWN_MEMBERS: usize = 16;

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
