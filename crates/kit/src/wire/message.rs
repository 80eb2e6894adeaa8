//! The JSON-RPC envelope: what kind of message it is, its id and method; the rest stays text.

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::error::{Code, RpcError};
use super::id::Id;
use super::limits::WireLimits;
use super::scan::{Budget, Flaw, Key};

/// A request: it is owed exactly one answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Echoed in the answer.
    pub id: Id,
    /// The method as it came.
    pub method: Cow<'a, str>,
    /// The `params` as JSON text, within the limits; absent when the member is, or is `null`.
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
#[derive(Debug, PartialEq)]
pub struct Response<'a> {
    /// The id we gave; `None` when the client could not read the id of what it answers with an error
    /// (JSON-RPC 2.0 §5).
    pub id: Option<Id>,
    /// What it says.
    pub outcome: Outcome<'a>,
}

/// What a [`Response`] says.
#[derive(Debug, PartialEq)]
pub enum Outcome<'a> {
    /// The `result` as JSON text, within the limits.
    Result(&'a str),
    /// The `error` as JSON text, within the limits.
    Error(&'a str),
    /// It cannot be read, for this reason. Its id could be, so whoever waits for it is told. An error
    /// that is sent back for it bears no id: it would be one of ours.
    Malformed(RpcError),
    /// There is neither a result nor an error, and no method: it may as well be a request without
    /// one. Only who knows which ids are ours can tell.
    Missing(RpcError),
}

/// One message.
#[derive(Debug, PartialEq)]
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
    /// The id to answer under; `None` when it could not be read, and when the message names no method:
    /// it may be an answer, whose id is one of ours.
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
    let mut json = serde_json::Deserializer::from_str(text);
    let parts = json
        .deserialize_seq(BatchVisitor(limits.batch))
        .and_then(|parts| json.end().map(|()| parts))
        .ok()
        .filter(|parts| !parts.is_empty());
    let Some(parts) = parts else {
        return Err(malformed(None, no_batch(text, limits)));
    };
    // What is wrong with one of them is no matter of the others; their values are counted together.
    let members = parts.into_iter().map(|part| single(part, limits, budget));
    Ok(Body::Batch(members.collect()))
}

/// What is wrong with a text that begins like a batch.
fn no_batch(text: &str, limits: &WireLimits) -> RpcError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => syntax(&error.to_string()),
        Ok(_) => {
            RpcError::invalid_request(format!("A batch holds 1 to {} messages.", limits.batch))
        }
    }
}

/// The parts of a list that has at most so many.
struct BatchVisitor(usize);

impl<'a> Visitor<'a> for BatchVisitor {
    type Value = Vec<&'a str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a list of at most {}", self.0)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element::<&'a RawValue>()? {
            if parts.len() == self.0 {
                return Err(A::Error::invalid_length(parts.len() + 1, &self));
            }
            parts.push(part.get());
        }
        Ok(parts)
    }
}

fn single<'a>(
    text: &'a str,
    limits: &WireLimits,
    budget: &mut Budget<'a>,
) -> Result<Message<'a>, Malformed> {
    let mut envelope = Envelope::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reader(&mut envelope)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    if let Err(error) = read {
        use serde_json::error::Category;
        // Of what is not JSON nothing is known, its id included (JSON-RPC 2.0 §5).
        let error = match error.classify() {
            Category::Data => RpcError::invalid_request(NO_MESSAGE),
            _ => syntax(&error.to_string()),
        };
        return Err(malformed(None, error));
    }
    let given = envelope.id;
    let is_request = value(envelope.method).is_some();
    let read = match is_request {
        true => Id::from_json,
        false => Id::of_response,
    };
    let id = given.and_then(|id| read(id, limits.id_bytes));
    let is_error = value(envelope.error).is_some();
    let answers = !is_request && (envelope.result.is_some() || envelope.error.is_some());
    let read = match given {
        // What could not be read has no id to be named in an error about it.
        Some("null") if !is_request && is_error => envelope.judge(None, limits, budget),
        Some(_) if id.is_none() => Err(RpcError::invalid_request(format!(
            "The \"id\" of a request is an integer or a string of at most {} bytes.",
            limits.id_bytes
        ))),
        _ => envelope.judge(id.clone(), limits, budget),
    };
    match (read, id) {
        (Ok(message), _) => Ok(message),
        (Err(error), Some(id)) if answers => Ok(response(Some(id), Outcome::Malformed(error))),
        (Err(error), Some(id)) if !is_request && error.code != Code::PARSE => {
            Ok(response(Some(id), Outcome::Missing(error)))
        }
        (Err(error), id) => {
            let id = id.filter(|_| is_request && error.code != Code::PARSE);
            Err(malformed(id, error))
        }
    }
}

