//! Sessions that bridges carry on, and those that there are not.

use pymcp_kit::transport::http::Endpoints;
use serde_json::{Value, json};

use super::stage::*;

#[tokio::test]
async fn what_bridges_repeat_in_headers_does_not_matter_in_a_session() {
    let stage = Stage::new().await;
    let session = stage.session("2025-11-25", json!({})).await;
    let version = "MCP-Protocol-Version: 2025-11-25";
    for headers in [
        "Mcp-Method: tools/call\nMcp-Name: talk",
        "Mcp-Method: tools/list\nMcp-Name: another",
        "Mcp-Method: tools/call\nMcp-Method: ping",
        "Mcp-Name: =?base64?!?=",
        "Mcp-Param-Region: eu\nMcp-Method: x",
        "MCP-Protocol-Version:\nMcp-Method:",
    ] {
        for headers in [headers.to_owned(), format!("{headers}\n{version}")] {
            let headers = format!("{session}\n{headers}\n{JSON}");
            let response = stage.post("/mcp", &headers, &call(1, "talk")).await;
            assert_eq!(response.status, 200, "{headers}");
            assert_eq!(response.answer()["result"]["content"][0]["text"], "talked");
            let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            assert_eq!(
                stage.post("/mcp", &headers, &note).await.status,
                202,
                "{headers}"
            );
        }
    }
    // The whole life of a session behind such a bridge.
    let hello = initialize("2025-06-18", json!({}));
    let opened = stage
        .post("/mcp", &format!("Mcp-Method: initialize\n{BOTH}"), &hello)
        .await;
    let id = opened.header("mcp-session-id").expect("a session");
    let session = format!("Mcp-Session-Id: {id}\nMcp-Method: tools/list");
    for method in ["GET", "DELETE"] {
        let mut stream = stage
            .open(method, "/mcp", &format!("{session}\n{STREAM}"), "")
            .await;
        assert_eq!(
            line(&mut stream).await.as_deref(),
            Some("HTTP/1.0 200 OK"),
            "{method}"
        );
    }
    // Where nothing says that the client is a legacy one, they say that it is not.
    let list = request(1, "tools/list", json!({}));
    for (headers, code) in [
        ("Mcp-Method: tools/list", -32602),
        ("Mcp-Method: tools/list\nMcp-Session-Id:", -32602),
        (
            "Mcp-Method: tools/list\nMCP-Protocol-Version: 2025-11-25",
            -32600,
        ),
    ] {
        let refused = stage
            .post("/mcp", &format!("{headers}\n{BOTH}"), &list)
            .await;
        assert_eq!(refused.status, 400, "{headers}");
        assert_eq!(refused.answer()["error"]["code"], code, "{headers}");
    }
}

#[tokio::test]
async fn errors_about_sessions_bear_the_id_of_the_request() {
    let stage = Stage::new().await;
    let stale = format!("Mcp-Session-Id: {}", "0".repeat(32));
    let ping = request("p", "ping", json!({}));
    let batch = json!([request(1, "ping", json!({}))]);
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let response = json!({"jsonrpc": "2.0", "id": 0, "result": {}});
    for (headers, status) in [
        ("", 400),
        ("Mcp-Session-Id:", 400),
        ("Mcp-Session-Id: x", 404),
        (&*stale, 404),
    ] {
        for (message, id) in [
            (&ping, json!("p")),
            (&batch, Value::Null),
            (&note, Value::Null),
            (&response, Value::Null),
        ] {
            let refused = stage
                .post("/mcp", &format!("{headers}\n{BOTH}"), message)
                .await;
            assert_eq!(refused.status, status, "{headers} {message}");
            let answer = refused.answer();
            assert_eq!(
                (&answer["id"], &answer["error"]["code"]),
                (&id, &json!(-32600))
            );
        }
    }
    // A client that begins anew is told what is in its way.
    let hello = initialize("2025-11-25", json!({}));
    let refused = stage
        .post("/mcp", &format!("{stale}\n{BOTH}"), &hello)
        .await;
    assert_eq!(
        (refused.status, &refused.answer()["id"]),
        (404, &json!("hello"))
    );
    let sentence = refused.answer()["error"]["message"].clone();
    assert!(
        sentence
            .as_str()
            .unwrap()
            .contains("leave Mcp-Session-Id out"),
        "{sentence}"
    );
    // An empty header is none.
    let opened = stage
        .post("/mcp", &format!("Mcp-Session-Id:\n{BOTH}"), &hello)
        .await;
    let id = opened.header("mcp-session-id").expect("a session");
    let both = format!("Mcp-Session-Id:\nMcp-Session-Id: {id}\n{BOTH}");
    assert_eq!(stage.post("/mcp", &both, &ping).await.status, 200);
    for method in ["GET", "DELETE"] {
        let refused = stage
            .send(method, "/mcp", &format!("Mcp-Session-Id:\n{STREAM}"), "")
            .await;
        assert_eq!(refused.status, 405, "{method}");
    }
}

#[tokio::test]
async fn messages_of_legacy_sse_are_checked_like_all_others() {
    let stage = Stage::over(Endpoints::LegacySse).await;
    let mut stream = stage.open("GET", "/sse", STREAM, "").await;
    let target = loop {
        let line = line(&mut stream).await.expect("an endpoint");
        if let Some(target) = line.strip_prefix("data: ") {
            break target.to_owned();
        }
    };
    let ping = request("p", "ping", json!({})).to_string();
    for (headers, status) in [
        ("", 415),
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/json; charset=utf-16", 415),
        (
            "Content-Type: application/json\nContent-Type: application/json",
            415,
        ),
        (
            "Content-Type: application/json\nContent-Encoding: gzip",
            415,
        ),
        (
            "Content-Type: application/json\nContent-Encoding: identity\nContent-Encoding: br",
            415,
        ),
        ("Content-Type: application/json", 202),
        (
            "Content-Type: Application/JSON; charset=utf8\nAccept: text/html",
            202,
        ),
    ] {
        let response = stage.send("POST", &target, headers, &ping).await;
        assert_eq!(response.status, status, "{headers}");
        if status == 202 {
            assert_eq!(data(&mut stream).await.unwrap()["id"], "p");
        }
    }
    // Sessions that there are not.
    for target in [
        "/messages/",
        "/messages/?session_id=00000000000000000000000000000000",
    ] {
        let refused = stage
            .post(target, "", &request("p", "ping", json!({})))
            .await;
        let answer = refused.answer();
        assert_eq!(
            (refused.status, &answer["id"]),
            (404, &json!("p")),
            "{target}"
        );
        let refused = stage.post(target, "", &json!([])).await;
        assert_eq!(
            (refused.status, &refused.answer()["id"]),
            (400, &Value::Null),
            "{target}"
        );
    }
}
