//! The calls of the bench in both eras of the protocol, and what a right answer to them looks like.

use serde_json::{Value, json};

use crate::Result;
use crate::http::{Client, Post, Response};

/// The id in every call's body. Ten digits, so that the load tool can count on without changing the length.
pub(crate) const CALL_ID: u64 = 1_000_000_000;

pub(crate) const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// A request, and how its answer is known to be right.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) post: Post,
    shape: Shape,
    /// What the text of the result contains.
    tells: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    /// One JSON object, as `application/json`.
    Json,
    /// Notifications and then the answer, as `text/event-stream`.
    Stream,
}

pub(crate) fn initialize_params() -> Value {
    json!({
        "protocolVersion": LEGACY,
        "capabilities": { "elicitation": {}, "roots": { "listChanged": true }, "sampling": {} },
        "clientInfo": { "name": "pymcp-bench-load", "version": env!("CARGO_PKG_VERSION") },
    })
}

pub(crate) fn initialize() -> Post {
    let request =
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": initialize_params() });
    post(headers(LEGACY), &request)
}

/// The second message of a session, with which it starts.
pub(crate) fn initialized(session: &str) -> Post {
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    legacy(Some(session), &note)
}

/// Opens a session as a client does and returns its id.
pub(crate) fn open_session(client: &mut Client) -> Result<String> {
    open_session_with(client, None)
}

/// [`open_session`], with an access token.
pub(crate) fn open_session_with(client: &mut Client, token: Option<&str>) -> Result<String> {
    let response = client.post(&with_token(initialize(), token))?;
    let session = response
        .header("mcp-session-id")
        .filter(|_| response.status == 200)
        .ok_or_else(|| format!("no session opened: {response:?}"))?
        .to_owned();
    let response = client.post(&with_token(initialized(&session), token))?;
    if response.status != 202 {
        return Err(format!("the session does not start: {response:?}").into());
    }
    Ok(session)
}

fn with_token(mut post: Post, token: Option<&str>) -> Post {
    let token = token.map(|token| ("authorization", format!("Bearer {token}")));
    post.headers.extend(token);
    post
}

/// A message on a session, or without one to a server that keeps none.
pub(crate) fn legacy(session: Option<&str>, message: &Value) -> Post {
    let mut headers = headers(LEGACY);
    headers.extend(session.map(|session| ("mcp-session-id", session.to_owned())));
    post(headers, message)
}

/// A request of the modern era, with all that it has to say of itself.
pub(crate) fn modern(method: &str, name: Option<&str>, params: Value) -> Post {
    let mut message =
        json!({ "jsonrpc": "2.0", "id": CALL_ID, "method": method, "params": params });
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": initialize_params()["clientInfo"],
    });
    let mut headers = headers(MODERN);
    headers.push(("mcp-method", method.to_owned()));
    headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
    post(headers, &message)
}

fn headers(version: &str) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
        ("mcp-protocol-version", version.to_owned()),
    ]
}

fn post(headers: Vec<(&'static str, String)>, message: &Value) -> Post {
    let body = message.to_string();
    Post { headers, body }
}

pub(crate) fn tools_call(id: u64, tool: &str, arguments: &Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": id,
        "method": "tools/call",
        "params": { "name": tool, "arguments": arguments },
    })
}

impl Call {
    pub(crate) fn greet_legacy(session: Option<&str>, shape: Shape) -> Self {
        let message = tools_call(CALL_ID, "greet", &json!({ "name": "Ada" }));
        Self {
            post: legacy(session, &message),
            shape,
            tells: "Hello, Ada!",
        }
    }

    pub(crate) fn greet_modern() -> Self {
        let params = json!({ "name": "greet", "arguments": { "name": "Ada" } });
        Self {
            post: modern("tools/call", Some("greet"), params),
            shape: Shape::Json,
            tells: "Hello, Ada!",
        }
    }

    /// The same with an access token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.post = with_token(self.post, Some(token));
        self
    }

    pub(crate) fn permutations_legacy(session: &str) -> Self {
        let message = tools_call(CALL_ID, "permutations", &json!({ "n": 16, "k": 8 }));
        Self {
            post: legacy(Some(session), &message),
            shape: Shape::Json,
            tells: "518918400",
        }
    }

    /// Makes the call once; an answer that is not as it should be is an error that shows it.
    pub(crate) fn verify(&self, client: &mut Client) -> Result<Response> {
        let response = client.post(&self.post)?;
        self.check(&response)
            .map_err(|wrong| format!("{wrong}: {response:?}"))?;
        Ok(response)
    }

    fn check(&self, response: &Response) -> std::result::Result<(), &'static str> {
        let content_type = response.header("content-type").unwrap_or_default();
        let messages = match self.shape {
            Shape::Json if content_type == "application/json" => vec![response.body.as_str()],
            Shape::Stream if content_type == "text/event-stream" => event_data(&response.body),
            _ => return Err("not the content type that this call is about"),
        };
        let messages: Option<Vec<Value>> = messages
            .into_iter()
            .map(|text| serde_json::from_str(text).ok())
            .collect();
        let messages = messages.ok_or("not JSON")?;
        let (answer, before) = messages.split_last().ok_or("no message")?;
        let told = answer["result"]["structuredContent"]["result"].to_string();
        let notified = |message: &Value| message["method"] == "notifications/message";
        match () {
            () if response.status != 200 => Err("not a success"),
            () if answer["id"] != CALL_ID => Err("not the answer to this call"),
            () if answer["result"]["isError"] == true || !told.contains(self.tells) => {
                Err("not the expected result")
            }
            () if self.shape == Shape::Stream && !before.iter().any(notified) => {
                Err("no notification before the answer")
            }
            () => Ok(()),
        }
    }
}

/// The data of each event that has some; MCP servers write it on one line.
fn event_data(stream: &str) -> Vec<&str> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim)
        .filter(|data| !data.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(content_type: &str, body: &str) -> Response {
        Response {
            status: 200,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.to_owned(),
            wire_bytes: 0,
        }
    }

    const ANSWER: &str =
        r#"{"id":1000000000,"result":{"structuredContent":{"result":"Hello, Ada! …"}}}"#;

    #[test]
    fn only_the_right_answer_passes() {
        let call = Call::greet_legacy(None, Shape::Json);
        assert_eq!(call.check(&response("application/json", ANSWER)), Ok(()));
        for wrong in [
            r#"{"id":1000000000,"error":{"code":-32603,"message":"Hello, Ada!"}}"#,
            r#"{"id":1,"result":{"structuredContent":{"result":"Hello, Ada!"}}}"#,
            r#"{"id":1000000000,"result":{"isError":true,"structuredContent":{"result":"Hello, Ada!"}}}"#,
            r#"{"id":1000000000,"result":{"structuredContent":{"result":"Hello World!"}}}"#,
        ] {
            assert!(
                call.check(&response("application/json", wrong)).is_err(),
                "{wrong}"
            );
        }
        assert!(call.check(&response("text/event-stream", ANSWER)).is_err());
    }

    #[test]
    fn a_stream_needs_a_notification_first() {
        let call = Call::greet_legacy(Some("s"), Shape::Stream);
        let note = r#"{"method":"notifications/message"}"#;
        let full = format!("data:\n\nid: 1\ndata: {note}\n\nevent: message\ndata: {ANSWER}\n\n");
        assert_eq!(call.check(&response("text/event-stream", &full)), Ok(()));
        let bare = format!("data: {ANSWER}\n\n");
        assert!(call.check(&response("text/event-stream", &bare)).is_err());
    }
}
