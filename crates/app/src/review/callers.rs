//! Who may call, and within which limits.

use std::collections::BTreeMap;

use pymcp_kit::Server;
use serde::Serialize;

use super::dangers::Given;
use super::{Item, is_component, named};
use crate::limits_page::{Bytes, Shown};
use crate::settings::Transport;
use crate::settings::auth::Mode;

/// Who may call.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Callers {
    /// In a sentence.
    pub(crate) who: String,
    /// Whether anybody is let in whom nobody knows.
    pub(crate) unauthenticated: bool,
    /// Components by the scopes that they need, where they need any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scopes: BTreeMap<String, Vec<String>>,
}

/// A limit: what is limited, and how much of it there is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Limit {
    pub(crate) what: String,
    pub(crate) most: String,
}

/// Who may call a server that is configured like this.
pub(crate) fn callers(given: &Given<'_>, items: &[Item]) -> Callers {
    let shared = given.shared;
    let over_http = shared.transport != Transport::Stdio;
    let who = match (over_http, given.authenticates, shared.auth.auth) {
        (false, ..) => "The one client that starts it, on stdin and stdout.".to_owned(),
        (true, _, Mode::Token) => "Whoever has one of the tokens of --auth-tokens.".to_owned(),
        (true, _, Mode::Jwt) => {
            let issuer = shared.jwt.issuer().unwrap_or("its issuer");
            format!("Whoever has an access token of {issuer} for it.")
        }
        (true, true, Mode::None) => "Whom the program itself authenticates.".to_owned(),
        (true, false, Mode::None) => match (given.is_public(), &shared.listen.unix_socket) {
            (true, _) => format!(
                "Everybody who reaches {}: no client has to authenticate.",
                shared.host
            ),
            (false, Some(_)) => {
                "Whoever may open its Unix socket: no client has to authenticate.".to_owned()
            }
            (false, None) => {
                "Every program on this machine: no client has to authenticate.".to_owned()
            }
        },
    };
    Callers {
        who,
        unauthenticated: over_http && !given.authenticates,
        scopes: scopes(items),
    }
}

/// Components by the scopes that they need.
pub(crate) fn scopes(items: &[Item]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, name, content) in items.iter().filter(|(kind, ..)| is_component(*kind)) {
        let scopes = content["scopes"].as_array().into_iter().flatten();
        let scopes: Vec<_> = scopes.filter_map(|scope| scope.as_str()).collect();
        if !scopes.is_empty() {
            let by = all.entry(scopes.join(" ")).or_default();
            by.push(named(*kind, name));
        }
    }
    all
}

/// The limits that a caller meets first.
pub(crate) fn limits(server: &Server) -> Vec<Limit> {
    let calls = server.call_limits();
    let (budget, concurrency) = (&calls.budget, &calls.concurrency);
    let mut limits = vec![
        limit("time for a request", calls.timeout),
        limit("size of a result", Bytes(calls.result_bytes)),
        limit(
            "size of a message",
            Bytes(server.wire_limits().message_bytes),
        ),
        limit(
            "requests at a time, of one caller",
            calls.in_flight_per_caller,
        ),
        limit("budget of one principal", budget.per_principal),
        limit("calls at a time, of all callers", concurrency.in_all),
    ];
    for (tool, rate) in &budget.tools {
        limits.push(Limit {
            what: format!("budget of one principal for {tool}"),
            most: rate.to_string(),
        });
    }
    limits
}

fn limit(what: &str, most: impl Shown) -> Limit {
    Limit {
        what: what.to_owned(),
        most: most.shown(),
    }
}
