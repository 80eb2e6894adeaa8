//! A client of either era, so that one test can be run for both.

use std::collections::VecDeque;

use pymcp_kit::Server;
use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{answer, modern, notification, request};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::timeout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

pub(super) const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// Everything that a client can be asked for, without tasks.
pub(super) fn capable() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

/// The same for a client that takes tasks.
pub(super) fn takes_tasks() -> Value {
    let mut capabilities = capable();
    capabilities["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
    capabilities
}

/// One connection.
pub(super) struct Client {
    era: Era,
    capabilities: Value,
    pipe: BufReader<DuplexStream>,
    last_id: u64,
    /// What came while something else was waited for.
    unread: VecDeque<Value>,
}

/// A request that is under way.
pub(super) struct Open {
    id: u64,
    method: String,
    params: Value,
}

/// A question of the server.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: String,
    pub(super) params: Value,
    /// What the answer has to repeat: the request itself, or the question's name and the state.
    back: Value,
}

impl Client {
    pub(super) async fn connect(server: &Server, era: Era, capabilities: Value) -> Self {
        let mut client = Self {
            era,
            capabilities,
            pipe: BufReader::new(pymcp_kit::testing::connect(server)),
            last_id: 0,
            unread: VecDeque::new(),
        };
        if era == Era::Legacy {
            let params = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": client.capabilities,
                "clientInfo": { "name": "test", "version": "1.0" },
            });
            client.ask("initialize", params).await;
        }
        client
    }

    /// Begins a request. It wants to hear of progress and every log message.
    pub(super) async fn begin(&mut self, method: &str, params: Value) -> Open {
        self.last_id += 1;
        let mut message = request(self.last_id, method, params.clone());
        message["params"]["_meta"]["progressToken"] = json!(self.last_id);
        if self.era == Era::Modern {
            message = modern(message, self.capabilities.clone());
            message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
        }
        self.send(&message).await;
        Open {
            id: self.last_id,
            method: method.to_owned(),
            params,
        }
    }

    /// Begins a call of a tool.
    pub(super) async fn begin_call(&mut self, tool: &str, arguments: Value) -> Open {
        let params = json!({ "name": tool, "arguments": arguments });
        self.begin("tools/call", params).await
    }

    /// Waits for what the request asks, as it comes in this era.
    pub(super) async fn question(&mut self, open: &Open) -> Question {
        let back = match self.era {
            Era::Legacy => {
                self.take(|message| message["id"].is_number() && message["method"].is_string())
                    .await
            }
            Era::Modern => self.answer(open).await["result"].clone(),
        };
        let asked = match self.era {
            Era::Legacy => &back,
            Era::Modern => {
                assert_eq!(back["resultType"], "input_required", "{back}");
                let questions = back["inputRequests"].as_object().unwrap();
                assert_eq!(questions.len(), 1, "{back}");
                questions.values().next().unwrap()
            }
        };
        Question {
            method: asked["method"].as_str().unwrap().to_owned(),
            params: asked["params"].clone(),
            back,
        }
    }

    /// Answers the question; the request goes on, in this era or the other.
    pub(super) async fn reply(&mut self, open: Open, question: &Question, result: Value) -> Open {
        let back = &question.back;
        if self.era == Era::Legacy {
            self.send(&answer(back, result)).await;
            return open;
        }
        let mut params = open.params;
        let name = back["inputRequests"].as_object().unwrap().keys().next();
        params["inputResponses"] = json!({ name.unwrap(): result });
        params["requestState"] = back["requestState"].clone();
        self.begin(&open.method, params).await
    }

    /// Waits for the answer.
    pub(super) async fn answer(&mut self, open: &Open) -> Value {
        self.take(|message| message["id"] == open.id && message["method"].is_null())
            .await
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let open = self.begin(method, params).await;
        self.answer(&open).await
    }

    /// The result of a request.
    pub(super) async fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        self.ask("tools/call", params).await
    }

    /// The text at this URI.
    pub(super) async fn read(&mut self, uri: &str) -> String {
        let read = self.result("resources/read", json!({ "uri": uri })).await;
        read["contents"][0]["text"].as_str().unwrap().to_owned()
    }

    /// Suggestions for an argument.
    pub(super) async fn complete(
        &mut self,
        reference: Value,
        argument: [&str; 2],
        known: Value,
    ) -> Value {
        let [name, value] = argument;
        let params = json!({
            "ref": reference,
            "argument": { "name": name, "value": value },
            "context": { "arguments": known },
        });
        self.result("completion/complete", params).await["completion"].clone()
    }

    /// Waits for the next notification of this kind.
    pub(super) async fn hear(&mut self, method: &str) -> Value {
        self.take(|message| message["method"] == method).await["params"].clone()
    }

    /// Gives the request up.
    pub(super) async fn cancel(&mut self, open: &Open) {
        let params = json!({ "requestId": open.id });
        let cancelled = notification("notifications/cancelled", params);
        self.send(&cancelled).await;
    }

    /// Asks to hear of changes: `wanted` is the filter of `subscriptions/listen`.
    pub(super) async fn listen(&mut self, wanted: Value) {
        match self.era {
            Era::Modern => {
                let params = json!({ "notifications": wanted });
                self.begin("subscriptions/listen", params).await;
                self.hear("notifications/subscriptions/acknowledged").await;
            }
            // Changes of lists come unasked.
            Era::Legacy => {
                for uri in wanted["resourceSubscriptions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    let params = json!({ "uri": uri });
                    self.result("resources/subscribe", params).await;
                }
            }
        }
    }

    /// Messages that came and were not looked at: all that were sent before the last answer.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Value> {
        self.unread.iter()
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.pipe.write_all(line.as_bytes()).await.unwrap();
    }

    /// The first message that is wanted; others wait for whoever wants them.
    async fn take(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unread.iter().position(&wanted) {
            return self.unread.remove(at).unwrap();
        }
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.pipe.read_line(&mut line)).await;
            let read = read.unwrap_or_else(|_| panic!("nothing came; unread: {:?}", self.unread));
            assert_ne!(
                read.unwrap(),
                0,
                "the server left; unread: {:?}",
                self.unread
            );
            let message = serde_json::from_str(&line).unwrap();
            if wanted(&message) {
                return message;
            }
            self.unread.push_back(message);
        }
    }
}
