//! A conversation over streamable HTTP: the endpoint, with what each request has to repeat.

use std::time::Duration;

use http::{HeaderMap, Method};
use pymcp_kit::protocol::MODERN_VERSION;
use serde_json::{Value, json};

use super::super::finding::quoted;
use super::super::observed::{Outcome, Stream};
use super::http::{Cut, Endpoint, Failure, Reply, Sent};
use super::message::{self, Client, Kind};

/// Things of a kind that are kept of the streams.
const MAX_KEPT: usize = 10;

/// A client of an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    pub(crate) endpoint: Endpoint,
    /// Headers of every request that goes to the endpoint, its token among them.
    headers: HeaderMap,
    pub(super) modern: bool,
    pub(super) client: Client,
    pub(super) session: Option<String>,
    /// The revision that was settled.
    version: Option<String>,
    next_id: u64,
    /// What the last request came to.
    pub(super) last: Option<Result<Reply, Failure>>,
    pub(super) stream: Stream,
}

impl Web {
    pub(crate) fn new(endpoint: Endpoint, headers: HeaderMap) -> Self {
        Self {
            endpoint,
            headers,
            modern: false,
            client: Client::doctor(),
            session: None,
            version: None,
            next_id: 0,
            last: None,
            stream: Stream::default(),
        }
    }

    /// One that has said nothing yet.
    pub(super) fn anew(&self) -> Self {
        Self {
            client: self.client.clone(),
            ..Self::new(self.endpoint.clone(), self.headers.clone())
        }
    }

    /// A request of the protocol, as it is sent to this endpoint.
    pub(super) fn post(&self, method: &str, params: &Value) -> Sent {
        let params = match self.modern {
            true => self.client.enveloped(params.clone()),
            false => params.clone(),
        };
        let name = params["name"].as_str().or(params["uri"].as_str());
        let name = name.map(str::to_owned);
        let request = message::request(&json!(self.next_id), method, params);
        let mut sent = self.with_all(Sent::post(&request));
        if self.modern {
            sent = sent.header("mcp-method", method);
            if let Some(name) = name {
                sent = sent.header("mcp-name", &name);
            }
        }
        sent
    }

    /// A request with what all of them repeat.
    pub(super) fn with_all(&self, mut sent: Sent) -> Sent {
        for (name, value) in &self.headers {
            sent.headers.insert(name, value.clone());
        }
        let version = match self.modern {
            true => Some(MODERN_VERSION),
            false => self.version.as_deref(),
        };
        if let Some(version) = version {
            sent = sent.header("mcp-protocol-version", version);
        }
        if let Some(session) = &self.session {
            sent = sent.header("mcp-session-id", session);
        }
        sent
    }

    pub(super) async fn ask(&mut self, method: &str, params: Value, patience: Duration) -> Outcome {
        self.next_id += 1;
        let sent = self.post(method, &params);
        let replied = self.endpoint.send(sent, patience).await;
        let outcome = match &replied {
            Ok(reply) => self.outcome(reply),
            Err(Failure::TimedOut) => Outcome::Silent,
            Err(_) => Outcome::Closed,
        };
        if method == "initialize"
            && let (Ok(reply), Some(result)) = (&replied, outcome.result())
        {
            self.session = reply.header("mcp-session-id").map(str::to_owned);
            self.version = result["protocolVersion"].as_str().map(str::to_owned);
        }
        self.last = Some(replied);
        outcome
    }

    pub(super) async fn notify(&mut self, method: &str, params: Value, patience: Duration) {
        let sent = self.with_all(Sent::post(&message::notification(method, params)));
        self.last = Some(self.endpoint.send(sent, patience).await);
    }

    /// Ends the session, if there is one.
    pub(super) async fn end(&mut self, patience: Duration) -> Option<Result<Reply, Failure>> {
        self.session.as_ref()?;
        let sent = self.with_all(Sent::new(Method::DELETE));
        Some(self.endpoint.send(sent, patience).await)
    }

    /// What the answer to the last request is, among the messages that came.
    fn outcome(&mut self, reply: &Reply) -> Outcome {
        let id = json!(self.next_id);
        let mut outcome = None;
        for found in &reply.messages {
            match message::kind(found) {
                Kind::Answer if found["id"] == id || found.get("id").is_none_or(Value::is_null) => {
                    outcome = Some(message::outcome(found));
                }
                Kind::Answer => keep(&mut self.stream.unasked, || quoted(&found.to_string())),
                Kind::Request => keep(&mut self.stream.asked, || {
                    found["method"].as_str().unwrap_or_default().to_owned()
                }),
                Kind::Notification => {}
                // Whoever stands before the server says it in its own words.
                Kind::None if reply.status >= 400 => {}
                Kind::None => keep(&mut self.stream.malformed, || quoted(&found.to_string())),
            }
        }
        match (outcome, reply.cut) {
            (Some(outcome), _) => outcome,
            (None, Some(Cut::TooLarge)) => {
                self.stream.flooded = true;
                Outcome::Flooded
            }
            (None, Some(Cut::Ambiguous)) => Outcome::Ambiguous,
            (None, Some(Cut::TimedOut)) => Outcome::Silent,
            (None, Some(Cut::Broken)) => Outcome::Closed,
            (None, None) => Outcome::Status(reply.status),
        }
    }
}

fn keep(kept: &mut Vec<String>, what: impl FnOnce() -> String) {
    if kept.len() < MAX_KEPT {
        kept.push(what());
    }
}
