//! On any doubt nothing is changed, and one sentence says why.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// Neither verb changes a file, both say why, and no other file appears.
#[track_caller]
fn untouched(home: &Home, client: Client, file: &Path, why: &str) {
    let (before, folder) = (fs::read(file).ok(), file.parent().unwrap());
    let around = names(folder);
    for arguments in [
        &["install", client.id, "--write"][..],
        &["install", client.id, "--write", "--replace"],
        &["uninstall", client.id],
    ] {
        let said = home.refused(arguments, 1);
        assert!(said.contains(why), "{client:?} {arguments:?}: {said}");
        assert!(said.starts_with("zebra-2: "), "{said}");
        assert_eq!(
            (fs::read(file).ok(), names(folder)),
            (before.clone(), around.clone())
        );
    }
}

#[test]
fn a_malformed_file_is_left_alone() {
    for client in CLIENTS {
        let home = Home::new();
        let key = client.key;
        let files = match client.kind {
            Kind::Json | Kind::Jsonc => vec![
                ("{".to_owned(), "is not valid JSON"),
                ("{}{}".to_owned(), "is not valid JSON"),
                ("{'a': 1}".to_owned(), "is not valid JSON"),
                (format!("{{\n\"{key}\": {{\"a\" 1}}}}"), "line 2"),
                ("[]".to_owned(), "neither empty nor an object"),
                (format!("{{\"{key}\": []}}"), "something else than servers"),
                (
                    format!("{{\"{key}\": null}}"),
                    "something else than servers",
                ),
                (format!("{{\"{key}\": {{}}, \"{key}\": {{}}}}"), "twice"),
                (
                    format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
                    "is not valid JSON",
                ),
            ],
            Kind::Toml => vec![
                ("a = ".to_owned(), "is not valid TOML: line 1"),
                ("a = 1\na = 2\n".to_owned(), "is not valid TOML"),
                (format!("{key} = 1\n"), "something else than servers"),
                (
                    format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
                    "is not valid TOML",
                ),
            ],
            Kind::Yaml => vec![
                ("a: [1".to_owned(), "is not valid YAML"),
                ("- a\n".to_owned(), "neither empty nor an object"),
                (format!("{key}: []\n"), "something else than servers"),
                ("a: 1\na: 2\n".to_owned(), "is not valid YAML"),
                (
                    format!("a: {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
                    "is not valid YAML",
                ),
            ],
        };
        for (text, why) in files {
            let file = home.with(*client, &text);
            let arguments = ["install", client.id, "--write"];
            let said = home.refused(&arguments, 1);
            assert!(said.contains(why), "{client:?}, {text:.40}: {said}");
            assert!(said.len() < 2000, "the file is not repeated");
            assert_eq!(read(&file), text);
            assert_eq!(
                names(file.parent().unwrap())
                    .iter()
                    .filter(|name| name.ends_with(".bak"))
                    .count(),
                0
            );
        }
        let file = home.with(*client, b"\xff\xfe{\0}\0");
        untouched(&home, *client, &file, "is not UTF-8 text");
    }
}

#[test]
fn comments_that_a_client_cannot_read_are_no_json() {
    for client in CLIENTS.iter().filter(|client| client.kind == Kind::Json) {
        let home = Home::new();
        for text in ["{} // mine\n", "{\"a\": 1,}\n"] {
            let file = home.with(*client, text);
            untouched(&home, *client, &file, "is not valid JSON");
        }
    }
}

#[test]
fn what_only_an_editor_can_change_is_said_with_the_lines_to_add() {
    let goose = *CLIENTS.iter().find(|client| client.id == "goose").unwrap();
    for text in [
        "extensions: {other: {cmd: x}}\n",
        "extensions: &all\n  other: {cmd: x}\nagain: *all\n",
        "extensions: {\n  other: {cmd: x}\n}\n",
        "a: 1\n...\n",
    ] {
        let home = Home::new();
        let file = home.with(goose, text);
        let said = home.refused(&["install", "goose", "--write"], 1);
        assert!(said.contains("only an editor can change"), "{said}");
        assert!(said.contains("\n      cmd: \"/"), "{said}");
        assert_eq!(read(&file), text);
    }
}

#[test]
fn servers_of_codex_in_braces_or_dotted_are_an_editors() {
    let codex = CLIENTS[7];
    for text in [
        "mcp_servers = { other = { command = \"x\" } }\n",
        "mcp_servers.zebra-2.command = \"/zebra-2\"\n",
        "[mcp_servers]\nzebra-2 = { command = \"/zebra-2\" }\n",
        "a = \"\"\"\n[mcp_servers.zebra-2]\n\"\"\"\n",
    ] {
        let home = Home::new();
        let file = home.with(codex, text);
        let said = home.refused(&["install", "codex", "--write", "--replace"], 1);
        assert!(said.contains("only an editor can change"), "{said}");
        assert!(said.contains("\n  command = \"/"), "{said}");
        if text.contains("command = \"/zebra-2") {
            let said = home.refused(&["uninstall", "codex"], 1);
            assert!(said.contains("only an editor can change"), "{said}");
        }
        assert_eq!(
            (read(&file), names(file.parent().unwrap()).len()),
            (text.to_owned(), 1)
        );
    }
}

#[test]
fn a_read_only_file_is_left_alone() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        untouched(&home, *client, &file, "is read-only");
    }
}

