//! The end of a server: what was begun is finished, what has no end of its own is ended, nothing new is begun.

use std::net::TcpStream;
use std::time::Instant;

use pymcp_kit::testing::message::{answer, asks_user, call};
use pymcp_kit::testing::raw::Session;
use serde_json::json;

use crate::support::{over_http, over_sse};

#[test]
fn calls_in_flight_are_answered_and_open_streams_end() {
    let mut server = over_http(&[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let stream = session.listen();
    let mut idle = server.connect();
    assert_eq!(
        idle.ask(&session.request(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})))
            .status,
        200
    );
    let mut events = session
        .start(&call(2, "measure", json!({"at": 1.0})))
        .events();
    let question = events.until("elicitation/create");
    // The answer is on its way as well: the server asks for its body.
    let width = answer(
        &question,
        json!({"action": "accept", "content": {"value": 2.5}}),
    );
    let request = session
        .request(&width)
        .with("Expect", "100-continue")
        .bytes();
    let (head, body) = request.split_at(request.len() - width.to_string().len());
    let mut answering = server.connect();
    assert_eq!(answering.send(head).response().status, 100);

    server.terminate();
    stream.end();
    assert!(idle.try_response().is_none());

    let accepted = answering.send(body).response();
    assert_eq!((accepted.status, &*accepted.body), (202, ""));
    assert!(answering.try_response().is_none());
    assert!(events.answer()["result"]["structuredContent"]["result"].is_number());
    events.end();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

#[test]
fn nothing_new_is_begun() {
    let mut server = over_http(&[]);
    let session = Session::open(server.address(), "2025-11-25", asks_user());
    let stream = session.listen();
    let mut events = session
        .start(&call(1, "measure", json!({"at": 1.0})))
        .events();
    events.until("elicitation/create");
    server.terminate();
    stream.end();
    assert!(
        TcpStream::connect(server.address()).is_err(),
        "the port is still open"
    );
    drop(events);
    let left = Instant::now();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    // Nobody is connected any more, so there is nothing to wait for: not the ten seconds that calls have.
    assert!(left.elapsed().as_secs() < 8, "{:?}", left.elapsed());
}

#[test]
fn a_server_without_clients_ends_at_once() {
    for (transport, mut server) in [("http", over_http(&[])), ("sse", over_sse())] {
        server.terminate();
        assert_eq!(
            server.wait().code(),
            Some(0),
            "{transport}: {}",
            server.stderr()
        );
    }
}
