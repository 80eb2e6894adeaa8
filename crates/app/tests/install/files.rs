//! The files of every client: what they are before, after `install`, after it once more, and after `uninstall`.

use super::*;

/// Installs into a file, sees that it is right and that nothing is done twice, uninstalls, and sees that it is as before.
#[track_caller]
fn round(home: &Home, client: Client, before: Option<&str>) -> String {
    let file = match before {
        Some(before) => home.with(client, before),
        None => home.file(client),
    };
    let others = before.map(
        |before| match before.trim_start_matches('\u{feff}').trim() {
            "" | "// Nothing yet" | "# Nothing yet" => Value::Null,
            _ => client.value(before),
        },
    );
    let added = home.json(&["install", client.id, "--write"]);
    assert_eq!(added["status"], "added", "{client:?}");
    let after = read(&file);
    let entry = client.entry(&after, "zebra-2");
    let command = if client.kind == Kind::Yaml {
        "cmd"
    } else {
        "command"
    };
    assert_eq!(entry[command], binary().to_str().unwrap(), "{after}");
    let mut rest = client.value(&after);
    rest[client.key].as_object_mut().unwrap().remove("zebra-2");
    if let Some(Value::Object(mut others)) = others {
        others
            .entry(client.key)
            .or_insert_with(|| serde_json::json!({}));
        if others[client.key].is_null() {
            others[client.key] = serde_json::json!({});
        }
        assert_eq!(rest, Value::Object(others), "{after}");
    }
    match before {
        Some(before) => {
            let backup = PathBuf::from(added["backup"].as_str().unwrap());
            assert_eq!(read(&backup), before);
        }
        None => assert!(added.get("backup").is_none()),
    }
    let again = home.json(&["install", client.id, "--write"]);
    assert_eq!(
        (again["status"].as_str().unwrap(), &*read(&file)),
        ("unchanged", &*after)
    );
    let removed = home.json(&["uninstall", client.id]);
    assert_eq!(removed["status"], "restored", "{client:?}\n{after}");
    match before {
        Some(before) => assert_eq!(read(&file), before, "{client:?}"),
        None => assert!(!file.exists()),
    }
    assert!(
        !names(file.parent().unwrap())
            .iter()
            .any(|name| name.ends_with(".bak")),
        "what is of no use any more is removed"
    );
    let absent = home.json(&["uninstall", client.id]);
    assert_eq!(absent["status"], "absent");
    after
}

/// Whether a file has no servers. A table that is empty need not be written.
fn has_none(client: Client, file: &Path) -> bool {
    let servers = client.value(&read(file))[client.key].clone();
    servers.is_null() || servers == serde_json::json!({})
}

#[test]
fn a_missing_file_is_made_and_removed_and_is_what_is_printed() {
    for client in CLIENTS {
        let home = Home::new();
        let after = round(&home, *client, None);
        assert_eq!(home.ok(&["install", client.id]), after, "{client:?}");
    }
}

#[test]
fn an_empty_file_gets_the_server_and_is_empty_again() {
    for client in CLIENTS {
        let home = Home::new();
        let after = round(&home, *client, Some(""));
        assert_eq!(home.ok(&["install", client.id]), after, "{client:?}");
        round(&home, *client, Some("\n"));
    }
}

#[test]
fn other_servers_comments_order_and_indentation_stay() {
    for client in CLIENTS {
        let home = Home::new();
        let before = client.other();
        let after = round(&home, *client, Some(&before));
        // Whole lines stay; a comma may come to the one before the new server.
        for line in before.lines() {
            let line = line.trim_end_matches(',');
            assert!(
                after
                    .lines()
                    .any(|found| found.trim_end_matches(',') == line),
                "{line}\n{after}"
            );
        }
        let order: Vec<_> = ["more", "other", "zebra-2"]
            .iter()
            .map(|name| after.find(name).unwrap())
            .collect();
        assert!(order.is_sorted(), "{after}");
    }
}

/// Comments below a table are its own, tables within an entry go with it, and mixed line ends are nobody's business.
#[test]
fn tables_of_codex_are_told_apart() {
    let codex = CLIENTS[7];
    let home = Home::new();
    for before in [
        "[mcp_servers.other]\ncommand = 'x'\n# args = []\n",
        "a = 1\r\nb = 2\n",
        "list = [\n[1],\n[2] ]\n\n# end",
    ] {
        round(&home, codex, Some(before));
    }
    let own = "[mcp_servers.zebra-2]\ncommand = '/zebra-2'\n\n[mcp_servers.\"zebra-2\".env] # mine\nA = 'b'\n";
    let (head, tail) = (
        "# Head\n\n",
        "\n# The other\n[mcp_servers.other]\ncommand = 'x'\n",
    );
    let file = home.with(codex, format!("{head}{own}{tail}"));
    home.ok(&["install", "codex", "--write", "--replace"]);
    let binary = binary();
    assert_eq!(
        read(&file),
        format!(
            "{head}[mcp_servers.zebra-2]\ncommand = \"{}\"\n\n{}",
            binary.display(),
            &tail[1..]
        )
    );
    fs::write(&file, format!("{head}{own}{tail}")).unwrap();
    home.ok(&["uninstall", "codex"]);
    assert_eq!(read(&file), format!("# Head\n{tail}"));
}

