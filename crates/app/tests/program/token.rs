//! Tokens: what the verb prints and writes, and what a server makes of their file.

use super::*;

/// A folder, and the runs of the program in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run_in(self.0.path(), arguments, &[])
    }

    /// What a run prints that succeeds.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.path("tokens.toml")).unwrap()
    }

    /// Puts a file there at once, for its owner alone.
    fn write(&self, text: &str) {
        let beside = self.path("beside");
        std::fs::write(&beside, text).unwrap();
        #[cfg(unix)]
        mode(&beside, 0o600);
        std::fs::rename(beside, self.path("tokens.toml")).unwrap();
    }
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

const FILE: [&str; 2] = ["--file", "tokens.toml"];

fn new<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["token", "new", name], more].concat()
}

#[test]
fn a_new_token_is_printed_with_the_lines_to_add() {
    let folder = Folder::new();
    let more = ["--scope=stock:write", "--scope", "stock:read", "--expires"];
    let printed = folder.printed(&new("ci", &[&more[..], &["2099-01-31"]].concat()));
    let (token, lines) = printed.split_once("\n\n").unwrap();
    assert!(
        token.starts_with("zebra_2_") && token.len() == 56,
        "{token}"
    );
    let hash = lines.lines().nth(2).unwrap();
    assert!(hash.starts_with("hash = \"sha256:"), "{lines}");
    let expected = format!(
        "[[token]]\nname = \"ci\"\n{hash}\nscopes = [\"stock:read\", \"stock:write\"]\n\
         expires = 2099-01-31T00:00:00Z\n"
    );
    assert_eq!(lines, expected);
    assert!(!lines.contains(token));
    let other = folder.printed(&new("ci", &["--expires=never"]));
    assert!(!other.contains(token) && !other.contains("expires"));
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 0);
}

