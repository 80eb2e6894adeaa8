//! `install` and `uninstall` of a real program, the example `zebra-2`, in a home folder of their own.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod files;
mod hostile;
mod offers;
mod properties;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How a client's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Jsonc,
    Toml,
    Yaml,
}

/// A client as this test knows it, whatever the program thinks.
#[derive(Debug, Clone, Copy)]
struct Client {
    id: &'static str,
    kind: Kind,
    key: &'static str,
}

const CLIENTS: &[Client] = &[
    client("claude-desktop", Kind::Json, "mcpServers"),
    client("claude-code", Kind::Json, "mcpServers"),
    client("vscode", Kind::Jsonc, "servers"),
    client("cursor", Kind::Jsonc, "mcpServers"),
    client("windsurf", Kind::Jsonc, "mcpServers"),
    client("zed", Kind::Jsonc, "context_servers"),
    client("gemini-cli", Kind::Jsonc, "mcpServers"),
    client("codex", Kind::Toml, "mcp_servers"),
    client("goose", Kind::Yaml, "extensions"),
    client("mcp-json", Kind::Json, "mcpServers"),
];

const fn client(id: &'static str, kind: Kind, key: &'static str) -> Client {
    Client { id, kind, key }
}

impl Client {
    /// The text of a file with another server and a setting.
    fn other(self) -> String {
        let key = self.key;
        match self.kind {
            Kind::Json => format!(
                "{{\n    \"more\": [1, 2],\n    \"{key}\": {{\n        \"other\": {{ \"command\": \"/o\" }}\n    }}\n}}\n"
            ),
            Kind::Jsonc => format!(
                "// Mine\n{{\n\t\"more\": [1, 2], // two\n\t\"{key}\": {{\n\t\t/* the other */\n\t\t\"other\": {{ \"command\": \"/o\" }}, // last\n\t}},\n}}\n"
            ),
            Kind::Toml => format!(
                "# Mine\nmore = [1, 2] # two\n\n[{key}.other]\ncommand = '/o' # last\n\n[after]\nx = 1\n"
            ),
            Kind::Yaml => format!(
                "# Mine\nmore: [1, 2] # two\n{key}:\n    # the other\n    other:\n        cmd: /o\n        enabled: true # last\n\n# After\nafter:\n    x: 1\n"
            ),
        }
    }

    /// What a file says.
    #[track_caller]
    fn value(self, text: &str) -> Value {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self.kind {
            Kind::Json => serde_json::from_str(text).unwrap(),
            Kind::Jsonc => jsonc_parser::cst::CstRootNode::parse(text, &Default::default())
                .unwrap()
                .to_serde_value()
                .unwrap(),
            Kind::Toml => serde_json::to_value(toml_value(text)).unwrap(),
            Kind::Yaml => serde_saphyr::from_str(text).unwrap(),
        }
    }

    /// The entry of a server in a file.
    #[track_caller]
    fn entry(self, text: &str, name: &str) -> Value {
        self.value(text)[self.key][name].clone()
    }
}

/// TOML as JSON.
fn toml_value(text: &str) -> Value {
    fn value(found: &toml::de::DeValue<'_>) -> Value {
        use toml::de::DeValue;
        match found {
            DeValue::String(text) => text.to_string().into(),
            DeValue::Integer(number) => number.to_string().parse::<i64>().unwrap().into(),
            DeValue::Boolean(bool) => (*bool).into(),
            DeValue::Array(items) => items.iter().map(|item| value(item.get_ref())).collect(),
            DeValue::Table(table) => {
                let fields = table.iter();
                let fields =
                    fields.map(|(name, item)| (name.get_ref().to_string(), value(item.get_ref())));
                Value::Object(fields.collect())
            }
            other => panic!("{other:?}"),
        }
    }
    let table = toml::de::DeTable::parse(text).unwrap();
    value(&toml::de::DeValue::Table(table.into_inner()))
}

/// A home folder, and a project in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("home/project")).unwrap();
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0
            .path()
            .canonicalize()
            .unwrap()
            .join("home")
            .join(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path("project"));
        command.env_clear().env("HOME", self.path(""));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.to_lowercase().contains("pymcp"), "{said}");
        output
    }

    /// Runs what has to end well, and gives its stdout.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let (verb, rest) = arguments.split_at(2);
        serde_json::from_str(&self.ok(&[verb, &["--json"], rest].concat())).unwrap()
    }

    /// Runs what has to be refused, and gives its stderr.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        text(&output.stderr)
    }

    /// The usual file of a client.
    #[track_caller]
    fn file(&self, client: Client) -> PathBuf {
        let printed = self.json(&["install", client.id]);
        PathBuf::from(printed["file"].as_str().unwrap())
    }

    /// The same with these bytes in it.
    #[track_caller]
    fn with(&self, client: Client, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.file(client);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }
}

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/zebra-2");
    assert!(path.exists(), "cargo build -p pymcp-app --example zebra-2");
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

/// The names of all files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
