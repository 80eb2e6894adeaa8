//! Schemas of results, and whether results keep to them: seen only by calling.

use serde_json::Value;

use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::{Observed, Outcome};
use super::called;
use super::schemas::{compiles, top, within};

const TYPE: Rule = Rule {
    id: "output-schema-type",
    severity: Severity::Error,
    about: "The schema of a result does not say \"type\": \"object\" at its top.",
    breaks: "Clients of the TypeScript SDK refuse the whole list: all tools vanish (modelcontextprotocol/typescript-sdk#2341, anthropics/claude-code#10031).",
    mend: "Make the result an object; wrap another value as {\"result\": …}.",
};
const COMBINATOR: Rule = Rule {
    id: "output-schema-combinator",
    severity: Severity::Error,
    about: "The schema of a result has anyOf, oneOf, allOf, not, if or enum at its top.",
    breaks: "Claude drops the tools of the server (anthropics/claude-code#25081, anthropics/claude-ai-mcp#485).",
    mend: "Make it an object, with what differs as a member.",
};
const INVALID: Rule = Rule {
    id: "output-schema-invalid",
    severity: Severity::Error,
    about: "The schema of a result is none (JSON Schema 2020-12).",
    breaks: "Clients that validate results refuse each of them, or the whole list.",
    mend: "Correct what the sentence names.",
};
const MISSING: Rule = Rule {
    id: "structured-content-missing",
    severity: Severity::Error,
    about: "A tool with an outputSchema answers without structuredContent.",
    breaks: "Clients of every SDK turn the result into an error (anthropics/claude-code#24742, #11354).",
    mend: "Answer with structuredContent, or take the outputSchema away.",
};
const MISMATCH: Rule = Rule {
    id: "structured-content-mismatch",
    severity: Severity::Error,
    about: "structuredContent does not keep to the outputSchema.",
    breaks: "Clients of every SDK turn the result into an error.",
    mend: "Correct the schema or the result; make both from one type.",
};
const TEXT: Rule = Rule {
    id: "text-missing",
    severity: Severity::Warning,
    about: "A result has structuredContent and no content.",
    breaks: "Clients of revisions before 2025-06-18, and models of those that pass on content alone, see nothing.",
    mend: "Put the same JSON into a text of content as well.",
};
const FAILED: Rule = Rule {
    id: "call-failed",
    severity: Severity::Note,
    about: "A tool that needs no arguments fails.",
    breaks: "Models that call it without arguments.",
    mend: "Require the arguments that it needs.",
};

pub(super) const RULES: &[&Rule] = &[
    &TYPE,
    &COMBINATOR,
    &INVALID,
    &MISSING,
    &MISMATCH,
    &TEXT,
    &FAILED,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    for tool in &seen.lists.tools.items {
        let subject = called(tool, "tool");
        let Some(schema) = tool.get("outputSchema").filter(|schema| !schema.is_null()) else {
            continue;
        };
        if schema["type"] != "object" {
            found.add(
                &TYPE,
                &subject,
                "Its outputSchema has no \"type\": \"object\".",
            );
        }
        if let Some(schema) = schema.as_object() {
            top(schema, "outputSchema", &subject, &COMBINATOR, found);
        }
        if let Err(why) = compiles(schema) {
            found.add(
                &INVALID,
                &subject,
                format!("Its outputSchema cannot be used: {why}."),
            );
        }
    }
    for (name, outcome) in &seen.calls {
        let subject = format!("tool {name}");
        match outcome {
            Outcome::Result(result) if result["isError"] == true => {
                let said = result["content"][0]["text"].as_str().unwrap_or_default();
                found.add(&FAILED, subject, format!("It says {}.", quoted(said)));
            }
            // A question of 2026-07-28 is no result yet.
            Outcome::Result(result) if result["resultType"] == "input_required" => {}
            Outcome::Result(result) => of_result(seen, name, &subject, result, found),
            Outcome::Closed | Outcome::Flooded => {}
            other => found.add(&FAILED, subject, format!("It came to {}.", other.shown())),
        }
    }
}

fn of_result(seen: &Observed, name: &str, subject: &str, result: &Value, found: &mut Findings) {
    let tool = seen
        .lists
        .tools
        .items
        .iter()
        .find(|tool| tool["name"] == name);
    let Some(schema) = tool
        .map(|tool| &tool["outputSchema"])
        .filter(|schema| schema.is_object())
    else {
        return;
    };
    let Some(content) = result.get("structuredContent") else {
        found.add(&MISSING, subject, "Its result has no structuredContent.");
        return;
    };
    if result["content"].as_array().is_none_or(Vec::is_empty) {
        found.add(&TEXT, subject, "Its result has no content.");
    }
    let (schema, content) = (schema.clone(), content.clone());
    let judged = within(move || {
        // What is wrong with the schema is said elsewhere.
        let validator = jsonschema::draft202012::new(&schema).ok()?;
        let wrong = validator.validate(&content).err()?;
        Some(quoted(&format!("{wrong} (at {})", wrong.instance_path())))
    });
    if let Ok(Some(wrong)) = judged {
        found.add(
            &MISMATCH,
            subject,
            format!("Its result does not keep to its schema: {wrong}."),
        );
    }
}
