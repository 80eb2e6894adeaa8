//! What the Python original answered to 300 calls, and what we answer.
//!
//! `goldens.jsonl`, one call a line: `arguments`, and what is expected: `content` (texts) and
//! `structured`, or a part of the `error` or of the content (`content_like`). Where the original answered differently, `original` says
//! what and `why` why.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{serve, texts};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    case: String,
    /// As text: a JSON value would round its integers.
    arguments: Box<RawValue>,
    content: Option<Vec<String>>,
    content_like: Option<String>,
    structured: Option<Value>,
    error: Option<String>,
    original: Option<Value>,
    why: Option<String>,
}

#[test]
fn values_and_kinds_of_errors_are_the_originals() {
    let goldens: Vec<Golden> = include_str!("goldens.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(goldens.len() >= 312, "{}", goldens.len());
    let mut server = serve(&[]);
    let mut failures = Vec::new();
    for golden in &goldens {
        assert_eq!(
            golden.original.is_some(),
            golden.why.is_some(),
            "{golden:?}"
        );
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"run_python_code","arguments":{}}}}}"#,
            golden.arguments
        );
        server.send_line(line.as_bytes());
        let answer = server.recv().value;
        if let Err(found) = compare(golden, &answer) {
            failures.push(format!("{}: {}\n  {found}", golden.case, golden.arguments));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn compare(golden: &Golden, answer: &Value) -> Result<(), String> {
    let result = &answer["result"];
    let found = || answer.to_string().chars().take(2000).collect::<String>();
    let holds = |part: &str| texts(answer).concat().contains(part);
    let same = match (&golden.error, &golden.content_like) {
        (Some(part), _) => result["isError"] == true && holds(part),
        (_, Some(part)) => result["isError"] == false && holds(part),
        _ => {
            result["isError"] == false
                && Some(texts(answer))
                    == golden
                        .content
                        .as_ref()
                        .map(|texts| texts.iter().map(String::as_str).collect())
                && result.get("structuredContent") == golden.structured.as_ref()
        }
    };
    if same { Ok(()) } else { Err(found()) }
}
