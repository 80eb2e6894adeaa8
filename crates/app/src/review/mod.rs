//! `review`: a server as a person reads it who decides about it. What it may do comes first, the worst of it before the
//! rest; what a model reads comes in full.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `reach` | what components may do, by effect |
//! | `dangers` | settings that open more than they should |
//! | `callers` | who may call, and within which limits |
//! | `texts` | every text of a definition |
//! | `print` | all of it for people |
//!
//! It is made of the items of a manifest, so it shows what a lock pins. Another danger is a row in `dangers`.

mod callers;
mod dangers;
mod print;
mod reach;
mod texts;

use pymcp_kit::manifest::ItemKind;
use serde::Serialize;
use serde_json::Value;

pub(crate) use self::callers::{Callers, Limit, callers, limits};
pub(crate) use self::dangers::{Danger, FLAGS, Given, dangers};
pub(crate) use self::print::print;
pub(crate) use self::reach::{Reach, claims, reach};
pub(crate) use self::texts::{Read, reads};

/// An item of a manifest: its kind, its name, its content.
pub(crate) type Item = (ItemKind, String, Value);

/// What there is to know of a server. As JSON it is just these members.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Review {
    /// The program, the URL or the command.
    pub(crate) target: String,
    /// Name and version that it gives itself.
    pub(crate) server: String,
    /// Which of its components there are; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// What components may do, the worst first; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reach: Option<Vec<Reach>>,
    /// What tools say of themselves, where nothing holds them to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<Reach>,
    /// Who may call; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callers: Option<Callers>,
    /// The limits that are met first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) limits: Vec<Limit>,
    /// Settings that open more than they should.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dangers: Vec<Danger>,
    /// Everything that a model reads.
    pub(crate) reads: Vec<Read>,
    /// What cannot be known from here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown: Vec<&'static str>,
    /// The digest of the manifest, with the id of its projection; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
}

/// What is unknown of a server that is not in this process.
pub(crate) const UNKNOWN: [&str; 4] = [
    "What its components may do: a server does not say it, and what its tools say of themselves nobody holds them to.",
    "Who else may call, and with which scopes: this client sees what it may use.",
    "Limits, settings and what is switched off.",
    "The digest: the verb verify computes it of what the server shows.",
];

/// A component as settings name it: `tool:greet`, `template:data://{x}`.
fn named(kind: ItemKind, name: &str) -> String {
    let word = match kind {
        ItemKind::ResourceTemplate => "template",
        kind => kind.as_str(),
    };
    format!("{word}:{name}")
}

fn is_component(kind: ItemKind) -> bool {
    !matches!(kind, ItemKind::Server | ItemKind::Configuration)
}

#[cfg(test)]
mod tests;
