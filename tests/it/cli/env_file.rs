//! The file that `--env-file` names, and files that nobody named.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{assert_accepted, assert_refused, run, run_in};
use crate::support::process::Finished;
use crate::support::stdio::StdioServer;

fn run_with(file: &str, env: &[(&str, &str)]) -> Finished {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("settings.env"), file).unwrap();
    run(here.path(), &["--env-file", "settings.env"], env)
}

// -------------------------------------------------------------------------------- what nobody named

/// Shows that the server starts in this folder as it does in an empty one.
#[track_caller]
fn assert_unmoved(here: &Path) {
    let run = run_in(here, &[]);
    assert_accepted(&run);
    assert_eq!(run.stderr, "");
    let mut server = StdioServer::start_in(here, &[], &[]);
    server.initialize("2025-11-25", &json!({})).unwrap();
    server.close_stdin();
    assert!(server.wait().success());
    assert_eq!(server.stderr(), "");
}

#[test]
fn no_file_of_the_working_directory_changes_anything() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join(".env");
    for text in [
        "MCP_SERVER_TRANSPORT=http\nASGI_CORS_ALLOWED_ORIGINS=*\nFASTMCP_HOST=0.0.0.0\n",
        "DDGS_PROXY=http://127.0.0.1:1\nPYMCP_SEARCH_PROXY=http://127.0.0.1:1\n",
        "APP_NAME=My Shop Admin\n",
        "KEY=-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
        "FASTMCP_PORT=x\n",
        "FASTMCP_PORT='\n",
        "PYMCP_UNKNOWN=1\n",
    ] {
        fs::write(&file, text).unwrap();
        for name in [".env.local", "pymcp.env", "settings.env"] {
            fs::write(here.path().join(name), text).unwrap();
        }
        assert_unmoved(here.path());
    }
    fs::write(&file, b"FASTMCP_PORT=\xff\0").unwrap();
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

/// What `pymcp` shows in a terminal of its own.
#[cfg(target_os = "linux")]
fn in_a_terminal(here: &Path, arguments: &str) -> String {
    let mut terminal = std::process::Command::new("script");
    let shown = terminal
        .args([
            "-qec",
            &format!("{} {arguments}", env!("CARGO_BIN_EXE_pymcp")),
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
        "export FASTMCP_PORT=hunter2\nMINE=hunter2\nPYMCP_LOG_LEVEL=hunter2\n",
    )
    .unwrap();
    let shown = in_a_terminal(here.path(), "");
    let told = ".env is here and not read, though it has FASTMCP_PORT, PYMCP_LOG_LEVEL; --env-file .env reads it.";
    assert_eq!(shown.matches(told).count(), 1, "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");

    fs::write(&file, "MINE=hunter2\nPORT=1\n").unwrap();
    assert!(!in_a_terminal(here.path(), "").contains(".env"));
    fs::write(&file, "RESPONSE_CACHE_TTL=5\n").unwrap();
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
        "RESPONSE_CACHE_TTL=\"from the file\"\n",
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
            "settings.env, line 1: RESPONSE_CACHE_TTL",
            "'from the file'",
        ];
        assert_refused(&run(arguments, &[]), 2, &words);
        assert_refused(&run(arguments, &[("RESPONSE_CACHE_TTL", "")]), 2, &words);
        let outside = [("RESPONSE_CACHE_TTL", "from outside")];
        let refused = run(arguments, &outside);
        assert_refused(&refused, 2, &["RESPONSE_CACHE_TTL"]);
        assert!(refused.stderr.contains("'from outside'") && !refused.stderr.contains("line 1"));
        assert_accepted(&run(arguments, &[("RESPONSE_CACHE_TTL", "5")]));
        let flag = [arguments, &["--response-cache-ttl", "5"]].concat();
        assert_accepted(&run(&flag, &outside));
        assert_accepted(&run(&flag, &[]));
        let bad = [arguments, &["--response-cache-ttl", "flag"]].concat();
        let refused = run(&bad, &[]);
        assert_refused(&refused, 2, &["'flag'"]);
        assert!(!refused.stderr.contains("settings.env"), "{refused:?}");
    }
}

#[test]
fn what_the_file_says_is_done() {
    let here = tempfile::tempdir().unwrap();
    let text =
        "MCP_SERVER_TRANSPORT=http\nFASTMCP_HOST=192.0.2.1\nPYMCP_ALLOW_UNAUTHENTICATED=true\n";
    fs::write(here.path().join("settings.env"), text).unwrap();
    let run = run(here.path(), &["--env-file", "settings.env"], &[]);
    assert_refused(&run, 1, &["Cannot listen on 192.0.2.1:8000"]);
}

