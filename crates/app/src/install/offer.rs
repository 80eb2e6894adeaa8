//! What a client is offered beside its file: lines for a shell, links to click, and all of it together for a page.

use serde::Serialize;

use super::client::{CLIENTS, Client};
use super::entry::ServerEntry;
use super::place::{Os, Scope};

/// How one client is told of a server: text for people, to be escaped where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClientSnippet {
    /// What `install` calls the client: `claude-desktop`.
    pub(crate) id: &'static str,
    /// What people call it: "Claude Desktop".
    pub(crate) client: &'static str,
    /// Where the text belongs: a file, or a place in the client's settings.
    pub(crate) place: String,
    /// What to put there: a whole file with this server alone, or its URL.
    pub(crate) text: String,
    /// The line of the client's own command that does it, for a POSIX shell.
    pub(crate) command: Option<String>,
    /// The link that has the client ask whether to do it.
    pub(crate) link: Option<String>,
    /// What to do then.
    pub(crate) next: &'static str,
}

/// How each client is told of a server, whatever system it runs on.
pub(crate) fn snippets(server: &ServerEntry) -> Vec<ClientSnippet> {
    CLIENTS
        .iter()
        .filter_map(|client| snippet(client, server))
        .collect()
}

fn snippet(client: &Client, server: &ServerEntry) -> Option<ClientSnippet> {
    let (place, text) = match client.fields.entry(server) {
        // It has no text where nothing can be written in its file: no name or value brings that about.
        Some(entry) => (
            place(client),
            client.slot(&server.name).written(&entry).ok()?,
        ),
        None => match &server.reached {
            super::Reached::Http { url, .. } => (client.http_in_settings?.to_owned(), url.clone()),
            super::Reached::Stdio { .. } => return None,
        },
    };
    let words = add_command(client, server, client.usual_scope());
    Some(ClientSnippet {
        id: client.id,
        client: client.name,
        place,
        text,
        command: words.map(|words| line(&words, Os::Linux)),
        link: link(client, server),
        next: client.next,
    })
}

/// The files of a client, on every system.
pub(crate) fn place(client: &Client) -> String {
    let mut places = Vec::new();
    if let Some(files) = &client.user {
        let shown = [Os::Linux, Os::Macos, Os::Windows].map(|os| files.shown(os));
        // `~` is everywhere the home folder.
        let same = shown[0] == shown[1] && shown[2] == shown[0].replace('/', "\\");
        let [linux, macos, windows] = shown;
        match same {
            true => places.push(linux),
            false if linux == macos => places.extend([linux, format!("{windows} on Windows")]),
            false => places.extend([
                format!("{linux} on Linux"),
                format!("{macos} on macOS"),
                format!("{windows} on Windows"),
            ]),
        }
    }
    places.extend(client.project.map(|path| format!("{path} in a project")));
    places.join(", ")
}

/// The words of a client's own command.
pub(crate) fn add_command(
    client: &Client,
    server: &ServerEntry,
    scope: Scope,
) -> Option<Vec<String>> {
    let entry = client.fields.entry(server)?;
    client.command?(server, entry, scope)
}

/// The link of a client.
pub(crate) fn link(client: &Client, server: &ServerEntry) -> Option<String> {
    let entry = client.fields.entry(server)?;
    client.link.map(|link| link(server, entry))
}

/// Words as a line to be typed into the shell of a system.
pub(crate) fn line(words: &[String], os: Os) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word, os)).collect();
    words.join(" ")
}

fn quoted(word: &str, os: Os) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    let plain_on_windows = |c: char| plain(c) || c == '\\';
    match os {
        Os::Windows if !word.is_empty() && word.chars().all(plain_on_windows) => word.to_owned(),
        // As programs read their command line there.
        Os::Windows => format!("\"{}\"", word.replace('"', "\\\"")),
        _ if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        _ => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Text as a part of a URL: only what RFC 3986 calls unreserved stays.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}
