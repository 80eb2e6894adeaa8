//! How HTTP is spoken: who is let in, and which statuses clients learn from.

use super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::observed::{HttpSeen, Observed, Try};
use super::super::probe::http::Reply;

const HOST: Rule = Rule {
    id: "host-unchecked",
    severity: Severity::Error,
    about: "A server on this machine answers requests for any Host.",
    breaks: "Every user: a web page can reach it under a name of its own (DNS rebinding) and call tools.",
    mend: "Refuse a Host that is none of the server's names with 403.",
};
const ORIGIN: Rule = Rule {
    id: "origin-unchecked",
    severity: Severity::Error,
    about: "Requests of any web page are answered.",
    breaks: "Every user: any page that is open in a browser can call tools.",
    mend: "Refuse an Origin that is not known with 403 (MCP, streamable HTTP, security).",
};
const CORS: Rule = Rule {
    id: "cors-credentials",
    severity: Severity::Error,
    about: "Any web page may send requests with the cookies of its visitor.",
    breaks: "Every user that has a session of cookies with the server.",
    mend: "Never answer any Origin with Access-Control-Allow-Credentials.",
};
const CORS_ANY: Rule = Rule {
    id: "cors-any",
    severity: Severity::Note,
    about: "Any web page may read what the server answers.",
    breaks: "Nobody where every request needs a token.",
    mend: "Name the origins that may call the server.",
};
const PLAIN: Rule = Rule {
    id: "content-type-unchecked",
    severity: Severity::Warning,
    about: "A body of text/plain is taken for a message.",
    breaks: "Every user of a server without authentication: a web page can send it without asking the server first.",
    mend: "Refuse bodies that are not application/json with 415.",
};
const TYPE: Rule = Rule {
    id: "response-type",
    severity: Severity::Error,
    about: "An answer is neither application/json nor text/event-stream.",
    breaks: "Clients of every SDK refuse it as an unexpected content type.",
    mend: "Set Content-Type to application/json, or to text/event-stream for a stream.",
};
const NOTIFICATION: Rule = Rule {
    id: "notification-status",
    severity: Severity::Warning,
    about: "A notification does not come to 202 without a body.",
    breaks: "Clients that are strict fail in the handshake: they send notifications/initialized and expect 202.",
    mend: "Answer notifications with 202 and no body.",
};
const GET: Rule = Rule {
    id: "get-status",
    severity: Severity::Warning,
    about: "GET comes neither to a stream of events nor to 405.",
    breaks: "Clients that listen for messages report an error, or try again without an end.",
    mend: "Answer GET with text/event-stream, or with 405 where there is no such stream.",
};
const METHOD: Rule = Rule {
    id: "method-status",
    severity: Severity::Note,
    about: "A method of HTTP that is not served does not come to 405.",
    breaks: "Proxies and monitors take it for a fault.",
    mend: "Answer other methods than POST, GET and DELETE with 405 and Allow.",
};
const FAULT: Rule = Rule {
    id: "server-error",
    severity: Severity::Warning,
    about: "A request that the client got wrong comes to a 5xx.",
    breaks: "Clients and proxies repeat it, and operators are woken for it.",
    mend: "Answer what the client got wrong with a 4xx: 400, 405, 406 or 415.",
};
const GARBAGE: Rule = Rule {
    id: "garbage-accepted",
    severity: Severity::Warning,
    about: "A body that is no JSON does not come to 400 or the error -32700.",
    breaks: "Clients wait for an answer that never comes.",
    mend: "Answer with 400 and the error -32700.",
};
const VERSION: Rule = Rule {
    id: "version-header-unchecked",
    severity: Severity::Note,
    about: "An MCP-Protocol-Version that there is not is accepted.",
    breaks: "Nobody today; a newer client believes to be understood.",
    mend: "Answer it with 400 (from 2025-06-18 on).",
};
const REDIRECT: Rule = Rule {
    id: "redirected",
    severity: Severity::Error,
    about: "The endpoint redirects.",
    breaks: "Clients drop the token, or turn the POST into a GET, when they follow.",
    mend: "Give clients the URL that it leads to; serve paths with and without a slash at the end.",
};
const CLEARTEXT: Rule = Rule {
    id: "cleartext",
    severity: Severity::Warning,
    about: "The connection to another machine is not encrypted.",
    breaks: "Everybody: who is in between reads tokens and results; claude.ai takes https only.",
    mend: "Serve https, with TLS of the server's own or a proxy in front of it.",
};

pub(super) const RULES: &[&Rule] = &[
    &HOST,
    &ORIGIN,
    &CORS,
    &CORS_ANY,
    &PLAIN,
    &TYPE,
    &NOTIFICATION,
    &GET,
    &METHOD,
    &FAULT,
    &GARBAGE,
    &VERSION,
    &REDIRECT,
    &CLEARTEXT,
];

