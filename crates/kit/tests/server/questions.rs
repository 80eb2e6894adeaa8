//! Questions to legacy clients: what waits for a client takes nothing from those that work.

use std::time::Duration;

use pymcp_kit::core::{CallLimits, Event, Exchange};
use pymcp_kit::{Ctx, Effect, Elicited, Error, Form, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};

use super::client::{Client, accept, soon};

const IN_FLIGHT: usize = 32;

/// Asks, and says what came of it.
async fn ask(ctx: Ctx) -> Result<String> {
    match ctx.elicit::<u8>("How many?").await? {
        Elicited::Accepted(number) => Ok(format!("{number} of them")),
        _ => Ok("none".to_owned()),
    }
}

/// Asks twenty questions at once.
async fn ask_much(ctx: Ctx) -> Result<String> {
    let questions = (0..20).map(|i| ctx.ask(Form::<bool>::new(format!("Number {i}?"))));
    let answers = futures_util::future::try_join_all(questions).await?;
    Ok(format!("{} answers", answers.len()))
}

/// Asks so many questions at once, and says how many of them came to nothing and why.
async fn ask_all(ctx: &Ctx, questions: usize) -> String {
    let questions = (0..questions).map(|i| ctx.ask(Form::<bool>::new(format!("Number {i}?"))));
    let answers = futures_util::future::join_all(questions).await;
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    format!("{} {:?}", failed.len(), failed.first())
}

/// Asks sixteen questions at once, and never ends.
async fn ask_and_hang(ctx: Ctx) -> Result<String> {
    ask_all(&ctx, 16).await;
    std::future::pending().await
}

/// Asks from beside the call.
async fn ask_aside(ctx: Ctx) -> Result<String> {
    tokio::spawn(async move { ask(ctx).await }).await?
}

fn server_with(limits: CallLimits) -> Server {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("ask", |ctx: Ctx, _: NoArgs| ask(ctx)).effects([Effect::AsksUser]))
        .tool(
            Tool::new("ask_much", |ctx: Ctx, _: NoArgs| ask_much(ctx)).effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("ask_33", async |ctx: Ctx, _: NoArgs| {
                Ok::<_, Error>(ask_all(&ctx, 33).await)
            })
            .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("ask_and_hang", |ctx: Ctx, _: NoArgs| ask_and_hang(ctx))
                .effects([Effect::AsksUser]),
        )
        .tool(
            Tool::new("ask_aside", |ctx: Ctx, _: NoArgs| ask_aside(ctx))
                .effects([Effect::AsksUser]),
        )
        .tool(Tool::new("work", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("done")
        }))
        .call_limits(limits)
        .build()
        .unwrap()
}

fn server() -> Server {
    server_with(CallLimits {
        in_flight: IN_FLIGHT,
        ..CallLimits::default()
    })
}

fn call(name: &str) -> Value {
    json!({ "name": name, "arguments": {} })
}

/// The next message of a call: the id of the question that it is.
async fn question(exchange: &mut Exchange) -> u64 {
    match soon(exchange.next_event()).await {
        Some(Event::Message(message)) => {
            let message: Value = serde_json::from_slice(&message).unwrap();
            assert_eq!(message["method"], "elicitation/create", "{message}");
            message["id"].as_u64().unwrap()
        }
        other => panic!("no question: {other:?}"),
    }
}

/// The text of a call's result, and whether it is an error.
async fn result(exchange: &mut Exchange) -> (String, bool) {
    match soon(exchange.next_event()).await {
        Some(Event::Answer(answer)) => {
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            let text = answer["result"]["content"][0]["text"].as_str();
            let text = text.unwrap_or_else(|| panic!("no text: {answer}"));
            (text.to_owned(), answer["result"]["isError"] == true)
        }
        other => panic!("no answer: {other:?}"),
    }
}

