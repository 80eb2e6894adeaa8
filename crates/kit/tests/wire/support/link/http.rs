//! HTTP, with a connection of its own for each request.

use pymcp_kit::Server;
use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::raw::{Client, Events, LocalServer, Request, patient};
use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use serde_json::{Map, Value, json};

use super::{Link, Transport, Way, close};

/// The headers of responses that clients go by.
const TELLING: [&str; 4] = [
    "content-type",
    "cache-control",
    "mcp-session-id",
    "x-accel-buffering",
];

pub(super) struct Browser {
    server: LocalServer,
    way: Way,
    /// The request whose response has not begun.
    waiting: Option<Client>,
    /// The responses that go on, the newest last.
    streams: Vec<Events>,
    session: Option<String>,
    /// Where messages go to.
    target: String,
}

impl Browser {
    pub(super) fn connect(server: &Server, way: Way) -> Self {
        let endpoints = match way.transport {
            Transport::Sse => Endpoints::LegacySse,
            _ => Endpoints::Streamable,
        };
        // Nor does a slow machine make a stream of a modern call.
        let config = HttpConfig {
            endpoints,
            keep_alive: 10 * PATIENCE,
            ..patient()
        };
        Self {
            server: LocalServer::start(server.clone(), config),
            way,
            waiting: None,
            streams: Vec::new(),
            session: None,
            target: "/mcp".to_owned(),
        }
    }

    fn begin(&mut self, client: Client) -> Value {
        let told = |header: &dyn Fn(&str) -> Option<String>| -> Map<String, Value> {
            let known = TELLING.into_iter();
            known
                .filter_map(|name| Some((name.to_owned(), header(name)?.into())))
                .collect()
        };
        match client.try_events() {
            Ok(events) => {
                let headers = told(&|name| events.header(name).map(str::to_owned));
                self.streams.push(events);
                json!({ "status": 200, "headers": headers })
            }
            Err(response) => {
                if let Some(session) = response.header("mcp-session-id") {
                    self.session = Some(session.to_owned());
                }
                let headers = told(&|name| response.header(name).map(str::to_owned));
                let body = match response.header("content-type") {
                    Some("application/json") => response.message(),
                    _ => json!(response.body),
                };
                json!({ "status": response.status, "headers": headers, "body": body })
            }
        }
    }
}

impl Link for Browser {
    fn line(&self, message: &Value) -> Value {
        let mut headers = json!({
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        });
        if let Some(session) = &self.session {
            headers["Mcp-Session-Id"] = json!(session);
        }
        // Clients of 2025-03-26 and before know no such header, and none sends it with `initialize`.
        if self.way.version >= "2025-06-18" && message["method"] != "initialize" {
            headers["MCP-Protocol-Version"] = json!(self.way.version);
        }
        if self.way.is_modern() {
            headers["Mcp-Method"] = message["method"].clone();
            let params = &message["params"];
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                headers["Mcp-Name"] = json!(name);
            }
        }
        json!({ "method": "POST", "target": self.target, "headers": headers, "body": message })
    }

    fn play(&mut self, line: &Value) {
        if *line == close() {
            self.streams.pop().expect("a stream to close");
            return;
        }
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mut request = Request::new(&text(&line["method"]), &text(&line["target"]));
        for (name, value) in line["headers"].as_object().expect("headers") {
            request = request.with(name, &text(value));
        }
        if let Some(body) = line.get("body") {
            request = request.body(body.to_string());
        }
        let mut client = Client::connect(self.server.address());
        client.send(request.bytes());
        assert!(self.waiting.replace(client).is_none(), "two at a time");
    }

    fn hear(&mut self) -> Value {
        if let Some(client) = self.waiting.take() {
            return self.begin(client);
        }
        let stream = self.streams.last_mut().expect("something to come");
        let Some(event) = event(stream) else {
            self.streams.pop();
            return json!({ "end": true });
        };
        if event["event"] == "endpoint" {
            self.target = event["data"].as_str().expect("a path").to_owned();
        }
        event
    }
}

/// The next event, with all its fields; `None` at the end of the stream. Comments only keep it alive.
fn event(stream: &mut Events) -> Option<Value> {
    let mut fields = Map::new();
    loop {
        let line = stream.line();
        match line.trim_end_matches('\n').split_once(':') {
            Some(("", _)) => {}
            Some((field, value)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                let parsed = serde_json::from_str(value).ok().filter(Value::is_object);
                fields.insert(field.to_owned(), parsed.unwrap_or_else(|| json!(value)));
            }
            None if line.is_empty() && fields.is_empty() => return None,
            None if line == "\n" && fields.is_empty() => {}
            None if line == "\n" => return Some(fields.into()),
            None => panic!("no event: {line:?} after {fields:?}"),
        }
    }
}
