//! The file that `--env-file` names, and files that nobody named.

use std::fs;
use std::path::Path;

use std::process::Output;

use super::{assert_ends, run_in};

fn run(here: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Output {
    run_in(here, arguments, env)
}

fn run_with(file: &str, env: &[(&str, &str)]) -> Output {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("settings.env"), file).unwrap();
    run(here.path(), &["--env-file", "settings.env"], env)
}

/// Served, and said nothing of settings.
#[track_caller]
fn assert_accepted(output: &Output) {
    assert_ends(output, 0, "zebra-2: closed\n");
}

/// Refused before anything was served: a single sentence with all of `words`, and below it what to do, if there is that.
#[track_caller]
pub(super) fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let stderr = super::text(&output.stderr).replace("zebra-2: closed\n", "");
    let (sentence, hints) = stderr.split_once('\n').unwrap_or_default();
    let sentence = sentence
        .strip_prefix("zebra-2: ")
        .and_then(|rest| rest.strip_suffix('.'));
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {output:?}"));
    let mut hints = hints.lines();
    assert!(
        hints.all(|hint| hint.starts_with("  ")),
        "more than a line: {output:?}"
    );
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
}

// -------------------------------------------------------------------------------- what nobody named

/// Shows that the server starts in this folder as it does in an empty one.
#[track_caller]
fn assert_unmoved(here: &Path) {
    assert_accepted(&run_in(here, &[], &[]));
}

#[test]
fn no_file_of_the_working_directory_changes_anything() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join(".env");
    for text in [
        "ZEBRA_2_TRANSPORT=http\nZEBRA_2_CORS_ORIGINS=*\nZEBRA_2_HOST=0.0.0.0\n",
        "ZEBRA_2_STRIPES=x\nZEBRA_2_HERD=/nowhere\n",
        "APP_NAME=My Shop Admin\n",
        "KEY=-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
        "ZEBRA_2_PORT=x\n",
        "ZEBRA_2_PORT='\n",
        "ZEBRA_2_UNKNOWN=1\n",
    ] {
        fs::write(&file, text).unwrap();
        for name in [".env.local", "zebra-2.env", "settings.env"] {
            fs::write(here.path().join(name), text).unwrap();
        }
        assert_unmoved(here.path());
    }
    fs::write(&file, b"ZEBRA_2_PORT=\xff\0").unwrap();
    assert_unmoved(here.path());
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_unmoved(here.path());
    #[cfg(unix)]
    for special in ["/dev/zero", "/nowhere", ".env"] {
        let _ = fs::remove_dir(&file);
        let _ = fs::remove_file(&file);
        std::os::unix::fs::symlink(special, &file).unwrap();
        assert_unmoved(here.path());
    }
    #[cfg(unix)]
    {
        fs::remove_file(&file).unwrap();
        make_pipe(&file);
        assert_unmoved(here.path());
    }
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

/// What the program shows in a terminal of its own.
#[cfg(target_os = "linux")]
fn in_a_terminal(here: &Path, arguments: &str) -> String {
    let mut terminal = std::process::Command::new("script");
    let shown = terminal
        .args([
            "-qec",
            &format!("{} {arguments}", super::binary().display()),
        ])
        .arg("/dev/null")
        .current_dir(here)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("script, of util-linux");
    assert!(shown.status.success(), "{shown:?}");
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_in_a_terminal_is_told_of_a_file_that_is_not_read() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join(".env");
    fs::write(
        &file,
        "export ZEBRA_2_PORT=hunter2\nMINE=hunter2\nZEBRA_2_LOG_LEVEL=hunter2\n",
    )
    .unwrap();
    let shown = in_a_terminal(here.path(), "");
    let told = ".env is not read unless it is named, and it has ZEBRA_2_PORT, ZEBRA_2_LOG_LEVEL; --env-file .env reads it.";
    assert_eq!(shown.matches(told).count(), 1, "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");

    fs::write(&file, "MINE=hunter2\nPORT=1\n").unwrap();
    assert!(!in_a_terminal(here.path(), "").contains(".env"));
    fs::write(&file, "ZEBRA_2_RESPONSE_CACHE_TTL=5\n").unwrap();
    let asked_for = in_a_terminal(here.path(), "--env-file .env");
    assert!(!asked_for.contains(".env"), "{asked_for}");
    for special in ["/dev/zero", "/nowhere"] {
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(special, &file).unwrap();
        assert!(!in_a_terminal(here.path(), "").contains(".env"));
    }
    fs::remove_file(&file).unwrap();
    make_pipe(&file);
    assert!(!in_a_terminal(here.path(), "").contains(".env"));
}

