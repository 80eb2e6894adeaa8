//! Whether lists can be read, and what they cost.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::clients::TOOLS;
use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::{List, Observed, Outcome};

/// Tokens of all tools from which on a list is dear, and from which on it is said.
const DEAR: usize = 25_000;
const NOTED: usize = 10_000;

/// Tokens of one tool that are many.
const DEAR_TOOL: usize = 4_000;

const FAILED: Rule = Rule {
    id: "list-failed",
    severity: Severity::Error,
    about: "A list that the server declares cannot be read.",
    breaks: "Clients show none of what is in it.",
    mend: "Answer the list with an array of definitions, or declare no such capability.",
};
const ENDLESS: Rule = Rule {
    id: "list-endless",
    severity: Severity::Error,
    about: "A list has no end: a cursor comes twice, or there are too many pages.",
    breaks: "Clients read it until they time out, or for ever.",
    mend: "Leave nextCursor out on the last page.",
};
const UNDECLARED: Rule = Rule {
    id: "capability-undeclared",
    severity: Severity::Error,
    about: "There are components of a kind that the capabilities do not have.",
    breaks: "Clients do not ask for lists that are not declared, and show nothing.",
    mend: "Declare tools, prompts and resources in capabilities where there are any.",
};
const DUPLICATE: Rule = Rule {
    id: "name-duplicate",
    severity: Severity::Error,
    about: "Two components have the same name or URI.",
    breaks: "Model providers refuse all tools when two have a name; elsewhere one of them is out of reach.",
    mend: "Rename one of them.",
};
const MANY: Rule = Rule {
    id: "tools-many",
    severity: Severity::Warning,
    about: "There are more tools than a client takes.",
    breaks: "VS Code refuses requests with more than 128 tools, those of all servers together (microsoft/vscode#337428).",
    mend: "Serve fewer tools, or let users choose sets of them.",
};
const COSTLY: Rule = Rule {
    id: "list-costly",
    severity: Severity::Warning,
    about: "The list of tools takes much of a model's context.",
    breaks: "Models see it in each request: it costs money and attention. Claude Code warns from 25,000 tokens on.",
    mend: "Shorten descriptions and schemas, or serve fewer tools.",
};
const NOTABLE: Rule = Rule {
    id: "list-large",
    severity: Severity::Note,
    about: "The list of tools takes a part of a model's context.",
    breaks: "Models see it in each request.",
    mend: "Shorten descriptions and schemas where that loses nothing.",
};
const LARGE_TOOL: Rule = Rule {
    id: "tool-large",
    severity: Severity::Warning,
    about: "The definition of one tool is very large.",
    breaks: "It costs its tokens in each request, and some clients drop it (anthropics/claude-code#68438).",
    mend: "Split the tool, or take rare arguments out of its schema.",
};

pub(super) const RULES: &[&Rule] = &[
    &FAILED,
    &ENDLESS,
    &UNDECLARED,
    &DUPLICATE,
    &MANY,
    &COSTLY,
    &NOTABLE,
    &LARGE_TOOL,
];

/// The tokens that a model sees of these tools, as an estimate, which is that of `list`: a token for four bytes of name,
/// description and input schema.
pub(crate) fn tokens(tools: &[Value]) -> usize {
    tools.iter().map(bytes_of).sum::<usize>().div_ceil(4)
}

fn tokens_of(tool: &Value) -> usize {
    bytes_of(tool).div_ceil(4)
}

fn bytes_of(tool: &Value) -> usize {
    let text = |part: &str| tool[part].as_str().map_or(0, str::len);
    text("name") + text("description") + tool["inputSchema"].to_string().len()
}

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    if !seen.is_understood() {
        return;
    }
    let lists = &seen.lists;
    for (list, what, capability, key) in [
        (&lists.tools, "tools", "tools", "name"),
        (&lists.prompts, "prompts", "prompts", "name"),
        (&lists.resources, "resources", "resources", "uri"),
        (
            &lists.templates,
            "resource templates",
            "resources",
            "uriTemplate",
        ),
    ] {
        let is_declared = seen.capabilities().get(capability).is_some();
        of_list(seen, list, what, is_declared, found);
        let mut names = BTreeSet::new();
        for name in list.items.iter().filter_map(|one| one[key].as_str()) {
            if !names.insert(name) {
                let name = quoted(name);
                found.add(
                    &DUPLICATE,
                    what,
                    format!("{name} is in the list more than once."),
                );
            }
        }
    }
    let tools = &lists.tools.items;
    if tools.len() > TOOLS {
        found.add(
            &MANY,
            &seen.target,
            format!("There are {} tools.", tools.len()),
        );
    }
    let all = tokens(tools);
    let what = format!("{} tools have about {all} tokens.", tools.len());
    match all {
        DEAR.. => found.add(&COSTLY, &seen.target, what),
        NOTED.. => found.add(&NOTABLE, &seen.target, what),
        _ => {}
    }
    for tool in tools {
        let own = tokens_of(tool);
        if own > DEAR_TOOL {
            found.add(
                &LARGE_TOOL,
                super::called(tool, "tool"),
                format!("It has about {own} tokens."),
            );
        }
    }
}

fn of_list(seen: &Observed, list: &List, what: &str, is_declared: bool, found: &mut Findings) {
    match &list.failed {
        // Templates are a part of resources that not every server has.
        Some(outcome) if is_declared => {
            let is_missing = outcome.code() == Some(-32601) && what == "resource templates";
            let is_gone = matches!(outcome, Outcome::Closed | Outcome::Flooded);
            if !is_missing && !is_gone {
                let what = format!("The list of {what} came to {}.", outcome.shown());
                found.add(&FAILED, &seen.target, what);
            }
        }
        None if !is_declared && !list.items.is_empty() => {
            let number = list.items.len();
            let what = format!("There are {number} {what}, and capabilities does not say so.");
            found.add(&UNDECLARED, &seen.target, what);
        }
        _ => {}
    }
    if let Some(why) = list.endless {
        found.add(
            &ENDLESS,
            &seen.target,
            format!("The list of {what} has no end: {why}."),
        );
    }
}
