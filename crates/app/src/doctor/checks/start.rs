//! How it starts, what it writes beside messages, and how it ends.

use std::time::Duration;

use super::super::clients::{START, START_AT_MOST};
use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::{Observed, Over};

/// Time to the first answer that nobody notices.
const NOTICED: Duration = Duration::from_secs(3);

const SLOW: Rule = Rule {
    id: "start-slow",
    severity: Severity::Error,
    about: "The first answer comes later than every client waits.",
    breaks: "Codex gives up after 10 s (openai/codex#11851), Claude Code after 30 s and never later than 60 s (anthropics/claude-code#16837).",
    mend: "Answer initialize before anything is loaded or downloaded; install packages beforehand instead of at each start.",
};
const LATE: Rule = Rule {
    id: "start-late",
    severity: Severity::Warning,
    about: "The first answer comes later than some clients wait.",
    breaks: "Codex gives up after 10 s (openai/codex#11851).",
    mend: "Answer initialize before anything is loaded or downloaded, or tell users of Codex to set startup_timeout_sec.",
};
const NOTICEABLE: Rule = Rule {
    id: "start-noticeable",
    severity: Severity::Note,
    about: "The start takes seconds.",
    breaks: "Users wait for it at each start of their client.",
    mend: "Load what is needed when it is needed.",
};
const SILENT: Rule = Rule {
    id: "no-answer",
    severity: Severity::Error,
    about: "Neither initialize nor server/discover is answered.",
    breaks: "Every client: the server is listed as failed.",
    mend: "Answer initialize with protocolVersion, capabilities and serverInfo.",
};
const DIED: Rule = Rule {
    id: "process-died",
    severity: Severity::Error,
    about: "The process ends while it is spoken to.",
    breaks: "Every client: the tools are gone in the middle of a conversation, and few clients start it again.",
    mend: "Answer what cannot be done with an error; what it said last on stderr may say why it ended.",
};
const FLOOD: Rule = Rule {
    id: "flood",
    severity: Severity::Error,
    about: "More bytes come than any client reads.",
    breaks: "Clients grow until they are ended.",
    mend: "Keep a message below some MiB; cut lists into pages and results into resources.",
};
const NOISE: Rule = Rule {
    id: "stdout-noise",
    severity: Severity::Error,
    about: "stdout has lines that are no messages.",
    breaks: "Claude Desktop and other clients show an error for each such line, and strict ones disconnect.",
    mend: "Write logs, banners and progress to stderr; stdout is for messages alone.",
};
const MALFORMED: Rule = Rule {
    id: "message-malformed",
    severity: Severity::Error,
    about: "It sends JSON that is no JSON-RPC 2.0.",
    breaks: "Clients of every SDK drop the message, and wait for an answer until they time out.",
    mend: "Send \"jsonrpc\": \"2.0\", the id of the request as it was sent, and either result (an object) or error (code and message).",
};
const UNASKED: Rule = Rule {
    id: "answer-unasked",
    severity: Severity::Warning,
    about: "It answers what was not asked, such as a notification.",
    breaks: "Clients log it as an error; some disconnect.",
    mend: "Answer requests alone: what has no id is never answered.",
};
const ASKED: Rule = Rule {
    id: "capability-ignored",
    severity: Severity::Warning,
    about: "It sends requests to a client that declared nothing to ask it for.",
    breaks: "Clients without the capability refuse, and the server may wait for an answer for ever.",
    mend: "Ask only for what the client declares in its capabilities.",
};
const LINGERS: Rule = Rule {
    id: "exit-slow",
    severity: Severity::Warning,
    about: "The process goes on when its input has ended.",
    breaks: "It stays behind when its client ends without a signal, as after a crash.",
    mend: "End when stdin ends (MCP, stdio, shutdown).",
};

pub(super) const RULES: &[&Rule] = &[
    &SLOW,
    &LATE,
    &NOTICEABLE,
    &SILENT,
    &DIED,
    &FLOOD,
    &NOISE,
    &MALFORMED,
    &UNASKED,
    &ASKED,
    &LINGERS,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    let (target, stream) = (&seen.target, &seen.stream);
    if let (Some(start), Over::Stdio) = (seen.start, seen.over) {
        let rule = match start {
            start if start >= START_AT_MOST => Some(&SLOW),
            start if start >= START => Some(&LATE),
            start if start >= NOTICED => Some(&NOTICEABLE),
            _ => None,
        };
        if let Some(rule) = rule {
            let seconds = start.as_secs_f32();
            found.add(
                rule,
                target,
                format!("The first answer came after {seconds:.1} s."),
            );
        }
    }
    if !seen.is_understood() && !seen.wants_token() && !stream.flooded {
        let (first, second) = (seen.initialize.shown(), seen.discover.shown());
        let what = format!("initialize came to {first}, server/discover to {second}.");
        found.add(&SILENT, target, with_stderr(what, &stream.stderr));
    }
    if let Some(status) = &stream.died {
        let what = format!("It ended with {status}.");
        found.add(&DIED, target, with_stderr(what, &stream.stderr));
    }
    if stream.flooded {
        found.add(
            &FLOOD,
            target,
            "8 MiB came without an end, or 64 MiB in all.",
        );
    }
    if stream.noise_lines > 0 {
        let first = stream.noise.first().map(String::as_str).unwrap_or_default();
        let what = format!(
            "{} lines on stdout are no JSON, such as {first}.",
            stream.noise_lines
        );
        found.add(&NOISE, target, what);
    }
    for message in &stream.malformed {
        found.add(&MALFORMED, target, format!("It sent {message}."));
    }
    for message in &stream.unasked {
        found.add(
            &UNASKED,
            target,
            format!("It sent {message}, which answers nothing."),
        );
    }
    for method in &stream.asked {
        let method = quoted(method);
        found.add(
            &ASKED,
            target,
            format!("It asked for {method} although no capability was declared."),
        );
    }
    if stream.lingers {
        found.add(
            &LINGERS,
            target,
            "It was there two seconds after its input had ended.",
        );
    }
}

/// The sentence, and the last of what was said on stderr.
fn with_stderr(what: String, stderr: &str) -> String {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
    match last {
        Some(last) => format!("{what} It said last: {}.", quoted(last)),
        None => what,
    }
}
