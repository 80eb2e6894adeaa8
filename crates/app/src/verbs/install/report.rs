//! What `install` and `uninstall` print with `--json`.

use std::path::Path;

use serde::Serialize;

use crate::install::Client;

/// What is printed with --json.
#[derive(Debug, Serialize)]
pub(in crate::verbs) struct Report<'a> {
    /// As CLIENT.
    pub(in crate::verbs) client: &'a str,
    /// `printed`, `added`, `replaced`, `unchanged` or `different`; of `uninstall` `removed`, `restored` or `absent`.
    pub(in crate::verbs) status: &'a str,
    /// What the client calls the server.
    pub(in crate::verbs) name: &'a str,
    /// The file; none where the client takes the server in its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) file: Option<&'a Path>,
    /// Where its bytes are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) backup: Option<&'a Path>,
    /// A whole file with this server alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) text: Option<&'a str>,
    /// The words of the client's own command that adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) command: Option<&'a [String]>,
    /// The link that adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) link: Option<&'a str>,
    /// What to do then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::verbs) next: Option<&'a str>,
}

impl<'a> Report<'a> {
    pub(in crate::verbs) fn new(client: &'a Client, status: &'a str, name: &'a str) -> Self {
        Self {
            client: client.id,
            status,
            name,
            file: None,
            backup: None,
            text: None,
            command: None,
            link: None,
            next: None,
        }
    }
}
