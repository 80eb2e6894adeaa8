//! HTTP+SSE of 2024-11-05: one stream carries all answers, messages are posted beside it.

use std::time::Instant;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{answer, asks_user, call, modern, notification, request};
use pymcp_kit::testing::raw::{Client, Events, HttpServer, Request, Response, initialize};
use serde_json::{Value, json};

use crate::support::over_sse;

/// A session: its stream, and where to post.
struct OldClient<'a> {
    server: &'a HttpServer,
    stream: Events,
    endpoint: String,
}

impl<'a> OldClient<'a> {
    fn connect(server: &'a HttpServer) -> Self {
        let mut client = server.connect();
        client.send(
            Request::new("GET", "/sse")
                .with("Accept", "text/event-stream")
                .bytes(),
        );
        let mut stream = client.events();
        let first = stream.next().expect("the endpoint");
        assert_eq!(first.name, "endpoint");
        assert!(
            first.data.starts_with("/messages/?session_id="),
            "{first:?}"
        );
        Self {
            server,
            stream,
            endpoint: first.data,
        }
    }

    fn open(server: &'a HttpServer, capabilities: Value) -> Self {
        let mut client = Self::connect(server);
        let welcome = client.ask(&initialize("2024-11-05", capabilities));
        assert_eq!(welcome["result"]["protocolVersion"], "2024-11-05");
        client.tell(&notification("notifications/initialized", json!({})));
        client
    }

    fn request(&self, body: impl Into<Vec<u8>>) -> Request {
        Request::post(body).at(&self.endpoint)
    }

    fn post(&self, body: impl Into<Vec<u8>>) -> Response {
        self.server.ask(&self.request(body))
    }

    /// Posts a message that is accepted.
    fn tell(&self, message: &Value) {
        let response = self.post(message.to_string());
        assert_eq!((response.status, &*response.body), (202, "Accepted"));
    }

    /// Posts a request and reads its answer off the stream.
    fn ask(&mut self, message: &Value) -> Value {
        self.tell(message);
        self.stream.answer()
    }
}

#[test]
fn a_session_is_a_stream_and_an_endpoint() {
    let server = over_sse();
    let mut client = OldClient::open(&server, json!({}));
    assert_eq!(
        client.ask(&request(1, "ping", json!({}))),
        json!({"jsonrpc": "2.0", "id": 1, "result": {}})
    );
    let counted = client.ask(&call("c", "factorial", json!({"n": 5})));
    assert_eq!(
        (
            &counted["id"],
            &counted["result"]["structuredContent"]["result"]
        ),
        (&json!("c"), &json!(120))
    );
    assert_eq!(
        client.ask(&request(2, "tools/dance", json!({})))["error"]["code"],
        -32601
    );
    client.tell(&call(3, "hail", json!({})));
    assert_eq!(client.stream.message()["method"], "notifications/message");
    assert_eq!(client.stream.message()["id"], 3);
}

#[test]
fn clients_that_ask_for_less_than_a_post_elsewhere_are_served() {
    // Clients of this transport say `Accept: */*` or nothing when they post.
    let server = over_sse();
    let mut client = OldClient::open(&server, json!({}));
    for (id, accept) in [(1, Some("*/*")), (2, Some("application/json")), (3, None)] {
        let posted = client
            .request(request(id, "ping", json!({})).to_string())
            .without("Accept");
        let posted = accept.map_or(posted.clone(), |accept| posted.with("Accept", accept));
        assert_eq!(server.ask(&posted).status, 202, "{accept:?}");
        assert_eq!(client.stream.message()["id"], id);
    }
}

#[test]
fn what_is_no_message_is_refused_where_it_was_posted() {
    let server = over_sse();
    let mut client = OldClient::open(&server, json!({}));
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("nonsense", -32700),
        ("7", -32600),
        ("{}", -32600),
    ] {
        assert_eq!(client.post(body).refusal(), (400, code), "{body}");
    }
    let ping = request(1, "ping", json!({})).to_string();
    for (header, value) in [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")] {
        let refused = server.ask(&client.request(&*ping).with(header, value));
        assert_eq!(refused.refusal(), (415, -32600), "{header}");
    }
    let large = client.post(" ".repeat((1 << 20) + 1));
    assert_eq!(large.refusal(), (413, -32600));
    // Nothing of that has reached the stream.
    assert_eq!(client.ask(&request(1, "ping", json!({})))["id"], 1);
}

