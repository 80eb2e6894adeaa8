//! A real program, the example `zebra-2`: exit codes, what it prints, and that it says nobody's name but its own.
#![allow(clippy::unwrap_used)]

mod env_file;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/zebra-2");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "cargo build -p pymcp-app --example zebra-2");
    path
}

fn command(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder);
    command.env_clear().envs(environment.iter().copied());
    command
}

/// Runs the program without input to its end.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), arguments, environment)
}

fn run_in(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(folder, arguments, environment);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.to_lowercase().contains("pymcp"), "{said}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, stderr: &str) {
    assert_eq!(
        (output.status.code(), &*text(&output.stderr)),
        (Some(code), stderr)
    );
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn a_client_that_leaves_is_a_success_and_what_is_left_to_do_is_done() {
    for arguments in [&[][..], &["serve"], &["--stripes=2"]] {
        assert_ends(&run(arguments, &[]), 0, "zebra-2: closed\n");
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zebra.toml"), "# Mine\nstripes = 81\n").unwrap();
    std::fs::write(folder.path().join("zebra.env"), "ZEBRA_2_STRIPES=81\n").unwrap();
    for (arguments, environment, stderr) in [
        (
            &["--stripes=81"][..],
            &[][..],
            "zebra-2: --stripes must be even.\n",
        ),
        (
            &[],
            &[("ZEBRA_2_STRIPES", "81")],
            "zebra-2: ZEBRA_2_STRIPES (--stripes) must be even.\n",
        ),
        (
            &["--env-file", "zebra.env"],
            &[],
            "zebra-2: zebra.env, line 1: ZEBRA_2_STRIPES (--stripes) must be even.\n",
        ),
        (
            &["serve", "--config", "zebra.toml"],
            &[],
            "zebra-2: zebra.toml, line 2: stripes must be even.\n",
        ),
        (
            &["--transport=http", "--host=192.0.2.1"],
            &[],
            "zebra-2: --host is '192.0.2.1', which other machines can reach, and no client has to authenticate; use \
             localhost, or allow this with ZEBRA_2_ALLOW_UNAUTHENTICATED (--allow-unauthenticated).\nzebra-2: closed\n",
        ),
        (
            &["--config", "nowhere.toml"],
            &[],
            "zebra-2: nowhere.toml (--config) cannot be read: No such file or directory (os error 2).\n",
        ),
    ] {
        let output = run_in(folder.path(), arguments, environment);
        let mut lines: Vec<_> = text(&output.stderr)
            .lines()
            .map(|line| format!("{line}\n"))
            .collect();
        let mut expected: Vec<_> = stderr.lines().map(|line| format!("{line}\n")).collect();
        // What is done at the end comes before the sentence.
        lines.sort();
        expected.sort();
        assert_eq!((output.status.code(), lines), (Some(2), expected));
    }
    let unknown = run(&["--no-such-flag"], &[]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown.stderr).contains("Usage: zebra-2"),
        "{unknown:?}"
    );
}

#[test]
fn anything_else_is_exit_code_1() {
    let output = run(&["--herd=nowhere"], &[]);
    assert_ends(
        &output,
        1,
        "zebra-2: No such file or directory (os error 2)\n",
    );
}

#[test]
fn nothing_in_the_working_directory_is_read_unless_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        ".env",
        "zebra-2.env",
        "zebra-2.toml",
        "config.toml",
        ".zebra-2.toml",
    ] {
        std::fs::write(
            folder.path().join(name),
            "stripes = 81\nZEBRA_2_STRIPES=81\n",
        )
        .unwrap();
    }
    assert_ends(&run_in(folder.path(), &[], &[]), 0, "zebra-2: closed\n");
}

#[test]
fn help_and_version_are_on_stdout_with_the_program_s_own_name() {
    for arguments in [&["--help"][..], &["--help-all"], &["serve", "-h"]] {
        let help = run(arguments, &[]);
        let text = text(&help.stdout);
        assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
        assert!(
            text.contains("Usage: zebra-2") && text.contains("--stripes"),
            "{text}"
        );
    }
    let version = run(&["--version"], &[("ZEBRA_2_PORT", "x")]);
    let expected = format!("zebra-2 {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (version.status.code(), text(&version.stdout)),
        (Some(0), expected)
    );
}

#[test]
fn log_lines_have_the_program_s_name_and_unknown_variables_a_hint() {
    let output = run(
        &[],
        &[
            ("ZEBRA_2_STRIPS", "hunter2"),
            ("ZEBRA_2_PORT", "tcp://10.0.0.1:80"),
        ],
    );
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0));
    let line = stderr.lines().next().unwrap();
    let told = "  WARN zebra-2: ZEBRA_2_STRIPS is not a setting; did you mean ZEBRA_2_STRIPES?";
    assert!(line.ends_with(told), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_said_on_http_and_on_stdio_has_the_program_s_name_alone() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--transport=http",
        "--port=0",
        "--cors-origins=*",
        "--log-level=notset",
    ];
    let mut command = command(folder.path(), &arguments, &[("ZEBRA_2_STATE_KEYS", "")]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let mut seen = String::new();
    let address = loop {
        let line = lines.next().expect("it goes on").unwrap();
        seen = seen + &line + "\n";
        if let Some((_, rest)) = line.split_once("zebra-2: listening on http://") {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    assert!(
        seen.contains("WARN zebra-2: --cors-origins has '*'"),
        "{seen}"
    );
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""name":"zebra-2""#), "{answer}");
    let health = |url: &str| run(&["health", url], &[]);
    assert_ends(&health(&format!("http://{address}/mcp")), 0, "");
    let other = format!("http://{address}/elsewhere");
    let said = format!("zebra-2: {other} answers with status 404.\n");
    assert_ends(&health(&other), 1, &said);
    drop(server);
    let gone = health(&format!("http://{address}/mcp"));
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        text(&gone.stderr).contains("does not answer"),
        "{}",
        text(&gone.stderr)
    );
    let said =
        "zebra-2: URL is 'ftp://x', but must be an address such as http://localhost:8000/mcp.\n";
    assert_ends(&health("ftp://x"), 2, said);
    seen.extend(lines.map_while(std::result::Result::ok));
    for said in [&seen, &answer] {
        assert!(!said.to_lowercase().contains("pymcp"), "{said}");
    }
}

/// `script` runs it in a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_person_in_a_terminal_is_told_what_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "ZEBRA_2_PORT=hunter2\n").unwrap();
    let mut terminal = Command::new("script");
    terminal.args([
        OsStr::new("-qec"),
        binary().as_os_str(),
        OsStr::new("/dev/null"),
    ]);
    let shown = terminal
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    let shown = text(&shown.expect("script, of util-linux").stdout);
    for part in [
        "zebra-2 is waiting for an MCP client on stdin",
        r#"{"mcpServers": {"zebra-2": {"command": "zebra-2"}}}"#,
        "zebra-2 serve --transport http",
        "zebra-2: .env is not read unless it is named, and it has ZEBRA_2_PORT; --env-file .env reads it.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains("hunter2") && !shown.to_lowercase().contains("pymcp"),
        "{shown}"
    );
}
