//! Which revisions it speaks, and whether it says so rightly.

use pymcp_kit::protocol::{LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION};
use serde_json::Value;

use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::{Observed, Outcome, Over, Try};
use super::super::probe::NO_REVISION;

const INCOMPLETE: Rule = Rule {
    id: "handshake-incomplete",
    severity: Severity::Error,
    about: "The result of initialize lacks a member that clients need.",
    breaks: "Clients of every SDK refuse the result, and list the server as failed.",
    mend: "Answer with protocolVersion, capabilities and serverInfo {name, version}.",
};
const UNKNOWN_AGREED: Rule = Rule {
    id: "revision-echoed",
    severity: Severity::Error,
    about: "It agrees to a revision that there is not.",
    breaks: "A client of a revision to come believes that the server speaks it.",
    mend: "Answer with a revision that the server speaks, the newest one unless it speaks the proposed one.",
};
const REFUSED: Rule = Rule {
    id: "revision-refused",
    severity: Severity::Warning,
    about: "It answers initialize of an unknown revision with an error.",
    breaks: "A newer client cannot settle for an older revision (MCP, lifecycle, version negotiation).",
    mend: "Answer with a revision that the server speaks; the client decides whether that will do.",
};
const UNKNOWN_ANSWERED: Rule = Rule {
    id: "revision-unknown",
    severity: Severity::Error,
    about: "It settles on a revision that no client knows.",
    breaks: "Clients disconnect when they do not know the revision that is answered.",
    mend: "Answer with 2025-11-25 or an older revision.",
};
const OLD: Rule = Rule {
    id: "revision-old",
    severity: Severity::Note,
    about: "The newest revision with sessions that it speaks is an old one.",
    breaks: "Clients do without what came later: structured results, elicitation, resumable streams.",
    mend: "Update the SDK of the server.",
};
const LEGACY_MISSING: Rule = Rule {
    id: "legacy-missing",
    severity: Severity::Warning,
    about: "It does not answer initialize.",
    breaks: "Every client that does not speak 2026-07-28, which is most of them.",
    mend: "Serve both eras from one endpoint: who sends initialize means a revision up to 2025-11-25.",
};
const MODERN_MISSING: Rule = Rule {
    id: "modern-missing",
    severity: Severity::Note,
    about: "It does not speak 2026-07-28.",
    breaks: "Nobody yet: clients that know it fall back to initialize.",
    mend: "Update the SDK of the server when it has the revision.",
};
const DEPRECATED: Rule = Rule {
    id: "transport-deprecated",
    severity: Severity::Warning,
    about: "It is served over HTTP+SSE, which was deprecated with 2025-03-26.",
    breaks: "Clients that speak streamable HTTP alone, such as those made with rmcp; and nobody can resume a stream.",
    mend: "Serve streamable HTTP; a server can have both endpoints side by side.",
};
const DISCOVER: Rule = Rule {
    id: "discover-incomplete",
    severity: Severity::Error,
    about: "The result of server/discover lacks a member.",
    breaks: "Clients of 2026-07-28 refuse the result.",
    mend: "Answer with resultType, supportedVersions (2026-07-28 among them), capabilities, ttlMs and cacheScope.",
};
const NOT_JSON: Rule = Rule {
    id: "modern-error-not-json",
    severity: Severity::Note,
    about: "A request of 2026-07-28 is answered with an error that is no JSON-RPC.",
    breaks: "A client of 2026-07-28 cannot tell what was wrong, and goes on with an older revision.",
    mend: "Give every 4xx of the endpoint a JSON-RPC error as its body.",
};