#[test]
fn a_file_takes_tokens_lists_them_and_loses_them() {
    let folder = Folder::new();
    let output = folder.run(&new(
        "ci",
        &[&FILE[..], &["--scope=a", "--scope=b"]].concat(),
    ));
    let token = text(&output.stdout);
    assert_eq!(token.lines().count(), 1);
    let said = text(&output.stderr);
    assert!(
        said.starts_with("zebra-2: tokens.toml has the token 'ci' now, which expires 20"),
        "{said}"
    );
    assert!(!said.contains(token.trim()) && !folder.file().contains(token.trim()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(folder.path("tokens.toml")).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }
    let commented = format!("# Ours\n{}# The end\n", folder.file());
    folder.write(&commented);
    folder.printed(&new("other", &[&FILE[..], &["--expires=never"]].concat()));
    let both = folder.file();
    assert!(both.starts_with(&commented), "{both}");
    let past = both.replace("expires = 20", "expires = 19");
    folder.write(&past);
    let listed = folder.printed(&["token", "list", "--file=tokens.toml"]);
    let rows: Vec<Vec<_>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["NAME", "SCOPES", "EXPIRES", "STATE"]);
    assert_eq!(
        (rows[1][0], rows[1][1], rows[1][3]),
        ("ci", "a,b", "expired")
    );
    assert_eq!(rows[2], ["other", "-", "never", "active"]);
    assert!(!listed.contains("sha256") && !listed.contains("zebra_2_"));
    let listed = folder.printed(&["token", "list", "--file=tokens.toml", "--json"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        listed["tokens"][1],
        serde_json::json!({ "name": "other", "scopes": [], "expires": null, "state": "active" })
    );
    assert_eq!(listed["tokens"][0]["scopes"], serde_json::json!(["a", "b"]));

    let twice = folder.run(&new("ci", &FILE));
    let said = "zebra-2: tokens.toml cannot take it: there is a token named 'ci' already.\n";
    assert_ends(&twice, 1, said);
    let revoked = folder.run(&[&["token", "revoke", "ci"], &FILE[..]].concat());
    let said = "zebra-2: tokens.toml has the token 'ci' no more; servers that use it refuse it within a second.\n";
    assert_ends(&revoked, 0, said);
    let left = folder.file();
    assert!(
        left.starts_with("# Ours\n# The end\n\n[[token]]\nname = \"other\""),
        "{left}"
    );
    let again = folder.run(&[&["token", "revoke", "ci"], &FILE[..]].concat());
    assert_ends(&again, 1, "zebra-2: tokens.toml has no token 'ci'.\n");
    assert_eq!(folder.file(), left);
}

#[test]
fn what_cannot_be_used_is_a_sentence_and_an_exit_code() {
    let folder = Folder::new();
    let name = "must be 1 to 64 letters, digits, dots, dashes, underscores and @.\n";
    let output = folder.run(&new("a b", &[]));
    assert_ends(&output, 2, &format!("zebra-2: NAME is 'a b', but {name}"));
    for (arguments, code, said) in [
        (
            new("ci", &["--expires=soon"]),
            2,
            "zebra-2: --expires is 'soon', but must be a number of days from 1d to 3650d, a date",
        ),
        (
            new("ci", &["--scope=a b"]),
            2,
            "zebra-2: --scope is 'a b', but must be a word of visible ASCII",
        ),
        (vec!["token", "list"], 2, "zebra-2: --file must be set."),
        (
            vec!["token", "list", "--file=nowhere.toml"],
            1,
            "zebra-2: nowhere.toml cannot be read: ",
        ),
        (
            new("ci", &["--file=nowhere/tokens.toml"]),
            1,
            "zebra-2: nowhere/tokens.toml cannot be changed: ",
        ),
    ] {
        let output = folder.run(&arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {stderr}");
        assert!(stderr.starts_with(said), "{arguments:?}: {stderr}");
        assert_eq!(
            (stderr.lines().count(), output.stdout.len()),
            (1, 0),
            "{stderr}"
        );
    }
    for (arguments, told) in [
        (&["token"][..], "Usage: zebra-2 token"),
        (
            &["token", "lst"],
            "zebra-2: lst is not a command of zebra-2 token; did you mean list?\n  zebra-2 token --help lists the commands.\n",
        ),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(told), "{said}");
    }
    let listed = folder.printed(&["token", "new", "ci", "--expires=never", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&made["name"], &made["expires"], &made["file"]),
        (
            &"ci".into(),
            &serde_json::Value::Null,
            &serde_json::Value::Null
        )
    );
    assert!(made["token"].as_str().unwrap().starts_with("zebra_2_"));
    assert!(made["lines"].as_str().unwrap().starts_with("[[token]]\n"));
    for help in [&["token", "--help"][..], &["token", "new", "-h"]] {
        assert!(
            folder.printed(help).contains("Usage: zebra-2 token"),
            "{help:?}"
        );
    }
    folder.write("[[token]]\nname = 'ci'\n");
    for arguments in [
        vec!["token", "list", "--file=tokens.toml"],
        new("other", &FILE),
        vec!["token", "revoke", "ci", "--file=tokens.toml"],
    ] {
        let said = "zebra-2: tokens.toml, line 1: a token needs a name and a hash.\n";
        assert_ends(&folder.run(&arguments), 1, said);
    }
}

#[test]
fn settings_of_authentication_go_together_or_nothing_is_served() {
    let folder = Folder::new();
    let twice = folder.printed(&new("ci", &FILE));
    assert!(twice.starts_with("zebra_2_"));
    let good = folder.file();
    let serve = |arguments: &[&str]| {
        let http = ["serve", "--transport=http", "--port=0"];
        let output = folder.run(&[&http[..], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let lines = text(&output.stderr);
        let mut lines = lines.lines().filter(|line| *line != "zebra-2: closed");
        lines.next().unwrap_or_default().to_owned()
    };
    let with_file = ["--auth=token", "--auth-tokens=tokens.toml"];
    assert_eq!(
        serve(&["--auth=token"]),
        "zebra-2: --auth is 'token', which needs a file of tokens: set ZEBRA_2_AUTH_TOKENS (--auth-tokens)."
    );
    assert_eq!(
        serve(&["--auth-tokens=tokens.toml"]),
        "zebra-2: --auth-tokens is set, but nobody is asked for such a token: set ZEBRA_2_AUTH (--auth) to token as well."
    );
    let said = "zebra-2: --auth is 'token', but on stdio the one client owns the process; set ZEBRA_2_TRANSPORT \
                (--transport) to http, or --auth to none.\nzebra-2: closed\n";
    let output = folder.run(&with_file);
    let mut lines: Vec<_> = text(&output.stderr).lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line == "zebra-2: closed");
    assert_eq!(
        (output.status.code(), lines.join("\n") + "\n"),
        (Some(2), said.to_owned())
    );
    assert_eq!(
        serve(&["--auth=magic"]),
        "zebra-2: --auth is 'magic', but must be one of none, token, jwt."
    );
    assert_eq!(
        serve(&["--public-url=mcp.example"]),
        "zebra-2: --public-url is 'mcp.example', but must be a URL such as https://mcp.example/mcp, without user, query \
         and fragment."
    );
    folder.write(&format!("{good}\n{good}"));
    let said = serve(&with_file);
    let end = "line 7: there is a token named 'ci' already.";
    assert_eq!(said, format!("zebra-2: tokens.toml (--auth-tokens), {end}"));
    folder.write(&good);
    #[cfg(unix)]
    {
        mode(&folder.path("tokens.toml"), 0o644);
        assert_eq!(
            serve(&with_file),
            "zebra-2: tokens.toml (--auth-tokens) is open to its group or to others (mode 644); chmod 600 leaves it to \
             its owner."
        );
    }
    std::fs::remove_file(folder.path("tokens.toml")).unwrap();
    let said = serve(&with_file);
    assert!(
        said.starts_with("zebra-2: tokens.toml (--auth-tokens) cannot be read: "),
        "{said}"
    );
}

/// 0.0.0.0 is beyond loopback, and needs no other leave.
#[cfg(unix)]
#[test]
fn a_server_reads_the_file_again_when_it_changes_and_on_a_hangup() {
    let folder = Folder::new();
    folder.printed(&new("ci", &FILE));
    let arguments = [
        "--transport=http",
        "--host=0.0.0.0",
        "--port=0",
        "--auth=token",
        "--auth-tokens=tokens.toml",
    ];
    let mut command = command(folder.0.path(), &arguments, &[]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut server = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let (sender, lines) = channel();
    let stderr = BufReader::new(server.0.stderr.take().unwrap());
    thread::spawn(move || {
        for line in stderr.lines().map_while(std::result::Result::ok) {
            let _ = sender.send(line);
        }
    });
    let until = |part: &str| loop {
        let line = lines.recv_timeout(PATIENCE).expect(part);
        if line.contains(part) {
            break line;
        }
    };
    until("zebra-2: listening on http://");
    let signal = |name: &str| {
        let pid = server.0.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    };
    signal("HUP");
    until(
        "INFO zebra-2: tokens.toml was read again; tokens: 1, new or changed: 0, revoked or changed: 0.",
    );
    folder.printed(&new("other", &FILE));
    until("was read again; tokens: 2, new or changed: 1, revoked or changed: 0.");
    let whole = folder.file();
    folder.write(&whole.replace("name = \"other\"", "name = \"ci\""));
    let line = until("ERROR zebra-2: tokens.toml, line ");
    let end =
        "there is a token named 'ci' already. The tokens that were read before stay accepted.";
    assert!(line.ends_with(end), "{line}");
    folder.write(&whole);
    until("was read again; tokens: 2, new or changed: 0, revoked or changed: 0.");
    folder.run(&["token", "revoke", "ci", "--file=tokens.toml"]);
    until("was read again; tokens: 1, new or changed: 0, revoked or changed: 1.");
    signal("TERM");
    until("zebra-2: closed");
}
