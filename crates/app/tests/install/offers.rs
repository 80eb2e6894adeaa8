//! What is printed, the names of fields, the clients' own commands, and links, decoded as the clients decode them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

fn path() -> String {
    binary().to_str().unwrap().to_owned()
}

/// The entry that a client is to have.
#[track_caller]
fn printed(client: Client, arguments: &[&str]) -> Value {
    let home = Home::new();
    let all = [&["install", client.id, "--name", "z"], arguments].concat();
    client.entry(&home.ok(&all), "z")
}

#[test]
fn every_client_has_its_own_names_for_a_program() {
    for client in CLIENTS {
        let found = printed(*client, &["--env", "A=b c", "--", "--stripes", "4"]);
        let (command, args, env) = (path(), ["--stripes", "4"], json!({"A": "b c"}));
        let expected = match client.id {
            "claude-code" | "vscode" => {
                json!({"type": "stdio", "command": command, "args": args, "env": env})
            }
            "goose" => json!({
                "enabled": true, "name": "z", "description": "A Model Context Protocol server", "timeout": 300,
                "type": "stdio", "cmd": command, "args": args, "envs": env
            }),
            _ => json!({"command": command, "args": args, "env": env}),
        };
        assert_eq!(found, expected, "{client:?}");
        let least = printed(*client, &[]);
        assert!(
            least.get("args").is_none()
                && least.get("env").is_none()
                && least.get("envs").is_none()
        );
    }
}

#[test]
fn every_client_has_its_own_names_for_a_url() {
    let url = "http://127.0.0.1:8000/mcp";
    for client in CLIENTS {
        if client.id == "claude-desktop" {
            continue;
        }
        let arguments = ["--http", url, "--header", "Authorization: Bearer t"];
        let found = printed(*client, &arguments);
        let headers = json!({"Authorization": "Bearer t"});
        let expected = match client.id {
            "claude-code" | "vscode" | "mcp-json" => {
                json!({"type": "http", "url": url, "headers": headers})
            }
            "cursor" | "zed" => json!({"url": url, "headers": headers}),
            "windsurf" => json!({"serverUrl": url, "headers": headers}),
            "gemini-cli" => json!({"httpUrl": url, "headers": headers}),
            "codex" => json!({"url": url, "http_headers": headers}),
            "goose" => json!({
                "enabled": true, "name": "z", "description": "A Model Context Protocol server", "timeout": 300,
                "type": "streamable_http", "uri": url, "headers": headers
            }),
            other => panic!("{other}"),
        };
        assert_eq!(found, expected, "{client:?}");
    }
    let home = Home::new();
    for write in [&[][..], &["--write"]] {
        let all = [&["install", "claude-desktop", "--http", url], write].concat();
        let said = home.refused(&all, 1);
        assert!(
            said.contains(&format!("Add {url} in Settings, Connectors")),
            "{said}"
        );
        assert!(!home.path(".config").exists());
    }
}

#[test]
fn a_server_over_http_goes_in_and_out_of_every_file() {
    for client in CLIENTS
        .iter()
        .filter(|client| client.id != "claude-desktop")
    {
        let home = Home::new();
        let file = home.with(*client, client.other());
        let arguments = [
            "install",
            client.id,
            "--write",
            "--http",
            "https://example.com/mcp",
        ];
        assert_eq!(home.json(&arguments)["status"], "added");
        assert_eq!(home.json(&arguments)["status"], "unchanged");
        home.refused(&["install", client.id, "--write"], 1);
        assert_eq!(home.json(&["uninstall", client.id])["status"], "restored");
        assert_eq!(read(&file), client.other());
    }
}

#[test]
fn values_are_written_so_that_they_are_read_back() {
    for value in [
        "a\"b\\c'd",
        "ünï 👩",
        "$HOME ${X} %PATH% `x`",
        "#no: comment",
        " ",
        "true",
        "1.0",
        "[a]",
        "a\tb\nc",
    ] {
        for client in CLIENTS {
            let home = Home::new();
            let pair = format!("A={value}");
            home.ok(&[
                "install", client.id, "--write", "--env", &pair, "--", value, "--x",
            ]);
            let entry = client.entry(&read(&home.file(*client)), "zebra-2");
            let env = if client.kind == Kind::Yaml {
                "envs"
            } else {
                "env"
            };
            assert_eq!(entry[env], json!({"A": value}), "{client:?}");
            assert_eq!(entry["args"], json!([value, "--x"]), "{client:?}");
        }
    }
}