#[test]
fn the_layout_of_the_new_lines_is_that_of_the_file() {
    let home = Home::new();
    let binary = binary();
    let binary = binary.display();
    for (id, after) in [
        (
            "vscode",
            format!(
                "// Mine\n{{\n\t\"more\": [1, 2], // two\n\t\"servers\": {{\n\t\t/* the other */\n\t\t\"other\": {{ \"command\": \"/o\" }}, // last\n\t\t\"zebra-2\": {{\n\t\t\t\"type\": \"stdio\",\n\t\t\t\"command\": \"{binary}\",\n\t\t}},\n\t}},\n}}\n"
            ),
        ),
        (
            "codex",
            format!(
                "# Mine\nmore = [1, 2] # two\n\n[mcp_servers.other]\ncommand = '/o' # last\n\n[mcp_servers.zebra-2]\ncommand = \"{binary}\"\n\n[after]\nx = 1\n"
            ),
        ),
        (
            "goose",
            format!(
                "# Mine\nmore: [1, 2] # two\nextensions:\n    # the other\n    other:\n        cmd: /o\n        enabled: true # last\n    zebra-2:\n      enabled: true\n      name: \"zebra-2\"\n      description: \"A Model Context Protocol server\"\n      timeout: 300\n      type: \"stdio\"\n      cmd: \"{binary}\"\n\n# After\nafter:\n    x: 1\n"
            ),
        ),
    ] {
        let client = *CLIENTS.iter().find(|client| client.id == id).unwrap();
        let file = home.with(client, client.other());
        home.ok(&["install", id, "--write"]);
        assert_eq!(read(&file), after);
    }
}

#[test]
fn comments_and_nothing_else_stay() {
    for client in CLIENTS {
        let home = Home::new();
        let before = match client.kind {
            Kind::Json => continue,
            Kind::Jsonc => "// Nothing yet\n",
            Kind::Toml | Kind::Yaml => "# Nothing yet\n",
        };
        let after = round(&home, *client, Some(before));
        assert!(after.starts_with(before), "{after}");
    }
}

#[test]
fn a_file_without_servers_gets_its_first() {
    for client in CLIENTS {
        let key = client.key;
        let files = match client.kind {
            Kind::Json => vec![
                format!("{{\"{key}\": {{}}, \"a\": 1}}"),
                "{\"a\":\"b\"}".into(),
                "{}".into(),
            ],
            Kind::Jsonc => vec![
                format!("{{\"{key}\": {{ /* none */ }}}} // end"),
                "{\n  \"a\": 1 // b\n}".into(),
                "{}\n".into(),
            ],
            Kind::Toml => vec![
                format!("[{key}]\n"),
                "a = 1".into(),
                format!("[{key}.a]\ncommand='x'"),
            ],
            Kind::Yaml => vec![
                format!("{key}: {{}}\nb: 1\n"),
                format!("{key}: # none\nb: 1\n"),
                format!("{key}:"),
                "a: 1".into(),
                format!("---\n{key}:\n  'other': {{cmd: x}}"),
            ],
        };
        for before in files {
            round(&Home::new(), *client, Some(&before));
        }
    }
}

#[test]
fn line_ends_and_byte_order_marks_stay() {
    for client in CLIENTS {
        let home = Home::new();
        let before = client.other().replace('\n', "\r\n");
        let after = round(&home, *client, Some(&before));
        assert_eq!(
            after.replace("\r\n", "").find(['\r', '\n']),
            None,
            "{client:?}: {after:?}"
        );
        let before = format!("\u{feff}{}", client.other());
        let after = round(&home, *client, Some(&before));
        assert!(
            after.starts_with('\u{feff}') && !after[3..].contains('\u{feff}'),
            "{client:?}"
        );
    }
}

#[test]
fn what_another_program_changed_meanwhile_stays_when_the_server_goes() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other());
        home.ok(&["install", client.id, "--write"]);
        // As a client or an editor would: what it knows, anew.
        let changed = read(&file).replace("[1, 2]", "[1, 2, 3]");
        fs::write(&file, &changed).unwrap();
        let removed = home.json(&["uninstall", client.id]);
        assert_eq!(removed["status"], "removed");
        let expected = client.value(&client.other().replace("[1, 2]", "[1, 2, 3]"));
        assert_eq!(client.value(&read(&file)), expected, "{client:?}");
        assert_eq!(
            read(Path::new(removed["backup"].as_str().unwrap())),
            changed
        );
    }
}

