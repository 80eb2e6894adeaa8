//! Descriptions, and what hides in them. What a text asks a model to do is not judged: that would be guessing.

use pymcp_kit::Check;
use pymcp_kit::text::marked;
use serde_json::Value;

use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::Observed;
use super::called;

/// Bytes of the instructions of a server that every client shows a model.
const INSTRUCTIONS: usize = 2048;

const MISSING: Rule = Rule {
    id: "description-missing",
    severity: Severity::Warning,
    about: "A tool or prompt has no description.",
    breaks: "Models and users have nothing to choose it by; some providers refuse a tool without one.",
    mend: "Say in a sentence what it does, and when to use it.",
};
const RESOURCE: Rule = Rule {
    id: "resource-undescribed",
    severity: Severity::Note,
    about: "A resource has no description or no media type.",
    breaks: "Users choose it by its name alone, and clients guess how to show it.",
    mend: "Give it a description and a mimeType.",
};
const LONG: Rule = Rule {
    id: "description-long",
    severity: Severity::Warning,
    about: "A description is very long.",
    breaks: "Claude Code cuts it at 2 KiB; it costs its tokens in each request.",
    mend: "Keep it below 2,000 characters.",
};
const INSTRUCTIONS_LONG: Rule = Rule {
    id: "instructions-long",
    severity: Severity::Note,
    about: "The instructions of the server are long.",
    breaks: "Claude Code cuts them at 2 KiB.",
    mend: "Say what matters first, in 2 KiB.",
};
pub(crate) const HIDDEN: Rule = Rule {
    id: "hidden-characters",
    severity: Severity::Error,
    about: "A text has characters that people do not see and models read.",
    breaks: "Everybody: nobody can review what the model is told (tool poisoning).",
    mend: "Take out control, zero-width, bidirectional, tag and private characters; do not use a server that means them.",
};
const HINTS: Rule = Rule {
    id: "hints-missing",
    severity: Severity::Note,
    about: "A tool does not say whether it only reads.",
    breaks: "Clients ask for consent at each call, as for a tool that destroys something.",
    mend: "Set readOnlyHint, and destructiveHint where it does not only read.",
};
const CONTRADICTION: Rule = Rule {
    id: "hints-contradict",
    severity: Severity::Warning,
    about: "A tool says that it only reads and that it destroys something.",
    breaks: "Clients that go by readOnlyHint call it without asking.",
    mend: "Correct the annotations.",
};

pub(super) const RULES: &[&Rule] = &[
    &MISSING,
    &RESOURCE,
    &LONG,
    &INSTRUCTIONS_LONG,
    &HIDDEN,
    &HINTS,
    &CONTRADICTION,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    let said = seen.initialize.result().or(seen.discover.result());
    if let Some(said) = said {
        hidden(
            &said["instructions"],
            &seen.target,
            "Its instructions have",
            found,
        );
        hidden(
            seen.server_info(),
            &seen.target,
            "What it says of itself has",
            found,
        );
        let length = said["instructions"].as_str().map_or(0, str::len);
        if length > INSTRUCTIONS {
            found.add(
                &INSTRUCTIONS_LONG,
                &seen.target,
                format!("They have {length} bytes."),
            );
        }
    }
    let lists = &seen.lists;
    for (items, kind) in [
        (&lists.tools.items, "tool"),
        (&lists.prompts.items, "prompt"),
        (&lists.resources.items, "resource"),
        (&lists.templates.items, "resource template"),
    ] {
        for item in items {
            let subject = called(item, kind);
            hidden(item, &subject, "Its definition has", found);
            let description = item["description"].as_str().unwrap_or_default();
            let is_shown = matches!(kind, "tool" | "prompt");
            if is_shown && description.trim().is_empty() {
                found.add(&MISSING, &subject, "It has no description.");
            } else if !is_shown && (description.trim().is_empty() || !item["mimeType"].is_string())
            {
                let missing = if description.trim().is_empty() {
                    "description"
                } else {
                    "mimeType"
                };
                found.add(&RESOURCE, &subject, format!("It has no {missing}."));
            }
            let length = description.chars().count();
            if length > Check::MAX_DESCRIPTION {
                found.add(
                    &LONG,
                    &subject,
                    format!("Its description has {length} characters."),
                );
            }
        }
    }
    for tool in &lists.tools.items {
        let hints = &tool["annotations"];
        let subject = called(tool, "tool");
        match (&hints["readOnlyHint"], &hints["destructiveHint"]) {
            (Value::Bool(true), Value::Bool(true)) => {
                found.add(
                    &CONTRADICTION,
                    subject,
                    "It has readOnlyHint and destructiveHint.",
                );
            }
            (Value::Bool(_), _) => {}
            _ => found.add(&HINTS, subject, "Its annotations have no readOnlyHint."),
        }
    }
}

/// Finds characters that hide, in any text of a value.
fn hidden(value: &Value, subject: &str, where_: &str, found: &mut Findings) {
    if let Some((text, c, kind)) = hiding(value) {
        let code = c.escape_unicode();
        let what = format!("{where_} {code} ({kind}) in {}.", quoted(text));
        found.add(&HIDDEN, subject, what);
    }
}

fn hiding(value: &Value) -> Option<(&str, char, &'static str)> {
    match value {
        Value::String(text) => hiding_in(text),
        Value::Array(items) => items.iter().find_map(hiding),
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| hiding_in(name).or_else(|| hiding(value))),
        _ => None,
    }
}

fn hiding_in(text: &str) -> Option<(&str, char, &'static str)> {
    marked(text).find_map(|(c, kind)| kind.map(|kind| (text, c, kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_hides_is_found_anywhere_and_emoji_are_not() {
        for (value, hides) in [
            (json!("plain, ünïcödé\r\n\t"), false),
            (json!("👩\u{200d}💻"), false),
            (json!({ "a": [{ "b": "x\u{200b}y" }] }), true),
            (json!({ "a\u{202e}": 1 }), true),
            (json!("x\u{e0041}"), true),
            (json!("\u{1b}[2J"), true),
            (json!("a\u{200d}b"), true),
            (json!("over\rwritten"), true),
            (json!("می\u{200c}خواهم"), false),
            (json!("\u{3164}"), true),
        ] {
            assert_eq!(hiding(&value).is_some(), hides, "{value}");
        }
    }
}