#[test]
fn requests_of_other_revisions_are_told_which_are_served() {
    let server = over_sse();
    let mut client = OldClient::open(&server, json!({}));
    for message in [
        modern(request(1, "tools/list", json!({})), json!({})),
        request(1, "server/discover", json!({})),
    ] {
        let refused = client.ask(&message);
        assert_eq!(
            (&refused["id"], &refused["error"]["code"]),
            (&json!(1), &json!(-32022)),
            "{message}"
        );
        assert!(
            refused["error"]["data"]["supported"]
                .as_array()
                .is_some_and(|all| all.contains(&json!("2024-11-05")))
        );
    }
    let newer = client.ask(&initialize("2025-11-25", json!({})));
    assert_eq!(newer["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn posting_needs_a_session_that_is_open() {
    let server = over_sse();
    let client = OldClient::open(&server, json!({}));
    let ping = request(1, "ping", json!({})).to_string();
    for target in [
        "/messages/",
        "/messages/?session_id=",
        "/messages/?session_id=00000000000000000000000000000000",
        "/messages/?session=x",
        "/messages",
        &format!("{}0", client.endpoint),
    ] {
        let refused = server.ask(&Request::post(ping.clone()).at(target));
        assert_eq!(refused.refusal(), (404, -32600), "{target}");
        assert_eq!(refused.message()["id"], 1, "{target}");
    }
}

#[test]
fn only_its_own_paths_and_methods_are_served() {
    let server = over_sse();
    for (request, expected) in [
        (Request::post("{}").at("/sse"), (405, -32600)),
        (Request::new("GET", "/messages/"), (405, -32600)),
        (Request::post("{}"), (404, -32600)),
        (Request::new("GET", "/"), (404, -32600)),
    ] {
        assert_eq!(server.ask(&request).refusal(), expected, "{request:?}");
    }
    for (header, value) in [("Host", "evil.test"), ("Origin", "http://evil.test")] {
        for request in [
            Request::new("GET", "/sse"),
            Request::post("{}").at("/messages/"),
        ] {
            assert_eq!(
                server.ask(&request.with(header, value)).refusal(),
                (403, -32600),
                "{header}"
            );
        }
    }
}

#[test]
fn a_question_goes_over_the_stream_and_its_answer_is_posted() {
    let server = over_sse();
    let mut client = OldClient::open(&server, asks_user());
    client.tell(&call("v", "measure", json!({"at": 1.0})));
    let question = client.stream.until("elicitation/create");
    // Other calls are answered meanwhile.
    assert_eq!(client.ask(&request(2, "ping", json!({})))["id"], 2);
    client.tell(&answer(
        &question,
        json!({"action": "accept", "content": {"value": 2.5}}),
    ));
    assert_eq!(
        client.stream.message()["params"]["data"],
        "Received width: 2.5"
    );
    let drawn = client.stream.message();
    assert_eq!(drawn["id"], "v");
    assert!(
        drawn["result"]["structuredContent"]["result"].is_number(),
        "{drawn}"
    );
}

#[test]
fn sessions_do_not_hear_each_other() {
    let server = over_sse();
    let (mut ours, mut theirs) = (
        OldClient::open(&server, json!({})),
        OldClient::open(&server, json!({})),
    );
    ours.tell(&call("ours", "factorial", json!({"n": 5})));
    theirs.tell(&call("theirs", "factorial", json!({"n": 4})));
    assert_eq!(theirs.stream.message()["id"], "theirs");
    assert_eq!(ours.stream.message()["id"], "ours");
}

#[test]
fn the_session_ends_with_its_stream() {
    let server = over_sse();
    let client = OldClient::open(&server, json!({}));
    // A notification needs no answer: nothing but the session decides whether it is accepted.
    let note = notification("notifications/initialized", json!({}));
    let note = client.request(note.to_string());
    assert_eq!(server.ask(&note).status, 202);
    drop(client);
    let (deadline, mut posting) = (Instant::now() + PATIENCE, Client::connect(server.address()));
    // The server notices in its own time that a client is gone.
    while posting.ask(&note).status != 404 {
        assert!(Instant::now() < deadline, "the session is still there");
    }
}

#[test]
fn a_client_that_does_not_read_is_refused_and_loses_nothing() {
    let server = over_sse();
    let mut client = OldClient::open(&server, json!({}));
    let mut posting = server.connect();
    let mut read_logo = |id: u32| {
        let message = request(id, "resources/read", json!({"uri": "data://large"}));
        posting.ask(&client.request(message.to_string()))
    };
    let (accepted, refused) = (0..10_000)
        .map(|id| (id, read_logo(id)))
        .find(|(_, response)| response.status != 202)
        .expect("an end of what is kept for it");
    assert_eq!(refused.refusal(), (503, -31001));
    let mut answered: Vec<u64> = (0..accepted)
        .map(|_| client.stream.answer()["id"].as_u64().unwrap())
        .collect();
    answered.sort();
    assert!(answered.into_iter().eq(0..u64::from(accepted)));
    // Having read, it is served again.
    assert_eq!(
        client.ask(&request("again", "ping", json!({})))["id"],
        "again"
    );
}

#[test]
fn batches_are_for_those_who_speak_the_revision_that_has_them() {
    let server = over_sse();
    let mut client = OldClient::connect(&server);
    client.ask(&initialize("2025-03-26", json!({})));
    let answers = client.ask(&json!([
        call(1, "factorial", json!({"n": 5})),
        request(2, "ping", json!({}))
    ]));
    assert_eq!(answers.as_array().map(Vec::len), Some(2));
    let mut older = OldClient::open(&server, json!({}));
    assert_eq!(
        older.ask(&json!([request(1, "ping", json!({}))]))["error"]["code"],
        -32600
    );
}

#[test]
fn streams_end_when_the_server_does() {
    let mut server = over_sse();
    let client = OldClient::open(&server, json!({}));
    let stream = client.stream;
    server.terminate();
    stream.end();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

#[test]
fn calls_in_flight_are_answered_before_the_stream_ends() {
    let mut server = over_sse();
    let mut client = OldClient::open(&server, asks_user());
    client.tell(&call(2, "measure", json!({"at": 1.0})));
    let question = client.stream.until("elicitation/create");
    let content = json!({"action": "accept", "content": {"value": 2.5}});
    let width = answer(&question, content).to_string();
    // The answer is on its way as well: the server asks for its body.
    let request = client
        .request(&*width)
        .with("Expect", "100-continue")
        .bytes();
    let (head, body) = request.split_at(request.len() - width.len());
    let mut answering = server.connect();
    assert_eq!(answering.send(head).response().status, 100);
    let mut stream = client.stream;

    server.terminate();
    assert_eq!(answering.send(body).response().status, 202);
    assert!(stream.answer()["result"]["structuredContent"]["result"].is_number());
    stream.end();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}