#[test]
fn clients_with_a_command_are_named_the_line() {
    let path = path();
    let cases = [
        ("claude-code", &[][..], format!("claude mcp add zebra-2 --scope user -- {path}")),
        (
            "claude-code",
            &["--env", "A=b c", "--scope", "project", "--", "--stripes", "4"],
            format!("claude mcp add zebra-2 --scope project --env 'A=b c' -- {path} --stripes 4"),
        ),
        (
            "claude-code",
            &["--http", "https://e.com/mcp", "--header", "A: it's"],
            r"claude mcp add zebra-2 --scope user --transport http https://e.com/mcp --header 'A: it'\''s'".into(),
        ),
        ("gemini-cli", &[], format!("gemini mcp add --scope user zebra-2 {path}")),
        (
            "gemini-cli",
            &["--env", "A=b", "--", "--stripes"],
            format!("gemini mcp add --scope user --env A=b zebra-2 {path} -- --stripes"),
        ),
        (
            "gemini-cli",
            &["--http", "https://e.com/mcp"],
            "gemini mcp add --scope user --transport http zebra-2 https://e.com/mcp".into(),
        ),
        ("codex", &["--env", "A=b"], format!("codex mcp add zebra-2 --env A=b -- {path}")),
        ("codex", &["--http", "https://e.com/mcp"], "codex mcp add zebra-2 --url https://e.com/mcp".into()),
        (
            "vscode",
            &[],
            format!(r#"code --add-mcp '{{"name":"zebra-2","type":"stdio","command":"{path}"}}'"#),
        ),
    ];
    if !cfg!(any(target_os = "linux", target_os = "macos")) {
        return;
    }
    for (id, arguments, line) in cases {
        let home = Home::new();
        let output = home.run(&[&["install", id], arguments].concat());
        let said = text(&output.stderr);
        assert!(
            said.lines().any(|found| found == format!("  {line}")),
            "{line}\n{said}"
        );
    }
    // What the command cannot say, it is not asked to.
    let home = Home::new();
    for arguments in [
        &["install", "gemini-cli", "--env", "A=b=c"][..],
        &[
            "install",
            "codex",
            "--http",
            "https://e.com",
            "--header",
            "A: b",
        ],
        &["install", "codex", "--scope", "project"],
        &["install", "vscode", "--scope", "project"],
        &["install", "claude-code", "--config-path", "x.json"],
        &["install", "cursor"],
    ] {
        assert!(
            home.json(arguments).get("command").is_none(),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_link_of_cursor_has_the_entry_in_it() {
    let home = Home::new();
    for arguments in [
        &["--env", "A=ü>?~ÿ", "--", "--stripes", "4"][..],
        &["--http", "https://e.com/mcp?a=b&c=d", "--header", "A: b"],
    ] {
        let all = [&["install", "cursor"], arguments].concat();
        let found = home.json(&all);
        let link = url::Url::parse(found["link"].as_str().unwrap()).unwrap();
        assert_eq!(
            (link.scheme(), link.host_str(), link.path()),
            ("cursor", Some("anysphere.cursor-deeplink"), "/mcp/install")
        );
        let query: std::collections::BTreeMap<_, _> = link.query_pairs().into_owned().collect();
        assert_eq!(query.keys().collect::<Vec<_>>(), ["config", "name"]);
        assert_eq!(query["name"], "zebra-2");
        // As a browser's `atob` and `JSON.parse` read it.
        let config: Value =
            serde_json::from_slice(&STANDARD.decode(&query["config"]).unwrap()).unwrap();
        assert_eq!(
            config,
            CLIENTS[3].entry(found["text"].as_str().unwrap(), "zebra-2")
        );
    }
}

#[test]
fn the_link_of_vscode_has_the_entry_and_its_name_in_it() {
    let home = Home::new();
    for arguments in [
        &["--env", "A=ü %41 +", "--", "--stripes", "4"][..],
        &["--http", "https://e.com/mcp?a=b&c=d#e", "--header", "A: b"],
    ] {
        let all = [&["install", "vscode"], arguments].concat();
        let found = home.json(&all);
        let link = found["link"].as_str().unwrap();
        let encoded = link.strip_prefix("vscode:mcp/install?").unwrap();
        assert!(
            encoded
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)),
            "{encoded}"
        );
        let mut object: Value = serde_json::from_slice(&decoded(encoded)).unwrap();
        assert_eq!(
            object.as_object_mut().unwrap().remove("name"),
            Some(json!("zebra-2"))
        );
        assert_eq!(
            object,
            CLIENTS[2].entry(found["text"].as_str().unwrap(), "zebra-2")
        );
        // `code --add-mcp` takes the very same.
        let given: Value = serde_json::from_str(found["command"][2].as_str().unwrap()).unwrap();
        assert_eq!(
            given,
            serde_json::from_slice::<Value>(&decoded(encoded)).unwrap()
        );
    }
}

/// As `decodeURIComponent` does.
fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    bytes
}

#[test]
fn stdout_is_the_file_and_stderr_says_where_it_belongs() {
    let home = Home::new();
    let output = home.run(&["install", "cursor"]);
    let file = home.path(".cursor/mcp.json");
    let path = path();
    assert_eq!(
        text(&output.stdout),
        format!(
            "{{\n  \"mcpServers\": {{\n    \"zebra-2\": {{\n      \"command\": \"{path}\"\n    }}\n  }}\n}}\n"
        )
    );
    let said = text(&output.stderr);
    let first = format!(
        "Cursor reads this below 'mcpServers' in {}; --write adds it there:\n",
        file.display()
    );
    // A program in a target folder is warned about before.
    let warned = |said: &str| {
        said.split_once('\n')
            .is_some_and(|(line, rest)| line.contains("debug build") && rest.starts_with(&first))
    };
    assert!(said.starts_with(&first) || warned(&said), "{said}");
    assert!(
        said.ends_with("\nSwitch the server on in Cursor's settings, below MCP.\n"),
        "{said}"
    );
    assert!(
        !home.path(".cursor").exists(),
        "nothing is written unless it is asked for"
    );
}

#[test]
fn what_was_done_is_said() {
    let home = Home::new();
    let file = home.path(".cursor/mcp.json");
    let shown = file.display();
    let output = home.run(&["install", "cursor", "--write"]);
    assert_eq!(
        text(&output.stdout),
        format!(
            "Cursor has the server 'zebra-2' now, in {shown}.\nSwitch the server on in Cursor's settings, below MCP.\n"
        )
    );
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!(
            "the folder of {shown} is new: is Cursor installed?"
        )),
        "{said}"
    );
    assert_eq!(
        home.ok(&["install", "cursor", "--write"]),
        format!("Cursor has the server 'zebra-2' already, in {shown}; nothing is changed.\n")
    );
    assert_eq!(
        home.ok(&["uninstall", "cursor"]),
        format!(
            "Cursor has the server 'zebra-2' no more, in {shown}, which is removed, as there was none before.\n"
        )
    );
    fs::write(&file, "{}").unwrap();
    assert_eq!(
        home.ok(&["install", "cursor", "--write"]),
        format!(
            "Cursor has the server 'zebra-2' now, in {shown}; what it was is in {shown}.zebra-2.bak.\n\
             Switch the server on in Cursor's settings, below MCP.\n"
        )
    );
    assert_eq!(
        home.ok(&["uninstall", "cursor"]),
        format!(
            "Cursor has the server 'zebra-2' no more, in {shown}, which is what it was before.\n"
        )
    );
    assert_eq!(
        home.ok(&["uninstall", "cursor"]),
        format!("Cursor has no server 'zebra-2' in {shown}; nothing is changed.\n")
    );
}

