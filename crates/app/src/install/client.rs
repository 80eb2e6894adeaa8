//! The clients, an entry each. Where a shape is not obvious, the page or the source that says it is named.

use serde_json::{Map, Value, json};

use super::entry::{Fields, HttpFields, Reached, ServerEntry, nothing};
use super::format::{Format, Slot};
use super::place::{Root, Scope, UserFiles};

/// A client, and how it is told of a server.
#[derive(Debug)]
pub(crate) struct Client {
    /// What `install` calls it.
    pub(crate) id: &'static str,
    /// What people call it.
    pub(crate) name: &'static str,
    /// The file of one person's servers.
    pub(crate) user: Option<UserFiles>,
    /// The file of a project's servers, below its folder.
    pub(crate) project: Option<&'static str>,
    pub(crate) format: Format,
    /// The key of the servers at the top of the file.
    pub(crate) key: &'static str,
    pub(crate) fields: Fields,
    /// Where its own settings take a server over HTTP, if its file takes none.
    pub(crate) http_in_settings: Option<&'static str>,
    /// What to do when the file has the server.
    pub(crate) next: &'static str,
    /// The words of its own command that adds a server; none if it has no command, or none for this.
    pub(crate) command: Option<AddCommand>,
    /// A link that has it ask whether to add a server.
    pub(crate) link: Option<Link>,
}

pub(crate) type Link = fn(&ServerEntry, Map<String, Value>) -> String;

pub(crate) type AddCommand = fn(&ServerEntry, Map<String, Value>, Scope) -> Option<Vec<String>>;

impl Client {
    /// The scope that is meant without a word on it.
    pub(crate) fn usual_scope(&self) -> Scope {
        match self.user {
            Some(_) => Scope::User,
            None => Scope::Project,
        }
    }

    /// Where the entry of a server stands in its file.
    pub(crate) fn slot(&self, name: &str) -> Slot {
        let name = match self.format {
            // Goose makes the key of the name, in lower case (`name_to_key` in its source).
            Format::Yaml => name.to_ascii_lowercase(),
            _ => name.to_owned(),
        };
        Slot {
            format: self.format,
            key: self.key,
            name,
        }
    }
}

/// The one that `install` calls so.
pub(crate) fn named(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.id == id)
}

/// `command`, `args`, `env`; `url`, `headers`: what most have.
const USUAL: Fields = Fields {
    first: nothing,
    stdio: None,
    command: "command",
    env: "env",
    http: Some(HttpFields {
        kind: None,
        url: "url",
        headers: "headers",
    }),
};

