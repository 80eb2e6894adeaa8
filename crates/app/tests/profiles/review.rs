//! `review` of the program's own server: what it says with settings of every kind.

use serde_json::{Value, json};

use super::{Server, run};

fn review(environment: &[(&str, &str)]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(&["review", "--json"], environment, folder.path());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// The effects of what may be reached, in their order.
fn kinds(reach: &Value) -> Vec<&str> {
    let all = reach.as_array().unwrap().iter();
    all.map(|one| one["effect"].as_str().unwrap()).collect()
}

#[test]
fn the_worst_comes_first_with_what_it_reaches() {
    let review = review(&[]);
    let reach = &review["reach"];
    let kinds = kinds(reach);
    assert_eq!(
        kinds,
        [
            "runs-untrusted-code",
            "spawns",
            "writes-files",
            "network",
            "reads-files",
            "environment",
            "uses-model",
            "asks-user",
            "random",
            "clock",
            "none",
        ]
    );
    assert_eq!(
        reach[3]["what"],
        json!(["api.example.org", "b.example", "pages.example"])
    );
    assert_eq!(
        reach[3]["by"],
        json!(["tool:fetch", "template:risky://pages/{item}"])
    );
    assert_eq!(
        reach[10]["by"],
        json!(["tool:plain", "resource:risky://text"])
    );
    assert_eq!(
        review["callers"]["scopes"],
        json!({ "data:write": ["tool:save"] })
    );
    assert!(
        review["digest"]
            .as_str()
            .unwrap()
            .starts_with("full/1 sha256:")
    );
    assert!(review["dangers"].is_null(), "{review}");
    let reads = review["reads"].as_array().unwrap();
    let text = reads
        .iter()
        .find(|one| one["item"] == "resource:risky://text");
    assert_eq!(text.unwrap()["hidden"], 1);
}

#[test]
fn a_profile_changes_what_is_reviewed_and_its_digest() {
    let safe = review(&[("RISKY_PROFILE", "safe")]);
    let kinds = kinds(&safe["reach"]);
    assert_eq!(
        kinds,
        ["uses-model", "asks-user", "random", "clock", "none"]
    );
    assert!(
        safe["profile"]
            .as_str()
            .unwrap()
            .starts_with("safe, 9 of 15 components are off")
    );
    assert_ne!(safe["digest"], review(&[])["digest"]);
    assert_eq!(
        safe["digest"],
        review(&[("RISKY_PROFILE", "safe")])["digest"]
    );
}

#[test]
fn dangerous_settings_are_told_as_their_sources_name_them() {
    let open = review(&[
        ("RISKY_TRANSPORT", "http"),
        ("RISKY_HOST", "0.0.0.0"),
        ("RISKY_ALLOW_UNAUTHENTICATED", "true"),
        ("RISKY_CORS_ORIGINS", "*"),
    ]);
    let dangers = open["dangers"].as_array().unwrap();
    let settings: Vec<_> = dangers
        .iter()
        .map(|one| one["setting"].as_str().unwrap())
        .collect();
    assert_eq!(
        settings,
        [
            "RISKY_ALLOW_UNAUTHENTICATED (--allow-unauthenticated)",
            "RISKY_CORS_ORIGINS (--cors-origins)",
            "RISKY_HOST (--host)",
        ]
    );
    assert_eq!(open["callers"]["unauthenticated"], true);
    let who = open["callers"]["who"].as_str().unwrap();
    assert_eq!(
        who,
        "Everybody who reaches 0.0.0.0: no client has to authenticate."
    );
    let folder = tempfile::tempdir().unwrap();
    let environment = [("RISKY_TRANSPORT", "http"), ("CLICOLOR_FORCE", "1")];
    let (_, stdout, _) = run(&["review"], &environment, folder.path());
    assert!(
        stdout.contains("\u{1b}[31mEvery program on this machine: no client has to authenticate."),
        "{stdout}"
    );
    assert!(
        stdout.contains("\\u{200b}") && !stdout.contains('\u{200b}'),
        "{stdout}"
    );
}

#[test]
fn another_server_is_shown_as_far_as_it_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&[], &[], folder.path());
    for era in ["modern", "legacy"] {
        let arguments = ["review", "--json", "--url", &server.url, "--era", era];
        let (code, stdout, stderr) = run(&arguments, &[], folder.path());
        assert_eq!(code, 0, "{stderr}");
        let seen: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(seen["server"], "risky 1.0.0");
        assert_eq!(seen["unknown"].as_array().unwrap().len(), 4);
        assert!(
            seen["reach"].is_null() && seen["digest"].is_null(),
            "{seen}"
        );
        assert_eq!(seen["claims"][0]["effect"], "destructive");
        assert_eq!(seen["reads"], review(&[])["reads"], "{era}");
    }
}
