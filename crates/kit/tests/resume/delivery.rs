//! What a client gets that comes back.

use serde_json::json;

use super::stage::*;

#[tokio::test]
async fn a_result_that_comes_after_the_connection_was_lost_is_delivered() {
    let mut stage = Stage::new(patient()).await;
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let session = stage.session(version).await;
        let mut posted = session.post(&call(1, json!({"before": 3}))).await;
        if version == "2025-11-25" {
            assert!(posted.next().await.is_priming());
        }
        let (first, second) = (posted.next().await, posted.next().await);
        assert_eq!([first.number(), second.number()], [1, 2], "{version}");
        assert_eq!(first.message()["params"]["data"], "0");
        drop(posted);
        stage.open();
        assert!(stage.finished().await, "{version}");
        // Twice: the second connection may be lost as well.
        for _ in 0..2 {
            let mut events = session.get(Some(first.id())).await.rest().await;
            if version == "2025-11-25" {
                let priming = events.remove(0);
                assert!(priming.is_priming() && priming.id == first.id);
            }
            let numbers: Vec<usize> = events.iter().map(Event::number).collect();
            assert_eq!(numbers, [2, 3, 4], "{version}");
            assert_eq!(events[0], second, "{version}");
            assert!(events[2].is_answer(), "{version}");
        }
    }
}

#[tokio::test]
async fn a_resumed_stream_goes_on_and_takes_over() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut posted = session
        .post(&call(1, json!({"before": 1, "after": 1})))
        .await;
    let (priming, said) = (posted.next().await, posted.next().await);
    let mut former = session.get(Some(priming.id())).await;
    assert!(former.next().await.is_priming());
    assert_eq!(former.next().await, said);
    // The body of the POST has ended, although its client was still there.
    assert_eq!(posted.event().await, None);
    let mut later = session.get(Some(said.id())).await;
    assert!(later.next().await.is_priming());
    assert_eq!(former.event().await, None);
    stage.open();
    let rest = later.rest().await;
    assert_eq!(rest.len(), 2);
    assert!(rest[1].is_answer());
}

#[tokio::test]
async fn streams_begin_as_their_revision_has_it() {
    let stage = Stage::new(patient()).await;
    for (version, primed, ids) in [
        ("2025-11-25", true, true),
        ("2025-06-18", false, true),
        ("2025-03-26", false, true),
        ("2024-11-05", false, false),
    ] {
        let session = stage.session(version).await;
        let mut posted = session.post(&call(1, json!({"before": 1}))).await;
        stage.open();
        let mut events = posted.rest().await;
        assert_eq!(events[0].is_priming(), primed, "{version}");
        if primed {
            events.remove(0);
        }
        assert_eq!(events.len(), 2, "{version}");
        for event in &events {
            assert_eq!(
                (event.id.is_some(), &event.retry),
                (ids, &None),
                "{version}"
            );
        }
        // Priming is of use at the session's own stream as well; its id repeats nothing.
        session
            .post(&request(
                2,
                "resources/subscribe",
                json!({"uri": "data://x"}),
            ))
            .await;
        let mut listening = session.get(None).await;
        assert_eq!(listening.status, 200);
        let mut last = None;
        if primed {
            let priming = listening.next().await;
            assert!(priming.is_priming());
            last = priming.id;
        }
        stage.server.components().updated("data://x");
        let update = listening.next().await;
        assert_eq!(update.message()["params"]["uri"], "data://x", "{version}");
        assert_eq!(update.id, None, "{version}");
        if let Some(last) = last {
            let mut again = session.get(Some(&last)).await;
            assert!(again.next().await.is_priming());
            assert_eq!(listening.event().await, None);
            stage.server.components().updated("data://x");
            assert_eq!(again.next().await, update);
        }
    }
}

#[tokio::test]
async fn what_is_complete_already_is_neither_kept_nor_numbered() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    stage.gate.add_permits(2);
    let silent = session.post(&call(1, json!({}))).await;
    assert_eq!(silent.header("content-type"), Some("application/json"));
    let events = session
        .post(&call(2, json!({"before": 2})))
        .await
        .rest()
        .await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.id.is_none()));
}

#[tokio::test]
async fn nobody_elses_events_are_to_be_had() {
    let mut stage = Stage::new(patient()).await;
    let ours = stage.session("2025-11-25").await;
    let mut posted = ours.post(&call(1, json!({"before": 1}))).await;
    let (priming, said) = (posted.next().await, posted.next().await);
    let stream = priming.id().split_once('-').unwrap().0;
    let stranger = format!("{}-1", "0".repeat(32));
    let unwritten = format!("{stream}-99");
    let twice = format!("{}\r\nLast-Event-ID: {}", said.id(), said.id());
    for version in ["2025-11-25", "2025-06-18"] {
        let theirs = stage.session(version).await;
        for id in [priming.id(), said.id(), &stranger] {
            let refused = theirs.get(Some(id)).await;
            assert_eq!(refused.status, 400, "{version} {id}");
            let text = refused.text().await;
            assert!(
                text.contains("-32600") && !text.contains("params"),
                "{text}"
            );
        }
    }
    for id in [&*stranger, &unwritten, &twice] {
        assert_eq!(ours.get(Some(id)).await.status, 400, "{id}");
    }
    // A revision without ids does not look at them.
    let old = stage.session("2024-11-05").await;
    assert_eq!(old.get(Some(said.id())).await.status, 200);
    // Without a session there is nothing to read at all.
    let head = format!(
        "Accept: text/event-stream\r\nLast-Event-ID: {}\r\n",
        said.id()
    );
    let modern = format!("{head}MCP-Protocol-Version: 2026-07-28\r\n");
    for head in [head, modern] {
        let refused = Stream::open(stage.address, "GET", &head, "").await;
        assert_eq!(refused.status, 405);
    }
    // What is no id of ours opens the session's own stream, which has nothing of the others.
    for id in ["", "0", "[/x]", stream] {
        let theirs = stage.session("2025-11-25").await;
        let mut listening = theirs.get(Some(id)).await;
        let own = listening.next().await;
        assert!(own.is_priming() && !own.id().starts_with(stream), "{id}");
        theirs.delete().await;
        assert_eq!(listening.event().await, None, "{id}");
    }
    // Nobody has taken anything from the stream.
    stage.open();
    assert!(stage.finished().await);
    assert!(posted.rest().await[0].is_answer());
}

#[tokio::test]
async fn a_session_has_only_so_many_and_what_is_beyond_them_works_all_the_same() {
    let stage = Stage::new(patient()).await;
    let session = stage.session("2025-11-25").await;
    let mut streams = Vec::new();
    for id in 0..17 {
        let mut stream = session.post(&call(id, json!({"before": 1}))).await;
        if id < 16 {
            assert!(stream.next().await.is_priming());
        }
        assert_eq!(stream.next().await.id.is_some(), id < 16);
        streams.push(stream);
    }
    for _ in 0..17 {
        stage.open();
    }
    for stream in &mut streams {
        let rest = stream.rest().await;
        assert!(rest.len() == 1 && rest[0].is_answer());
    }
    // Those that have ended make room.
    let mut next = session.post(&call(99, json!({"before": 1}))).await;
    assert!(next.next().await.is_priming());
}
