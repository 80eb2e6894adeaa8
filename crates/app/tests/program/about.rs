//! What a program says of itself: completion scripts, manual pages, its version.

use serde_json::Value;

use super::*;

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = run(arguments, &[]);
    assert_eq!(
        (output.status.code(), &*text(&output.stderr)),
        (Some(0), "")
    );
    text(&output.stdout)
}

#[test]
fn each_shell_has_a_script_with_the_program_s_verbs_and_none_that_is_hidden() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for word in ["zebra-2", "completions", "stripes", "log-level"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("graze"), "{shell}");
    }
    let refused = run(&["completions", "ksh"], &[]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("'ksh'") && said.contains("bash"), "{said}");
}

/// Bash itself reads the script and completes with it.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_verbs_flags_and_values() {
    let complete = |words: &str| {
        let script = format!(
            "source <('{}' completions bash)\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             complete=$(complete -p zebra-2); complete=${{complete#*-F }}\n\
             ${{complete%% *}} zebra-2 \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\necho \"${{COMPREPLY[@]}}\"",
            binary().display()
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &script])
            .output()
            .unwrap();
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete("zebra-2 to"), "token");
    assert_eq!(complete("zebra-2 token r"), "revoke");
    assert_eq!(complete("zebra-2 serve --stri"), "--stripes");
    assert_eq!(complete("zebra-2 serve --log-format t"), "text");
    assert_eq!(complete("zebra-2 gra"), "");
}

#[test]
fn a_manual_page_has_the_flags_with_their_variables() {
    let page = printed(&["man"]);
    assert!(
        page.starts_with(".ie") && page.contains(".TH zebra-2 1"),
        "{page}"
    );
    for part in ["\\-\\-stripes", "ZEBRA_2_STRIPES", "zebra\\-2\\-token(1)"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("graze"), "{page}");
    let page = printed(&["man", "token", "new"]);
    assert!(page.contains(".TH zebra-2-token-new 1"), "{page}");
    assert_ends(
        &run(&["man", "tokn"], &[]),
        2,
        "zebra-2: tokn is not a command of zebra-2; did you mean token?\n  zebra-2 --help-all lists the commands.\n",
    );
}

#[test]
fn all_manual_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert_ends(
        &run_in(folder.path(), &["man", "--out", "share/man1"], &[]),
        0,
        "",
    );
    let pages = std::fs::read_dir(folder.path().join("share/man1")).unwrap();
    let mut names: Vec<_> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in ["zebra-2.1", "zebra-2-serve.1", "zebra-2-token-new.1"] {
        assert!(names.iter().any(|page| page == name), "{names:?}");
    }
    assert!(
        !names.iter().any(|page| page.contains("graze")),
        "{names:?}"
    );
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert_ends(
        &run_in(folder.path(), &["man", "--out", "file/man"], &[]),
        1,
        "zebra-2: file/man cannot be written: a part of its path is no folder.\n",
    );
}

#[test]
fn the_version_can_say_more() {
    let line = format!("zebra-2 {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&["version"]), line);
    assert_eq!(printed(&["--version"]), line);
    let more = printed(&["version", "--verbose"]);
    assert!(more.starts_with(&line), "{more}");
    let facts: Vec<(&str, &str)> = more
        .lines()
        .skip(1)
        .map(|line| line.trim_start().split_once(' ').unwrap())
        .collect();
    let fact = |name: &str| {
        let found = facts.iter().filter(|(known, _)| *known == name);
        let found: Vec<_> = found.map(|(_, value)| value.trim()).collect();
        assert_eq!(found.len(), 1, "{name}: {more}");
        found[0]
    };
    assert_eq!(
        fact("protocol"),
        "2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28"
    );
    assert!(fact("build").contains("rustc 1."), "{more}");
    // Its author's own, one of which replaces a fact that every program has.
    assert_eq!(fact("herd"), "80 zebras");
    assert_eq!(fact("allocator"), "savannah\\u{7}");

    let json: Value = serde_json::from_str(&printed(&["version", "--json"])).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "name": "zebra-2", "version": env!("CARGO_PKG_VERSION") })
    );
    let json: Value = serde_json::from_str(&printed(&["version", "-v", "--json"])).unwrap();
    assert_eq!(json["facts"]["herd"], "80 zebras");
    assert_eq!(json["facts"]["protocol"], fact("protocol"));
}

/// Whoever reads has left before anything is printed.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    for arguments in [
        &["--help-all"][..],
        &["completions", "zsh"],
        &["man", "serve"],
        &["version", "--verbose"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path(), arguments, &[]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), &*text(&output.stderr)),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}