pub(super) fn check(seen: &Observed, found: &mut Findings) {
    let Some(http) = &seen.http else {
        return;
    };
    let target = seen.target.as_str();
    if !http.secure && !http.loopback {
        found.add(&CLEARTEXT, target, "The URL begins with http.");
    }
    let tried = |what: Try| http.tried.get(&what);
    if let Some(reply) = tried(Try::First).filter(|reply| (300..400).contains(&reply.status)) {
        let to = quoted(reply.header("location").unwrap_or_default());
        found.add(
            &REDIRECT,
            target,
            format!("It answers {} with Location {to}.", reply.status),
        );
    }
    strangers(http, target, found);
    if let Some(reply) = tried(Try::First).filter(|reply| reply.status == 200) {
        let known = reply.is("application/json") || reply.is("text/event-stream");
        if !known {
            let kind = quoted(reply.header("content-type").unwrap_or_default());
            found.add(
                &TYPE,
                target,
                format!("The first answer is of type {kind}."),
            );
        }
    }
    if let Some(reply) = tried(Try::Notification).filter(|reply| reply.status != 202) {
        let what = format!("notifications/initialized came to {}.", reply.status);
        found.add(&NOTIFICATION, target, what);
    }
    if let Some(reply) = tried(Try::Get) {
        let is_stream = reply.status == 200 && reply.is("text/event-stream");
        // Authentication has rules of its own.
        if !is_stream && !matches!(reply.status, 405 | 401 | 403) {
            found.add(&GET, target, format!("GET came to {}.", reply.status));
        }
    }
    if let Some(reply) = tried(Try::Put).filter(|reply| !matches!(reply.status, 405 | 501)) {
        found.add(&METHOD, target, format!("PUT came to {}.", reply.status));
    }
    if let Some(reply) = tried(Try::PlainText).filter(|reply| reply.has_result()) {
        let what = format!(
            "A body of text/plain came to {} with a result.",
            reply.status
        );
        found.add(&PLAIN, target, what);
    }
    if let Some(reply) = tried(Try::Garbage).filter(|reply| reply.status < 400) {
        let code = reply
            .messages
            .iter()
            .find_map(|one| one["error"]["code"].as_i64());
        if code.is_none() {
            found.add(
                &GARBAGE,
                target,
                format!("A body that is no JSON came to {}.", reply.status),
            );
        }
    }
    if let Some(reply) = tried(Try::BadVersion).filter(|reply| reply.has_result()) {
        let what = format!(
            "MCP-Protocol-Version: 1999-01-01 came to {} with a result.",
            reply.status
        );
        found.add(&VERSION, target, what);
    }
    for (what, name) in [
        (Try::Put, "PUT"),
        (Try::Get, "GET"),
        (Try::PlainText, "A body of text/plain"),
        (Try::AcceptHtml, "Accept: text/html"),
        (Try::Garbage, "A body that is no JSON"),
        (Try::BadVersion, "An MCP-Protocol-Version that there is not"),
        (Try::UnknownSession, "A session that there is not"),
    ] {
        if let Some(reply) = tried(what).filter(|reply| reply.status >= 500 && reply.status != 501)
        {
            found.add(&FAULT, target, format!("{name} came to {}.", reply.status));
        }
    }
}

/// Who is let in that must not be.
fn strangers(http: &HttpSeen, target: &str, found: &mut Findings) {
    let answers = |what: Try| http.tried.get(&what).filter(|reply| reply.has_result());
    // Elsewhere names are the operator's business, and a token that pages do not have is as good.
    if http.loopback {
        for (tried, rule, header) in [
            (Try::ForeignHost, &HOST, "Host: stranger.example"),
            (
                Try::ForeignOrigin,
                &ORIGIN,
                "Origin: https://stranger.example",
            ),
        ] {
            if let Some(reply) = answers(tried) {
                let what = format!("{header} came to {} with a result.", reply.status);
                found.add(rule, target, what);
            }
        }
    }
    let replies = [Try::ForeignOrigin, Try::Preflight];
    let allowed = replies
        .iter()
        .filter_map(|what| http.tried.get(what))
        .find(|reply| any_page(reply));
    if let Some(reply) = allowed {
        let origin = quoted(
            reply
                .header("access-control-allow-origin")
                .unwrap_or_default(),
        );
        let with_cookies = reply.header("access-control-allow-credentials") == Some("true");
        let rule = match with_cookies && origin != "'*'" {
            true => &CORS,
            false => &CORS_ANY,
        };
        let what = format!(
            "Origin: https://stranger.example came to Access-Control-Allow-Origin {origin}."
        );
        found.add(rule, target, what);
    }
}

fn any_page(reply: &Reply) -> bool {
    let allowed = reply.header("access-control-allow-origin");
    matches!(allowed, Some("*" | "https://stranger.example"))
}