#[test]
fn a_link_within_the_home_folder_stays_and_its_file_is_edited() {
    for client in CLIENTS {
        let home = Home::new();
        let link = home.file(*client);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        // A project is a world of its own.
        let folder = home.path(if client.id == "mcp-json" {
            "project/dotfiles"
        } else {
            "dotfiles"
        });
        fs::create_dir(&folder).unwrap();
        let file = folder.join("theirs");
        fs::write(&file, client.other()).unwrap();
        symlink(&file, &link).unwrap();
        let added = home.json(&["install", client.id, "--write"]);
        assert_eq!(added["file"], file.to_str().unwrap());
        assert!(link.is_symlink() && read(&file).contains("zebra-2"));
        assert_eq!(names(&folder), ["theirs", "theirs.zebra-2.bak"]);
        home.ok(&["uninstall", client.id]);
        assert!(link.is_symlink());
        assert_eq!(
            (read(&file), names(&folder)),
            (client.other(), vec!["theirs".to_owned()])
        );
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_left_alone() {
    for client in CLIENTS {
        let home = Home::new();
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("theirs");
        fs::write(&file, client.other()).unwrap();
        let link = home.file(*client);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&file, &link).unwrap();
        untouched(&home, *client, &link, "leads out of");
        assert_eq!(
            (read(&file), names(elsewhere.path())),
            (client.other(), vec!["theirs".to_owned()])
        );
        fs::remove_file(&link).unwrap();
        symlink("nowhere", &link).unwrap();
        untouched(&home, *client, &link, "is a link to nothing");
        fs::remove_file(&link).unwrap();
        symlink(&link, &link).unwrap();
        untouched(&home, *client, &link, "cannot be read");
        // A folder on the way.
        if client.id != "mcp-json" && link.parent().unwrap() != home.path("") {
            fs::remove_file(&link).unwrap();
            fs::remove_dir(link.parent().unwrap()).unwrap();
            fs::write(
                elsewhere.path().join(link.file_name().unwrap()),
                client.other(),
            )
            .unwrap();
            symlink(elsewhere.path(), link.parent().unwrap()).unwrap();
            untouched(&home, *client, &link, "leads out of");
        }
    }
}

#[test]
fn a_project_cannot_reach_into_the_home_folder() {
    let home = Home::new();
    fs::write(home.path(".claude.json"), "{}").unwrap();
    symlink(home.path(".claude.json"), home.path("project/.mcp.json")).unwrap();
    let said = home.refused(
        &["install", "claude-code", "--scope", "project", "--write"],
        1,
    );
    assert!(said.contains("leads out of"), "{said}");
    assert_eq!(read(&home.path(".claude.json")), "{}");
}

#[test]
fn a_folder_in_which_everybody_can_write_is_left_alone() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.with(*client, client.other());
        let folder = file.parent().unwrap();
        for mode in [0o777, 0o1777, 0o702] {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
            untouched(&home, *client, &file, "everybody can write");
        }
        fs::remove_file(&file).unwrap();
        untouched(&home, *client, &file, "everybody can write");
    }
}

