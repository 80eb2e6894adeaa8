//! The verbs `lock` and `manifest`.

use serde_json::Value;

use super::*;

#[test]
fn a_lock_is_written_once_and_then_by_consent() {
    let folder = Folder::new();
    let check = folder.vault(&["lock", "--check"]);
    check.refused(
        2,
        &[
            "vault: There is no vault.lock.",
            "vault lock vault.lock writes it.",
        ],
    );
    let printed = folder.printed(&["lock"]);
    assert!(
        printed.starts_with("vault.lock is written: sha256:"),
        "{printed}"
    );
    let written = folder.read("vault.lock");
    assert_eq!(written, std::fs::read_to_string(built_in()).unwrap());
    for again in [&["lock"][..], &["lock", "--check"], &["lock", "--accept"]] {
        let printed = folder.printed(again);
        assert!(
            printed.starts_with("vault.lock is what the server exposes: sha256:"),
            "{printed}"
        );
    }
    let changed = [("VAULT_CHANGE", "description")];
    for refused in [&["lock"][..], &["lock", "--check"]] {
        let run = folder.vault_with(refused, &changed);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert_eq!(
            run.stdout,
            "routing   tool open /definition/description\n  - \"Opens a door.\"\n  + \"Opens any door.\"\n"
        );
        assert_eq!(
            run.stderr,
            "vault: The server differs from vault.lock: 1 change: 1 routing.\n  If that is meant: vault lock vault.lock --accept\n"
        );
        assert_eq!(folder.read("vault.lock"), written);
    }
    let run = folder.vault_with(&["lock", "--accept"], &changed);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stdout
            .contains("\n  + \"Opens any door.\"\nvault.lock is written: "),
        "{run:?}"
    );
    assert!(folder.read("vault.lock").contains("Opens any door."));
    assert_eq!(
        folder.vault_with(&["lock", "--check"], &changed).code,
        Some(0)
    );
    // What is no lock is nobody's to overwrite, unless they say so.
    folder.write("other.lock", "[[package]]\n");
    let run = folder.vault(&["lock", "other.lock"]);
    run.refused(2, &["vault: other.lock is not JSON", "--accept"]);
    assert_eq!(folder.read("other.lock"), "[[package]]\n");
    folder.printed(&["lock", "other.lock", "--accept"]);
    assert_eq!(folder.read("other.lock"), written);
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 2);
}

/// A pipeline that asks takes 1 for a difference.
#[test]
fn a_server_that_cannot_be_built_is_no_difference() {
    let folder = Folder::new();
    folder.printed(&["lock"]);
    let budget = [("VAULT_TOOL_BUDGET", "nothing=5/min")];
    let run = folder.vault_with(&["lock", "--check"], &budget);
    run.refused(2, &["There is a budget for the tool 'nothing'"]);
}

#[test]
fn a_program_reads_the_same_as_json() {
    let folder = Folder::new();
    let json = |run: &Run| serde_json::from_str::<Value>(&run.stdout).unwrap();
    let run = folder.vault(&["lock", "--json"]);
    let written = json(&run);
    assert_eq!(
        (
            &written["file"],
            &written["projection"],
            &written["written"]
        ),
        (&"vault.lock".into(), &"code/1".into(), &true.into())
    );
    let run = folder.vault_with(&["lock", "--check", "--json"], &[("VAULT_CHANGE", "bound")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let found = json(&run);
    let change = &found["changes"][0];
    assert_eq!(
        change.to_string(),
        "{\"kind\":\"tool\",\"name\":\"open\",\"path\":\"/definition/inputSchema/properties/number/maximum\",\
         \"class\":\"breaking\",\"before\":9,\"after\":99}"
    );
    assert_eq!(found["written"], false);
    assert_ne!(found["digest"], written["digest"]);
}

#[test]
fn the_manifest_is_canonical_and_the_same_twice() {
    let folder = Folder::new();
    let full = folder.printed(&["manifest"]);
    assert_eq!(full, folder.printed(&["manifest", "--projection=full"]));
    assert!(
        full.starts_with("{\"digest\":\"sha256:") && full.ends_with("}\n"),
        "{full}"
    );
    let value: Value = serde_json::from_str(&full).unwrap();
    assert_eq!(value["manifest"], "full/1");
    let kinds: Vec<_> = value["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["kind"])
        .collect();
    for kind in ["server", "tool", "resource", "prompt", "configuration"] {
        assert!(kinds.contains(&&Value::from(kind)), "{kind}");
    }
    let pretty = folder.printed(&["manifest", "--pretty"]);
    assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), value);
    let digest = folder.printed(&["manifest", "--digest"]);
    assert_eq!(value["digest"], digest.trim());
    let code = folder.printed(&["manifest", "--projection=code", "--digest"]);
    assert_ne!(code, digest);
    assert!(
        std::fs::read_to_string(built_in())
            .unwrap()
            .contains(code.trim())
    );
    // What is about the machine is no part of either, what callers may do is one of the first.
    let with = |name, value| {
        let digest = |projection| {
            let arguments = ["manifest", "--digest", "--projection", projection];
            folder.vault_with(&arguments, &[(name, value)]).stdout
        };
        [digest("full"), digest("code")]
    };
    assert_eq!(with("VAULT_PORT", "9"), [digest.clone(), code.clone()]);
    let [other, same] = with("VAULT_REQUEST_TIMEOUT", "9");
    assert_ne!(other, digest);
    assert_eq!(same, code);
}