// ------------------------------------------------------------------------------ the one that is named

#[test]
fn the_environment_wins_over_the_file_and_the_flag_over_both() {
    let here = tempfile::tempdir().unwrap();
    fs::write(
        here.path().join("settings.env"),
        "ZEBRA_2_RESPONSE_CACHE_TTL=\"from the file\"\n",
    )
    .unwrap();
    let run = |arguments: &[&str], env: &[(&str, &str)]| run(here.path(), arguments, env);
    for arguments in [
        &["--env-file", "settings.env"][..],
        &["--env-file=settings.env"],
        &["--env-file", "settings.env", "serve"],
        &["--env-file=settings.env", "serve", "--port", "1"],
        &["serve", "--env-file", "settings.env"],
        &["serve", "--port=1", "--env-file=settings.env"],
        &["--port=1", "--env-file=settings.env"],
    ] {
        let words = [
            "settings.env, line 1: ZEBRA_2_RESPONSE_CACHE_TTL",
            "'from the file'",
        ];
        assert_refused(&run(arguments, &[]), 2, &words);
        assert_refused(
            &run(arguments, &[("ZEBRA_2_RESPONSE_CACHE_TTL", "")]),
            2,
            &words,
        );
        let outside = [("ZEBRA_2_RESPONSE_CACHE_TTL", "from outside")];
        let refused = run(arguments, &outside);
        assert_refused(&refused, 2, &["ZEBRA_2_RESPONSE_CACHE_TTL"]);
        assert!(
            super::text(&refused.stderr).contains("'from outside'")
                && !super::text(&refused.stderr).contains("line 1")
        );
        assert_accepted(&run(arguments, &[("ZEBRA_2_RESPONSE_CACHE_TTL", "5")]));
        let flag = [arguments, &["--response-cache-ttl", "5"]].concat();
        assert_accepted(&run(&flag, &outside));
        assert_accepted(&run(&flag, &[]));
        let bad = [arguments, &["--response-cache-ttl", "flag"]].concat();
        let refused = run(&bad, &[]);
        assert_refused(&refused, 2, &["'flag'"]);
        assert!(
            !super::text(&refused.stderr).contains("settings.env"),
            "{refused:?}"
        );
    }
}

#[test]
fn what_the_file_says_is_done() {
    let here = tempfile::tempdir().unwrap();
    let text =
        "ZEBRA_2_TRANSPORT=http\nZEBRA_2_HOST=192.0.2.1\nZEBRA_2_ALLOW_UNAUTHENTICATED=true\n";
    fs::write(here.path().join("settings.env"), text).unwrap();
    let run = run(here.path(), &["--env-file", "settings.env"], &[]);
    assert_refused(&run, 1, &["Cannot listen on 192.0.2.1:8000"]);
}

#[test]
fn the_syntax_that_people_write_is_taken() {
    // The value is refused, and the sentence shows what was read.
    for (text, line, value) in [
        ("ZEBRA_2_PORT=x", 1, "x"),
        ("\u{feff}ZEBRA_2_PORT=x\r\n", 1, "x"),
        ("\n# why\n  export  ZEBRA_2_PORT = x # so\n", 3, "x"),
        ("ZEBRA_2_PORT=\"x # y\"\n", 1, "x # y"),
        ("ZEBRA_2_PORT='$HOME'\n", 1, "$HOME"),
        ("ZEBRA_2_PORT=${HOME}\n", 1, "${HOME}"),
        ("ZEBRA_2_PORT='x\ny'\n", 1, "x\\ny"),
        ("KEY=\"a\nZEBRA_2_PORT=1\nb\"\nZEBRA_2_PORT=x\n", 4, "x"),
        ("ZEBRA_2_PORT=1\nZEBRA_2_PORT=x\n", 2, "x"),
        ("ZEBRA_2_PORT=--host=x", 1, "--host=x"),
    ] {
        let place = format!("settings.env, line {line}: ZEBRA_2_PORT (--port)");
        let value = format!("is '{value}',");
        assert_refused(&run_with(text, &[]), 2, &[&place, &value]);
    }
    for text in [
        "",
        "\n",
        "ZEBRA_2_PORT=\nZEBRA_2_LOG_LEVEL=''\nZEBRA_2_RESPONSE_CACHE_TTL= # none\n",
        "ZEBRA_2_PORT=x\nZEBRA_2_PORT=\n",
        "ZEBRA_2_PORT=x\nZEBRA_2_PORT=1",
        "export ZEBRA_2_PORT\n",
        "ZEBRA_2_LOG_LEVEL=\"INFO\"\r\nZEBRA_2_PORT='1'\r\n",
    ] {
        let run = run_with(text, &[]);
        assert_accepted(&run);
    }
}