#[test]
fn another_server_of_the_name_is_shown_and_needs_a_word() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other().replace("other", "zebra-2"));
        let before = read(&file);
        let output = home.run(&["install", client.id, "--write", "--", "--stripes", "4"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert!(
            shown
                .lines()
                .any(|line| line.starts_with('-') && line.contains("/o")),
            "{shown}"
        );
        assert!(
            shown
                .lines()
                .any(|line| line.starts_with('+') && line.contains("--stripes")),
            "{shown}"
        );
        assert!(said.contains("--replace"), "{said}");
        assert_eq!(read(&file), before);
        assert_eq!(
            names(file.parent().unwrap())
                .iter()
                .filter(|name| name.ends_with(".bak"))
                .count(),
            0
        );
        let replaced = home.json(&[
            "install",
            client.id,
            "--write",
            "--replace",
            "--",
            "--stripes",
            "4",
        ]);
        assert_eq!(replaced["status"], "replaced");
        let entry = client.entry(&read(&file), "zebra-2");
        assert_eq!(
            entry["args"],
            serde_json::json!(["--stripes", "4"]),
            "{client:?}"
        );
        // Of this program, and so replaced and removed.
        home.ok(&["install", client.id, "--write", "--replace"]);
        let removed = home.json(&["uninstall", client.id]);
        assert_eq!(removed["status"], "removed");
        assert!(has_none(*client, &file), "{client:?}");
    }
}

#[test]
fn the_server_of_another_program_comes_back_and_is_never_removed_by_chance() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other().replace("other", "zebra-2"));
        let before = read(&file);
        let said = home.refused(&["uninstall", client.id], 1);
        assert!(
            said.contains("another program") && said.contains("--name"),
            "{said}"
        );
        assert_eq!(read(&file), before);
        home.ok(&["install", client.id, "--write", "--replace"]);
        assert_eq!(home.json(&["uninstall", client.id])["status"], "restored");
        assert_eq!(read(&file), before);
        home.ok(&["uninstall", client.id, "--name", "zebra-2"]);
        assert!(has_none(*client, &file), "{client:?}");
    }
}

#[test]
fn two_servers_of_one_program_live_side_by_side() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other());
        home.ok(&["install", client.id, "--write", "--name", "one"]);
        home.ok(&[
            "install",
            client.id,
            "--write",
            "--name",
            "two",
            "--",
            "--stripes=2",
        ]);
        home.ok(&["uninstall", client.id, "--name", "one"]);
        let servers = client.value(&read(&file))[client.key].clone();
        let names: Vec<_> = servers.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["other", "two"], "{client:?}");
        home.ok(&["uninstall", client.id, "--name", "two"]);
        assert_eq!(client.value(&read(&file)), client.value(&client.other()));
    }
}

#[test]
fn permissions_stay_and_a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let added = home.json(&["install", client.id, "--write"]);
        assert_eq!(mode(&file), 0o640);
        assert_eq!(mode(Path::new(added["backup"].as_str().unwrap())), 0o640);
        home.ok(&["uninstall", client.id]);
        assert_eq!(mode(&file), 0o640);
        fs::remove_file(&file).unwrap();
        home.ok(&["install", client.id, "--write"]);
        if client.id != "mcp-json" {
            assert_eq!(mode(&file), 0o600, "{client:?}");
        }
    }
}

#[test]
fn a_project_has_a_file_of_its_own() {
    for (id, path) in [
        ("claude-code", ".mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("cursor", ".cursor/mcp.json"),
        ("zed", ".zed/settings.json"),
        ("gemini-cli", ".gemini/settings.json"),
        ("codex", ".codex/config.toml"),
        ("mcp-json", "mcp.json"),
    ] {
        let home = Home::new();
        home.ok(&["install", id, "--scope", "project", "--write"]);
        assert!(home.path("project").join(path).is_file(), "{id}");
        home.ok(&["uninstall", id, "--scope", "project"]);
        assert!(!home.path("project").join(path).exists(), "{id}");
    }
    let home = Home::new();
    for id in ["claude-desktop", "windsurf", "goose"] {
        let said = home.refused(&["install", id, "--scope", "project"], 2);
        assert!(said.contains("--scope; it has one for user"), "{said}");
    }
}

#[test]
fn a_file_that_is_named_is_the_one() {
    for client in CLIENTS {
        let home = Home::new();
        home.ok(&[
            "install",
            client.id,
            "--write",
            "--config-path",
            "there/mine.conf",
        ]);
        let file = home.path("project/there/mine.conf");
        assert!(read(&file).contains("zebra-2"));
        assert!(!home.file(*client).exists());
        home.ok(&[
            "uninstall",
            client.id,
            "--config-path",
            file.to_str().unwrap(),
        ]);
        assert!(!file.exists());
    }
}
