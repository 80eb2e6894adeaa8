//! Everything that a message can hold.

use pymcp_kit::testing::Era;
use pymcp_kit::testing::slopes::{Client, MOST, Slopes, TEXTS, place, request};

use super::stage::{ARGUMENTS, server};

#[test]
fn texts_of_the_protocol() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Legacy);
    for place in [
        place("id", r#""id":"@","method":"ping""#),
        place("method", r#""id":1,"method":"@""#),
        place("another member", r#""id":1,"method":"ping","x":"@""#),
        request(
            "a progress token",
            "tools/list",
            r#""_meta":{"progressToken":"@"}"#,
        ),
        request("metadata", "tools/list", r#""_meta":{"@":"x"}"#),
        request("a cursor", "tools/list", r#""cursor":"@""#),
        request("a log level", "logging/setLevel", r#""level":"@""#),
        request("a tool's name", "tools/call", r#""name":"@""#),
        request(
            "an unknown argument",
            "tools/call",
            r#""name":"take","arguments":{"@":1}"#,
        ),
        request("a prompt's name", "prompts/get", r#""name":"@""#),
        request(
            "a prompt's argument",
            "prompts/get",
            r#""name":"wish","arguments":{"text":"@"}"#,
        ),
        request(
            "a prompt's list",
            "prompts/get",
            r#""name":"wish","arguments":{"text":"","list":"@"}"#,
        ),
        request(
            "a prompt's number",
            "prompts/get",
            r#""name":"wish","arguments":{"text":"","number":"@"}"#,
        ),
        request("no URI", "resources/read", r#""uri":"@""#),
        request("a subscription", "resources/subscribe", r#""uri":"x://@""#),
        request("its end", "resources/unsubscribe", r#""uri":"x://@""#),
        request(
            "what is completed",
            "completion/complete",
            r#""ref":{"type":"ref/resource","uri":"x://@"},"argument":{"name":"a","value":""}"#,
        ),
        request(
            "what is typed",
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"wish"},"argument":{"name":"text","value":"@"}"#,
        ),
        request(
            "what was typed",
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"wish"},"argument":{"name":"text","value":""},"context":{"arguments":{"number":"@"}}"#,
        ),
        place(
            "why it was cancelled",
            r#""method":"notifications/cancelled","params":{"requestId":"x","reason":"@"}"#,
        ),
        place(
            "what was cancelled",
            r#""method":"notifications/cancelled","params":{"requestId":"@"}"#,
        ),
        place("an answer", r#""id":"@","result":{}"#),
    ] {
        place.text(&mut slopes, &client);
    }
    slopes.finish(100);
}

#[test]
fn texts_of_the_modern_era() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Modern);
    for place in [
        request(
            "a version",
            "tools/list",
            r#""_meta":{"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"@"}"#,
        ),
        request(
            "a log level",
            "tools/list",
            r#""_meta":{ENVELOPE,"io.modelcontextprotocol/logLevel":"@"}"#,
        ),
        request(
            "a client's name",
            "tools/list",
            r#""_meta":{ENVELOPE,"io.modelcontextprotocol/clientInfo":{"name":"@","version":"1"}}"#,
        ),
        request(
            "a state",
            "tools/call",
            r#""name":"ask","requestState":"@","_meta":{ENVELOPE}"#,
        ),
        request(
            "an answer",
            "tools/call",
            r#""name":"ask","inputResponses":{"@":{"action":"accept","content":{}}},"_meta":{ENVELOPE}"#,
        ),
        request("a task", "tasks/get", r#""taskId":"@","_meta":{ENVELOPE}"#),
    ] {
        place.text(&mut slopes, &client);
    }
    slopes.finish(30);
}

#[test]
fn uris() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Legacy);
    for prefix in [
        "x://one/",
        "x://rest/",
        "x://two/a/",
        "x://parts/a-",
        "x://parts/a-b-c?d=",
        "x://greedy/a/",
        "x://",
    ] {
        let uri = format!(r#""uri":"{prefix}@""#);
        request(prefix, "resources/read", &uri).text(&mut slopes, &client);
    }
    slopes.finish(30);
}

#[test]
fn texts_as_arguments() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Legacy);
    for argument in ARGUMENTS {
        let params = format!(r#""name":"take","arguments":{{"{argument}":"@"}}"#);
        request(argument, "tools/call", &params).text(&mut slopes, &client);
    }
    slopes.finish(100);
}

#[test]
fn trees_as_arguments() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Legacy);
    for argument in ARGUMENTS {
        let params = format!(r#""name":"take","arguments":{{"{argument}":@}}"#);
        request(argument, "tools/call", &params).tree(&mut slopes, &client);
    }
    slopes.finish(100);
}

#[test]
fn trees_elsewhere() {
    let mut slopes = Slopes::default();
    for (era, places) in [
        (
            Era::Legacy,
            vec![
                place("everything", r#""id":1,"method":"ping","params":@"#),
                place("another member", r#""id":1,"method":"ping","x":@"#),
                place("an answer", r#""id":7,"result":@"#),
                place("an error", r#""id":7,"error":@"#),
                request("metadata", "tools/list", r#""_meta":@"#),
                request("arguments", "tools/call", r#""name":"take","arguments":@"#),
                request(
                    "arguments of a prompt",
                    "prompts/get",
                    r#""name":"wish","arguments":@"#,
                ),
                request(
                    "what was typed",
                    "completion/complete",
                    r#""ref":{"type":"ref/prompt","name":"wish"},"argument":{"name":"text","value":""},"context":{"arguments":@}"#,
                ),
            ],
        ),
        (
            Era::Modern,
            vec![
                request(
                    "capabilities",
                    "tools/list",
                    r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"experimental":{"x":@}}}"#,
                ),
                request(
                    "answers",
                    "tools/call",
                    r#""name":"ask","inputResponses":@,"_meta":{ENVELOPE}"#,
                ),
                request(
                    "one answer",
                    "tools/call",
                    r#""name":"ask","inputResponses":{"a":@},"_meta":{ENVELOPE}"#,
                ),
                request(
                    "subscriptions",
                    "subscriptions/listen",
                    r#""notifications":@,"_meta":{ENVELOPE}"#,
                ),
            ],
        ),
    ] {
        let client = Client::new(&server(), era);
        for place in places {
            place.tree(&mut slopes, &client);
        }
    }
    slopes.finish(50);
}

#[test]
fn what_is_no_message() {
    let mut slopes = Slopes::default();
    let client = Client::new(&server(), Era::Legacy);
    for unit in TEXTS
        .into_iter()
        .chain(["\u{0}", "[{\"a\":", "\"a\":1,", "[]", "1,", "\n"])
    {
        for (before, after) in [("", ""), ("{\"a\":\"", ""), ("[", "]"), ("{\"id\":1,", "}")] {
            let prepare = |size: usize| {
                let text = unit.repeat((size - 64) / unit.len());
                format!("{before}{text}{after}")
            };
            let name = format!("{before}{unit:?}{after}");
            slopes.place(&name, MOST, prepare, |message| {
                client.say(message.as_bytes())
            });
        }
    }
    slopes.place(
        "no UTF-8",
        MOST,
        |size| vec![0xff_u8; size - 64],
        |message| client.say(message),
    );
    slopes.finish(20);
}