#[test]
fn secrets_in_a_file_that_others_can_read_are_warned_of_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.with(CLIENTS[3], "{}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = ["install", "cursor", "--write", "--env", "TOKEN=s3cret"];
    let output = home.run(&arguments);
    let said = text(&output.stderr);
    assert!(
        said.contains("others can read") && said.contains("chmod 600"),
        "{said}"
    );
    assert!(!(said + &text(&output.stdout)).contains("s3cret"));
    let other = home.run(&["install", "cursor", "--write", "--env", "TOKEN=0ther"]);
    let said = text(&other.stdout) + &text(&other.stderr);
    assert!(
        said.contains("TOKEN") && !said.contains("s3cret") && !said.contains("0ther"),
        "{said}"
    );
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let said = text(&home.run(&arguments).stderr);
    assert!(!said.contains("chmod"), "{said}");
    let said = text(
        &home
            .run(&[
                "install",
                "codex",
                "--http",
                "http://e.com",
                "--header",
                "A: b",
            ])
            .stderr,
    );
    assert!(said.contains("unencrypted"), "{said}");
    let said = text(
        &home
            .run(&[
                "install",
                "codex",
                "--http",
                "http://localhost:1",
                "--header",
                "A: b",
            ])
            .stderr,
    );
    assert!(!said.contains("unencrypted"), "{said}");
}

#[test]
fn variables_move_the_files_of_clients() {
    let home = Home::new();
    let codex = home.path("codex");
    let mut command = Command::new(binary());
    command
        .args(["install", "codex", "--json"])
        .current_dir(home.path("project"));
    command
        .env_clear()
        .env("HOME", home.path(""))
        .env("CODEX_HOME", &codex);
    let found: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(found["file"], codex.join("config.toml").to_str().unwrap());
}