/// The scenario of the flood in small: many sessions with many calls each that ask and are left alone.
#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_their_clients_keep_nobody_from_working() {
    let server = server();
    let mut asking = Vec::new();
    for _ in 0..4 {
        let client = Client::asked(&server).await;
        let mut calls = Vec::new();
        for id in 0..2 * IN_FLIGHT as u64 {
            let mut exchange = client.start(id, "tools/call", call("ask"));
            if id < 16 {
                question(&mut exchange).await;
                calls.push(exchange);
                continue;
            }
            let (refused, is_error) = result(&mut exchange).await;
            assert!(
                is_error && refused.contains("16 pending elicitations"),
                "{refused}"
            );
        }
        assert_eq!(server.in_flight(), 0);
        asking.push((client, calls));
    }
    let other = Client::legacy(&server).await.0;
    other.result("tools/call", call("work")).await;
    // The ids are in use for as long as the calls wait.
    let (client, calls) = &mut asking[0];
    let taken = client.ask_as(3, "tools/call", call("work")).await;
    assert_eq!(taken["error"]["code"], -32600, "{taken}");
    // Whoever is answered goes on, and has a place again.
    client.answer(0, accept(5));
    let answered = result(&mut calls[0]).await;
    assert_eq!(answered, ("5 of them".to_owned(), false));
    assert_eq!(server.in_flight(), 0);
    let mut next = client.start(100, "tools/call", call("ask"));
    question(&mut next).await;
}

/// There may be no place when the answer comes: the call goes on all the same.
#[tokio::test(start_paused = true)]
async fn an_answered_call_goes_on_although_all_places_are_taken() {
    let server = server_with(CallLimits {
        in_flight: 1,
        ..CallLimits::default()
    });
    let client = Client::asked(&server).await;
    for aside in ["ask", "ask_aside"] {
        let mut asking = client.start(1, "tools/call", call(aside));
        let id = question(&mut asking).await;
        assert_eq!(server.in_flight(), 0);
        let other = Client::stranger(&server);
        // Begun and not looked at: it has its place.
        let working = other.start(1, "ping", json!({}));
        assert_eq!(server.in_flight(), 1);
        client.answer(id, accept(2));
        assert_eq!(result(&mut asking).await.0, "2 of them");
        drop(working);
        assert_eq!(server.in_flight(), 0);
    }
}

/// A caller is a connection here, as on loopback.
#[tokio::test(start_paused = true)]
async fn one_caller_has_a_share_of_the_calls() {
    let server = server_with(CallLimits {
        in_flight: 8,
        in_flight_per_caller: 3,
        ..CallLimits::default()
    });
    let one = Client::modern(&server, json!({}));
    // Begun and not looked at: they have their places.
    let begin = |client: &Client, id| client.try_start(id, "tools/call", call("work"));
    let held: Vec<_> = (0..3).map(|id| begin(&one, id).unwrap()).collect();
    let refused = begin(&one, 3).map(drop).unwrap_err();
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("for this caller"), "{why}");
    let mut places = vec![held];
    for expected in [2, 1, 1, 1, 0] {
        let other = one.elsewhere();
        let got: Vec<_> = (0..4).map_while(|id| begin(&other, id).ok()).collect();
        assert_eq!(got.len(), expected);
        places.push(got);
    }
    drop(places);
    assert_eq!(server.in_flight(), 0);
    assert!(begin(&one, 3).is_ok());
}

#[tokio::test(start_paused = true)]
async fn questions_are_bounded_in_all_and_for_each_caller() {
    let server = server_with(CallLimits {
        questions: 8,
        questions_per_caller: 2,
        ..CallLimits::default()
    });
    let mut open = Vec::new();
    let mut through = Vec::new();
    for _ in 0..6 {
        let client = Client::asked(&server).await;
        let mut questions = 0;
        for id in 0..3 {
            let mut exchange = client.start(id, "tools/call", call("ask"));
            match soon(exchange.next_event()).await {
                Some(Event::Message(_)) => {
                    questions += 1;
                    open.push(exchange);
                }
                Some(Event::Answer(answer)) => {
                    let body = String::from_utf8(answer.body.to_vec()).unwrap();
                    assert!(body.contains("too many pending elicitations"), "{body}");
                }
                other => panic!("neither: {other:?}"),
            }
        }
        through.push((questions, client));
    }
    let counts: Vec<_> = through.iter().map(|(questions, _)| *questions).collect();
    // Nobody has more than are left for others.
    assert_eq!(counts, [2, 2, 2, 1, 1, 0]);
    drop(open);
    let (_, client) = &through[5];
    question(&mut client.start(7, "tools/call", call("ask"))).await;
}

