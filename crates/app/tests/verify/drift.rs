//! What differs from a lock, and what is found without one.

use super::*;

/// A lock of the server that behaves, in a folder of its own.
fn locked(language: Language) -> Option<(tempfile::TempDir, String)> {
    let server = language.server("good")?;
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_in(&folder);
    let ran = verify(&["--write", &lock], &server);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains(&format!("{lock} is written.")),
        "{ran:?}"
    );
    Some((folder, lock))
}

/// Compares a server with a lock.
fn compare(language: Language, mode: &str, lock: &str) -> Option<Ran> {
    let server = language.server(mode)?;
    Some(verify(&["--format=json", "--lock", lock], &server))
}

/// The changes as `class kind name path`.
fn changes(report: &Value) -> Vec<String> {
    let part = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    let changes = report["drift"].as_array().unwrap().iter();
    changes
        .map(|change| {
            ["class", "kind", "name", "path"]
                .map(|name| part(change, name))
                .join(" ")
        })
        .collect()
}

#[test]
fn a_server_is_the_same_each_time_in_whatever_language_it_is_written() {
    let mut digests = std::collections::BTreeSet::new();
    for language in [Python, Node] {
        for _ in 0..2 {
            let Some(server) = language.server("good") else {
                return;
            };
            let ran = verify(&["--format=json", "--strict"], &server);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let report = ran.json();
            assert_eq!(report["outcome"], "unlocked");
            assert_eq!(report["findings"], serde_json::json!([]), "{report}");
            assert_eq!(report["shown"]["tools"], 1);
            assert_eq!(report["shown"]["resources"], 1);
            digests.insert(ran.digest());
        }
    }
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[test]
fn every_change_is_named_with_its_class() {
    for language in [Python, Node] {
        let Some((_folder, lock)) = locked(language) else {
            return;
        };
        let same = compare(language, "good", &lock).unwrap();
        assert_eq!(
            (same.code, &same.json()["outcome"]),
            (Some(0), &"same".into()),
            "{same:?}"
        );
        for (mode, change) in [
            ("changed", "routing tool greet /definition/description"),
            ("new", "routing tool part "),
            (
                "wider",
                "breaking tool greet /definition/inputSchema/properties/times/maximum",
            ),
            (
                "hidden",
                "routing tool greet /definition/inputSchema/properties/times/description",
            ),
        ] {
            let ran = compare(language, mode, &lock).unwrap();
            let report = ran.json();
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert_eq!(report["outcome"], "drift");
            assert_eq!(changes(&report), [change], "{report}");
        }
    }
}

#[test]
fn a_member_that_nobody_knows_counts() {
    let Some((_folder, lock)) = locked(Python) else {
        return;
    };
    let ran = compare(Python, "unknown", &lock).unwrap();
    assert_eq!(
        changes(&ran.json()),
        ["info tool greet /definition/x-unknown/kept"]
    );
}

#[test]
fn a_server_that_answers_in_the_other_era_alone_is_found_to_do_so() {
    for language in [Python, Node] {
        let Some((_folder, lock)) = locked(language) else {
            return;
        };
        let ran = compare(language, "modern", &lock).unwrap();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let report = ran.json();
        assert_eq!(
            report["shown"]["revisions"],
            serde_json::json!(["2026-07-28"])
        );
        assert_eq!(changes(&report), ["breaking server server /revisions"]);
        // It is not made to speak the era that it does not.
        let server = language.server("modern").unwrap();
        let ran = verify(&["--era=legacy"], &server);
        ran.assert_unchecked("refuses initialize: 'no initialize' (error -32601).");
        let server = language.server("good").unwrap();
        let ran = verify(&["--era=modern"], &server);
        ran.assert_unchecked("refuses server/discover");
    }
}

#[test]
fn what_deceives_is_found_without_a_lock() {
    for (mode, findings) in [
        (
            "hidden",
            &[(
                "hidden-characters",
                "/definition/inputSchema/properties/times/description",
            )][..],
        ),
        (
            "poison",
            &[
                ("instruction-conceal", "/definition/description"),
                ("instruction-secret-file", "/definition/description"),
                ("instruction-markup", "/definition/description"),
            ],
        ),
        ("lookalike", &[("name-alike", ""), ("name-lookalike", "")]),
        (
            "remote",
            &[(
                "reference-remote",
                "/definition/inputSchema/properties/times/$ref",
            )],
        ),
    ] {
        let Some(server) = Python.server(mode) else {
            return;
        };
        let ran = verify(&["--format=json"], &server);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let report = ran.json();
        let found: Vec<_> = report["findings"].as_array().unwrap().iter().collect();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one["id"].as_str().unwrap(), one["at"].as_str().unwrap()))
            .collect();
        assert_eq!(found, findings, "{report:#}");
        assert_eq!(verify(&["--strict"], &server).code, Some(1));
    }
    let Some(server) = Node.server("hidden") else {
        return;
    };
    let ran = verify(&[], &server);
    assert!(
        ran.stdout.contains("How\\u{200b} often\\u{202e}."),
        "{ran:?}"
    );
    assert!(
        ran.stdout
            .contains("bidirectional and zero-width characters"),
        "{ran:?}"
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let Some((folder, lock)) = locked(Python) else {
        return;
    };
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&lock).unwrap();
    for (name, text, why) in [
        ("edited", text.replace("Greets", "Meets"), "was edited"),
        ("empty", String::new(), "is empty"),
        ("none", "{}".to_owned(), "is none"),
    ] {
        std::fs::write(path(name), text).unwrap();
        let ran = compare(Python, "good", &path(name)).unwrap();
        ran.assert_unchecked(why);
        assert!(ran.stderr.contains("--lock is '"), "{ran:?}");
    }
    compare(Python, "good", &path("missing"))
        .unwrap()
        .assert_unchecked("cannot be read");
}

