//! The token that was given, and what requests with it come to.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::super::auth::{AuthSeen, TokenSeen};
use super::super::super::finding::{Findings, Rule, Severity, quoted};
use super::super::super::token::Token;

/// Seconds by which clocks may differ, as servers have it.
const SKEW: f64 = 60.0;

pub(super) const OPAQUE: Rule = Rule {
    id: "token-opaque",
    severity: Severity::Note,
    about: "The token is no JSON Web Token.",
    breaks: "Nobody where the server knows such tokens. Auth0 issues them when the client names no audience.",
    mend: "Where the server wants a JSON Web Token: ask for one with the audience of the server.",
};
pub(super) const ISSUER: Rule = Rule {
    id: "token-issuer",
    severity: Severity::Error,
    about: "The token is of an issuer that the metadata does not name.",
    breaks: "The server refuses it, whatever client sends it.",
    mend: "Sign in with an issuer of authorization_servers. Entra: tokens of version 1 have the issuer https://sts.windows.net/TENANT/.",
};
pub(super) const AUDIENCE: Rule = Rule {
    id: "token-audience",
    severity: Severity::Warning,
    about: "The token is for another audience than the server.",
    breaks: "The server refuses it unless it was told that audience. Entra writes the client id of the API there, Cognito nothing.",
    mend: "Name the audience of the token in --auth-audience, or ask the issuer for one of the server's.",
};
pub(super) const EXPIRED: Rule = Rule {
    id: "token-expired",
    severity: Severity::Error,
    about: "The token has expired.",
    breaks: "The server refuses it.",
    mend: "Take a new one.",
};
pub(super) const EARLY: Rule = Rule {
    id: "token-not-yet",
    severity: Severity::Error,
    about: "The token is not valid yet.",
    breaks: "The server refuses it.",
    mend: "Compare the clocks of this machine, of the server and of the issuer.",
};
pub(super) const KEY: Rule = Rule {
    id: "token-key-unknown",
    severity: Severity::Error,
    about: "The token is signed with a key that its issuer does not publish.",
    breaks: "The server refuses it.",
    mend: "Look whether the issuer has other keys for this application (Entra: appid), or has changed them since.",
};
pub(super) const SIGNATURE: Rule = Rule {
    id: "token-signature",
    severity: Severity::Error,
    about: "The signature of the token is wrong.",
    breaks: "The server refuses it. Entra: access tokens for Microsoft Graph cannot be verified by anybody else.",
    mend: "Ask for a token with a scope of this server.",
};
pub(super) const KIND: Rule = Rule {
    id: "token-kind",
    severity: Severity::Error,
    about: "The token is no access token.",
    breaks: "The server refuses it: ID and refresh tokens are for the client alone.",
    mend: "Send the access_token of the response.",
};
pub(super) const SCOPES: Rule = Rule {
    id: "token-scopes",
    severity: Severity::Warning,
    about: "The token lacks a scope that the challenge asks for.",
    breaks: "The server refuses it, or what needs the scope.",
    mend: "Ask the issuer for the scope of the challenge.",
};
pub(super) const DENIED: Rule = Rule {
    id: "token-denied",
    severity: Severity::Error,
    about: "The server refuses the token.",
    breaks: "Every client that has such a token: it signs in again and again.",
    mend: "See what else was found of the token; the log of the server says why.",
};
pub(super) const FORBIDDEN: Rule = Rule {
    id: "token-forbidden",
    severity: Severity::Error,
    about: "The server says that the token may not do that.",
    breaks: "Every client that has such a token.",
    mend: "Ask the issuer for the scopes that WWW-Authenticate names.",
};
pub(super) const BODY: Rule = Rule {
    id: "forbidden-body",
    severity: Severity::Warning,
    about: "A 403 has no sentence in its body.",
    breaks: "Claude Code says that the token expired (anthropics/claude-code#92518).",
    mend: "Say in the body which scope is missing.",
};
pub(super) const GET: Rule = Rule {
    id: "get-unauthorized",
    severity: Severity::Error,
    about: "GET with a token that POST accepts comes to 401.",
    breaks: "VS Code takes the token for invalid and drops the session (wso2/api-platform#2869).",
    mend: "Answer a GET that is not served with 405.",
};
pub(super) const DELETE: Rule = Rule {
    id: "delete-unauthorized",
    severity: Severity::Error,
    about: "DELETE with a token that POST accepts comes to 401.",
    breaks: "VS Code takes the token for invalid and drops the session (wso2/api-platform#2869).",
    mend: "Answer a DELETE that is not served with 405.",
};