#[test]
fn the_syntax_that_people_write_is_taken() {
    // The value is refused, and the sentence shows what was read.
    for (text, line, value) in [
        ("FASTMCP_PORT=x", 1, "x"),
        ("\u{feff}FASTMCP_PORT=x\r\n", 1, "x"),
        ("\n# why\n  export  FASTMCP_PORT = x # so\n", 3, "x"),
        ("FASTMCP_PORT=\"x # y\"\n", 1, "x # y"),
        ("FASTMCP_PORT='$HOME'\n", 1, "$HOME"),
        ("FASTMCP_PORT=${HOME}\n", 1, "${HOME}"),
        ("FASTMCP_PORT='x\ny'\n", 1, "x\\ny"),
        ("KEY=\"a\nFASTMCP_PORT=1\nb\"\nFASTMCP_PORT=x\n", 4, "x"),
        ("FASTMCP_PORT=1\nFASTMCP_PORT=x\n", 2, "x"),
        ("FASTMCP_PORT=--host=x", 1, "--host=x"),
    ] {
        let place = format!("settings.env, line {line}: FASTMCP_PORT (--port)");
        let value = format!("is '{value}',");
        assert_refused(&run_with(text, &[]), 2, &[&place, &value]);
    }
    for text in [
        "",
        "\n",
        "FASTMCP_PORT=\nPYMCP_LOG_LEVEL=''\nRESPONSE_CACHE_TTL= # none\n",
        "FASTMCP_PORT=x\nFASTMCP_PORT=\n",
        "FASTMCP_PORT=x\nFASTMCP_PORT=1",
        "export FASTMCP_PORT\n",
        "PYMCP_LOG_LEVEL=\"INFO\"\r\nFASTMCP_PORT='1'\r\n",
    ] {
        let run = run_with(text, &[]);
        assert_accepted(&run);
        assert_eq!(run.stderr, "", "{text}");
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
        "SEARXNG_SECRET=hunter2\nMCP_TIMEOUT=1\n",
    ] {
        let run = run_with(&format!("{text}RESPONSE_CACHE_TTL=5\n"), &[]);
        assert_accepted(&run);
        assert_eq!(run.stderr, "", "{text}");
        let run = run_with(&format!("{text}RESPONSE_CACHE_TTL=x\n"), &[]);
        assert_refused(&run, 2, &["settings.env, line", "RESPONSE_CACHE_TTL"]);
    }
}

#[test]
fn a_line_of_ours_that_is_malformed_is_refused_without_repeating_it() {
    for (text, line, words) in [
        ("A=1\nBRAVE_API_KEY hunter2\n", 2, "'='"),
        ("BRAVE_API_KEY: hunter2\n", 1, "'='"),
        ("BRAVE_API_KEY='hunter2\n", 1, "closed"),
        ("BRAVE_API_KEY=\"hunter2\\\"\n", 1, "closed"),
        ("BRAVE_API_KEY='hunter2'3\n", 1, "comment"),
        ("BRAVE_API_KEY=hunter2\0\n", 1, "NUL"),
    ] {
        let run = run_with(text, &[]);
        let place = format!("settings.env, line {line}: BRAVE_API_KEY");
        assert_refused(&run, 2, &[&place, words]);
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
}

#[test]
fn names_of_ours_in_the_file_that_are_no_settings_are_warned_about() {
    let run = run_with("A=1\nfastmcp_port=hunter2\nPYMCP_LOG_LEVLE=hunter2\n", &[]);
    assert_accepted(&run);
    for sentence in [
        "settings.env, line 2: fastmcp_port is no setting; did you mean FASTMCP_PORT?\n",
        "settings.env, line 3: PYMCP_LOG_LEVLE is no setting; did you mean PYMCP_LOG_LEVEL?\n",
    ] {
        assert!(run.stderr.contains(sentence), "{run:?}");
    }
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
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
    let twice = ["--env-file", "a", "serve", "--env-file", "b"];
    assert_refused(&run(&twice), 2, &["--env-file is given twice"]);
    for (arguments, word) in [
        (&["--env-file"][..], "--env-file"),
        (&["--env-file=a", "--env-file=b"], "--env-file"),
        (&["--port", "1", "serve"], "serve"),
        (&["--env-file", "a", "docs", "--check"], "--env-file"),
    ] {
        let run = run(arguments);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains(word), "{run:?}");
    }
    assert_eq!(run(&["--env-file", "a", "--help"]).code, Some(0));
}

/// As shells hand over what a command prints.
#[cfg(unix)]
#[test]
fn a_pipe_that_is_named_is_read() {
    let shell = std::process::Command::new("bash")
        .args(["-c", r#""$0" --env-file <(printf 'FASTMCP_PORT=x\n')"#])
        .arg(env!("CARGO_BIN_EXE_pymcp"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shell.stderr);
    assert_eq!(shell.status.code(), Some(2), "{said}");
    assert!(said.contains(", line 1: FASTMCP_PORT"), "{said}");
}
