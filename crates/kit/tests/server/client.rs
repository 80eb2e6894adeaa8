//! A client of either era.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event, Exchange, HttpSignals, Unsolicited};
use pymcp_kit::wire::Body;
use pymcp_kit::{Principal, Server};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longer than everything that has a time limit of its own.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// What comes while the clock, which is to be paused, has nothing else to wait for.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("in time")
}

/// A modern client that can fill in forms and takes tasks.
pub(crate) fn able() -> Value {
    json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

/// What a user says who fills in a form of one field.
pub(crate) fn accept(value: impl Into<Value>) -> Value {
    json!({ "action": "accept", "content": { "value": value.into() } })
}

pub(crate) struct Client {
    server: Server,
    pub(crate) connection: Arc<Connection>,
    /// What a modern client says with every request.
    meta: Option<Value>,
}

impl Client {
    pub(crate) fn modern(server: &Server, capabilities: Value) -> Self {
        Self {
            server: server.clone(),
            connection: Connection::stateless(Principal::ANONYMOUS),
            meta: Some(json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": capabilities,
            })),
        }
    }

    /// The same client, as somebody who was authenticated.
    pub(crate) fn known_as(self, name: &str) -> Self {
        Self {
            connection: Connection::stateless(Principal::authenticated(name)),
            ..self
        }
    }

    /// What it may: everything, as whoever it is.
    fn permit(&self) -> Permit {
        Permit::unrestricted_as(self.connection.principal().clone())
    }

    /// A legacy client that has not introduced itself.
    pub(crate) fn stranger(server: &Server) -> Self {
        Self {
            server: server.clone(),
            connection: Connection::new(Principal::ANONYMOUS),
            meta: None,
        }
    }

    /// A legacy client in its session, and what it hears.
    pub(crate) async fn legacy(server: &Server) -> (Self, Unsolicited) {
        let client = Self::stranger(server);
        let unsolicited = client.connection.open_stream().unwrap();
        client.result("initialize", introduction("test")).await;
        (client, unsolicited)
    }

    /// One of each era.
    pub(crate) async fn both(server: &Server) -> [Self; 2] {
        [
            Self::modern(server, json!({})),
            Self::legacy(server).await.0,
        ]
    }

    /// A legacy client in its session that can fill in forms.
    pub(crate) async fn asked(server: &Server) -> Self {
        let client = Self::stranger(server);
        let mut introduction = introduction("test");
        introduction["capabilities"] = json!({ "elicitation": {} });
        client.result("initialize", introduction).await;
        client
    }

    /// The same client on another connection.
    pub(crate) fn elsewhere(&self) -> Self {
        Self {
            server: self.server.clone(),
            connection: Connection::stateless(Principal::ANONYMOUS),
            meta: self.meta.clone(),
        }
    }

    /// Begins a request under an id of its own.
    pub(crate) fn start(&self, id: u64, method: &str, params: Value) -> Exchange {
        let begun = self.try_start(id, method, params);
        begun.unwrap_or_else(|answer| panic!("it did not begin: {answer}"))
    }

    /// The same, or the answer that is there already.
    pub(crate) fn try_start(
        &self,
        id: u64,
        method: &str,
        params: Value,
    ) -> Result<Exchange, Value> {
        self.begin(id, method, params, None)
    }

    /// The answer to a request under an id of its own.
    pub(crate) async fn ask_as(&self, id: u64, method: &str, params: Value) -> Value {
        match self.begin(id, method, params, None) {
            Ok(exchange) => answer(exchange).await,
            Err(answer) => answer,
        }
    }

    /// Cancels a request.
    pub(crate) fn cancel(&self, id: u64) {
        let params = json!({ "requestId": id });
        let message =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
        let message = message.to_string();
        let body = self.server.parse(message.as_bytes()).unwrap();
        self.server.receive(&self.connection, &self.permit(), body);
    }

    /// Answers a question.
    pub(crate) fn answer(&self, id: u64, result: Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
        let body = self.server.parse(message.as_bytes()).unwrap();
        self.server.receive(&self.connection, &self.permit(), body);
    }

    fn message(&self, id: u64, method: &str, mut params: Value) -> String {
        if let Some(meta) = &self.meta {
            params["_meta"] = meta.clone();
        }
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
    }

    /// What there is to poll, or the answer that is there already.
    fn begin(
        &self,
        id: u64,
        method: &str,
        params: Value,
        http: Option<HttpSignals<'_>>,
    ) -> Result<Exchange, Value> {
        let message = self.message(id, method, params);
        let Ok(Body::Single(message)) = self.server.parse(message.as_bytes()) else {
            panic!("no message: {message}");
        };
        let inbound = self.server.inspect(message, http);
        let reply = self
            .server
            .handle(&self.connection, &self.permit(), inbound);
        reply
            .into_exchange()
            .map_err(|answer| serde_json::from_slice(&answer.unwrap().body).unwrap())
    }

    /// The answer to a request, before which nothing else may come.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        self.ask_over(method, params, None).await
    }

    /// The same over HTTP, with these headers.
    pub(crate) async fn ask_over(
        &self,
        method: &str,
        params: Value,
        http: Option<HttpSignals<'_>>,
    ) -> Value {
        match self.begin(1, method, params, http) {
            Ok(exchange) => answer(exchange).await,
            Err(answer) => answer,
        }
    }

    /// The result of a request.
    pub(crate) async fn result(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Asks to hear of changes, and waits until that is acknowledged.
    pub(crate) async fn listen(&self, wanted: Value) -> Listening {
        let params = json!({ "notifications": wanted });
        let begun = self.begin(1, "subscriptions/listen", params, None);
        let mut listening = Listening(begun.unwrap());
        let acknowledged = listening.hear().await;
        assert_eq!(
            acknowledged["method"],
            "notifications/subscriptions/acknowledged"
        );
        listening
    }
}

async fn answer(mut exchange: Exchange) -> Value {
    match soon(exchange.next_event()).await {
        Some(Event::Answer(answer)) => serde_json::from_slice(&answer.body).unwrap(),
        other => panic!("no answer: {other:?}"),
    }
}

/// The params of `initialize` of a client with this name.
pub(crate) fn introduction(name: &str) -> Value {
    json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": name, "version": "1.0" },
    })
}

/// The stream of a `subscriptions/listen`; dropped, it ends.
pub(crate) struct Listening(Exchange);

impl Listening {
    /// The next notification.
    pub(crate) async fn hear(&mut self) -> Value {
        match soon(self.0.next_event()).await {
            Some(Event::Message(message)) => serde_json::from_slice(&message).unwrap(),
            other => panic!("no notification: {other:?}"),
        }
    }

    /// Whether it is open, and all was heard.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.next_event().now_or_never().is_none()
    }

    /// What still comes when it ends: the number of notifications, and its result.
    pub(crate) async fn end(mut self) -> (usize, Value) {
        let mut notifications = 0;
        loop {
            match soon(self.0.next_event()).await {
                Some(Event::Message(_)) => notifications += 1,
                Some(Event::Answer(answer)) => {
                    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
                    return (notifications, answer["result"].clone());
                }
                other => panic!("no end: {other:?}"),
            }
        }
    }
}
