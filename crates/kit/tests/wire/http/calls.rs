//! Calls over HTTP: JSON or events, questions to the user on the way, cancelling and leaving.

use std::net::SocketAddr;
use std::time::Instant;

use pymcp_kit::testing::PATIENCE;
use pymcp_kit::testing::message::{
    answer, asks_user, call, error_text, modern, notification, request,
};
use pymcp_kit::testing::raw::{
    Client, LocalServer, Request, Response, Session, initialize, mirrored, patient,
};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use crate::support::gate::{Fate, Gate};
use crate::support::over_http;

fn talking() -> Value {
    json!({ "talk": true })
}

/// A server with a gate, over HTTP.
fn gated(config: HttpConfig) -> (Gate, LocalServer) {
    let (gate, tool) = Gate::new();
    let server = Server::builder("test", "1.0.0").tool(tool).build().unwrap();
    (gate, LocalServer::start(server, config))
}

fn result(response: &Value) -> &Value {
    &response["result"]["structuredContent"]["result"]
}

#[test]
fn a_call_that_says_nothing_else_is_answered_as_json() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    for response in [
        session.post(&call(1, "factorial", json!({"n": 5}))),
        server.ask(&mirrored(&modern(
            call(1, "factorial", json!({"n": 5})),
            json!({}),
        ))),
    ] {
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(result(&response.message()), 120);
    }
}

