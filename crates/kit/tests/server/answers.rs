//! Answers to questions of the server, as clients write them: `null` is as absent, what is malformed
//! ends its call at once, and no error bears an id of the server's.

use std::sync::Arc;

use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event, Exchange, Reply};
use pymcp_kit::{Ctx, Effect, Elicited, NoArgs, Principal, Result, Server, Tool, testing};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::client::soon;

/// Envelopes around the answer, with `ID` for its id; the first three members are JSON-RPC's order.
const GOOD: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":ID,"result":YES}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":YES,"error":null}"#,
    r#"{"jsonrpc":"2.0","id":ID,"error":null,"result":YES}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":null,"params":null,"error":null,"result":YES}"#,
    r#"{"error":null,"id":ID,"jsonrpc":"2.0","result":YES,"x":null}"#,
];

/// The client's error, with `null` beside it.
const REFUSED: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-1,"message":"Not now."}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":null,"error":{"code":-1,"message":"Not now."}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":null,"error":{"code":-1,"message":"Not now."},"result":null}"#,
];

const MALFORMED: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":ID,"result":null}"#,
    r#"{"jsonrpc":"2.0","id":ID,"error":null}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":null,"error":null}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":YES,"error":{"code":1,"message":"Both."}}"#,
    r#"{"jsonrpc":"2.0","id":ID}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":null}"#,
    r#"{"id":ID,"result":YES}"#,
    r#"{"jsonrpc":null,"id":ID,"result":YES}"#,
    r#"{"jsonrpc":"1.0","id":ID,"error":{"code":1,"message":"Old."}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","action":"decline"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":YES,"result":YES}"#,
    r#"{"jsonrpc":"2.0","id":ID,"x":[{"n":1,"n":2}],"result":YES}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","content":{"value":1e999}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","content":"\ud800"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":[]}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":"yes"}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"action":null}}"#,
];

fn written(envelope: &str, id: &Value) -> String {
    envelope
        .replace("ID", &id.to_string())
        .replace("YES", r#"{"action":"accept","content":{"value":true}}"#)
}

fn server() -> Server {
    let sure = async |ctx: Ctx, _: NoArgs| -> Result<&'static str> {
        Ok(match ctx.elicit::<bool>("Sure?").await? {
            Elicited::Accepted(true) => "yes",
            _ => "no",
        })
    };
    Server::builder("test", "1.0.0")
        .tool(Tool::new("sure", sure).effects([Effect::AsksUser]))
        .build()
        .unwrap()
}

fn introduction(version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
        "protocolVersion": version,
        "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "test", "version": "1.0" },
    }})
}

fn call() -> Value {
    json!({ "jsonrpc": "2.0", "id": "call", "method": "tools/call", "params": { "name": "sure" } })
}

/// A session whose call has asked.
struct Asking {
    server: Server,
    connection: Arc<Connection>,
    call: Exchange,
    question: Value,
}

impl Asking {
    async fn new(version: &str) -> Self {
        let (server, connection) = (server(), Connection::new(Principal::ANONYMOUS));
        let send = |message: Value| {
            let text = message.to_string();
            let body = server.parse(text.as_bytes()).unwrap();
            server
                .receive(&connection, &Permit::unrestricted(), body)
                .into_exchange()
                .ok()
                .unwrap()
        };
        soon(send(introduction(version)).next_event()).await;
        let mut call = send(call());
        let Some(Event::Message(question)) = soon(call.next_event()).await else {
            panic!("no question");
        };
        let question: Value = serde_json::from_slice(&question).unwrap();
        assert_eq!(question["method"], "elicitation/create");
        Self {
            server,
            connection,
            call,
            question: question["id"].clone(),
        }
    }

    /// Hands in an answer; what comes back for it, and the result of the call.
    async fn answer(mut self, envelope: &str) -> (Option<Value>, Value) {
        let text = written(envelope, &self.question);
        let back = match self.server.parse(text.as_bytes()) {
            Ok(body) => match self
                .server
                .receive(&self.connection, &Permit::unrestricted(), body)
            {
                Reply::Accepted => None,
                Reply::Answer(answer) => Some(serde_json::from_slice(&answer.body).unwrap()),
                _ => panic!("a call: {text}"),
            },
            Err(refused) => panic!("{refused:?}: {text}"),
        };
        let Some(Event::Answer(answer)) = soon(self.call.next_event()).await else {
            panic!("no answer");
        };
        (
            back,
            serde_json::from_slice::<Value>(&answer.body).unwrap()["result"].take(),
        )
    }
}