/// A call can ask as much as it likes, as in the modern era: what is too much waits for the rest.
#[tokio::test(start_paused = true)]
async fn one_call_that_asks_much_asks_in_turn() {
    let server = server();
    let client = Client::asked(&server).await;
    let mut asking = client.start(1, "tools/call", call("ask_much"));
    for _ in 0..16 {
        let id = question(&mut asking).await;
        client.answer(id, accept(true));
    }
    for _ in 16..20 {
        let id = question(&mut asking).await;
        client.answer(id, accept(true));
    }
    let answered = result(&mut asking).await;
    assert_eq!(answered, ("20 answers".to_owned(), false));
    assert_eq!(server.in_flight(), 0);
}

/// Where nobody says that the client is gone (stdio), a question has its whole time.
#[tokio::test(start_paused = true)]
async fn a_question_that_somebody_can_hear_waits_for_ten_minutes() {
    let server = server();
    let client = Client::asked(&server).await;
    let begun = tokio::time::Instant::now();
    let mut asking = client.start(1, "tools/call", call("ask"));
    question(&mut asking).await;
    let (complaint, is_error) = result(&mut asking).await;
    assert!(is_error && complaint.contains("600 s"), "{complaint}");
    assert_eq!(
        begun.elapsed().as_secs(),
        Duration::from_secs(600).as_secs()
    );
}

/// Also for those that wait for their turn.
#[tokio::test(start_paused = true)]
async fn questions_that_wait_for_their_turn_end_with_the_others() {
    let server = server();
    for leaves in [true, false] {
        let client = Client::asked(&server).await;
        let begun = tokio::time::Instant::now();
        let mut asking = client.start(1, "tools/call", call("ask_33"));
        for _ in 0..16 {
            question(&mut asking).await;
        }
        if leaves {
            client.connection.hang_up();
        }
        let (answer, _) = soon(result_after_questions(&mut asking)).await;
        let (why, seconds) = match leaves {
            true => ("left before", 0),
            false => ("within 600 s", 600),
        };
        assert!(
            answer.starts_with("33 ") && answer.contains(why),
            "{answer}"
        );
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

/// What the client was asked together it was asked at the same time.
#[tokio::test(start_paused = true)]
async fn the_time_of_questions_that_are_asked_together_counts_once() {
    let server = server();
    let client = Client::asked(&server).await;
    let begun = tokio::time::Instant::now();
    let mut asking = client.start(1, "tools/call", call("ask_and_hang"));
    let mut ids = Vec::new();
    for _ in 0..16 {
        ids.push(question(&mut asking).await);
    }
    tokio::time::sleep(Duration::from_secs(45)).await;
    for id in ids {
        client.answer(id, accept(true));
    }
    let (complaint, is_error) = result(&mut asking).await;
    assert!(is_error && complaint.contains("30000 ms"), "{complaint}");
    assert_eq!(begun.elapsed().as_secs(), 45 + 30);
}

/// The text of a call's result, after whatever it asks before.
async fn result_after_questions(exchange: &mut Exchange) -> (String, bool) {
    loop {
        match exchange.next_event().await {
            Some(Event::Message(_)) => {}
            Some(Event::Answer(answer)) => {
                let answer: Value = serde_json::from_slice(&answer.body).unwrap();
                let text = answer["result"]["content"][0]["text"].as_str().unwrap();
                return (text.to_owned(), answer["result"]["isError"] == true);
            }
            other => panic!("no answer: {other:?}"),
        }
    }
}