/// What is said of JSON that is no message.
const NO_MESSAGE: &str =
    "A message is a JSON object with \"jsonrpc\": \"2.0\", and a string as \"method\".";

/// A member that is `null` counts as absent: serialisers of several languages write all members of
/// an envelope.
fn value(member: Option<&str>) -> Option<&str> {
    member.filter(|text| *text != "null")
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

/// The members of a message as JSON text, as they came.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a str>,
    id: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
    unknown: Vec<(Cow<'a, str>, &'a str)>,
    duplicate: bool,
}

impl<'a> Envelope<'a> {
    /// The message, when all of it can be served.
    fn judge(
        self,
        id: Option<Id>,
        limits: &WireLimits,
        budget: &mut Budget<'a>,
    ) -> Result<Message<'a>, RpcError> {
        if self.duplicate {
            return Err(explain(Flaw::DuplicateKey, limits));
        }
        let (params, result, error) = (value(self.params), value(self.result), value(self.error));
        let ignored = self.unknown.iter().map(|(_, text)| *text);
        for part in [params, result, error].into_iter().flatten().chain(ignored) {
            budget.check(part).map_err(|flaw| explain(flaw, limits))?;
        }
        if self.jsonrpc.and_then(string).as_deref() != Some("2.0") {
            return Err(RpcError::invalid_request("\"jsonrpc\" must be \"2.0\"."));
        }
        match (value(self.method), result, error) {
            (Some(method), None, None) => {
                let method = string(method).ok_or_else(|| RpcError::invalid_request(NO_MESSAGE))?;
                if method.len() > limits.method_bytes {
                    return Err(RpcError::invalid_request(format!(
                        "\"method\" is longer than the {} bytes allowed.",
                        limits.method_bytes
                    )));
                }
                Ok(match id {
                    Some(id) => Message::Request(Request { id, method, params }),
                    None => Message::Notification(Notification { method, params }),
                })
            }
            (None, Some(_), Some(_)) | (Some(_), ..) => Err(RpcError::invalid_request(
                "A message has exactly one of \"method\", \"result\" and \"error\".",
            )),
            (None, None, None) if self.result.is_some() || self.error.is_some() => {
                Err(RpcError::invalid_request(
                    "A response has a \"result\" or an \"error\" that is not null.",
                ))
            }
            (None, None, None) => Err(RpcError::invalid_request("\"method\" is missing.")),
            (None, ..) if self.id.is_none() => Err(RpcError::invalid_request(
                "A response needs the \"id\" of its request.",
            )),
            (None, Some(result), None) => Ok(response(id, Outcome::Result(result))),
            (None, None, Some(error)) => Ok(response(id, Outcome::Error(error))),
        }
    }
}

fn response(id: Option<Id>, outcome: Outcome<'_>) -> Message<'_> {
    Message::Response(Response { id, outcome })
}

/// What a JSON text says that is a string.
fn string(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    match inside.contains('\\') {
        false => Some(Cow::Borrowed(inside)),
        true => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// Reads all members, whatever is wrong with them: who is to be told depends on all of them.
struct Reader<'e, 'a>(&'e mut Envelope<'a>);

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
        let envelope = self.0;
        while let Some(key) = map.next_key_seed(Key)? {
            let text = map.next_value::<&'a RawValue>()?.get();
            let slot = match &*key {
                "jsonrpc" => &mut envelope.jsonrpc,
                "id" => &mut envelope.id,
                "method" => &mut envelope.method,
                "params" => &mut envelope.params,
                "result" => &mut envelope.result,
                "error" => &mut envelope.error,
                _ => {
                    let unknown = &mut envelope.unknown;
                    match unknown.len() < UNKNOWN_MEMBERS
                        && unknown.iter().all(|(name, _)| *name != key)
                    {
                        true => unknown.push((key, text)),
                        false => envelope.duplicate = true,
                    }
                    continue;
                }
            };
            envelope.duplicate |= slot.replace(text).is_some();
        }
        Ok(())
    }
}

/// Unknown members next to `method` and `id` are ignored, as JSON-RPC readers do, but not for ever.
const UNKNOWN_MEMBERS: usize = 16;

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
