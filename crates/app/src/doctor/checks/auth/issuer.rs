//! The authorization servers and their keys.

use serde_json::Value;

use super::super::super::auth::{AuthSeen, Issuer};
use super::super::super::door::Fetched;
use super::super::super::finding::{Findings, Rule, Severity, quoted};

pub(super) const METADATA: Rule = Rule {
    id: "issuer-metadata-missing",
    severity: Severity::Error,
    about: "An authorization server has no metadata (RFC 8414, OpenID Connect Discovery).",
    breaks: "All clients that sign in: they do not learn its endpoints.",
    mend: "Name the issuer just as it writes itself, with or without the slash at its end.",
};
pub(super) const NAME: Rule = Rule {
    id: "issuer-mismatch",
    severity: Severity::Error,
    about: "The metadata of an authorization server is of another issuer.",
    breaks: "Clients that compare them refuse to sign in (RFC 8414 §3.3).",
    mend: "Name the issuer in authorization_servers just as its metadata does.",
};
pub(super) const PKCE: Rule = Rule {
    id: "issuer-pkce",
    severity: Severity::Error,
    about: "The metadata of an authorization server does not say that it knows PKCE with S256.",
    breaks: "Clients must refuse to go on without it (MCP, authorization, code protection).",
    mend: "Switch PKCE on, and have code_challenge_methods_supported name S256. Entra knows it and does not say so: clients of it are lenient.",
};
pub(super) const REGISTRATION: Rule = Rule {
    id: "issuer-registration",
    severity: Severity::Note,
    about: "Clients cannot register themselves with an authorization server.",
    breaks: "Users have to give their client a client id that was registered beforehand; some clients take none.",
    mend: "Write down the client id for users, or allow client id metadata documents or dynamic registration.",
};
pub(super) const ENDPOINTS: Rule = Rule {
    id: "issuer-endpoints",
    severity: Severity::Error,
    about: "The metadata of an authorization server lacks an endpoint.",
    breaks: "All clients that sign in.",
    mend: "Have it name authorization_endpoint and token_endpoint.",
};
pub(super) const KEYS: Rule = Rule {
    id: "issuer-keys-missing",
    severity: Severity::Error,
    about: "The keys of an authorization server cannot be had.",
    breaks: "The server itself: it can verify no token.",
    mend: "Correct jwks_uri, or tell the server where the keys are (--auth-jwks).",
};
pub(super) const NO_KEY: Rule = Rule {
    id: "issuer-keys-unusable",
    severity: Severity::Error,
    about: "None of the keys of an authorization server can verify a signature.",
    breaks: "The server itself: it can verify no token.",
    mend: "Publish a key of type RSA, EC or OKP for signatures.",
};
pub(super) const KID: Rule = Rule {
    id: "issuer-key-unnamed",
    severity: Severity::Warning,
    about: "Keys of an authorization server have no kid.",
    breaks: "Servers cannot tell which of several keys signed a token, and refuse it.",
    mend: "Give each key a kid, and name it in the tokens.",
};
pub(super) const REFUSED: Rule = Rule {
    id: "address-refused",
    severity: Severity::Warning,
    about: "A document names an address that is not fetched.",
    breaks: "Clients that refuse plain http and private addresses cannot go on there either.",
    mend: "Name addresses of https that clients can reach.",
};

pub(super) fn judge(seen: &AuthSeen, found: &mut Findings) {
    for issuer in &seen.issuers {
        let subject = format!("issuer {}", issuer.name);
        let all = issuer.metadata.iter().map(|(url, fetched)| (url, fetched));
        for (url, fetched) in all.chain(issuer.keys.as_ref().map(|(url, fetched)| (url, fetched))) {
            if let Fetched::Refused(_) = fetched {
                found.add(&REFUSED, &subject, format!("{url} {}.", fetched.shown()));
            }
        }
        match issuer.document() {
            Some(document) => metadata(issuer, document, &subject, found),
            None => {
                let tried = issuer.metadata.iter();
                let tried = tried.map(|(url, fetched)| format!("{url} {}", fetched.shown()));
                let tried: Vec<_> = tried.collect();
                found.add(&METADATA, &subject, format!("{}.", tried.join("; ")));
            }
        }
    }
}

fn metadata(issuer: &Issuer, document: &Value, subject: &str, found: &mut Findings) {
    let name = document["issuer"].as_str().unwrap_or_default();
    if name != issuer.name {
        found.add(
            &NAME,
            subject,
            format!("Its metadata is of the issuer {}.", quoted(name)),
        );
    }
    let methods = document["code_challenge_methods_supported"].as_array();
    if !methods.is_some_and(|all| all.iter().any(|one| one == "S256")) {
        found.add(
            &PKCE,
            subject,
            "code_challenge_methods_supported does not have S256.",
        );
    }
    let registers = document["registration_endpoint"].is_string()
        || document["client_id_metadata_document_supported"] == true;
    if !registers {
        let what = "It has no registration_endpoint, and takes no client id metadata documents.";
        found.add(&REGISTRATION, subject, what);
    }
    for endpoint in ["authorization_endpoint", "token_endpoint"] {
        if !document[endpoint].is_string() {
            found.add(
                &ENDPOINTS,
                subject,
                format!("Its metadata has no {endpoint}."),
            );
        }
    }
    match &issuer.keys {
        None => found.add(&KEYS, subject, "Its metadata has no jwks_uri."),
        Some((_, Fetched::Json(keys))) => judge_keys(keys, subject, found),
        Some((url, fetched)) => found.add(&KEYS, subject, format!("{url} {}.", fetched.shown())),
    }
}

fn judge_keys(keys: &Value, subject: &str, found: &mut Findings) {
    let keys: Vec<_> = keys["keys"].as_array().into_iter().flatten().collect();
    let usable = |key: &&&Value| {
        let for_signatures = key["use"].is_null() || key["use"] == "sig";
        matches!(key["kty"].as_str(), Some("RSA" | "EC" | "OKP")) && for_signatures
    };
    if !keys.iter().any(|key| usable(&key)) {
        found.add(
            &NO_KEY,
            subject,
            format!("It publishes {} keys.", keys.len()),
        );
    }
    let unnamed = keys.iter().filter(|key| !key["kid"].is_string()).count();
    if unnamed > 0 {
        found.add(
            &KID,
            subject,
            format!("{unnamed} of {} keys have no kid.", keys.len()),
        );
    }
}
