use super::*;

fn read(text: &str) -> Result<Body<'_>, Malformed> {
    parse(text.as_bytes(), &WireLimits::default())
}

fn code(text: &str) -> (Option<String>, Code) {
    let refused = read(text).expect_err(text);
    (refused.id.map(|id| id.to_string()), refused.error.code)
}

#[test]
fn params_stay_text() {
    let Ok(Body::Single(Message::Request(request))) =
        read(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"a": [1, 2]}}"#)
    else {
        panic!("a request")
    };
    assert_eq!(request.id, Id::number(7));
    assert_eq!(request.method, "tools/call");
    assert_eq!(request.params, Some(r#"{"a": [1, 2]}"#));
}

#[test]
fn kinds_are_told_apart() {
    let kind = |text| match read(text).unwrap() {
        Body::Single(Message::Request(_)) => "request",
        Body::Single(Message::Notification(_)) => "notification",
        Body::Single(Message::Response(r)) if r.outcome.is_ok() => "result",
        Body::Single(Message::Response(_)) => "error",
        Body::Batch(_) => "batch",
    };
    assert_eq!(
        kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
        "request"
    );
    assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"ping"}"#), "notification");
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), "result");
    assert_eq!(
        kind(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#),
        "error"
    );
    assert_eq!(kind(r#"[{"jsonrpc":"2.0","method":"ping"}]"#), "batch");
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    for text in [
        "",
        "   ",
        "{",
        "nul",
        r#"{"jsonrpc":"2.0","id":2,"method":"ping",}"#,
        "hello",
        "\u{feff}{}",
    ] {
        assert_eq!(code(text), (None, Code::PARSE), "{text}");
    }
    let two = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}{"jsonrpc":"2.0","id":3,"method":"ping"}"#;
    assert_eq!(code(two).1, Code::PARSE);
    assert_eq!(
        parse(b"\xff", &WireLimits::default())
            .unwrap_err()
            .error
            .code,
        Code::PARSE
    );
}

#[test]
fn json_that_is_no_message_is_an_invalid_request() {
    for text in ["null", "5", "\"x\"", "{}", "[]", r#"{"jsonrpc":"2.0"}"#] {
        assert_eq!(code(text), (None, Code::INVALID_REQUEST), "{text}");
    }
    for id in ["null", "true", "1.5", "2.0", "{}", "[]"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(code(&text), (None, Code::INVALID_REQUEST), "{text}");
    }
}

#[test]
fn a_readable_id_is_answered_under() {
    for text in [
        r#"{"jsonrpc":"1.0","id":2,"method":"ping"}"#,
        r#"{"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":5}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a","method":"b"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a","params":{"n":1,"n":2}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a","x":1,"x":2}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a","params":{"n":1e400}}"#,
    ] {
        assert_eq!(
            code(text),
            (Some("2".into()), Code::INVALID_REQUEST),
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_in_an_ignored_member_is_said_too() {
    let message = |member: &str| {
        let text = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"a","x":{member}}}"#);
        read(&text).unwrap_err().error.message
    };
    assert!(message(r#"{"n":1,"n":2}"#).contains("twice"));
    assert!(message(&format!("{}{}", "[".repeat(65), "]".repeat(65))).contains("64 levels"));
}

#[test]
fn a_malformed_response_is_not_answered_under_its_id() {
    for text in [
        r#"{"jsonrpc":"2.0","id":2,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"1.0","id":2,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"n":1,"n":2}}"#,
    ] {
        assert_eq!(code(text), (None, Code::INVALID_REQUEST), "{text}");
    }
}

#[test]
fn limits_hold() {
    let limits = WireLimits {
        message_bytes: 100,
        depth: 2,
        method_bytes: 5,
        batch: 2,
        ..WireLimits::default()
    };
    let refused = |text: &str| parse(text.as_bytes(), &limits).unwrap_err().error.code;
    assert_eq!(refused(&" ".repeat(101)), Code::INVALID_REQUEST);
    assert_eq!(
        refused(r#"{"jsonrpc":"2.0","id":1,"method":"abcdef"}"#),
        Code::INVALID_REQUEST
    );
    assert_eq!(
        refused(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[[[]]]}"#),
        Code::INVALID_REQUEST
    );
    assert_eq!(refused("[1,2,3]"), Code::INVALID_REQUEST);
    let many: String = (0..20).map(|i| format!(",\"k{i}\":1")).collect();
    assert_eq!(
        code(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a"{many}}}"#)).1,
        Code::INVALID_REQUEST
    );
}

#[test]
fn a_batch_tells_its_good_members_from_its_bad_ones() {
    let Ok(Body::Batch(members)) = read(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},5]"#) else {
        panic!("a batch")
    };
    assert!(members[0].is_ok());
    assert_eq!(
        members[1].as_ref().unwrap_err().error.code,
        Code::INVALID_REQUEST
    );
}
