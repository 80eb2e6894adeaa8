//! A whole client of either era, over any transport: it shakes hands, calls, answers what it is asked, and writes down
//! every line.

use std::collections::BTreeMap;

use pymcp_kit::Server;
use pymcp_kit::testing::message::{answer, notification, request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::link::{Link, Transport, Way, close, connect, is_end, message};

/// A line of either side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Line {
    Client(Value),
    Server(Value),
}

/// What was asked: the method, and its params as JSON.
pub(crate) type Asked = (String, Value);

/// What the client says to a question with this method and these params: the `result`.
pub(crate) type Person = Box<dyn FnMut(&str, &Value) -> Value>;

pub(crate) struct Peer {
    link: Box<dyn Link>,
    pub(crate) way: Way,
    capabilities: Value,
    person: Person,
    next_id: u64,
    /// Everything that was said.
    pub(crate) lines: Vec<Line>,
    /// All questions, in the order in which they came.
    pub(crate) asked: Vec<Asked>,
    /// All notifications.
    pub(crate) told: Vec<Value>,
}

impl Peer {
    /// Connects and, in the legacy era, shakes hands.
    pub(crate) fn connect(
        server: &Server,
        way: Way,
        capabilities: Value,
        person: impl FnMut(&str, &Value) -> Value + 'static,
    ) -> Self {
        let mut peer = Self {
            link: connect(server, way),
            way,
            capabilities,
            person: Box::new(person),
            next_id: 0,
            lines: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
        };
        if way.transport == Transport::Sse {
            let headers = json!({ "Accept": "text/event-stream" });
            peer.play(json!({ "method": "GET", "target": "/sse", "headers": headers }));
            assert_eq!(peer.hear()["status"], 200);
            assert_eq!(peer.hear()["event"], "endpoint");
        }
        if !way.is_modern() {
            let client = json!({ "name": "peer", "version": "1.0" });
            let hello = json!({
                "protocolVersion": way.version,
                "capabilities": peer.capabilities,
                "clientInfo": client,
            });
            let welcome = peer.ask("initialize", hello);
            assert_eq!(welcome["result"]["protocolVersion"], way.version);
            peer.tell("notifications/initialized", json!({}));
        }
        peer
    }

    /// The line that carries this message.
    pub(crate) fn line(&self, message: &Value) -> Value {
        self.link.line(message)
    }

    pub(crate) fn play(&mut self, line: Value) {
        self.link.play(&line);
        self.lines.push(Line::Client(line));
    }

    pub(crate) fn hear(&mut self) -> Value {
        let line = self.link.hear();
        self.lines.push(Line::Server(line.clone()));
        line
    }

    /// Ends what is open, which over stdio is everything.
    pub(crate) fn close(&mut self) {
        self.play(close());
    }

    /// Sends a message that has no answer of its own.
    fn send(&mut self, message: &Value) {
        let line = self.link.line(message);
        self.play(line);
        if self.way.transport != Transport::Stdio {
            assert_eq!(self.hear()["status"], 202);
        }
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.send(&notification(method, params));
    }

    /// Sends a request and gives its id; what comes of it is still to be heard.
    pub(crate) fn start(&mut self, method: &str, mut params: Value) -> u64 {
        self.next_id += 1;
        if self.way.is_modern() {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.way.version);
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            let client = json!({ "name": "peer", "version": "1.0" });
            meta["io.modelcontextprotocol/clientInfo"] = client;
        }
        let line = self.link.line(&request(self.next_id, method, params));
        self.play(line);
        self.next_id
    }

    /// Makes a request, answers what is asked meanwhile, and gives the answer.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let mut again = params.clone();
        loop {
            let mut answer = self.ask_once(method, again);
            if answer["result"]["resultType"] != "input_required" {
                return answer;
            }
            let requests = answer["result"]["inputRequests"].take();
            let requests: BTreeMap<String, Value> = serde_json::from_value(requests).unwrap();
            let responses: Map<String, Value> = requests
                .into_iter()
                .map(|(name, question)| (name, self.decide(&question)))
                .collect();
            again = params.clone();
            again["inputResponses"] = responses.into();
            again["requestState"] = answer["result"]["requestState"].take();
        }
    }

    fn ask_once(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params);
        loop {
            let line = self.hear();
            assert!(!is_end(&line), "no answer to {method}");
            let Some(message) = message(&line) else {
                continue;
            };
            match (message.get("method"), message.get("id")) {
                (Some(_), Some(_)) => {
                    let result = self.decide(message);
                    self.send(&answer(message, result));
                }
                (Some(_), None) => self.told.push(message.clone()),
                (None, _) => {
                    assert_eq!(message["id"], id);
                    let stream = line.get("event").is_some();
                    if stream && self.way.transport == Transport::Http {
                        assert!(is_end(&self.hear()), "more than an answer");
                    }
                    return message.clone();
                }
            }
        }
    }

    fn decide(&mut self, question: &Value) -> Value {
        let method = question["method"].as_str().expect("a method").to_owned();
        let params = question.get("params").cloned().unwrap_or_default();
        let result = (self.person)(&method, &params);
        self.asked.push((method, params));
        result
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        self.ask("tools/call", params)
    }
}
