//! A server as a client has to know it, and how the clients write that: the same things under different names.

use serde_json::{Map, Value, json};

/// A server, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerEntry {
    /// What the client calls it: see [`is_name`].
    pub(crate) name: String,
    pub(crate) reached: Reached,
}

/// How a client gets to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The client starts it, and speaks with it over its stdin and stdout.
    Stdio {
        /// Absolute path of the program: what a desktop starts has another `PATH` than a shell.
        command: String,
        args: Vec<String>,
        /// Environment variables and their values.
        env: Vec<(String, String)>,
    },
    /// It listens there: streamable HTTP.
    Http {
        url: String,
        /// Headers and their values.
        headers: Vec<(String, String)>,
    },
}

/// Whether every client takes it as a name: Codex wants letters, digits, `-` and `_`, and 64 are what APIs of models leave
/// for the name of a tool with that of its server.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// The name of a program or a server, in characters that every client takes: `acme-tools` of `acme.tools`.
pub(crate) fn usual_name(name: &str) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = name.chars().map(|c| if taken(c) { c } else { '-' });
    let name: String = name.take(64).collect();
    // None that a command of a client would take for a flag.
    match name.trim_matches('-') {
        "" => "server".to_owned(),
        name => name.to_owned(),
    }
}

/// The names of the fields of an entry, as one client has them. `args` is called so by all.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Fields that stand before the others, made of the server's name.
    pub(crate) first: fn(&str) -> Vec<(&'static str, Value)>,
    /// The value of `type` for a program that the client starts.
    pub(crate) stdio: Option<&'static str>,
    pub(crate) command: &'static str,
    pub(crate) env: &'static str,
    /// None where the file has programs alone.
    pub(crate) http: Option<HttpFields>,
}

/// The fields of a server over HTTP.
#[derive(Debug)]
pub(crate) struct HttpFields {
    /// The value of `type`.
    pub(crate) kind: Option<&'static str>,
    pub(crate) url: &'static str,
    pub(crate) headers: &'static str,
}

/// No fields of a client's own.
pub(crate) fn nothing(_: &str) -> Vec<(&'static str, Value)> {
    Vec::new()
}

impl Fields {
    /// The entry of a server; none if this client's file cannot have it. What is empty is left out.
    pub(crate) fn entry(&self, server: &ServerEntry) -> Option<Map<String, Value>> {
        let mut fields = (self.first)(&server.name);
        let mut kind = |kind: Option<&str>| fields.extend(kind.map(|kind| ("type", json!(kind))));
        match &server.reached {
            Reached::Stdio { command, args, env } => {
                kind(self.stdio);
                fields.push((self.command, json!(command)));
                fields.push(("args", json!(args)));
                fields.push((self.env, object(env)));
            }
            Reached::Http { url, headers } => {
                let http = self.http.as_ref()?;
                kind(http.kind);
                fields.push((http.url, json!(url)));
                fields.push((http.headers, object(headers)));
            }
        }
        let fields = fields.into_iter().filter(|(_, value)| !is_empty(value));
        Some(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Whether both get the client to the same server. Fields that say something else (a timeout, which tools may run
    /// unasked) are the user's.
    pub(crate) fn same(&self, one: &Value, other: &Value) -> bool {
        let deciding = ["type", self.command, "args", self.env];
        let http = self.http.iter().flat_map(|http| [http.url, http.headers]);
        deciding.into_iter().chain(http).all(|field| {
            let said = |entry: &Value| {
                let value = entry.get(field).filter(|value| !is_empty(value)).cloned();
                // What a client takes without a type.
                value.filter(|value| !(field == "type" && value == "stdio"))
            };
            said(one) == said(other)
        })
    }

    /// The program that an entry has the client start.
    pub(crate) fn command<'a>(&self, entry: &'a Value) -> Option<&'a str> {
        entry.get(self.command)?.as_str()
    }

    /// The fields whose values may be secrets.
    pub(crate) fn secret(&self) -> impl Iterator<Item = &'static str> {
        let headers = self.http.as_ref().map(|http| http.headers);
        [self.env].into_iter().chain(headers)
    }
}

fn object(pairs: &[(String, String)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    Value::Object(pairs.collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_every_client_takes() {
        let long = "x".repeat(65);
        for name in ["zebra-2", "a", "A_b", &long[1..]] {
            assert!(is_name(name), "{name}");
        }
        for (program, name) in [
            ("zebra-2", "zebra-2"),
            ("acme.tools", "acme-tools"),
            (&long, &long[1..]),
        ] {
            assert_eq!(usual_name(program), name);
        }
        for name in ["", "a b", "a.b", "ä", "a\"b", "$(x)", "a&b", &*long] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_says_nothing_makes_no_difference_and_what_starts_another_server_does() {
        let fields = &crate::install::client::named("vscode").unwrap().fields;
        let entry = json!({"command": "/a", "args": ["x"]});
        for same in [
            json!({"type": "stdio", "command": "/a", "args": ["x"], "env": {}}),
            json!({"args": ["x"], "command": "/a", "timeout": 5, "disabled": true}),
        ] {
            assert!(fields.same(&entry, &same), "{same}");
        }
        for other in [
            json!({"command": "/b", "args": ["x"]}),
            json!({"command": "/a"}),
            json!({"command": "/a", "args": ["x"], "env": {"A": "b"}}),
            json!({"command": "/a", "args": ["x"], "type": "http"}),
            json!({"command": "/a", "args": ["x"], "url": "http://x"}),
            json!("/a"),
        ] {
            assert!(!fields.same(&entry, &other), "{other}");
        }
    }
}
