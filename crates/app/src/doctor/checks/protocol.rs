//! How requests are answered that every client sends, or that go wrong.

use super::super::finding::{Findings, Rule, Severity};
use super::super::observed::{Observed, Outcome, Question};

const PING: Rule = Rule {
    id: "ping-unanswered",
    severity: Severity::Error,
    about: "A ping is not answered with an empty result.",
    breaks: "Clients and proxies that look whether the server is alive disconnect it.",
    mend: "Answer ping with {}, at any time.",
};
const METHOD: Rule = Rule {
    id: "unknown-method-code",
    severity: Severity::Warning,
    about: "An unknown method does not come to the error -32601.",
    breaks: "Clients that ask what a server can (templates, completion, tasks) take it for broken.",
    mend: "Answer unknown methods with the error -32601.",
};
const PARAMS: Rule = Rule {
    id: "bad-params-code",
    severity: Severity::Warning,
    about: "A call without the name of a tool does not come to the error -32602.",
    breaks: "Clients cannot tell a mistake of their own from one of the server.",
    mend: "Answer params that cannot be read with the error -32602.",
};
const TOOL: Rule = Rule {
    id: "unknown-tool-accepted",
    severity: Severity::Error,
    about: "A call of a tool that there is not comes to a success, or to no answer.",
    breaks: "Models believe that something was done.",
    mend: "Answer with the error -32602, or with a result whose isError is true.",
};
const TOOL_CODE: Rule = Rule {
    id: "unknown-tool-code",
    severity: Severity::Note,
    about: "A call of a tool that there is not comes to another error than -32602.",
    breaks: "Clients that tell errors apart show a fault of the server.",
    mend: "Answer with the error -32602 (MCP, tools, error handling).",
};
const RESOURCE: Rule = Rule {
    id: "unknown-resource-accepted",
    severity: Severity::Warning,
    about: "Reading a resource that there is not comes to a success, or to no answer.",
    breaks: "Users are shown an empty document instead of a mistake in the URI.",
    mend: "Answer with the error -32002 (-32602 from 2026-07-28 on).",
};
const PROMPT: Rule = Rule {
    id: "unknown-prompt-accepted",
    severity: Severity::Warning,
    about: "Getting a prompt that there is not comes to a success, or to no answer.",
    breaks: "Users are shown an empty prompt.",
    mend: "Answer with the error -32602.",
};
const GARBAGE: Rule = Rule {
    id: "garbage-fatal",
    severity: Severity::Warning,
    about: "After a line that is no JSON nothing is answered any more.",
    breaks: "One broken message of a client or proxy ends the conversation.",
    mend: "Answer with the error -32700 and go on.",
};

pub(super) const RULES: &[&Rule] = &[
    &PING, &METHOD, &PARAMS, &TOOL, &TOOL_CODE, &RESOURCE, &PROMPT, &GARBAGE,
];

/// The code of a method that there is not.
const NO_METHOD: i64 = -32601;
/// The code of params that cannot be used.
const BAD_PARAMS: i64 = -32602;

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    for (question, outcome) in &seen.answers {
        let shown = outcome.shown();
        let rule = match question {
            Question::Ping if outcome.result().is_none() => &PING,
            Question::UnknownMethod if outcome.code() != Some(NO_METHOD) => &METHOD,
            Question::BadParams if outcome.code() != Some(BAD_PARAMS) && !is_error(outcome) => {
                &PARAMS
            }
            Question::UnknownTool if accepted(outcome) => &TOOL,
            Question::UnknownTool if outcome.code().is_some_and(|code| code != BAD_PARAMS) => {
                &TOOL_CODE
            }
            Question::UnknownResource if accepted(outcome) => &RESOURCE,
            Question::UnknownPrompt if accepted(outcome) => &PROMPT,
            Question::AfterGarbage if outcome.result().is_none() => &GARBAGE,
            _ => continue,
        };
        let asked = match question {
            Question::Ping => "ping",
            Question::UnknownMethod => "doctor/noSuchMethod",
            Question::BadParams => "tools/call without a name",
            Question::UnknownTool => "tools/call of a tool that there is not",
            Question::UnknownResource => "resources/read of a URI that there is not",
            Question::UnknownPrompt => "prompts/get of a prompt that there is not",
            Question::AfterGarbage => "A request after a line that is no JSON",
        };
        found.add(rule, &seen.target, format!("{asked} came to {shown}."));
    }
}

/// Whether it is the result of a tool that says that it failed.
fn is_error(outcome: &Outcome) -> bool {
    outcome
        .result()
        .is_some_and(|result| result["isError"] == true)
}

/// Whether it is no refusal.
fn accepted(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Error(_) | Outcome::Status(400..=499)) && !is_error(outcome)
}