/// The clock is paused: had the call to wait for its time to be up, it would say so.
#[tokio::test(start_paused = true)]
async fn what_is_null_is_as_absent_and_what_is_malformed_ends_its_call() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        for envelope in GOOD {
            let (back, result) = Asking::new(version).await.answer(envelope).await;
            assert_eq!(
                (back, &result["content"][0]["text"]),
                (None, &json!("yes")),
                "{envelope}"
            );
        }
        for envelope in REFUSED {
            let (back, result) = Asking::new(version).await.answer(envelope).await;
            assert_eq!(
                (back, &result["content"][0]["text"]),
                (None, &json!("Not now.")),
                "{envelope}"
            );
            assert_eq!(result["isError"], true);
        }
        for envelope in MALFORMED {
            let (back, result) = Asking::new(version).await.answer(envelope).await;
            let sentence = result["content"][0]["text"].as_str().unwrap();
            assert!(
                sentence.ends_with("is malformed."),
                "{envelope}: {sentence}"
            );
            assert_eq!(result["isError"], true);
            assert!(back.is_none_or(|back| back["id"].is_null()), "{envelope}");
        }
    }
}

/// In a batch as well.
#[tokio::test(start_paused = true)]
async fn a_malformed_answer_in_a_batch_ends_its_call() {
    for envelope in MALFORMED {
        let mut asking = Asking::new("2025-03-26").await;
        let batch = format!("[{}]", written(envelope, &asking.question));
        let body = asking.server.parse(batch.as_bytes()).unwrap();
        match asking
            .server
            .receive(&asking.connection, &Permit::unrestricted(), body)
            .into_exchange()
        {
            Ok(mut batch) => {
                let Some(Event::Answer(answer)) = soon(batch.next_event()).await else {
                    panic!("{envelope}");
                };
                let answers: Value = serde_json::from_slice(&answer.body).unwrap();
                assert!(answers[0]["id"].is_null(), "{answers}");
            }
            Err(nothing) => assert_eq!(nothing, None),
        }
        let Some(Event::Answer(answer)) = soon(asking.call.next_event()).await else {
            panic!("no answer");
        };
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["result"]["isError"], true, "{envelope}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_answers_nothing_is_ignored_and_never_answered_under_an_id_of_ours() {
    let asking = Asking::new("2025-11-25").await;
    let (server, connection) = (&asking.server, &asking.connection);
    for envelope in GOOD.iter().chain(REFUSED).chain(MALFORMED) {
        for id in [json!(7), json!("0"), json!(0.5), json!(null)] {
            let text = written(envelope, &id);
            let back = match server.parse(text.as_bytes()) {
                Ok(body) => match server.receive(connection, &Permit::unrestricted(), body) {
                    Reply::Accepted => continue,
                    Reply::Answer(answer) => answer.body,
                    _ => panic!("a call: {text}"),
                },
                Err(refused) => {
                    assert_eq!(refused.id, None, "{text}");
                    continue;
                }
            };
            let back: Value = serde_json::from_slice(&back).unwrap();
            // A request that only lacks its method is told so, under its own id.
            let nameless = !text.contains("result") && !text.contains("error");
            assert!(
                back["id"].is_null() || (nameless && back["id"] == id),
                "{text}: {back}"
            );
        }
    }
    // Nothing of that was for the call, which still waits; and an id stays ours when it is answered.
    let question = asking.question.clone();
    let (server, connection) = (server.clone(), Arc::clone(connection));
    let (_, result) = asking.answer(GOOD[0]).await;
    assert_eq!(result["content"][0]["text"], "yes");
    let late = written(r#"{"jsonrpc":"2.0","id":ID}"#, &question);
    let Reply::Answer(late) = server.receive(
        &connection,
        &Permit::unrestricted(),
        server.parse(late.as_bytes()).unwrap(),
    ) else {
        panic!("no answer");
    };
    assert!(serde_json::from_slice::<Value>(&late.body).unwrap()["id"].is_null());
}

#[tokio::test(start_paused = true)]
async fn over_stdio() {
    for envelope in GOOD.iter().chain(REFUSED).chain(MALFORMED) {
        let mut client = BufReader::new(testing::connect(&server()));
        for message in [introduction("2025-11-25"), call()] {
            client
                .write_all(format!("{message}\n").as_bytes())
                .await
                .unwrap();
        }
        let mut answered = false;
        loop {
            let mut line = String::new();
            soon(client.read_line(&mut line)).await.unwrap();
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["method"] == "elicitation/create" {
                let answer = written(envelope, &message["id"]);
                client
                    .write_all(format!("{answer}\n").as_bytes())
                    .await
                    .unwrap();
                answered = true;
            } else if message["id"] == "call" {
                let good = GOOD.contains(envelope);
                assert!(
                    answered && (message["result"]["isError"] != true) == good,
                    "{envelope}: {line}"
                );
                break;
            } else {
                assert!(
                    message["id"] == "hello" || message["id"].is_null(),
                    "{envelope}: {line}"
                );
            }
        }
    }
}