#[test]
fn what_is_no_plain_file_is_left_alone() {
    let cursor = CLIENTS[3];
    let home = Home::new();
    let file = home.with(cursor, "{}");
    fs::hard_link(&file, home.path("second")).unwrap();
    untouched(&home, cursor, &file, "hard link");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    untouched(&home, cursor, &file, "is no regular file");
    fs::remove_dir(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    for arguments in [
        &["install", "cursor", "--write"][..],
        &["uninstall", "cursor"],
    ] {
        let said = home.refused(arguments, 1);
        assert!(said.contains("is no regular file"), "{said}");
    }
}

#[test]
fn a_file_that_another_process_changes_is_left_alone() {
    let home = Home::new();
    let file = home.with(CLIENTS[3], "{}");
    let folder = fs::File::open(file.parent().unwrap()).unwrap();
    folder.lock().unwrap();
    untouched(
        &home,
        CLIENTS[3],
        &file,
        "is being changed by another process; try again",
    );
}

#[test]
fn a_backup_that_is_a_trap_is_neither_followed_nor_believed() {
    let home = Home::new();
    let cursor = CLIENTS[3];
    let file = home.with(cursor, cursor.other());
    let backup = PathBuf::from(format!("{}.zebra-2.bak", file.display()));
    let secret = home.path("secret");
    fs::write(&secret, "mine").unwrap();
    symlink(&secret, &backup).unwrap();
    home.ok(&["install", "cursor", "--write"]);
    assert_eq!(read(&secret), "mine");
    assert!(!backup.is_symlink());
    fs::write(
        &backup,
        "{\"mcpServers\": {\"evil\": {\"command\": \"/evil\"}}}",
    )
    .unwrap();
    assert_eq!(home.json(&["uninstall", "cursor"])["status"], "removed");
    assert!(!read(&file).contains("evil"));
    assert_eq!(cursor.value(&read(&file)), cursor.value(&cursor.other()));
}

#[test]
fn arguments_that_no_file_can_take_are_refused() {
    let home = Home::new();
    for (arguments, why) in [
        (&["--name", "a b"][..], "1 to 64 letters"),
        (&["--name", "a\"; rm -rf /; \""], "1 to 64 letters"),
        (&["--name", "&calc"], "1 to 64 letters"),
        (&["--name", ""], "1 to 64 letters"),
        (&["--env", "A"], "NAME=VALUE"),
        (&["--env", "A-B=c"], "NAME=VALUE"),
        (&["--env", "A=1", "--env", "A=2"], "--env gives A twice"),
        (&["--http", "example.com"], "http or https"),
        (
            &["--http", "https://me:pw@example.com/mcp"],
            "http or https",
        ),
        (&["--http", "https://e.com", "--header", "A"], "NAME: VALUE"),
        (
            &["--http", "https://e.com", "--header", "A: b\nC: d"],
            "NAME: VALUE",
        ),
        (
            &["--http", "https://e.com", "--env", "A=b"],
            "cannot be used with",
        ),
        (
            &["--http", "https://e.com", "--", "--stripes=2"],
            "cannot be used with",
        ),
        (&["--header", "A: b"], "--http"),
        (&["--replace"], "--write"),
        (
            &["--config-path", "x", "--scope", "user"],
            "cannot be used with",
        ),
    ] {
        let all = [&["install", "cursor"], arguments].concat();
        let said = home.refused(&all, 2);
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
    let said = home.refused(&["install", "cursr"], 2);
    assert!(said.contains("cursor") && said.contains("goose"), "{said}");
    let said = home.refused(&["install"], 2);
    assert!(said.to_lowercase().contains("client"), "{said}");
    assert!(!home.path(".cursor").exists());
}
