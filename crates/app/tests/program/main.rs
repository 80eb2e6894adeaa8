//! A real program, the example `zebra-2`: exit codes, what it prints, and that it says nobody's name but its own.
#![allow(clippy::unwrap_used)]

mod about;
mod audit;
mod curl;
mod doctor;
mod env_file;
mod listen;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
mod observability;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(unix)]
mod process;
mod refused;
mod settings;
mod shell;
#[cfg(unix)]
mod stderr;
#[cfg(all(unix, feature = "redis"))]
mod store;
mod strangers;
#[cfg(target_os = "linux")]
mod terminal;
mod token;
mod watch;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pymcp_kit::testing::Program;

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

/// The program as the kit's own tests drive programs, with these arguments and this environment.
fn zebra(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
    let program = Program::new(binary()).args(arguments.iter().copied());
    let program = program.current_dir(std::env::temp_dir());
    let environment = environment.iter();
    environment.fold(program, |program, (name, value)| program.env(*name, *value))
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
             localhost, set ZEBRA_2_AUTH (--auth), or allow this with ZEBRA_2_ALLOW_UNAUTHENTICATED (--allow-unauthenticated).\nzebra-2: closed\n",
        ),
        (
            &["--transport=http", "--budget=60/min"],
            &[],
            "zebra-2: --budget limits each principal, and no client has to authenticate; set ZEBRA_2_AUTH (--auth), or limit \
             each address with ZEBRA_2_ADDRESS_RATE (--address-rate).\nzebra-2: closed\n",
        ),
        (
            &["--concurrency=0"],
            &[],
            "zebra-2: --concurrency is '0', but must be off, or a whole number from 1 to 10000.\n",
        ),
        (
            &["--config", "nowhere.toml"],
            &[],
            "zebra-2: nowhere.toml (--config) cannot be read: there is no such file or folder.\n",
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
        "--address-rate=1000/s",
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
    let told =
        "INFO zebra-2: limits are counted in this process, and not across replicas: --address-rate";
    assert_eq!(seen.matches(told).count(), 1, "{seen}");
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
    assert_eq!(gone.status.code(), Some(3));
    assert!(
        text(&gone.stderr).contains("does not answer: nobody listens there.\n"),
        "{}",
        text(&gone.stderr)
    );
    let said = "zebra-2: URL is 'ftp://x', but must be an address such as http://localhost:8000/healthz.\n";
    assert_ends(&health("ftp://x"), 2, said);
    seen.extend(lines.map_while(std::result::Result::ok));
    for said in [&seen, &answer] {
        assert!(!said.to_lowercase().contains("pymcp"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn keys_are_made_added_and_kept_to_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let keys = |more: &[&str]| {
        run_in(
            folder.path(),
            &[&["keys", "new", "keys"][..], more].concat(),
            &[],
        )
    };
    let made = keys(&[]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(text(&made.stderr).contains("--state-keys keys"));
    let said = "zebra-2: keys exists already; add a key to it with --add, or name another file.\n";
    assert_ends(&keys(&[]), 2, said);
    assert_eq!(keys(&["--add"]).status.code(), Some(0));
    let file = folder.path().join("keys");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 2);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let serve = [
        "serve",
        "--transport",
        "http",
        "--port",
        "0",
        "--state-keys",
        "keys",
    ];
    let refused = run_in(folder.path(), &serve, &[]);
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("only its owner can read: run chmod 600 keys"),
        "{told}"
    );
    // What is secret is in no message.
    for line in written.lines() {
        let key = line.split(' ').next_back().unwrap();
        assert!(!told.contains(key) && !text(&made.stderr).contains(key));
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
