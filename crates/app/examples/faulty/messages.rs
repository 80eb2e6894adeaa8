//! What is answered to a message, on every transport.

use serde_json::{Value, json};

use crate::Faults;
use crate::definitions;

const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The answers to a message, and what else is sent.
pub(crate) fn answers(message: &Value, faults: &Faults) -> Vec<Value> {
    let mut all = Vec::new();
    let method = message["method"].as_str().unwrap_or_default();
    if message.get("id").is_none() {
        if faults.has("answer-unasked") {
            all.push(json!({ "jsonrpc": "2.0", "id": 4711, "result": {} }));
        }
        return all;
    }
    if message.get("method").is_none() {
        return all;
    }
    if method == "tools/list" {
        if faults.has("message-malformed") {
            all.push(json!({ "id": 0, "result": {} }));
        }
        if faults.has("capability-ignored") {
            all.push(json!({ "jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {} }));
        }
    }
    let mut answer = json!({ "jsonrpc": "2.0", "id": message["id"] });
    match result(method, &message["params"], faults) {
        Ok(result) => answer["result"] = result,
        Err(code) => answer["error"] = json!({ "code": code, "message": "Refused." }),
    }
    all.push(answer);
    all
}

fn result(method: &str, params: &Value, faults: &Faults) -> Result<Value, i64> {
    let name = params["name"].as_str();
    match method {
        "initialize" => initialize(params, faults),
        "server/discover" => discover(faults),
        "ping" if faults.has("ping-unanswered") => Err(-32601),
        "ping" => Ok(json!({})),
        "tools/list" if faults.has("list-failed") => Err(-32603),
        "tools/list" if faults.has("list-endless") => {
            Ok(json!({ "tools": [], "nextCursor": "again" }))
        }
        "tools/list" => Ok(json!({ "tools": definitions::tools(faults) })),
        "prompts/list" => Ok(json!({ "prompts": definitions::prompts(faults) })),
        "resources/list" => Ok(json!({ "resources": definitions::resources(faults) })),
        "resources/templates/list" => Ok(json!({ "resourceTemplates": [] })),
        "tools/call" => match name {
            None if faults.has("bad-params-code") => Err(-32000),
            None => Err(-32602),
            Some(name) => definitions::call(name, faults),
        },
        "resources/read" if faults.has("unknown-resource-accepted") => {
            Ok(json!({ "contents": [] }))
        }
        "resources/read" => Err(-32002),
        "prompts/get" if faults.has("unknown-prompt-accepted") => Ok(json!({ "messages": [] })),
        "prompts/get" => Err(-32602),
        _ if faults.has("unknown-method-code") => Err(-32603),
        _ => Err(-32601),
    }
}

fn capabilities(faults: &Faults) -> Value {
    match faults.has("capability-undeclared") {
        true => json!({ "prompts": {}, "resources": {} }),
        false => json!({ "tools": {}, "prompts": {}, "resources": {} }),
    }
}

fn instructions(faults: &Faults) -> String {
    match faults.has("instructions-long") {
        true => "Read on. ".repeat(300),
        false => "For tests.".to_owned(),
    }
}

fn initialize(params: &Value, faults: &Faults) -> Result<Value, i64> {
    if faults.has("legacy-missing") {
        return Err(-32601);
    }
    let proposed = params["protocolVersion"].as_str().unwrap_or_default();
    let known = REVISIONS.contains(&proposed);
    let version = match proposed {
        _ if faults.has("revision-unknown") => "2031-01-01",
        _ if faults.has("revision-old") => "2024-11-05",
        _ if !known && faults.has("revision-refused") => return Err(-32602),
        other if known || faults.has("revision-echoed") => other,
        _ => REVISIONS[0],
    };
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": capabilities(faults),
        "serverInfo": { "name": "fixture", "version": "1.0.0" },
        "instructions": instructions(faults),
    });
    if faults.has("handshake-incomplete") {
        result["serverInfo"] = json!({ "name": "fixture" });
    }
    Ok(result)
}

fn discover(faults: &Faults) -> Result<Value, i64> {
    if faults.has("modern-missing") {
        return Err(-32601);
    }
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": capabilities(faults),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "fixture", "version": "1.0.0" } },
    });
    if faults.has("discover-incomplete") {
        result["supportedVersions"] = json!([]);
    }
    Ok(result)
}
