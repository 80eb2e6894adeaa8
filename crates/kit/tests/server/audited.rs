//! The audit log of a server: a line for each call, before its answer.

use std::fs;

use pymcp_kit::audit::{self, Audit, AuditConfig, AuditKey};
use pymcp_kit::{Ctx, Error, NoArgs, Prompt, Resource, Server, Tool};
use serde_json::{Value, json};

use super::client::{Client, soon};

const KEY: [u8; 32] = [7; 32];

fn server(audit: &Audit) -> Server {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("greet", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("hello")
        }))
        .tool(Tool::new("fail", async |_: Ctx, _: NoArgs| {
            Err::<String, _>(Error::user("No."))
        }))
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .prompt(Prompt::new("ask", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("Who?".to_owned())
        }))
        .audit(audit)
        .build()
        .unwrap()
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_call_is_in_the_log_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(AuditConfig::new(&path, AuditKey::new(&KEY).unwrap())).unwrap();
    let server = server(&audit);
    let client = Client::modern(&server, json!({})).known_as("alice");
    let secret = json!({ "name": "greet", "arguments": { "unknown": "a secret" } });
    for (method, params, name, outcome) in [
        (
            "tools/call",
            json!({ "name": "greet", "arguments": {} }),
            "greet",
            "ok",
        ),
        (
            "tools/call",
            json!({ "name": "fail", "arguments": {} }),
            "fail",
            "tool_error",
        ),
        ("tools/call", secret, "greet", "ok"),
        (
            "tools/call",
            json!({ "name": "none", "arguments": {} }),
            "none",
            "error",
        ),
        (
            "resources/read",
            json!({ "uri": "data://x" }),
            "data://x",
            "ok",
        ),
        ("prompts/get", json!({ "name": "ask" }), "ask", "ok"),
    ] {
        let _ = soon(client.ask(method, params)).await;
        // Its answer is there, so its line is.
        let line = lines(&path).pop().unwrap();
        assert_eq!(line["kind"], "call", "{line}");
        assert_eq!(line["method"], method, "{line}");
        assert_eq!(line["name"], name, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["principal"], "alice", "{line}");
        assert_eq!(line["decision"], "allowed", "{line}");
        assert!(!line.to_string().contains("secret"), "{line}");
    }
    let before = lines(&path).len();
    let _ = soon(client.ask("tools/list", json!({}))).await;
    assert_eq!(lines(&path).len(), before, "a list uses nothing");
    let head = audit.close();
    let verified = audit::verify([&path], Some(head.hash)).unwrap();
    assert!(
        verified.findings.is_empty() && verified.closed,
        "{:?}",
        verified.findings
    );
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_served_without_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(AuditConfig::new(&path, AuditKey::new(&KEY).unwrap())).unwrap();
    let server = server(&audit);
    let client = Client::modern(&server, json!({}));
    // As good as a disk that is full: what is written next finds no file to be written to.
    audit.close();
    for (method, params) in [
        ("tools/call", json!({ "name": "greet", "arguments": {} })),
        ("tools/list", json!({})),
    ] {
        let refused = soon(client.ask(method, params)).await;
        let sentence = refused["error"]["message"].as_str().unwrap_or_default();
        assert!(
            sentence.contains("audit log cannot be written"),
            "{refused}"
        );
    }
}
