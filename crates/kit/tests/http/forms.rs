//! The form that an answer has.

use serde_json::{Value, json};

use super::stage::*;

/// What a call says before its answer.
const SAID: usize = 200;

/// The request as it is sent in each era, with the headers of its session if it has one.
async fn eras(stage: &Stage, message: &Value) -> Vec<(String, Value)> {
    let mut sent = vec![modern(message.clone(), json!({}))];
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        sent.push((stage.session(version, json!({})).await, message.clone()));
    }
    sent
}

#[tokio::test]
async fn an_answer_has_the_form_that_its_client_takes() {
    let stage = Stage::new().await;
    for (headers, message) in eras(&stage, &call(1, "talk")).await {
        for (accept, json, said) in [(JSON, true, 0), (STREAM, false, SAID), (BOTH, false, SAID)] {
            let sent = format!("{headers}\n{accept}");
            let response = stage.post("/mcp", &sent, &message).await;
            assert_eq!((response.status, response.is_json()), (200, json), "{sent}");
            let mut messages = response.messages();
            let answer = messages.pop().unwrap();
            assert_eq!(answer["result"]["content"][0]["text"], "talked", "{sent}");
            assert_eq!(messages.len(), said, "{sent}");
        }
    }
    for (headers, message) in eras(&stage, &request(1, "tools/list", json!({}))).await {
        for (accept, json) in [(JSON, true), (STREAM, false), (BOTH, true)] {
            let sent = format!("{headers}\n{accept}");
            let response = stage.post("/mcp", &sent, &message).await;
            assert_eq!((response.status, response.is_json()), (200, json), "{sent}");
            assert_eq!(response.messages().len(), 1, "{sent}");
            assert!(response.answer()["result"]["tools"].is_array(), "{sent}");
        }
    }
}

#[tokio::test]
async fn a_session_begins_in_either_form() {
    let stage = Stage::new().await;
    for accept in [JSON, STREAM] {
        let hello = initialize("2025-11-25", json!({}));
        let response = stage.post("/mcp", accept, &hello).await;
        assert_eq!((response.status, response.is_json()), (200, accept == JSON));
        assert_eq!(response.answer()["result"]["protocolVersion"], "2025-11-25");
        let session = format!(
            "Mcp-Session-Id: {}\n{accept}",
            response.header("mcp-session-id").unwrap()
        );
        let pinged = stage
            .post("/mcp", &session, &request(1, "ping", json!({})))
            .await;
        assert_eq!(pinged.answer()["result"], json!({}));
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let noted = stage.post("/mcp", &session, &note).await;
        assert_eq!((noted.status, &*noted.body), (202, ""));
    }
}

#[tokio::test]
async fn a_client_that_cannot_hear_a_question_is_not_asked() {
    let stage = Stage::new().await;
    let ask = call(1, "ask");
    let unable = stage.session("2025-11-25", json!({})).await;
    let unable = stage.post("/mcp", &format!("{unable}\n{BOTH}"), &ask).await;
    assert_eq!(unable.answer()["result"]["isError"], true);
    for version in ["2025-11-25", "2025-06-18"] {
        let session = stage.session(version, json!({ "elicitation": {} })).await;
        let deaf = stage
            .post("/mcp", &format!("{session}\n{JSON}"), &ask)
            .await;
        assert!(deaf.is_json());
        assert_eq!(deaf.answer(), unable.answer(), "{version}");
        // The same session is asked where it can hear.
        let mut hears = stage
            .open(
                "POST",
                "/mcp",
                &format!("Content-Type: application/json\n{session}\n{STREAM}"),
                &ask.to_string(),
            )
            .await;
        let question = data(&mut hears).await.unwrap();
        assert_eq!(question["method"], "elicitation/create", "{version}");
    }
    // Since 2026-07-28 a question is an answer, and needs no stream.
    let (headers, message) = modern(ask, json!({ "elicitation": {} }));
    for accept in [JSON, STREAM] {
        let asked = stage
            .post("/mcp", &format!("{headers}\n{accept}"), &message)
            .await;
        assert_eq!(asked.answer()["result"]["resultType"], "input_required");
        assert_eq!(asked.is_json(), accept == JSON);
    }
}