pub(super) fn judge(seen: &AuthSeen, found: &mut Findings) {
    let Some(given) = &seen.token else {
        return;
    };
    let accepted = given
        .post
        .as_ref()
        .is_some_and(|reply| !matches!(reply.status, 401 | 403));
    match &given.token {
        None => found.add(
            &OPAQUE,
            "token",
            "It has not the three parts of a JSON Web Token.",
        ),
        Some(token) => judge_claims(seen, given, token, accepted, found),
    }
    requests(seen, given, accepted, found);
}

fn judge_claims(
    seen: &AuthSeen,
    given: &TokenSeen,
    token: &Token,
    accepted: bool,
    found: &mut Findings,
) {
    let issuer = token.issuer().unwrap_or_default();
    let named = seen.issuers.iter().any(|one| one.name == issuer);
    if !seen.issuers.is_empty() && !named {
        found.add(
            &ISSUER,
            "token",
            format!("Its issuer (iss) is {}.", quoted(issuer)),
        );
    }
    let audiences = token.audiences();
    let own = |one: &String| one.trim_end_matches('/') == seen.url.trim_end_matches('/');
    if !accepted && !audiences.iter().any(own) {
        let what = format!("Its audience (aud) is {}.", quoted(&audiences.join(", ")));
        found.add(&AUDIENCE, "token", what);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    let date = |claim: &str| token.claims[claim].as_f64();
    match date("exp") {
        Some(expires) if expires + SKEW > now => {}
        Some(expires) => {
            let what = format!("It expired {:.0} s ago (exp).", now - expires);
            found.add(&EXPIRED, "token", what);
        }
        None => found.add(&EXPIRED, "token", "It does not say when it expires (exp)."),
    }
    for claim in ["nbf", "iat"] {
        if let Some(begins) = date(claim).filter(|begins| *begins > now + SKEW) {
            let what = format!("It is valid in {:.0} s ({claim}).", begins - now);
            found.add(&EARLY, "token", what);
        }
    }
    if let Some(Err(why)) = &given.verified {
        let rule = match why {
            why if why.contains("signature") => Some(&SIGNATURE),
            why if why.contains("does not publish") => Some(&KEY),
            why if why.contains("access token") => Some(&KIND),
            // Dates were judged above, and the issuer's keys before.
            _ => None,
        };
        if let Some(rule) = rule {
            found.add(rule, "token", why.clone());
        }
    }
    let wanted = seen
        .challenge
        .as_ref()
        .and_then(|one| one.scope.as_deref())
        .unwrap_or_default();
    let scopes = token.scopes();
    // Entra asks for api://ID/SCOPE and writes SCOPE.
    let short = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_owned();
    let has = |scope: &str| {
        scopes
            .iter()
            .any(|one| one == scope || *one == short(scope))
            || short(scope) == ".default"
    };
    let lacks: Vec<_> = wanted
        .split_whitespace()
        .filter(|scope| !has(scope))
        .collect();
    if !lacks.is_empty() {
        let (lacks, scopes) = (lacks.join(" "), scopes.join(" "));
        let what = format!("It has {} and lacks {}.", quoted(&scopes), quoted(&lacks));
        found.add(&SCOPES, "token", what);
    }
}

fn requests(seen: &AuthSeen, given: &TokenSeen, accepted: bool, found: &mut Findings) {
    let url = &seen.url;
    if let Some(reply) = &given.post {
        let said = reply
            .messages
            .iter()
            .find_map(|one| one["error"]["message"].as_str())
            .unwrap_or(reply.text.as_str());
        match reply.status {
            401 => found.add(
                &DENIED,
                url,
                format!("initialize with the token came to 401: {}.", quoted(said)),
            ),
            403 => {
                found.add(
                    &FORBIDDEN,
                    url,
                    format!("initialize with the token came to 403: {}.", quoted(said)),
                );
                if said.trim().is_empty() {
                    found.add(&BODY, url, "The body of the 403 is empty.");
                }
            }
            _ => {}
        }
    }
    if !accepted {
        return;
    }
    for (reply, rule, method) in [
        (&given.get, &GET, "GET"),
        (&given.delete, &DELETE, "DELETE"),
    ] {
        if reply.as_ref().is_some_and(|reply| reply.status == 401) {
            found.add(rule, url, format!("{method} with the token came to 401."));
        }
    }
}
