//! Answers are what a stranger wrote: they are read like arguments, and only where they were asked for.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::stage::{Stage, accept, again, asked, state, tea, text};

/// Values that are nobody's answer.
fn hostile() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e308),
        json!("accept"),
        json!([]),
        json!([{ "action": "accept", "content": { "value": 5 } }]),
        json!({}),
        json!({ "action": null }),
        json!({ "action": 1 }),
        json!({ "action": "ACCEPT", "content": { "value": 5 } }),
        json!({ "content": { "value": 5 } }),
        json!({ "roots": [] }),
    ]
}

/// Answers of the right shape that do not fit the question.
fn unfit() -> Vec<Value> {
    let contents = [
        json!(null),
        json!(5),
        json!([5]),
        json!({}),
        json!({ "value": null }),
        json!({ "value": "five" }),
        json!({ "value": 256 }),
        json!({ "value": -1 }),
        json!({ "value": 1.5 }),
        json!({ "value": [5] }),
        json!({ "value": { "value": 5 } }),
        json!({ "Value": 5 }),
    ];
    contents
        .into_iter()
        .map(|content| json!({ "action": "accept", "content": content }))
        .chain([json!({ "action": "accept" })])
        .collect()
}

/// Lists in lists, so many deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn an_answer_that_is_none_ends_the_call() {
    let stage = Stage::new();
    for answer in hostile() {
        let responses = json!({ "amount": answer });
        // Whether it comes to a question that was asked, or before it was.
        for state in [json!(stage.ordered()), Value::Null] {
            let answer = stage.call(again(tea(), state, responses.clone()));
            assert_eq!(answer["error"]["code"], -32602, "{responses}: {answer}");
        }
    }
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 0);
}

#[test]
fn an_answer_that_does_not_fit_is_an_error_the_model_reads() {
    let stage = Stage::new();
    for unfit in unfit() {
        let responses = json!({ "amount": unfit });
        for state in [json!(stage.ordered()), Value::Null] {
            let answer = stage.call(again(tea(), state, responses.clone()));
            let (complaint, is_error) = text(&answer);
            assert!(is_error, "{responses}: {answer}");
            assert!(
                complaint.starts_with("The answer to the elicitation"),
                "{complaint}"
            );
        }
        let uri = json!({ "uri": "data://order" });
        let answer = stage.request("resources/read", again(uri, Value::Null, responses));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 0);
}

#[test]
fn answers_that_are_no_object() {
    let stage = Stage::new();
    for responses in [
        json!(1),
        json!("amount"),
        json!(true),
        json!([]),
        json!([["amount", {}]]),
    ] {
        let (state, before) = (stage.ordered(), stage.runs());
        let answer = stage.call(again(tea(), &*state, responses));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert_eq!(stage.runs(), before);
        // It was no call at all, so the state is still good.
        let answer = stage.call(again(tea(), state, json!({ "amount": accept(1) })));
        assert_eq!(asked(&answer), ["wrap"]);
    }
}

#[test]
fn without_answers_the_questions_are_asked_again() {
    let stage = Stage::new();
    for responses in [
        Value::Null,
        json!({}),
        json!({ "": accept(5), "Amount": accept(5) }),
    ] {
        let answer = stage.call(again(tea(), stage.ordered(), responses));
        assert_eq!(asked(&answer), ["amount"]);
    }
}

#[test]
fn what_was_not_asked_is_ignored_and_not_remembered() {
    let stage = Stage::new();
    let early = json!({ "wrap": accept(true), "receipt": "free", "r": 0, "n": "0" });
    let answer = stage.call(again(tea(), stage.ordered(), early.clone()));
    assert_eq!(asked(&answer), ["amount"]);
    let mut both = early;
    both["amount"] = accept(5);
    let answer = stage.call(again(tea(), state(&answer), both));
    assert_eq!(asked(&answer), ["wrap"]);
    // One that was answered before keeps its answer.
    let late = json!({ "amount": accept(200), "wrap": accept(false) });
    let answer = stage.call(again(tea(), state(&answer), late));
    assert_eq!(text(&answer), ("5 tea, as it is", false));
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 1);
}

#[test]
fn ten_thousand_answers_to_nothing() {
    let stage = Stage::new();
    let mut many: Map<String, Value> = (0..10_000).map(|i| (format!("k{i}"), json!(i))).collect();
    for state in [json!(stage.ordered()), Value::Null] {
        let answer = stage.call(again(tea(), state, many.clone().into()));
        assert_eq!(asked(&answer), ["amount"]);
        // None of them comes back.
        assert!(answer.to_string().len() < 2000, "{answer}");
    }
    many.insert("amount".into(), accept(5));
    let answer = stage.call(again(tea(), stage.ordered(), many.into()));
    assert_eq!(asked(&answer), ["wrap"]);
}

#[test]
fn nested_answers() {
    let stage = Stage::new();
    let deep = json!({ "amount": accept(5), "other": nested(50) });
    let answer = stage.call(again(tea(), stage.ordered(), deep));
    assert_eq!(asked(&answer), ["wrap"]);
    for depth in [50, 64, 120, 1000, 100_000] {
        let before = stage.runs();
        // A tree this deep can be neither written nor dropped by recursion.
        let answer = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
        let answer = stage.send(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{meta},"name":"order","arguments":{{"item":"tea"}},"inputResponses":{{"amount":{answer}}}}}}}"#
        ));
        assert!(answer["error"]["code"].is_i64(), "{depth}: {answer}");
        let ran = stage.runs() - before;
        assert_eq!(ran, usize::from(depth == 50), "{depth}");
    }
}

#[test]
fn declining_and_dismissing_are_answers() {
    let stage = Stage::new();
    for action in ["decline", "cancel"] {
        // What else is in there does not count.
        let no = json!({ "amount": { "action": action, "content": { "value": 5 } } });
        let answer = stage.call(again(tea(), stage.ordered(), no));
        assert_eq!(text(&answer), ("nothing", false));
    }
    assert_eq!(stage.counts.charges.load(Ordering::SeqCst), 0);
}

#[test]
fn an_answer_counts_for_the_question_that_was_shown() {
    let stage = Stage::new();
    let call = json!({ "name": "fickle" });
    let mut answer = stage.call(call.clone());
    for round in 1..8 {
        assert_eq!(asked(&answer), ["run"]);
        let question = &answer["result"]["inputRequests"]["run"]["params"]["message"];
        assert_eq!(
            question,
            &json!(format!("This is run {}, right?", round - 1))
        );
        let responses = json!({ "run": accept(true) });
        answer = stage.call(again(call.clone(), state(&answer), responses));
    }
    let last = again(call, state(&answer), json!({ "run": accept(true) }));
    assert!(text(&stage.call(last)).1);
}