#[test]
fn a_call_that_talks_is_answered_as_events_that_no_proxy_holds_back() {
    let server = over_http(&["--cache-ttl", "0"]);
    let session = Session::plain(server.address());
    let mut stateless = modern(call(1, "hail", json!({})), json!({}));
    stateless["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
    for request in [
        session.request(&call(1, "hail", json!({}))),
        mirrored(&stateless),
    ] {
        let response = server.ask(&request);
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        assert_eq!(response.header("x-accel-buffering"), Some("no"));
        assert!(
            response
                .header("cache-control")
                .is_some_and(|value| value.contains("no-cache"))
        );
        assert!(
            !response.body.contains("\nid:"),
            "it came whole, so there is nothing to resume: {}",
            response.body
        );
        let mut client = server.connect();
        client.send(request.bytes());
        let mut events = client.events();
        assert_eq!(events.message()["method"], "notifications/message");
        let answer = events.message();
        assert!(
            answer["id"] == 1 && answer["result"].is_object(),
            "{answer}"
        );
        events.end();
    }
}

#[test]
fn events_come_while_the_call_still_runs() {
    let (gate, server) = gated(HttpConfig::default());
    let session = Session::plain(server.address());
    let mut stateless = modern(call(2, "gate", talking()), json!({}));
    stateless["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    for request in [
        session.request(&call(1, "gate", talking())),
        mirrored(&stateless),
    ] {
        let mut client = Client::connect(server.address());
        client.send(request.bytes());
        let mut events = client.events();
        assert_eq!(events.message()["params"]["data"], "Waiting.");
        gate.open();
        assert_eq!(result(&events.message()), "through");
        events.end();
    }
}

#[test]
fn progress_is_reported_under_the_token_of_its_own_call() {
    async fn count(ctx: Ctx, _: NoArgs) -> Result<()> {
        for step in [1.0, 2.0, 2.0, 1.5, 3.0] {
            ctx.progress(step, Some(3.0), None).await;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("count", count))
        .build()
        .unwrap();
    let server = LocalServer::start(server, HttpConfig::default());
    let session = Session::plain(server.address());
    let with_token = |id: u32, token: Value| {
        let mut message = call(id, "count", json!({}));
        message["params"]["_meta"]["progressToken"] = token;
        session.start(&message).events()
    };
    let mut streams = [(1, json!("a")), (2, json!(7)), (3, json!("a"))]
        .map(|(id, token)| (id, with_token(id, token.clone()), token));
    for (id, events, token) in &mut streams {
        for progress in [1.0, 2.0, 3.0] {
            let params = events.until("notifications/progress")["params"].clone();
            assert_eq!(
                (&params["progressToken"], params["progress"].as_f64()),
                (&*token, Some(progress))
            );
        }
        assert_eq!(events.message()["id"], *id);
    }
    let silent = session.post(&call(9, "count", json!({})));
    assert_eq!(silent.header("content-type"), Some("application/json"));
}

#[test]
fn a_question_is_answered_with_another_post() {
    let server = over_http(&[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let mut events = session
        .start(&call("v", "measure", json!({"at": 1.0})))
        .events();
    assert_eq!(events.message()["params"]["level"], "info");
    let question = events.message();
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(
        question["params"]["requestedSchema"]["properties"]["value"]["type"],
        "number"
    );
    // Somebody else's answer, in another session, is none.
    let other = Session::open(server.address(), "2025-11-25", asks_user());
    let width = |value: f64| {
        answer(
            &question,
            json!({"action": "accept", "content": {"value": value}}),
        )
    };
    assert_eq!(other.post(&width(-1.0)).status, 202);
    let accepted = session.post(&width(2.5));
    assert_eq!((accepted.status, &*accepted.body), (202, ""));
    // It is answered once: a second answer changes nothing.
    assert_eq!(session.post(&width(-1.0)).status, 202);
    let warning = events.message();
    assert_eq!(warning["params"]["data"], "Received width: 2.5");
    let answer = events.message();
    assert_eq!(answer["id"], "v");
    let drawn = result(&answer).as_f64().unwrap();
    assert!((0.0..std::f64::consts::TAU).contains(&drawn), "{drawn}");
    events.end();
}

#[test]
fn a_question_can_be_declined_dismissed_or_refused() {
    let server = over_http(&[]);
    let session = Session::open(server.address(), "2025-06-18", asks_user());
    let ask = || {
        let mut events = session
            .start(&call(1, "measure", json!({"at": 1.0})))
            .events();
        let question = events.until("elicitation/create");
        (events, question)
    };
    let (mut events, question) = ask();
    session.post(&answer(&question, json!({"action": "decline"})));
    assert!(result(&events.answer()).is_number());
    let (mut events, question) = ask();
    session.post(&answer(&question, json!({"action": "cancel"})));
    assert_eq!(error_text(&events.answer()), "Cancelled by the user.");
    let (mut events, question) = ask();
    let refusal = json!({"code": -1, "message": "The user is out."});
    session.post(&json!({"jsonrpc": "2.0", "id": question["id"], "error": refusal}));
    assert_eq!(error_text(&events.answer()), "The user is out.");
}

#[test]
fn questions_of_parallel_calls_are_kept_apart() {
    let server = over_http(&[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let mut calls = [1, 2, 3].map(|id| {
        let mut events = session
            .start(&call(id, "measure", json!({"at": 1.0})))
            .events();
        let question = events.until("elicitation/create");
        (id, events, question)
    });
    for (id, _, question) in calls.iter().rev() {
        let width = json!({"action": "accept", "content": {"value": f64::from(*id)}});
        session.post(&answer(question, width));
    }
    for (id, events, _) in &mut calls {
        let warning = events.message();
        assert_eq!(warning["params"]["data"], format!("Received width: {id}.0"));
        assert_eq!(events.answer()["id"], *id);
    }
}

#[test]
fn a_client_that_cannot_be_asked_is_told_so() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let ask = call(1, "measure", json!({"at": 1.0}));
    assert!(error_text(&session.ask(&ask)).contains("elicitation"));
    // Without sessions there is nobody to send a request to: the question is part of the answer.
    let stateless = |capabilities: Value| server.ask(&mirrored(&modern(ask.clone(), capabilities)));
    assert_eq!(stateless(json!({})).refusal(), (400, -32021));
    let answered = stateless(asks_user());
    assert_eq!(answered.status, 200);
    let asked = answered.message();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
}

#[test]
fn a_cancelled_call_is_stopped_and_not_answered() {
    let (gate, server) = gated(patient());
    let session = Session::plain(server.address());
    let cancel = |id: Value| {
        let response = session.post(&notification(
            "notifications/cancelled",
            json!({ "requestId": id }),
        ));
        assert_eq!((response.status, &*response.body), (202, ""));
    };
    // One that has said nothing yet: HTTP wants a response, and gets one without a message.
    let mut silent = session.start(&call("a", "gate", json!({})));
    gate.started();
    cancel(json!("b"));
    cancel(json!("a"));
    assert_eq!(gate.fate(), Fate::Cancelled);
    let response = silent.response();
    assert_eq!((response.status, &*response.body), (202, ""));
    // One that is being streamed: the stream ends.
    let mut events = session.start(&call(7, "gate", talking())).events();
    assert_eq!(events.message()["method"], "notifications/message");
    cancel(json!(7));
    assert_eq!(gate.fate(), Fate::Cancelled);
    events.end();
    // The ids are free again.
    gate.open();
    assert_eq!(
        result(&session.ask(&call("a", "gate", json!({})))),
        "through"
    );
}

#[test]
fn nobody_cancels_a_call_of_another_session() {
    let (gate, server) = gated(HttpConfig::default());
    let (ours, theirs) = (
        Session::plain(server.address()),
        Session::plain(server.address()),
    );
    let mut waiting = ours.start(&call(1, "gate", json!({})));
    gate.started();
    let cancel = notification("notifications/cancelled", json!({"requestId": 1}));
    assert_eq!(theirs.post(&cancel).status, 202);
    let outside = Client::connect(server.address()).ask(&Request::post(cancel.to_string()));
    assert_eq!(outside.status, 400);
    gate.open();
    assert_eq!(result(&waiting.response().message()), "through");
}

#[test]
fn leaving_cancels_a_modern_call() {
    let (gate, server) = gated(HttpConfig::default());
    let mut talking = modern(call(1, "gate", talking()), json!({}));
    talking["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    let silent = modern(call(1, "gate", json!({})), json!({}));
    for message in [silent, talking] {
        let mut client = Client::connect(server.address());
        client.send(mirrored(&message).bytes());
        gate.started();
        drop(client);
        assert_eq!(gate.fate(), Fate::Cancelled, "{message}");
    }
}

#[test]
fn leaving_does_not_cancel_a_legacy_call() {
    // With a single connection allowed, the next client is served only when the server knows that
    // the last one is gone.
    let (gate, server) = gated(HttpConfig {
        connections: 1,
        ..HttpConfig::default()
    });
    for arguments in [json!({}), talking()] {
        let hello = initialize("2025-11-25", json!({})).to_string();
        let (mut client, welcome) = served(server.address(), &Request::post(hello));
        let id = welcome.header("Mcp-Session-Id").unwrap();
        let post = |message: Value| Request::post(message.to_string()).with("Mcp-Session-Id", id);
        client.send(post(call(1, "gate", arguments)).bytes());
        gate.started();
        drop(client);
        let (_, pong) = served(server.address(), &post(request(2, "ping", json!({}))));
        assert_eq!(pong.status, 200);
        gate.open();
        assert_eq!(gate.fate(), Fate::Finished);
    }
}

/// Connects until there is a place.
fn served(address: SocketAddr, request: &Request) -> (Client, Response) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let mut client = Client::connect(address);
        if let Some(response) = client.send(request.bytes()).try_response() {
            return (client, response);
        }
    }
    panic!("the server has not noticed that a client is gone");
}