/// All of them, in the order in which they are listed.
pub(crate) const CLIENTS: &[Client] = &[
    // "Connect to local MCP servers" (modelcontextprotocol.io). It reads programs alone; servers over HTTP are connectors.
    // Nobody says where on Linux; packages for it have it there.
    Client {
        id: "claude-desktop",
        name: "Claude Desktop",
        user: Some(UserFiles {
            linux: (Root::Config, "Claude/claude_desktop_config.json"),
            macos: (
                Root::Home,
                "Library/Application Support/Claude/claude_desktop_config.json",
            ),
            windows: (Root::AppData, "Claude/claude_desktop_config.json"),
        }),
        project: None,
        format: Format::Json,
        key: "mcpServers",
        fields: Fields {
            http: None,
            ..USUAL
        },
        http_in_settings: Some("Settings, Connectors, Add custom connector"),
        next: "Quit Claude Desktop and start it again. Settings, Developer shows the server, and the file if it is another.",
        command: None,
        link: None,
    },
    // "Connect Claude Code to tools via MCP" (code.claude.com). A remote server without a type is not loaded.
    Client {
        id: "claude-code",
        name: "Claude Code",
        user: Some(UserFiles::below(
            Root::Variable("CLAUDE_CONFIG_DIR", ""),
            ".claude.json",
        )),
        project: Some(".mcp.json"),
        format: Format::Json,
        key: "mcpServers",
        fields: Fields {
            stdio: Some("stdio"),
            http: Some(HttpFields {
                kind: Some("http"),
                url: "url",
                headers: "headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Start a new session of Claude Code; /mcp shows the server.",
        command: Some(claude_mcp_add),
        link: None,
    },
    // "MCP configuration reference" (code.visualstudio.com).
    Client {
        id: "vscode",
        name: "VS Code",
        user: Some(UserFiles {
            linux: (Root::Config, "Code/User/mcp.json"),
            macos: (Root::Home, "Library/Application Support/Code/User/mcp.json"),
            windows: (Root::AppData, "Code/User/mcp.json"),
        }),
        project: Some(".vscode/mcp.json"),
        format: Format::Jsonc,
        key: "servers",
        fields: Fields {
            stdio: Some("stdio"),
            http: Some(HttpFields {
                kind: Some("http"),
                url: "url",
                headers: "headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Run \"MCP: List Servers\" in VS Code, and start the server there.",
        command: Some(code_add_mcp),
        link: Some(vscode_link),
    },
    // "Model Context Protocol (MCP)" and "MCP Install Links" (cursor.com).
    Client {
        id: "cursor",
        name: "Cursor",
        user: Some(UserFiles::home(".cursor/mcp.json")),
        project: Some(".cursor/mcp.json"),
        format: Format::Jsonc,
        key: "mcpServers",
        fields: USUAL,
        http_in_settings: None,
        next: "Switch the server on in Cursor's settings, below MCP.",
        command: None,
        link: Some(cursor_link),
    },
    // "Cascade MCP Integration" (docs.windsurf.com).
    Client {
        id: "windsurf",
        name: "Windsurf",
        user: Some(UserFiles::home(".codeium/windsurf/mcp_config.json")),
        project: None,
        format: Format::Jsonc,
        key: "mcpServers",
        fields: Fields {
            http: Some(HttpFields {
                kind: None,
                url: "serverUrl",
                headers: "headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Press Refresh in the MCP settings of Windsurf's Cascade.",
        command: None,
        link: None,
    },
    // "Model Context Protocol" (zed.dev). Older versions wanted `"source": "custom"` beside the command.
    Client {
        id: "zed",
        name: "Zed",
        user: Some(UserFiles {
            linux: (Root::Config, "zed/settings.json"),
            macos: (Root::Home, ".config/zed/settings.json"),
            windows: (Root::AppData, "Zed/settings.json"),
        }),
        project: Some(".zed/settings.json"),
        format: Format::Jsonc,
        key: "context_servers",
        fields: USUAL,
        http_in_settings: None,
        next: "Zed starts the server at once; the settings of its Agent Panel show it.",
        command: None,
        link: None,
    },
    // "MCP servers with the Gemini CLI" (geminicli.com): `url` alone is SSE.
    Client {
        id: "gemini-cli",
        name: "Gemini CLI",
        user: Some(UserFiles::home(".gemini/settings.json")),
        project: Some(".gemini/settings.json"),
        format: Format::Jsonc,
        key: "mcpServers",
        fields: Fields {
            http: Some(HttpFields {
                kind: None,
                url: "httpUrl",
                headers: "headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Start the Gemini CLI again; /mcp shows the server.",
        command: Some(gemini_mcp_add),
        link: None,
    },
    // "Model Context Protocol" of Codex (developers.openai.com). It ignores `headers`.
    Client {
        id: "codex",
        name: "Codex",
        user: Some(UserFiles::below(
            Root::Variable("CODEX_HOME", ".codex"),
            "config.toml",
        )),
        project: Some(".codex/config.toml"),
        format: Format::Toml,
        key: "mcp_servers",
        fields: Fields {
            http: Some(HttpFields {
                kind: None,
                url: "url",
                headers: "http_headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Start Codex again; /mcp shows the server. The file of a project counts where you trust the project.",
        command: Some(codex_mcp_add),
        link: None,
    },
    // "Configuration Overview" (goose-docs.ai), and `ExtensionConfig` in its source.
    Client {
        id: "goose",
        name: "Goose",
        user: Some(UserFiles {
            linux: (Root::Config, "goose/config.yaml"),
            macos: (Root::Home, ".config/goose/config.yaml"),
            windows: (Root::AppData, "Block/goose/config/config.yaml"),
        }),
        project: None,
        format: Format::Yaml,
        key: "extensions",
        fields: Fields {
            first: goose_fields,
            stdio: Some("stdio"),
            command: "cmd",
            env: "envs",
            http: Some(HttpFields {
                kind: Some("streamable_http"),
                url: "uri",
                headers: "headers",
            }),
        },
        http_in_settings: None,
        next: "Start a new session of Goose.",
        command: None,
        link: None,
    },
    // What many other clients read, with `type` as Claude Code and VS Code have it.
    Client {
        id: "mcp-json",
        name: "mcp.json",
        user: None,
        project: Some("mcp.json"),
        format: Format::Json,
        key: "mcpServers",
        fields: Fields {
            http: Some(HttpFields {
                kind: Some("http"),
                url: "url",
                headers: "headers",
            }),
            ..USUAL
        },
        http_in_settings: None,
        next: "Have your client read the file.",
        command: None,
        link: None,
    },
];

/// `timeout` is Goose's own default, in seconds.
fn goose_fields(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("enabled", json!(true)),
        ("name", json!(name)),
        ("description", json!("A Model Context Protocol server")),
        ("timeout", json!(300)),
    ]
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::Project => "project",
    }
}

/// Its `--env` takes every word up to the next option, so that the name has to come before it (claude-code#46121).
fn claude_mcp_add(
    server: &ServerEntry,
    _: Map<String, Value>,
    scope: Scope,
) -> Option<Vec<String>> {
    let mut line = words(["claude", "mcp", "add", &server.name]);
    line.extend(words(["--scope", scope_word(scope)]));
    match &server.reached {
        Reached::Stdio { command, args, env } => {
            for (name, value) in env {
                line.extend(["--env".to_owned(), format!("{name}={value}")]);
            }
            line.extend(words(["--", command]));
            line.extend_from_slice(args);
        }
        Reached::Http { url, headers } => {
            line.extend(words(["--transport", "http", url]));
            for (name, value) in headers {
                line.extend(["--header".to_owned(), format!("{name}: {value}")]);
            }
        }
    }
    Some(line)
}

/// The object of `--add-mcp` and of the link: the entry, with the name in it ("MCP developer guide").
fn vscode_object(server: &ServerEntry, entry: Map<String, Value>) -> Value {
    let name = ("name".to_owned(), json!(server.name));
    Value::Object([name].into_iter().chain(entry).collect())
}

fn code_add_mcp(
    server: &ServerEntry,
    entry: Map<String, Value>,
    scope: Scope,
) -> Option<Vec<String>> {
    let object = vscode_object(server, entry).to_string();
    (scope == Scope::User).then(|| words(["code", "--add-mcp", &object]))
}

fn vscode_link(server: &ServerEntry, entry: Map<String, Value>) -> String {
    let object = vscode_object(server, entry).to_string();
    format!(
        "vscode:mcp/install?{}",
        super::offer::percent_encoded(&object)
    )
}

/// The entry without its name, as base64 of JSON ("MCP Install Links").
fn cursor_link(server: &ServerEntry, entry: Map<String, Value>) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let config = STANDARD.encode(Value::Object(entry).to_string());
    format!(
        "cursor://anysphere.cursor-deeplink/mcp/install?name={}&config={}",
        super::offer::percent_encoded(&server.name),
        // A plus sign would be read as a space.
        super::offer::percent_encoded(&config)
    )
}

fn gemini_mcp_add(
    server: &ServerEntry,
    _: Map<String, Value>,
    scope: Scope,
) -> Option<Vec<String>> {
    let mut line = words(["gemini", "mcp", "add", "--scope", scope_word(scope)]);
    match &server.reached {
        Reached::Stdio { command, args, env } => {
            for (name, value) in env {
                // It splits at each `=` and drops what comes after the second (`packages/cli/src/commands/mcp/add.ts`).
                if value.contains('=') || value.is_empty() {
                    return None;
                }
                line.extend(["--env".to_owned(), format!("{name}={value}")]);
            }
            line.extend(words([&server.name, command]));
            if !args.is_empty() {
                line.push("--".to_owned());
                line.extend_from_slice(args);
            }
        }
        Reached::Http { url, headers } => {
            line.extend(words(["--transport", "http"]));
            for (name, value) in headers {
                line.extend(["--header".to_owned(), format!("{name}: {value}")]);
            }
            line.extend(words([&server.name, url]));
        }
    }
    Some(line)
}

/// It writes one person's file alone, and has no option for headers (`codex-rs/cli/src/mcp_cmd.rs`).
fn codex_mcp_add(server: &ServerEntry, _: Map<String, Value>, scope: Scope) -> Option<Vec<String>> {
    let mut line = words(["codex", "mcp", "add", &server.name]);
    match &server.reached {
        _ if scope != Scope::User => return None,
        Reached::Stdio { command, args, env } => {
            for (name, value) in env {
                line.extend(["--env".to_owned(), format!("{name}={value}")]);
            }
            line.extend(words(["--", command]));
            line.extend_from_slice(args);
        }
        Reached::Http { headers, .. } if !headers.is_empty() => return None,
        Reached::Http { url, .. } => line.extend(words(["--url", url])),
    }
    Some(line)
}