#[test]
fn what_is_not_ours_is_passed_over() {
    for text in [
        "APP_NAME=My Shop Admin\n",
        "KEY=-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n",
        "API_KEY hunter2\nhunter2\n1=hunter2 x\n",
        "A=\"hunter2\\q\"\nB='hunter2\n",
        "A=it's\nB=\"\nC='d'e\n=\n'\n\"\n",
        "A=\0\n\0\n",
        "PATH=/nowhere\nHOME=/nowhere\nport=1\n",
        "HERD_SECRET=hunter2\nMCP_TIMEOUT=1\n",
    ] {
        let run = run_with(&format!("{text}ZEBRA_2_RESPONSE_CACHE_TTL=5\n"), &[]);
        assert_accepted(&run);
        let run = run_with(&format!("{text}ZEBRA_2_RESPONSE_CACHE_TTL=x\n"), &[]);
        assert_refused(
            &run,
            2,
            &["settings.env, line", "ZEBRA_2_RESPONSE_CACHE_TTL"],
        );
    }
}

#[test]
fn a_line_of_ours_that_is_malformed_is_refused_without_repeating_it() {
    for (text, line, words) in [
        ("A=1\nHERD_KEY hunter2\n", 2, "'='"),
        ("HERD_KEY: hunter2\n", 1, "'='"),
        ("HERD_KEY='hunter2\n", 1, "closed"),
        ("HERD_KEY=\"hunter2\\\"\n", 1, "closed"),
        ("HERD_KEY='hunter2'3\n", 1, "comment"),
        ("HERD_KEY=hunter2\0\n", 1, "NUL"),
    ] {
        let run = run_with(text, &[]);
        let place = format!("settings.env, line {line}: HERD_KEY");
        assert_refused(&run, 2, &[&place, words]);
        assert!(!super::text(&run.stderr).contains("hunter2"), "{run:?}");
    }
}

#[test]
fn names_of_ours_in_the_file_that_are_no_settings_are_warned_about() {
    let run = run_with(
        "A=1\nzebra_2_port=hunter2\nZEBRA_2_LOG_LEVLE=hunter2\n",
        &[],
    );
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    for sentence in [
        "settings.env, line 2: zebra_2_port is not a setting; did you mean ZEBRA_2_PORT?\n",
        "settings.env, line 3: ZEBRA_2_LOG_LEVLE is not a setting; did you mean ZEBRA_2_LOG_LEVEL?\n",
    ] {
        assert!(super::text(&run.stderr).contains(sentence), "{run:?}");
    }
    assert_eq!(super::text(&run.stderr).lines().count(), 3, "{run:?}");
    assert!(!super::text(&run.stderr).contains("hunter2"), "{run:?}");
}

#[test]
fn a_file_that_cannot_be_used_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("settings.env");
    let run = |arguments: &[&str]| run(here.path(), arguments, &[]);
    let named = || run(&["--env-file", "settings.env"]);
    assert_refused(&named(), 2, &["settings.env (--env-file) cannot be read"]);
    fs::create_dir(&file).unwrap();
    assert_refused(&named(), 2, &["settings.env (--env-file) cannot be read"]);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"A=\xff\xfe\n").unwrap();
    assert_refused(&named(), 2, &["settings.env (--env-file) is not UTF-8"]);
    fs::write(&file, " ".repeat((1 << 20) + 1)).unwrap();
    assert_refused(&named(), 2, &["settings.env (--env-file) has more than"]);
    for (arguments, word) in [
        (&["--env-file"][..], "--env-file"),
        (&["--env-file=a", "--env-file=b"], "--env-file"),
        (
            &["--env-file", "a", "serve", "--env-file", "b"],
            "--env-file",
        ),
        (&["--port", "1", "serve"], "serve"),
    ] {
        let run = run(arguments);
        assert_eq!(
            (run.status.code(), run.stdout.len()),
            (Some(2), 0),
            "{run:?}"
        );
        assert!(super::text(&run.stderr).contains(word), "{run:?}");
    }
    assert_eq!(run(&["--env-file", "a", "--help"]).status.code(), Some(0));
}

/// As shells hand over what a command prints.
#[cfg(unix)]
#[test]
fn a_pipe_that_is_named_is_read() {
    let shell = std::process::Command::new("bash")
        .args(["-c", r#""$0" --env-file <(printf 'ZEBRA_2_PORT=x\n')"#])
        .arg(super::binary())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shell.stderr);
    assert_eq!(shell.status.code(), Some(2), "{said}");
    assert!(said.contains(", line 1: ZEBRA_2_PORT"), "{said}");
}
