//! How often, how much at once and how many bytes a call may ask.

use pymcp_kit::core::CallLimits;
use serde_json::{Map, Value, json};

use super::stage::{Stage, accept, again, asked, state, text};

fn sized(tool: &str, n: usize) -> Value {
    json!({ "name": tool, "arguments": { "n": n } })
}

fn yes(name: &str) -> Value {
    match name {
        "text" => json!("yes"),
        _ => json!(true),
    }
}

/// Makes the call and answers everything with yes; the last answer, and the number of rounds.
fn to_the_end(stage: &Stage, call: &Value) -> (Value, usize) {
    let mut answer = stage.call(call.clone());
    for rounds in 0..100 {
        if answer["result"]["resultType"] != "input_required" {
            return (answer, rounds);
        }
        let yes: Map<String, Value> = asked(&answer)
            .into_iter()
            .map(|name| (name.to_owned(), accept(yes(name))))
            .collect();
        answer = stage.call(again(call.clone(), state(&answer), yes.into()));
    }
    panic!("it never ends: {answer}");
}

#[test]
fn eight_rounds() {
    let stage = Stage::new();
    let (answer, rounds) = to_the_end(&stage, &sized("deep", 8));
    assert_eq!((text(&answer), rounds), (("8 rounds", false), 8));
    let (answer, rounds) = to_the_end(&stage, &sized("deep", 9));
    let (complaint, is_error) = text(&answer);
    assert!(is_error && complaint.contains("8 rounds"), "{complaint}");
    assert_eq!(rounds, 8);
}

#[test]
fn unanswered_rounds_count() {
    let stage = Stage::new();
    let call = sized("deep", 1);
    let mut answer = stage.call(call.clone());
    for _ in 1..8 {
        assert_eq!(asked(&answer), ["q0"]);
        answer = stage.call(again(call.clone(), state(&answer), json!({})));
    }
    let last = stage.call(again(call.clone(), state(&answer), json!({})));
    assert!(text(&last).1, "{last}");
}

#[test]
fn sixteen_questions_in_a_round() {
    let stage = Stage::new();
    let (answer, rounds) = to_the_end(&stage, &sized("wide", 16));
    assert_eq!((text(&answer), rounds), (("16 answers", false), 1));
    // More wait for the next round.
    for (n, expected) in [(17, 2), (32, 2), (33, 3)] {
        let (answer, rounds) = to_the_end(&stage, &sized("wide", n));
        assert_eq!((text(&answer).1, rounds), (false, expected), "{answer}");
    }
    assert_eq!(asked(&stage.call(sized("wide", 1000))).len(), 16);
    assert!(text(&to_the_end(&stage, &sized("wide", 1000)).0).1);
}

#[test]
fn what_the_handler_keeps() {
    let stage = Stage::new();
    let limit = CallLimits::default().ask_state_bytes;
    let (answer, _) = to_the_end(&stage, &sized("heavy", limit - 1000));
    assert_eq!(text(&answer), (&*format!("{} bytes", limit - 1000), false));
    for n in [limit, 900 << 10] {
        let answer = stage.call(sized("heavy", n));
        let (complaint, is_error) = text(&answer);
        assert!(is_error && complaint.contains("bytes"), "{complaint}");
    }
}

#[test]
fn what_the_client_answers() {
    let stage = Stage::new();
    let call = sized("heavy", 1);
    let limit = CallLimits::default().ask_state_bytes;
    for (length, fits) in [(limit - 1000, true), (limit, false), (900 << 10, false)] {
        let first = stage.call(call.clone());
        let long = json!({ "text": accept("x".repeat(length)) });
        let answer = stage.call(again(call.clone(), state(&first), long));
        if fits {
            assert_eq!(asked(&answer), ["more"]);
            let done = stage.call(again(
                call.clone(),
                state(&answer),
                json!({ "more": accept(true) }),
            ));
            assert_eq!(text(&done), ("1 bytes", false));
        } else {
            let (complaint, is_error) = text(&answer);
            assert!(is_error && complaint.contains("bytes"), "{complaint}");
        }
    }
}

#[test]
fn the_server_says_how_much() {
    let stage = Stage::of("test", |builder| {
        builder.call_limits(CallLimits {
            ask_rounds: 2,
            ask_state_bytes: 300,
            ..CallLimits::default()
        })
    });
    let (answer, rounds) = to_the_end(&stage, &sized("deep", 2));
    assert_eq!((text(&answer), rounds), (("2 rounds", false), 2));
    assert!(text(&to_the_end(&stage, &sized("deep", 3)).0).1);
    assert!(text(&stage.call(sized("heavy", 300))).1);
}
