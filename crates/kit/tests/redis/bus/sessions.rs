//! Legacy sessions whose requests, answers, cancellations and streams are spread over replicas.

use std::collections::BTreeSet;
use std::time::Duration;

use pymcp_kit::Kind;
use pymcp_kit::testing::raw::{Client, Events, Session};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::super::{redis_server, until};
use super::SILENCE;
use super::stage::{Http, Overheard, listening, of_another};

/// The answer to a call that was cancelled: none.
fn cancelled(client: &mut Client) {
    let response = block_in_place(|| client.response());
    assert_eq!((response.status, &*response.body), (202, ""));
}

/// Requests that work at this replica.
fn working(at: &Http) -> usize {
    at.replica.server.in_flight()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_cancelled_at_whichever_replica_the_notification_comes_to() {
    let server = redis_server!();
    let all: [Http; 3] = listening(&server).await;
    let overheard = Overheard::of(&server);
    let session = all[0].open();
    // Each has an id of its own, as clients do it: a replica may hear late of what was cancelled before.
    let (mut id, mut told) = (0, 0);
    for runs in &all {
        for hears in &all {
            id += 1;
            if !std::ptr::eq(runs, hears) {
                told = id;
            }
            let mut call = runs.call(&session, id, "wait");
            until(async || working(runs) == 1).await;
            hears.cancel(&session, id);
            cancelled(&mut call);
            until(async || working(runs) == 0).await;
        }
    }
    until(async || overheard.of_kind("cancelled").len() >= 6).await;
    sleep(SILENCE).await;
    // Nobody else is told where it runs.
    assert_eq!(overheard.of_kind("cancelled").len(), 6);
    // What names another's session, or another request, ends nothing.
    let mut call = all[0].call(&session, told, "wait");
    until(async || working(&all[0]) == 1).await;
    let said = overheard.of_kind("cancelled");
    let genuine = said.last().unwrap();
    server.command(&["PUBLISH", "test:{}:bus", &of_another(genuine)]);
    all[1].cancel(&session, id + 1);
    sleep(SILENCE).await;
    assert_eq!(working(&all[0]), 1);
    server.command(&["PUBLISH", "test:{}:bus", &genuine.to_string()]);
    cancelled(&mut call);
    // The id of the session is on the bus nowhere.
    assert!(
        said.iter()
            .all(|said| !said.to_string().contains(&session.id))
    );
}

/// Reads what a call asks, up to the id of the question.
fn asked(events: &mut Events, method: &str) -> Value {
    block_in_place(|| events.until(method))["id"].clone()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_at_whichever_replica_the_answer_comes_to() {
    let server = redis_server!();
    let all: [Http; 3] = listening(&server).await;
    let session = all[0].open();
    let mut ids = BTreeSet::new();
    for turn in 0..18 {
        let (runs, hears) = (&all[turn % 3], &all[turn / 3 % 3]);
        let mut events = block_in_place(|| runs.call(&session, 1, "both").events());
        let first = asked(&mut events, "elicitation/create");
        let form = json!({ "action": "accept", "content": { "value": turn } });
        hears.answer(&session, &first, form);
        let second = asked(&mut events, "sampling/createMessage");
        let said = json!({
            "role": "assistant", "model": "m", "content": { "type": "text", "text": "ahoy" },
        });
        hears.answer(&session, &second, said);
        let answer = block_in_place(|| events.answer());
        assert_eq!(text(&answer), format!("{turn} ahoy"), "{answer}");
        // A client never sees an id twice, whoever asks, and can hold it as a double.
        for id in [first, second] {
            assert!(id.as_u64().unwrap() < 1 << 53);
            assert!(ids.insert(id.as_u64().unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_for_its_own_session_and_its_own_question() {
    let server = redis_server!();
    let all: [Http; 2] = listening(&server).await;
    let [here, there] = &all;
    let overheard = Overheard::of(&server);
    let (session, other) = (here.open(), here.open());
    let mut events = block_in_place(|| here.call(&session, 1, "order").events());
    let question = asked(&mut events, "elicitation/create");
    let form = |value: u8| json!({ "action": "accept", "content": { "value": value } });
    // Of another session, of no question, and as if from another principal.
    there.answer(&other, &question, form(1));
    let next = json!(question.as_u64().unwrap() + 1);
    there.answer(&session, &next, form(2));
    until(async || overheard.of_kind("answered").len() == 2).await;
    let mut genuine = overheard.of_kind("answered")[1].clone();
    genuine["question"] = question.clone();
    let channel = format!("test:{{}}:bus:{:08x}", question.as_u64().unwrap() >> 22);
    server.command(&["PUBLISH", &channel, &of_another(&genuine)]);
    sleep(SILENCE).await;
    there.answer(&session, &question, form(4));
    there.answer(&session, &question, form(5));
    let answer = block_in_place(|| events.answer());
    assert_eq!(text(&answer), "4 ordered", "{answer}");
    // What is no answer is none here as well.
    let mut events = block_in_place(|| here.call(&session, 1, "order").events());
    let question = asked(&mut events, "elicitation/create");
    let refusal = json!({ "code": -1, "message": "I will not" });
    let refused = json!({ "jsonrpc": "2.0", "id": question, "error": refusal });
    assert_eq!(there.post(&session, &refused).status, 202);
    let answer = block_in_place(|| events.answer());
    assert_eq!(text(&answer), "I will not", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_bus_a_session_is_served_where_it_is_and_with_it_everywhere_again() {
    let mut server = redis_server!();
    let all: [Http; 2] = listening(&server).await;
    let [here, there] = &all;
    let session = here.open();
    let form = |value: u8| json!({ "action": "accept", "content": { "value": value } });
    // Both know the session from here on.
    there.done(&session, "ping", json!({}));
    let mut events = block_in_place(|| here.call(&session, 1, "order").events());
    let question = asked(&mut events, "elicitation/create");
    server.kill();
    until(async || all.iter().all(|one| !one.replica.redis.hears_replicas())).await;
    // It would be lost, and its client would wait for what comes of it.
    let unheard = |question: &Value, value| {
        let message = json!({ "jsonrpc": "2.0", "id": question, "result": form(value) });
        let refused = there.post(&session, &message);
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (503, Some("2"))
        );
    };
    unheard(&question, 1);
    here.answer(&session, &question, form(2));
    assert_eq!(text(&block_in_place(|| events.answer())), "2 ordered");
    let mut events = block_in_place(|| here.call(&session, 1, "order").events());
    let question = asked(&mut events, "elicitation/create");
    unheard(&question, 3);
    server.run().unwrap();
    let back = until(async || all.iter().all(|one| one.replica.redis.hears_replicas())).await;
    assert!(back < Duration::from_secs(2), "{back:?}");
    there.answer(&session, &question, form(3));
    assert_eq!(text(&block_in_place(|| events.answer())), "3 ordered");
}

/// What comes on a GET stream next: the method, or the URI of a resource.
fn told(events: &mut Events) -> String {
    let message = block_in_place(|| events.message());
    let what = message["params"]["uri"].as_str();
    what.or(message["method"].as_str()).unwrap().to_owned()
}

fn subscribe(at: &Http, session: &Session, on: bool, uri: &str) {
    let method = match on {
        true => "resources/subscribe",
        false => "resources/unsubscribe",
    };
    at.done(session, method, json!({ "uri": uri }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_no_request_comes_once_on_the_stream_of_the_session_wherever_that_is() {
    let server = redis_server!();
    let all: [Http; 3] = listening(&server).await;
    let components = |one: usize| all[one].replica.server.components();
    let session = all[0].open();
    // Subscribed to here, and the stream is opened there later.
    subscribe(&all[0], &session, true, "data://c");
    let mut events = all[1].listen(&session);
    // The other way round; and what is said twice is one subscription.
    sleep(SILENCE).await;
    subscribe(&all[2], &session, true, "data://d");
    subscribe(&all[0], &session, true, "data://d");
    sleep(SILENCE).await;
    for one in 0..3 {
        for uri in ["data://c", "data://d", "data://e"] {
            components(one).updated(uri);
        }
        components(one).changed(Kind::Prompt);
        assert_eq!(told(&mut events), "data://c");
        assert_eq!(told(&mut events), "data://d");
        assert_eq!(told(&mut events), "notifications/prompts/list_changed");
    }
    // The components of a replica that serves the session, and of one where its stream is.
    for (one, on) in [(0, false), (1, false), (0, true), (1, true)] {
        assert!(components(one).switch(Kind::Tool, "wait", on));
        assert_eq!(told(&mut events), "notifications/tools/list_changed");
    }
    subscribe(&all[2], &session, false, "data://d");
    // The stream moves.
    drop(events);
    let mut events = all[2].listen(&session);
    sleep(SILENCE).await;
    components(1).updated("data://d");
    components(1).updated("data://c");
    components(1).changed(Kind::Prompt);
    assert_eq!(told(&mut events), "data://c");
    assert_eq!(told(&mut events), "notifications/prompts/list_changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_hears_after_a_gap_what_was_subscribed_to_elsewhere_meanwhile() {
    let mut server = redis_server!();
    let all: [Http; 2] = listening(&server).await;
    let [here, there] = &all;
    let session = here.open();
    let mut events = there.listen(&session);
    sleep(SILENCE).await;
    server.kill();
    until(async || all.iter().all(|one| !one.replica.redis.hears_replicas())).await;
    subscribe(here, &session, true, "data://c");
    server.run().unwrap();
    until(async || all.iter().all(|one| one.replica.redis.hears_replicas())).await;
    let serving = here.replica.server.clone();
    let updates = tokio::spawn(async move {
        loop {
            serving.components().updated("data://c");
            sleep(SILENCE).await;
        }
    });
    loop {
        match &*told(&mut events) {
            "data://c" => break,
            // It is told to look again.
            list => assert!(list.ends_with("list_changed"), "{list}"),
        }
    }
    updates.abort();
}
