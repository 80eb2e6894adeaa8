//! The way of a client that has to authenticate, step by step: which one fails, and for whom.

mod issuer;
mod token;

use serde_json::Value;

use super::super::auth::{AuthSeen, Document, Place};
use super::super::door::Fetched;
use super::super::finding::{Findings, Rule, Severity, quoted};

const OPEN: Rule = Rule {
    id: "auth-not-required",
    severity: Severity::Error,
    about: "A request without a token is served.",
    breaks: "Everybody: whoever reaches the server can call tools.",
    mend: "Switch authentication on, and look again whether a proxy adds a token of its own.",
};
const STATUS: Rule = Rule {
    id: "challenge-status",
    severity: Severity::Error,
    about: "A request without a token comes to another status than 401.",
    breaks: "All clients: they begin to sign in on 401 alone.",
    mend: "Answer with 401 and WWW-Authenticate.",
};
const CHALLENGE: Rule = Rule {
    id: "challenge-missing",
    severity: Severity::Error,
    about: "The 401 has no WWW-Authenticate of the scheme Bearer.",
    breaks: "Codex, VS Code and the SDKs do not learn where to sign in (microsoft/mcp-gateway#17, RFC 9728 §5.1).",
    mend: "Send WWW-Authenticate: Bearer resource_metadata=\"…\", scope=\"…\".",
};
const NO_METADATA: Rule = Rule {
    id: "challenge-resource-metadata",
    severity: Severity::Warning,
    about: "The challenge names no resource_metadata.",
    breaks: "VS Code and the C# SDK do not look at well-known addresses without it (microsoft/mcp-gateway#17, modelcontextprotocol/csharp-sdk#1050).",
    mend: "Add resource_metadata with the URL of the document of RFC 9728.",
};
const NO_SCOPE: Rule = Rule {
    id: "challenge-scope",
    severity: Severity::Warning,
    about: "The challenge names no scope.",
    breaks: "Copilot CLI learns the scope to ask for from the 401 alone, and asks for none (github/copilot-cli#4582).",
    mend: "Add scope with those that a token needs.",
};
const ERROR: Rule = Rule {
    id: "challenge-error",
    severity: Severity::Warning,
    about: "The challenge of a request without a token says that a token is invalid.",
    breaks: "Codex does not begin to sign in (openai/codex#15643, #18527); RFC 6750 §3.1 wants no error there.",
    mend: "Leave error out where no token was sent.",
};
const WRONG: Rule = Rule {
    id: "token-unchecked",
    severity: Severity::Error,
    about: "A made-up token is accepted.",
    breaks: "Everybody: any token will do.",
    mend: "Verify tokens: signature, issuer, audience and expiry.",
};
const WRONG_STATUS: Rule = Rule {
    id: "token-invalid-status",
    severity: Severity::Error,
    about: "A made-up token comes to another status than 401.",
    breaks: "All clients: they ask for a new token on 401 alone, and fail when theirs has expired.",
    mend: "Answer a token that is not accepted with 401 and error=\"invalid_token\".",
};
const DOCUMENT: Rule = Rule {
    id: "resource-metadata-missing",
    severity: Severity::Error,
    about: "There is no metadata of the resource (RFC 9728) anywhere.",
    breaks: "All clients that sign in: VS Code, Claude, Codex, Copilot and Cursor.",
    mend: "Serve it at /.well-known/oauth-protected-resource followed by the path of the endpoint.",
};
const PLACE: Rule = Rule {
    id: "resource-metadata-place",
    severity: Severity::Warning,
    about: "The metadata of the resource is not at all addresses where clients look.",
    breaks: "Clients that look there alone: Codex Desktop at the root, others at the path of the endpoint.",
    mend: "Serve the document at both well-known addresses, with the path of the endpoint and without.",
};
const NAMED: Rule = Rule {
    id: "resource-metadata-unreached",
    severity: Severity::Error,
    about: "The document that the challenge names cannot be had.",
    breaks: "All clients that follow the challenge: VS Code, Claude, Codex, Copilot and Cursor.",
    mend: "Correct resource_metadata; behind a proxy, tell the server its public URL.",
};
const RESOURCE: Rule = Rule {
    id: "resource-mismatch",
    severity: Severity::Error,
    about: "The metadata is of another resource than the URL that was asked.",
    breaks: "VS Code and the TypeScript SDK refuse to sign in (instantdb/instant#1499, RFC 9728 §3.3).",
    mend: "Set resource to the URL of the endpoint as clients write it; behind a proxy, tell the server its public URL.",
};
const SCOPES: Rule = Rule {
    id: "scopes-supported-empty",
    severity: Severity::Error,
    about: "scopes_supported is an empty list.",
    breaks: "VS Code asks for no scope at all, and its token is refused (wso2/api-platform#2869).",
    mend: "Name the scopes that clients can ask for, or leave the member out.",
};
const NO_SCOPES: Rule = Rule {
    id: "scopes-supported-missing",
    severity: Severity::Note,
    about: "The metadata has no scopes_supported.",
    breaks: "Clients ask for the scope of the challenge, or for none.",
    mend: "Name the scopes that clients can ask for; with Entra in the form api://CLIENT-ID/SCOPE.",
};
const SERVERS: Rule = Rule {
    id: "authorization-servers-missing",
    severity: Severity::Error,
    about: "The metadata names no authorization server.",
    breaks: "All clients that sign in: they do not learn where.",
    mend: "Name the issuer of the tokens in authorization_servers.",
};

