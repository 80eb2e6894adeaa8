//! Names of components and arguments, which clients hand on to model providers.

use pymcp_kit::Check;
use serde_json::Value;

use super::super::clients::{NAME, PROPERTY};
use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::Observed;
use super::called;

const MISSING: Rule = Rule {
    id: "name-missing",
    severity: Severity::Error,
    about: "A component has no name, or no URI.",
    breaks: "Clients of every SDK refuse the whole list.",
    mend: "Give each component a name that is a text.",
};
const LONG: Rule = Rule {
    id: "tool-name-long",
    severity: Severity::Error,
    about: "The name of a tool is too long for every client that puts a prefix before it.",
    breaks: "Model providers take names of 64 characters, and refuse all tools otherwise (anthropics/claude-code#2412, microsoft/vscode#243602).",
    mend: "Shorten the name.",
};
const PREFIXED: Rule = Rule {
    id: "tool-name-prefixed",
    severity: Severity::Warning,
    about: "The name of a tool is too long behind the server's own.",
    breaks: "Claude calls it mcp__SERVER__TOOL, of which model providers take 64 characters (anthropics/claude-code#2412, #21136).",
    mend: "Keep the names of server and tool below 58 characters together.",
};
const CHARACTERS: Rule = Rule {
    id: "tool-name-characters",
    severity: Severity::Error,
    about: "The name of a tool has characters that model providers refuse.",
    breaks: "Copilot CLI refuses dots (github/copilot-cli#1879), providers anything but A-Z a-z 0-9 _ -, and with it all tools.",
    mend: "Rename the tool: A-Z, a-z, 0-9, _ and - alone.",
};
const PROMPT: Rule = Rule {
    id: "prompt-name-characters",
    severity: Severity::Note,
    about: "The name of a prompt has characters that cannot be typed as a command.",
    breaks: "Clients that offer prompts as commands (/server:prompt) cut or drop it.",
    mend: "Rename the prompt: A-Z, a-z, 0-9, _ and - alone.",
};
const ARGUMENT: Rule = Rule {
    id: "argument-name",
    severity: Severity::Error,
    about: "The name of an argument has characters, or a length, that a model provider refuses.",
    breaks: "Anthropic's API takes ^[a-zA-Z0-9_.-]{1,64}$ and refuses all tools otherwise (PrefectHQ/fastmcp#839, freee/freee-mcp#15).",
    mend: "Rename the argument, and take the old name as well where callers know it.",
};
const URI: Rule = Rule {
    id: "resource-uri",
    severity: Severity::Error,
    about: "The URI of a resource is none.",
    breaks: "Clients that parse URIs refuse the list of resources.",
    mend: "Give it an absolute URI, such as data://stock.",
};

pub(super) const RULES: &[&Rule] = &[
    &MISSING,
    &LONG,
    &PREFIXED,
    &CHARACTERS,
    &PROMPT,
    &ARGUMENT,
    &URI,
];

/// What Claude puts around the name of a server.
const AROUND: usize = "mcp____".len();

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    let server = seen.server_info()["name"].as_str().unwrap_or_default();
    for tool in &seen.lists.tools.items {
        let Some(name) = named(tool, "tool", "name", found) else {
            continue;
        };
        let (own, subject) = (name.chars().count(), called(tool, "tool"));
        // A server has a name of one character at least.
        if own + AROUND >= NAME {
            found.add(&LONG, &subject, format!("Its name has {own} characters."));
        } else if own + server.chars().count() > Check::MAX_NAMES {
            let what = format!(
                "Its name and {} have {} characters.",
                quoted(server),
                own + server.chars().count()
            );
            found.add(&PREFIXED, &subject, what);
        }
        if !is_plain(name) {
            found.add(
                &CHARACTERS,
                &subject,
                format!("It is called {}.", quoted(name)),
            );
        }
        let arguments = tool["inputSchema"]["properties"].as_object();
        for argument in arguments.into_iter().flat_map(|all| all.keys()) {
            let plain = argument
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
            if !plain || !(1..=PROPERTY).contains(&argument.len()) {
                let what = format!("It has an argument that is called {}.", quoted(argument));
                found.add(&ARGUMENT, &subject, what);
            }
        }
    }
    for prompt in &seen.lists.prompts.items {
        if let Some(name) = named(prompt, "prompt", "name", found)
            && !is_plain(name)
        {
            let what = format!("It is called {}.", quoted(name));
            found.add(&PROMPT, called(prompt, "prompt"), what);
        }
    }
    for resource in &seen.lists.resources.items {
        named(resource, "resource", "name", found);
        if let Some(uri) = named(resource, "resource", "uri", found)
            && url::Url::parse(uri).is_err()
        {
            let what = format!("Its URI is {}.", quoted(uri));
            found.add(&URI, called(resource, "resource"), what);
        }
    }
    for template in &seen.lists.templates.items {
        named(template, "resource template", "name", found);
        named(template, "resource template", "uriTemplate", found);
    }
}

/// A member that every definition of this kind has.
fn named<'a>(
    definition: &'a Value,
    kind: &str,
    member: &str,
    found: &mut Findings,
) -> Option<&'a str> {
    let name = definition[member].as_str().filter(|name| !name.is_empty());
    if name.is_none() {
        let what = format!(
            "A {kind} has no {member}: {}.",
            quoted(&definition.to_string())
        );
        found.add(&MISSING, called(definition, kind), what);
    }
    name
}

fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
