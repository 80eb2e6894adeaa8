//! Settings that open more than they should, each with the reason. To add one, add a row to [`ROWS`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::settings::{LogLevel, Shared, Transport};

/// A setting that opens more than it should.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Danger {
    /// The setting, as its source names it.
    pub(crate) setting: String,
    /// What comes of it.
    pub(crate) why: String,
}

/// What is known of how a server is configured.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) shared: &'a Shared,
    /// Whether other machines reach an address that it would listen on.
    pub(crate) beyond: bool,
    /// Whether clients have to authenticate.
    pub(crate) authenticates: bool,
    /// The settings of [`FLAGS`], as their sources name them, and their values where a source gives one.
    pub(crate) named: BTreeMap<&'static str, (String, Option<String>)>,
}

impl Given<'_> {
    fn over_http(&self) -> bool {
        self.shared.transport != Transport::Stdio
    }

    /// Whether other machines can send it requests.
    pub(super) fn is_public(&self) -> bool {
        self.over_http() && self.beyond && self.shared.listen.unix_socket.is_none()
    }

    fn is_encrypted(&self) -> bool {
        self.shared.listen.tls.is_given()
    }

    fn is(&self, flag: &str, value: &str) -> bool {
        let given = self.named.get(flag).and_then(|(_, value)| value.as_deref());
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(value))
    }
}

/// A danger: the flag of its setting, when it is one, and what comes of it.
type Row = (&'static str, fn(&Given<'_>) -> bool, &'static str);

pub(super) const ROWS: &[Row] = &[
    (
        "allow-unauthenticated",
        |given| given.is_public() && !given.authenticates,
        "Everybody who reaches the server can use all of it.",
    ),
    (
        "cors-origins",
        |given| given.over_http() && given.shared.cors_origins.allow_any(),
        "Every web page that a user opens can call the server.",
    ),
    (
        "confine",
        |given| given.is("confine", "off"),
        "The kernel does not hold the server to its effects: a fault in a component reaches whatever the process can.",
    ),
    (
        "host",
        |given| given.is_public() && !given.is_encrypted(),
        "Other machines reach the server without TLS: tokens, requests and responses can be read on the way, unless a proxy encrypts.",
    ),
    (
        "metrics-address",
        |given| {
            let address = given.shared.metrics_address;
            address.is_some_and(|address| !address.ip().is_loopback())
        },
        "Everybody who reaches the address reads the metrics.",
    ),
    (
        "audit-failure",
        |given| {
            let audit = &given.shared.audit;
            let goes_on = given.is("audit-failure", "continue");
            audit.audit.is_some() && goes_on
        },
        "Calls go on that the audit log does not have.",
    ),
    (
        "log-level",
        |given| matches!(given.shared.log_level, LogLevel::Debug | LogLevel::Notset),
        "The log has more than it should in production, such as arguments.",
    ),
];

/// The flags of all rows.
pub(crate) const FLAGS: [&str; 7] = [
    "allow-unauthenticated",
    "cors-origins",
    "confine",
    "host",
    "metrics-address",
    "audit-failure",
    "log-level",
];

/// The settings that open more than they should.
pub(crate) fn dangers(given: &Given<'_>) -> Vec<Danger> {
    let rows = ROWS.iter().filter(|(_, is_one, _)| is_one(given));
    rows.map(|(flag, _, why)| Danger {
        setting: match given.named.get(flag) {
            Some((name, _)) => name.clone(),
            None => format!("--{flag}"),
        },
        why: (*why).to_owned(),
    })
    .collect()
}