/// Those of all steps.
pub(crate) const RULES: &[&Rule] = &[
    &OPEN,
    &STATUS,
    &CHALLENGE,
    &NO_METADATA,
    &NO_SCOPE,
    &ERROR,
    &WRONG,
    &WRONG_STATUS,
    &DOCUMENT,
    &PLACE,
    &NAMED,
    &RESOURCE,
    &SCOPES,
    &NO_SCOPES,
    &SERVERS,
    &issuer::METADATA,
    &issuer::NAME,
    &issuer::PKCE,
    &issuer::REGISTRATION,
    &issuer::ENDPOINTS,
    &issuer::KEYS,
    &issuer::NO_KEY,
    &issuer::KID,
    &issuer::REFUSED,
    &token::OPAQUE,
    &token::ISSUER,
    &token::AUDIENCE,
    &token::EXPIRED,
    &token::EARLY,
    &token::KEY,
    &token::SIGNATURE,
    &token::KIND,
    &token::SCOPES,
    &token::DENIED,
    &token::FORBIDDEN,
    &token::BODY,
    &token::GET,
    &token::DELETE,
];

/// Judges each step. `is_asked` says that the server is to require a token.
pub(crate) fn judge(seen: &AuthSeen, is_asked: bool, found: &mut Findings) {
    let url = &seen.url;
    let status = seen.without.status;
    if seen.without.has_result() {
        if is_asked {
            let what = format!("initialize without a token came to {status} with a result.");
            found.add(&OPEN, url, what);
        }
        return;
    }
    if status != 401 {
        let what = format!("initialize without a token came to {status}.");
        found.add(&STATUS, url, what);
    }
    challenge(seen, found);
    if let Some(wrong) = &seen.wrong {
        let status = wrong.status;
        if wrong.has_result() {
            found.add(
                &WRONG,
                url,
                format!("A made-up token came to {status} with a result."),
            );
        } else if status != 401 {
            found.add(
                &WRONG_STATUS,
                url,
                format!("A made-up token came to {status}."),
            );
        }
    }
    documents(seen, found);
    issuer::judge(seen, found);
    token::judge(seen, found);
}

fn challenge(seen: &AuthSeen, found: &mut Findings) {
    let url = &seen.url;
    let Some(challenge) = &seen.challenge else {
        found.add(
            &CHALLENGE,
            url,
            "The response has no WWW-Authenticate: Bearer.",
        );
        return;
    };
    if challenge.resource_metadata.is_none() {
        found.add(
            &NO_METADATA,
            url,
            "WWW-Authenticate has no resource_metadata.",
        );
    }
    if challenge
        .scope
        .as_deref()
        .is_none_or(|scope| scope.trim().is_empty())
    {
        found.add(&NO_SCOPE, url, "WWW-Authenticate has no scope.");
    }
    if let Some(error) = &challenge.error {
        found.add(
            &ERROR,
            url,
            format!("WWW-Authenticate has the error {}.", quoted(error)),
        );
    }
}

fn documents(seen: &AuthSeen, found: &mut Findings) {
    let there = |document: &&Document| document.fetched.json().is_some();
    let Some(first) = seen.documents.iter().find(there) else {
        let tried: Vec<_> = seen
            .documents
            .iter()
            .map(|document| format!("{} {}", document.url, document.fetched.shown()))
            .collect();
        found.add(&DOCUMENT, &seen.url, format!("{}.", tried.join("; ")));
        return;
    };
    for document in seen.documents.iter().filter(|document| !there(document)) {
        let what = format!("{} {}.", document.url, document.fetched.shown());
        let rule = match (document.place, &document.fetched) {
            (Place::Challenge, Fetched::Refused(_)) => &issuer::REFUSED,
            (Place::Challenge, _) => &NAMED,
            _ => &PLACE,
        };
        found.add(rule, &seen.url, what);
    }
    let first_json = first.fetched.json().unwrap_or(&Value::Null);
    for document in seen.documents.iter().filter(there) {
        // At the root of a host with several endpoints it is that of one of them.
        let json = document.fetched.json().unwrap_or(&Value::Null);
        let resource = json["resource"].as_str().unwrap_or_default();
        let same = resource.trim_end_matches('/') == seen.url.trim_end_matches('/');
        if !same && (document.place != Place::Root || seen.documents.len() == 1) {
            let what = format!(
                "{} says that the resource is {}.",
                document.url,
                quoted(resource)
            );
            found.add(&RESOURCE, &seen.url, what);
        }
    }
    match first_json["scopes_supported"].as_array() {
        None => found.add(&NO_SCOPES, &first.url, "It has no scopes_supported."),
        Some(scopes) if scopes.is_empty() => {
            found.add(&SCOPES, &first.url, "Its scopes_supported is [].");
        }
        Some(_) => {}
    }
    if seen.issuers.is_empty() {
        found.add(&SERVERS, &first.url, "It has no authorization_servers.");
    }
}
