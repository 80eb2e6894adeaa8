//! The audit log of a real program, and the verbs that read it.

use super::*;

/// Runs it in a folder; the exit code, and what it says on stdout and on stderr.
fn ask(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run_in(folder, arguments, &[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output.status.code(), stdout, stderr)
}

#[test]
fn a_log_is_written_verified_and_searched() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, _, stderr) = ask(folder, &["--audit", "audit.jsonl"]);
    let (_, head) = stderr.split_once("head of the audit log: ").unwrap();
    let head = head.lines().next().unwrap();
    assert_eq!(code, Some(0));
    let again = ask(folder, &["audit", "head", "audit.jsonl"]);
    assert_eq!(again, (Some(0), format!("{head}\n"), String::new()));
    let (hash, sequence) = head.split_once(' ').unwrap();
    assert_eq!(sequence, "2");

    let verify = |more: &[&str]| {
        ask(
            folder,
            &[&["audit", "verify", "audit.jsonl"][..], more].concat(),
        )
    };
    let (code, said, _) = verify(&[]);
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with(&format!("2 lines from 1 on; head {head}\nOnly a head")),
        "{said}"
    );
    let (code, said, _) = verify(&["--expected-head", hash]);
    assert!(
        code == Some(0) && said.contains("has the expected head."),
        "{said}"
    );
    // The server goes on where it stopped.
    assert_eq!(
        ask(folder, &["--audit=audit.jsonl", "--audit-sync"]).0,
        Some(0)
    );
    let (code, said, _) = verify(&["--expected-head", hash]);
    assert!(
        code == Some(0) && said.contains("2 lines follow the one with the expected head"),
        "{said}"
    );

    let json = |arguments: &[&str]| -> serde_json::Value {
        let (code, said, _) = ask(folder, &[&["audit"][..], arguments, &["--json"]].concat());
        assert!(code == Some(0) && said.lines().count() == 1, "{said}");
        serde_json::from_str(&said).unwrap()
    };
    let head = json(&["head", "audit.jsonl"]);
    assert_eq!(head["sequence"], 4);
    let verified = json(&["verify", "audit.jsonl", "--expected-head", hash]);
    assert_eq!(
        verified,
        serde_json::json!({
            "ok": true, "findings": [], "lines": 4, "first": 1, "head": head, "closed": true,
            "after_expected": 2,
        })
    );

    let log = folder.join("audit.jsonl");
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains(r#""server":"zebra-2 "#), "{lines}");
    std::fs::write(&log, lines.replacen("zebra-2 ", "zebra-3 ", 1)).unwrap();
    let (code, said, stderr) = verify(&[]);
    let edited =
        "audit.jsonl, line 1: this line was edited: the line after it has another hash of it.\n";
    assert!(code == Some(1) && said.starts_with(edited), "{said}");
    assert_eq!(stderr, "");
    for arguments in [
        &["audit", "verify", "nowhere"][..],
        &["audit", "head", "nowhere"],
        &["audit", "verify", "audit.jsonl", "--expected-head", "x"],
        &["audit", "hash", "--audit-key", "nowhere", "x"],
        &["audit"],
    ] {
        let (code, said, stderr) = ask(folder, arguments);
        assert!(
            code == Some(2) && !stderr.is_empty(),
            "{arguments:?}: {said}{stderr}"
        );
    }

    let hash = |value: &str| {
        let (code, said, stderr) = ask(
            folder,
            &["audit", "hash", "--audit-key", "audit.jsonl.key", value],
        );
        assert_eq!((code, said.len()), (Some(0), 65), "{stderr}");
        said
    };
    assert_eq!(hash("Ada"), hash("\"Ada\""));
    assert_eq!(hash(r#"{"a":1,"b":2}"#), hash(r#"{ "b": 2, "a": 1 }"#));
    assert_ne!(hash("1"), hash("\"1\""));
}

#[test]
fn a_log_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("notes.txt"), "mine\n").unwrap();
    std::fs::write(folder.join("short.key"), "c2hvcnQ=\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(
        folder.join("short.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    for (arguments, said) in [
        (
            &["--audit=notes.txt"][..],
            "The audit log notes.txt is no audit log; name another file, or move it away.",
        ),
        (
            &["--audit=nowhere/audit.jsonl"],
            "--audit is 'nowhere/audit.jsonl', but there is no folder nowhere.\n  mkdir -p nowhere makes it.",
        ),
        (
            &["--audit=new.jsonl", "--audit-key=short.key"],
            "--audit-key is 'short.key', which must have a line with at least 32 bytes in base64.",
        ),
        (
            &["--audit-failure=maybe"],
            "--audit-failure is 'maybe', but must be one of deny, continue.",
        ),
        (
            &["--audit-max-bytes=-1"],
            "--audit-max-bytes is '-1', but must be a whole number of bytes from 0 to 1099511627776.",
        ),
    ] {
        let (code, _, stderr) = ask(folder, arguments);
        assert!(
            code == Some(2) && stderr.contains(said),
            "{arguments:?}: {stderr}"
        );
    }
}