pub(super) const RULES: &[&Rule] = &[
    &INCOMPLETE,
    &UNKNOWN_AGREED,
    &REFUSED,
    &UNKNOWN_ANSWERED,
    &OLD,
    &LEGACY_MISSING,
    &MODERN_MISSING,
    &DEPRECATED,
    &DISCOVER,
    &NOT_JSON,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    if !seen.is_understood() {
        return;
    }
    let target = &seen.target;
    match &seen.initialize {
        Outcome::Result(result) => {
            let missing = missing_of_handshake(result);
            if !missing.is_empty() {
                let missing = missing.join(", ");
                found.add(
                    &INCOMPLETE,
                    target,
                    format!("The result has no proper {missing}."),
                );
            }
            let agreed = result["protocolVersion"].as_str().unwrap_or_default();
            let is_known = LEGACY_VERSIONS.contains(&agreed);
            if !agreed.is_empty() && !is_known {
                let agreed = quoted(agreed);
                let what = format!("It answers {LATEST_LEGACY} with {agreed}.");
                found.add(&UNKNOWN_ANSWERED, target, what);
            }
            if is_known && agreed < "2025-06-18" {
                found.add(
                    &OLD,
                    target,
                    format!("It answers {LATEST_LEGACY} with {agreed}."),
                );
            }
        }
        other => {
            let what = format!("initialize came to {}.", other.shown());
            found.add(&LEGACY_MISSING, target, what);
        }
    }
    for (proposed, outcome) in &seen.revisions {
        if *proposed != NO_REVISION {
            continue;
        }
        match outcome {
            Outcome::Result(result) if result["protocolVersion"] == NO_REVISION => {
                found.add(
                    &UNKNOWN_AGREED,
                    target,
                    format!("It agreed to {NO_REVISION}."),
                );
            }
            Outcome::Error(_) | Outcome::Status(_) => {
                let what = format!("{NO_REVISION} came to {}.", outcome.shown());
                found.add(&REFUSED, target, what);
            }
            _ => {}
        }
    }
    match &seen.discover {
        // It is older than that revision.
        _ if seen.over == Over::Sse => {
            found.add(&DEPRECATED, target, "Its transport is HTTP+SSE.");
        }
        Outcome::Result(result) => {
            let missing = missing_of_discover(result);
            if !missing.is_empty() {
                let missing = missing.join(", ");
                found.add(
                    &DISCOVER,
                    target,
                    format!("The result has no proper {missing}."),
                );
            }
        }
        other => {
            let what = format!("server/discover came to {}.", other.shown());
            found.add(&MODERN_MISSING, target, what);
            if let (Outcome::Status(400..=499), Over::Http) = (other, seen.over) {
                let what = format!("server/discover came to {}.", other.shown());
                found.add(&NOT_JSON, target, what);
            }
        }
    }
    if let Some(http) = &seen.http
        && let Some(reply) = http.tried.get(&Try::Garbage)
        && (400..500).contains(&reply.status)
        && !reply.has_answer()
        && seen.discover.result().is_some()
    {
        let what = format!(
            "A body that is no JSON came to {} without a JSON-RPC error.",
            reply.status
        );
        found.add(&NOT_JSON, target, what);
    }
}

fn missing_of_handshake(result: &Value) -> Vec<&'static str> {
    let info = &result["serverInfo"];
    let kept = [
        ("protocolVersion", result["protocolVersion"].is_string()),
        ("capabilities", result["capabilities"].is_object()),
        ("serverInfo.name", info["name"].is_string()),
        ("serverInfo.version", info["version"].is_string()),
    ];
    kept.iter()
        .filter(|(_, kept)| !kept)
        .map(|(name, _)| *name)
        .collect()
}

fn missing_of_discover(result: &Value) -> Vec<&'static str> {
    let versions = result["supportedVersions"].as_array();
    let is_modern = versions.is_some_and(|all| all.iter().any(|one| one == MODERN_VERSION));
    let kept = [
        ("resultType", result["resultType"] == "complete"),
        ("supportedVersions", is_modern),
        ("capabilities", result["capabilities"].is_object()),
        ("ttlMs", result["ttlMs"].is_u64()),
        ("cacheScope", result["cacheScope"].is_string()),
    ];
    kept.iter()
        .filter(|(_, kept)| !kept)
        .map(|(name, _)| *name)
        .collect()
}
