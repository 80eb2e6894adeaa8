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
        Body::Single(Message::Response(response)) => match response.outcome {
            Outcome::Result(_) => "result",
            Outcome::Error(_) => "error",
            Outcome::Malformed(_) => "malformed",
            Outcome::Missing(_) => "missing",
        },
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
        r#"{"jsonrpc":"2.0","id":2,"x":1,"x":2,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","x":{"n":1,"n":2},"id":2,"method":"a"}"#,
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

/// What a message is: its kind, its id, and its params or what it says.
fn seen(text: &str) -> String {
    match read(text) {
        Ok(Body::Single(Message::Request(r))) => format!("request {} {:?}", r.id, r.params),
        Ok(Body::Single(Message::Notification(n))) => format!("notification {:?}", n.params),
        Ok(Body::Single(Message::Response(r))) => match r.outcome {
            Outcome::Result(text) => format!("result {:?} {text}", r.id),
            Outcome::Error(text) => format!("error {:?} {text}", r.id),
            Outcome::Malformed(error) => format!("malformed {:?} {}", r.id, error.code.0),
            Outcome::Missing(error) => format!("missing {:?} {}", r.id, error.code.0),
        },
        Ok(Body::Batch(_)) => "batch".to_owned(),
        Err(refused) => format!("refused {:?} {}", refused.id, refused.error.code.0),
    }
}

#[test]
fn null_in_an_envelope_counts_as_absent() {
    for (members, expected) in [
        (r#""id":1,"method":"a","params":null"#, "request 1 None"),
        (
            r#""id":1,"method":"a","result":null,"error":null"#,
            "request 1 None",
        ),
        (
            r#""method":"a","params":null,"error":null"#,
            "notification None",
        ),
        (r#""id":1,"result":{},"error":null"#, "result Some(1) {}"),
        (
            r#""id":1,"result":{},"method":null,"params":null"#,
            "result Some(1) {}",
        ),
        (r#""id":1,"result":null,"error":{}"#, "error Some(1) {}"),
        (
            r#""id":1,"result":null,"error":{},"method":null"#,
            "error Some(1) {}",
        ),
        // Unknown members too: they are ignored.
        (r#""id":1,"method":"a","x":null"#, "request 1 None"),
        // An id that is null is no id: a request with one is owed an answer that nobody could match.
        (r#""id":null,"method":"a""#, "refused None -32600"),
        (r#""id":null,"result":{}"#, "refused None -32600"),
        // A client that could not read a message of ours.
        (r#""id":null,"error":{}"#, "error None {}"),
        (r#""id":null,"error":{},"result":null"#, "error None {}"),
        (
            r#""id":1,"params":null,"params":{},"method":"a""#,
            "refused Some(1) -32600",
        ),
        (
            r#""id":1,"method":null,"method":"a""#,
            "refused Some(1) -32600",
        ),
    ] {
        let first = format!(r#"{{"jsonrpc":"2.0",{members}}}"#);
        let last = format!(r#"{{{members},"jsonrpc":"2.0"}}"#);
        assert_eq!(seen(&first), expected, "{first}");
        assert_eq!(seen(&last), expected, "{last}");
    }
    assert_eq!(
        seen(r#"{"jsonrpc":null,"id":1,"method":"a"}"#),
        "refused Some(1) -32600"
    );
}

/// Ids of ours are integers; a client may hold every number as a double.
#[test]
fn a_response_may_have_its_id_as_a_double() {
    for (members, expected) in [
        (r#""id":0.0,"result":{}"#, "result Some(0) {}"),
        (r#""id":7.0,"error":{}"#, "error Some(7) {}"),
        (r#""id":7.0"#, "missing Some(7) -32600"),
        (r#""id":7.5,"result":{}"#, "refused None -32600"),
        (r#""id":7.0,"method":"a""#, "refused None -32600"),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0",{members}}}"#);
        assert_eq!(seen(&text), expected, "{text}");
    }
}

/// Whoever waits for it is told, and nobody is told under its id.
#[test]
fn a_malformed_response_is_still_a_response() {
    for text in [
        r#"{"jsonrpc":"2.0","id":2,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":null}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":null,"error":null,"method":null}"#,
        r#"{"jsonrpc":"1.0","id":2,"result":{}}"#,
        r#"{"id":2,"result":{}}"#,
        r#"{"jsonrpc":null,"id":2,"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"n":1,"n":2}}"#,
        r#"{"jsonrpc":"2.0","id":2,"x":1,"x":2,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"x":{"n":1,"n":2},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"n":1e400}}"#,
        &format!(
            r#"{{"jsonrpc":"2.0","id":2,"x":{}{},"result":{{}}}}"#,
            "[".repeat(65),
            "]".repeat(65)
        ),
        &format!(
            r#"{{"jsonrpc":"2.0","id":2,"result":{}{}}}"#,
            "[".repeat(65),
            "]".repeat(65)
        ),
    ] {
        assert_eq!(seen(text), "malformed Some(2) -32600", "{text}");
    }
    let surrogate = r#"{"jsonrpc":"2.0","id":2,"result":"\ud800"}"#;
    assert_eq!(seen(surrogate), "malformed Some(2) -32700");
    for text in [
        r#"{"jsonrpc":"2.0","id":2}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":null,"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"x":1,"x":2}"#,
    ] {
        assert_eq!(seen(text), "missing Some(2) -32600", "{text}");
    }
    // Without an id nobody can be told.
    for text in [
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#,
        r#"{"jsonrpc":"2.0"}"#,
    ] {
        assert_eq!(seen(text), "refused None -32600", "{text}");
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

#[test]
fn members_of_a_batch_are_judged_one_by_one_and_counted_together() {
    let limits = WireLimits {
        nodes: 10,
        depth: 2,
        ..WireLimits::default()
    };
    let text = r#"[
        {"jsonrpc":"2.0","id":1,"method":"a","params":{"n":1,"n":2}},
        {"jsonrpc":"2.0","id":2,"method":"a","params":[[[]]]},
        {"jsonrpc":"2.0","id":3,"method":"a","params":[[1],[2]]},
        {"jsonrpc":"2.0","id":4,"method":"a","params":[1,2,3]},
        {"jsonrpc":"2.0","id":5,"method":"a"}
    ]"#;
    let Ok(Body::Batch(members)) = parse(text.as_bytes(), &limits) else {
        panic!("a batch")
    };
    let served: Vec<bool> = members.iter().map(Result::is_ok).collect();
    assert_eq!(served, [false, false, true, false, true]);
    for text in ["[]", "[{]", "[{}", "[1,]", "[1]]"] {
        let expected = match text {
            "[]" => Code::INVALID_REQUEST,
            _ => Code::PARSE,
        };
        assert_eq!(code(text), (None, expected), "{text}");
    }
    let many = format!("[{}1]", "1,".repeat(32));
    assert_eq!(code(&many), (None, Code::INVALID_REQUEST));
}