#[test]
fn a_lock_of_mcptrust_is_read() {
    let Some(server) = Python.server("good") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("mcp-lock.json");
    let lock = lock.to_str().unwrap();
    // SHA-256 of the description, and of the schema as it is written there.
    let written = |description: &str| {
        serde_json::json!({
            "lockFileVersion": "3.0",
            "meta": { "generator": "mcptrust 1.2.0", "updatedAt": "2026-01-01T00:00:00Z" },
            "server": { "name": "snake" },
            "prompts": { "definitions": {} },
            "resources": { "templates": [] },
            "tools": { "greet": {
                "description_hash": description,
                "input_schema_hash": SCHEMA,
                "risk_level": "LOW",
            } },
        })
    };
    std::fs::write(lock, written(DESCRIPTION).to_string()).unwrap();
    let ran = verify(&["--lock", lock], &server);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout
            .contains("pins by mcptrust: the server's name; tools by name"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("not instructions, resources"),
        "{ran:?}"
    );
    std::fs::write(lock, written(SCHEMA).to_string()).unwrap();
    let ran = compare(Python, "good", lock).unwrap();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        changes(&ran.json()),
        ["routing tool greet /definition/description"]
    );
    std::fs::write(lock, r#"{"lockFileVersion": "4.0"}"#).unwrap();
    compare(Python, "good", lock)
        .unwrap()
        .assert_unchecked("version '4.0' of mcptrust's format");
}

/// `printf '%s' 'Greets somebody.' | sha256sum`
const DESCRIPTION: &str = "sha256:64191242a2753cb60b5c9ab11b54f3409cee197929f5fd103d2b3732a2bae012";

/// The same of `{"properties":{"times":{"description":"How often.","maximum":10,"minimum":1,"type":"integer"}},"required":["times"],"type":"object"}`
const SCHEMA: &str = "sha256:9afc484164a17e735f75995cb9b89e5797103ac896825c56fe88aa62cc8332b7";