#[tokio::test]
async fn a_batch_is_answered_in_either_form() {
    let stage = Stage::new().await;
    let session = stage
        .session("2025-03-26", json!({ "elicitation": {} }))
        .await;
    let members = json!([
        call(1, "talk"),
        request(2, "ping", json!({})),
        call(3, "ask")
    ]);
    let response = stage
        .post("/mcp", &format!("{session}\n{JSON}"), &members)
        .await;
    assert!(response.is_json());
    let answers = response.answer();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    let asked = answers.iter().find(|answer| answer["id"] == 3).unwrap();
    assert_eq!(asked["result"]["isError"], true, "{asked}");
    let members = json!([call(1, "talk"), request(2, "ping", json!({}))]);
    for (accept, said) in [(STREAM, SAID), (BOTH, SAID)] {
        let response = stage
            .post("/mcp", &format!("{session}\n{accept}"), &members)
            .await;
        assert!(!response.is_json());
        assert_eq!(response.messages().len(), said + 1);
        assert_eq!(response.answer().as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn errors_of_a_call_have_its_form_and_refusals_are_json() {
    let stage = Stage::new().await;
    let session = stage.session("2025-11-25", json!({})).await;
    let (headers, unknown) = modern(request(1, "tools/dance", json!({})), json!({}));
    for accept in [JSON, STREAM] {
        let post = async |headers: &str, message: &Value| {
            let headers = format!("{headers}\n{accept}");
            let response = stage.post("/mcp", &headers, message).await;
            let code = response.answer()["error"]["code"].as_i64().unwrap();
            (response.status, code, response.is_json())
        };
        let json = accept == JSON;
        let wrong = request(1, "tools/call", json!({ "name": 5 }));
        assert_eq!(post(&session, &wrong).await, (200, -32602, json));
        let missing = request(1, "tools/dance", json!({}));
        assert_eq!(post(&session, &missing).await, (200, -32601, json));
        let unread = request(1, "resources/read", json!({ "uri": "data://y" }));
        assert_eq!(post(&session, &unread).await, (200, -32002, json));
        assert_eq!(post(&headers, &unknown).await, (404, -32601, true));
        assert_eq!(post(&session, &json!([])).await, (400, -32600, true));
        assert_eq!(post("", &missing).await, (400, -32600, true));
    }
}

#[tokio::test]
async fn what_is_a_stream_needs_a_client_that_takes_one() {
    let stage = Stage::new().await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let (headers, listen) = modern(request("l", "subscriptions/listen", listen), json!({}));
    let refused = stage
        .post("/mcp", &format!("{headers}\n{JSON}"), &listen)
        .await;
    assert_eq!(refused.status, 406);
    let error = refused.answer();
    assert_eq!(
        (&error["id"], &error["error"]["code"]),
        (&json!("l"), &json!(-32600))
    );
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("text/event-stream")
    );
    for accept in [STREAM, BOTH] {
        let headers = format!("Content-Type: application/json\n{headers}\n{accept}");
        let mut heard = stage
            .open("POST", "/mcp", &headers, &listen.to_string())
            .await;
        let acknowledged = data(&mut heard).await.unwrap();
        assert_eq!(
            acknowledged["method"],
            "notifications/subscriptions/acknowledged"
        );
    }
    let session = stage.session("2025-11-25", json!({})).await;
    let listening = format!("{session}\n{JSON}");
    assert_eq!(stage.send("GET", "/mcp", &listening, "").await.status, 406);
    for accept in ["Accept: text/html", "Accept: */*;Q=0", "Accept:"] {
        for (headers, message) in eras(&stage, &request(1, "tools/list", json!({}))).await {
            let headers = format!("{headers}\n{accept}");
            assert_eq!(
                stage.post("/mcp", &headers, &message).await.status,
                406,
                "{headers}"
            );
        }
    }
}
