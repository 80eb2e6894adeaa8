//! Sessions over HTTP: how they are named, and how a client learns that one has ended.

use super::super::finding::{Findings, Rule, Severity};
use super::super::observed::{Observed, Try};

/// Characters of an id that nobody guesses: 128 bits in base64.
const SECURE: usize = 22;

/// Bytes of an id that every proxy passes on.
const LONG: usize = 1024;

const CHARACTERS: Rule = Rule {
    id: "session-id-characters",
    severity: Severity::Error,
    about: "The session id has other characters than visible ASCII.",
    breaks: "Clients and proxies refuse the header (MCP, streamable HTTP, session management).",
    mend: "Make ids of visible ASCII, such as a UUID.",
};
const SHORT: Rule = Rule {
    id: "session-id-guessable",
    severity: Severity::Warning,
    about: "The session id is short enough to be guessed.",
    breaks: "Everybody who has a session: another client can take it over.",
    mend: "Make ids of 128 random bits at least.",
};
const LONG_ID: Rule = Rule {
    id: "session-id-long",
    severity: Severity::Warning,
    about: "The session id is very long.",
    breaks: "Proxies refuse heads of more than some KiB.",
    mend: "Keep ids below 1 KiB.",
};
const UNKNOWN: Rule = Rule {
    id: "session-unknown-status",
    severity: Severity::Error,
    about: "A session that there is not does not come to 404.",
    breaks: "After a restart of the server clients stay disconnected: they begin a new session on 404 alone (anthropics/claude-code#60949, microsoft/vscode#253854).",
    mend: "Answer a session id that is not known, or not any more, with 404.",
};
const ACCEPTED: Rule = Rule {
    id: "session-unknown-accepted",
    severity: Severity::Error,
    about: "A session that nobody was given is served.",
    breaks: "Sessions protect nothing: who makes an id up has one.",
    mend: "Answer ids that the server did not give out with 404, or give out none.",
};
const AFTER_DELETE: Rule = Rule {
    id: "session-after-delete",
    severity: Severity::Warning,
    about: "A session is served after its DELETE.",
    breaks: "Who signs out is not signed out.",
    mend: "Answer a deleted session with 404, or DELETE with 405.",
};
const DELETE: Rule = Rule {
    id: "delete-status",
    severity: Severity::Note,
    about: "DELETE of a session comes neither to a success nor to 405.",
    breaks: "Clients report an error when they end.",
    mend: "Answer DELETE with 200 or 204, or with 405 where clients cannot end sessions.",
};

pub(super) const RULES: &[&Rule] = &[
    &CHARACTERS,
    &SHORT,
    &LONG_ID,
    &UNKNOWN,
    &ACCEPTED,
    &AFTER_DELETE,
    &DELETE,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    let Some(http) = &seen.http else {
        return;
    };
    let target = seen.target.as_str();
    let tried = |what: Try| http.tried.get(&what);
    let raw = tried(Try::First).and_then(|reply| reply.headers.get("mcp-session-id"));
    if let Some(id) = raw {
        if !id.as_bytes().iter().all(u8::is_ascii_graphic) || id.is_empty() {
            found.add(
                &CHARACTERS,
                target,
                "The Mcp-Session-Id has other characters.",
            );
        } else if id.len() < SECURE {
            found.add(
                &SHORT,
                target,
                format!("The Mcp-Session-Id has {} characters.", id.len()),
            );
        }
        if id.len() > LONG {
            found.add(
                &LONG_ID,
                target,
                format!("The Mcp-Session-Id has {} characters.", id.len()),
            );
        }
    }
    if let Some(reply) = tried(Try::UnknownSession) {
        let status = reply.status;
        match status {
            404 | 401 | 403 => {}
            _ if reply.has_result() => {
                found.add(
                    &ACCEPTED,
                    target,
                    format!("A made-up session came to {status} with a result."),
                );
            }
            _ => found.add(
                &UNKNOWN,
                target,
                format!("A made-up session came to {status}."),
            ),
        }
    }
    let delete = tried(Try::Delete).map(|reply| reply.status);
    if let Some(status) = delete
        && !matches!(status, 200..=299 | 405 | 401 | 403)
    {
        found.add(&DELETE, target, format!("DELETE came to {status}."));
    }
    if let (Some(200..=299), Some(after)) = (delete, tried(Try::AfterDelete))
        && after.has_result()
    {
        let what = format!(
            "DELETE came to a success, and a ping after it to {} with a result.",
            after.status
        );
        found.add(&AFTER_DELETE, target, what);
    }
}
