//! Who signed a lock, and whose signatures count.

use super::*;

/// A folder with two keys and a lock of the whole server that the first one signed; and their public keys.
fn signed() -> (Folder, [String; 2]) {
    let folder = Folder::new();
    let keys = ["ours", "theirs"].map(|name| {
        let public = folder.printed(&["keys", "signing", name]);
        assert_eq!(folder.printed(&["keys", "public", name]), public);
        public.trim().to_owned()
    });
    assert!(keys.iter().all(|key| key.starts_with("ed25519:")));
    let lock = ["lock", "--projection=full", "full.lock", "--sign=ours"];
    assert!(folder.printed(&lock).contains(&keys[0]));
    (folder, keys)
}

#[test]
fn a_lock_that_a_trusted_key_signed_is_taken() {
    let (folder, [ours, theirs]) = signed();
    let both = format!("{theirs},{ours}");
    folder.write(
        "vault.toml",
        &format!("locked = 'full.lock'\ntrust = ['{theirs}', '{ours}']\n"),
    );
    for (arguments, environment) in [
        (vec!["--locked=full.lock"], vec![]),
        (vec!["--locked=full.lock", "--trust", &ours], vec![]),
        (
            vec!["--locked=full.lock", "--trust", &theirs, "--trust", &ours],
            vec![],
        ),
        (vec!["--locked=full.lock"], vec![("VAULT_TRUST", &*both)]),
        (vec!["--config=vault.toml"], vec![]),
    ] {
        let run = folder.vault_with(&arguments, &environment);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

#[test]
fn several_keys_sign_one_lock() {
    let (folder, [ours, theirs]) = signed();
    let printed = folder.printed(&["lock", "full.lock", "--sign=theirs"]);
    assert!(
        printed.contains(&ours) && printed.contains(&theirs),
        "{printed}"
    );
    for key in [&ours, &theirs] {
        let run = folder.vault(&["--locked=full.lock", "--trust", key]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    // What it said then they signed; not what it says now.
    let changed = [("VAULT_REQUEST_TIMEOUT", "20")];
    let run = folder.vault_with(&["lock", "full.lock", "--sign=ours"], &changed);
    assert_eq!(run.code, Some(1), "{run:?}");
    let run = folder.vault_with(&["lock", "full.lock", "--sign=ours", "--accept"], &changed);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = folder.read("full.lock");
    assert!(text.contains(&ours) && !text.contains(&theirs), "{text}");
}

#[test]
fn a_lock_that_nobody_or_somebody_else_signed_is_refused() {
    let (folder, [ours, theirs]) = signed();
    folder.printed(&["lock", "--projection=full", "unsigned.lock"]);
    let start = |file, key: &str| folder.vault(&["--locked", file, "--trust", key]);
    start("full.lock", &theirs).refused(
        2,
        &["vault: --locked is 'full.lock', which is signed by others than --trust names"],
    );
    start("unsigned.lock", &ours).refused(
        2,
        &[
            "vault: --locked is 'unsigned.lock', which is signed by nobody",
            "lock --sign KEY unsigned.lock",
        ],
    );
    let alone = folder.vault(&["--trust", &ours]);
    alone.refused(
        2,
        &[
            "--trust says whose locks count, and there is none",
            "--locked",
        ],
    );
    for bad in ["ed25519:AAAA", "ours"] {
        let run = folder.vault(&["--trust", bad]);
        run.refused(
            2,
            &["--trust", "a public key: ed25519: and 32 bytes in base64"],
        );
    }
}

#[test]
fn a_lock_that_was_changed_after_it_was_signed_is_refused_whoever_is_trusted() {
    let (folder, [ours, theirs]) = signed();
    let whole = folder.read("full.lock");
    // All digests fit, and the signature is that of another lock.
    let other = [("VAULT_REQUEST_TIMEOUT", "3600")];
    let run = folder.vault_with(&["lock", "--projection=full", "other.lock"], &other);
    assert_eq!(run.code, Some(0), "{run:?}");
    let from = whole.find("  \"signatures\"").unwrap();
    let to = whole.find("  \"items\"").unwrap();
    let grafted = folder
        .read("other.lock")
        .replace("  \"items\"", &(whole[from..to].to_owned() + "  \"items\""));
    folder.write("grafted.lock", &grafted);
    folder.write("claimed.lock", &whole.replace(&ours, &theirs));
    for file in ["grafted.lock", "claimed.lock"] {
        for trust in [&[][..], &["--trust", &theirs], &["--trust", &ours]] {
            let arguments = [&["--locked", file][..], trust].concat();
            let run = folder.vault_with(&arguments, &other);
            run.refused(
                2,
                &["which was edited, or signed for another one: the signature of ed25519:"],
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn a_key_is_its_owners_alone_and_in_no_message() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _) = signed();
    let key = folder.read("ours");
    let secret = key.lines().nth(1).unwrap();
    let mode = |name: &str| {
        std::fs::metadata(folder.path(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("ours") & 0o777, 0o600);
    assert_eq!(mode("full.lock") & 0o400, 0o400);
    let twice = folder.vault(&["keys", "signing", "ours"]);
    twice.refused(2, &["vault: ours exists already; name another file."]);
    folder.write("broken", &key.replace("MC4C", "MC4D"));
    std::fs::set_permissions(
        folder.path("broken"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    std::fs::set_permissions(folder.path("ours"), std::fs::Permissions::from_mode(0o644)).unwrap();
    for (name, why) in [
        (
            "ours",
            "a file that only its owner can read: run chmod 600 ours",
        ),
        ("broken", "a file with an Ed25519 key in PEM"),
        ("nowhere", "a file with an Ed25519 key in PEM"),
    ] {
        let signs = folder.vault(&["lock", "full.lock", "--sign", name]);
        let shows = folder.vault(&["keys", "public", name]);
        signs.refused(
            2,
            &[&format!("vault: --sign is '{name}', but must be {why}")],
        );
        shows.refused(2, &[&format!("vault: FILE is '{name}', but must be {why}")]);
        for run in [signs, shows] {
            assert!(!run.stderr.contains(&secret[24..40]), "{run:?}");
        }
    }
}
