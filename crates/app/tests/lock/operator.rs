//! `--locked`: the whole server with its resolved settings.

use super::*;

/// The variables under which an operator locks and starts the vault.
const OPERATED: [(&str, &str); 4] = [
    ("VAULT_REQUEST_TIMEOUT", "20"),
    ("VAULT_CORS_ORIGINS", "https://a.example, https://b.example"),
    ("VAULT_MASTER_KEY", "hunter22"),
    ("VAULT_PORT", "8123"),
];

fn locked() -> Folder {
    let folder = Folder::new();
    let run = folder.vault_with(&["lock", "--projection=full", "full.lock"], &OPERATED);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stdout.contains("vault serve --locked full.lock"),
        "{run:?}"
    );
    folder
}

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = OPERATED
        .into_iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more.iter().copied()).collect()
}

#[test]
fn a_server_starts_as_the_operator_locked_it_from_whatever_source() {
    let folder = locked();
    folder.write(
        "vault.toml",
        "locked = 'full.lock'\nrequest-timeout = 20\ncors-origins = 'https://b.example,https://a.example'\nmaster-key = 'other-key'\n",
    );
    let variable = with(&[("VAULT_LOCKED", "full.lock")]);
    for (arguments, environment) in [
        (&["--locked=full.lock"][..], OPERATED.to_vec()),
        (&[], variable),
        (&["--config=vault.toml"], vec![]),
        (
            &[
                "--locked=full.lock",
                "--log-level=DEBUG",
                "--host=127.0.0.1",
            ],
            with(&[("VAULT_PORT", "9"), ("VAULT_CELLAR", "/tmp")]),
        ),
        (
            &["--locked=full.lock"],
            with(&[("VAULT_REQUEST_TIMEOUT", " 020 ")]),
        ),
    ] {
        let run = folder.vault_with(arguments, &environment);
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run:?}");
    }
    // No secret is in it, only that there is one.
    let text = folder.read("full.lock");
    assert!(
        !text.contains("hunter22") && text.contains("(set)"),
        "{text}"
    );
}

#[test]
fn one_setting_that_changes_what_callers_may_do_keeps_it_from_starting() {
    let folder = locked();
    for (more, line, lines) in [
        (
            &[("VAULT_REQUEST_TIMEOUT", "21")][..],
            "breaking  configuration --request-timeout",
            &["  - 20", "  + 21"][..],
        ),
        (
            &[("VAULT_CORS_ORIGINS", "*")],
            "breaking  configuration --cors-origins",
            &["  + \"*\""],
        ),
        (
            &[("VAULT_ALLOW_UNAUTHENTICATED", "true")],
            "breaking  configuration --allow-unauthenticated",
            &["  + true"],
        ),
        (
            &[("VAULT_GUARDS", "0")],
            "breaking  configuration --guards",
            &["  - \"2\"", "  + \"0\""],
        ),
        (
            &[("VAULT_AUTH_ISSUER", "https://login.example")],
            "breaking  configuration --auth-issuer is new",
            &["  + \"https://login.example\""],
        ),
        (
            &[("VAULT_MASTER_KEY", "")],
            "breaking  configuration --master-key is gone",
            &[],
        ),
    ] {
        let run = folder.vault_with(&["--locked=full.lock"], &with(more));
        run.refused(
            1,
            &[
                "vault: The server differs from full.lock and does not start: ",
                " breaking.\n",
                "vault lock --projection full full.lock --accept",
            ],
        );
        let shown: Vec<_> = run.stderr.lines().collect();
        for line in [&[line][..], lines].concat() {
            assert!(shown.contains(&line), "{line}: {}", run.stderr);
        }
    }
}

#[test]
fn the_components_are_pinned_as_well() {
    let folder = Folder::new();
    let lock = ["lock", "--projection=full", "full.lock"];
    // Another server of the same name, whose author has another lock or none.
    let changed = folder.vault_with(&lock, &[("VAULT_CHANGE", "bound")]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    let run = folder.vault(&["--locked=full.lock"]);
    let line =
        "breaking  tool open /definition/inputSchema/properties/number/maximum\n  - 99\n  + 9\n";
    run.refused(1, &[line, "differs from full.lock"]);
}

#[test]
fn a_file_that_cannot_be_used_is_a_wrong_setting() {
    let folder = locked();
    let whole = folder.read("full.lock");
    folder.write("cut.lock", &whole[..whole.len() / 2]);
    folder.write(
        "edited.lock",
        &whole.replace("Opens a door.", "Opens all doors."),
    );
    folder.write("empty.lock", "");
    folder.write(
        "unknown.lock",
        &whole.replacen("\"lock\"", "\"colour\": 1, \"lock\"", 1),
    );
    folder.printed(&["lock", "code.lock"]);
    let market = run(
        "market",
        folder.0.path(),
        &["lock", "--projection=full", "market.lock"],
        &[],
    );
    assert_eq!(market.code, Some(0), "{market:?}");
    for (file, why) in [
        ("cut.lock", "is not JSON: EOF while parsing"),
        (
            "edited.lock",
            "was edited: the digest of tool open is another; write the lock anew",
        ),
        ("empty.lock", "is empty"),
        ("unknown.lock", "is none: colour: unknown field `colour`"),
        ("nowhere.lock", "cannot be read: "),
        (
            "code.lock",
            "has the projection code/1, and full/1 is needed",
        ),
        (
            "market.lock",
            "is that of the server market, and this is vault",
        ),
    ] {
        let run = folder.vault_with(&["--locked", file], &OPERATED);
        run.refused(2, &[&format!("vault: --locked is '{file}', which {why}")]);
        // One sentence, and what to do where the file is a lock, but none of this.
        let is_another = ["code.lock", "market.lock"].contains(&file);
        let hint = "vault lock --projection full FILE writes one";
        assert_eq!(
            run.stderr.lines().count(),
            1 + usize::from(is_another),
            "{}",
            run.stderr
        );
        assert_eq!(run.stderr.contains(hint), is_another, "{}", run.stderr);
        let run = folder.vault_with(&[], &with(&[("VAULT_LOCKED", file)]));
        run.refused(2, &[&format!("vault: VAULT_LOCKED (--locked) is '{file}'")]);
    }
}
