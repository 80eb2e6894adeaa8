//! The verbs that look at a server, as people type them: what they print, and their exit codes. `transcripts/` has
//! what is typed, each followed by what must come: stdout as it is, lines of stderr behind `2> `, and an exit code that is
//! not 0 behind `=> `. `UPDATE_TRANSCRIPTS=1 cargo nextest run -p pymcp-app --test verbs` writes what comes instead.
//!
//! Those that begin with `own-` are of the program's own server alone. All others must be the same for a server in process,
//! over stdio, Streamable HTTP and HTTP+SSE, in both eras.
#![allow(clippy::unwrap_used)]

mod more;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/market");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "cargo build -p pymcp-app --example market");
    path
}

fn command(arguments: &[String], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_clear();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    finish(command(&arguments, folder.path()))
}

fn finish(mut command: Command) -> Output {
    let child = command.spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(PATIENCE).unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server that listens until it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().stdin(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let url = url.split([' ', ',']).next().unwrap_or_default();
                    let _ = sender.send(url.to_owned());
                }
            }
        });
        let url = receiver.recv_timeout(PATIENCE).unwrap();
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Words of a command line, with single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Runs every command of a transcript with what says which server, and returns what should have been written there.
fn replay(transcript: &str, before: &[&str], behind: &[&str], name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut written = String::new();
    let lines = transcript.lines();
    for line in lines.filter_map(|line| line.strip_prefix("$ market ")) {
        let mut arguments = words(line);
        arguments.splice(1..1, before.iter().map(ToString::to_string));
        arguments.extend(behind.iter().map(ToString::to_string));
        let output = finish(command(&arguments, folder.path()));
        writeln!(written, "$ market {line}").unwrap();
        written.push_str(&shown(&text(&output.stdout), name, ""));
        written.push_str(&shown(&text(&output.stderr), name, "2> "));
        match output.status.code() {
            Some(0) => {}
            code => writeln!(written, "=> {}", code.unwrap()).unwrap(),
        }
        written.push('\n');
    }
    written
}

/// Output without what is never the same, nor what each default of a setting changes: the digest of the whole.
fn shown(output: &str, name: &str, prefix: &str) -> String {
    let mut shown = String::new();
    for line in output.lines() {
        let line = match name.is_empty() {
            true => line.to_owned(),
            false => line.replace(name, "this server"),
        };
        let whole = line.starts_with("full/1 ");
        let line: Vec<_> = line
            .split(' ')
            .map(|word| {
                if whole && word.starts_with("sha256:") {
                    "sha256:…"
                } else if word.parse::<u64>().is_ok() && line.contains("µs") {
                    "N"
                } else {
                    word
                }
            })
            .collect();
        writeln!(shown, "{prefix}{}", line.join(" ")).unwrap();
    }
    shown
}

/// Replays the transcripts that `is_meant` picks.
fn check(is_meant: impl Fn(&str) -> bool, before: &[&str], behind: &[&str], name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verbs/transcripts");
    let mut wrong = String::new();
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !is_meant(&file) {
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        let written = replay(&expected, before, behind, name);
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some()
            && before.is_empty()
            && behind.is_empty()
        {
            std::fs::write(&path, written).unwrap();
        } else if written != expected {
            writeln!(wrong, "{file} should be:\n{expected}\nbut is:\n{written}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn everywhere(file: &str) -> bool {
    !file.starts_with("own-")
}

#[test]
fn in_process() {
    check(|_| true, &[], &[], "");
}

#[test]
fn in_process_the_old_way() {
    check(everywhere, &["--era", "legacy"], &[], "");
}

/// The command and what keeps its log out of what is compared.
fn over_stdio(era: &str) {
    let binary = binary();
    let binary = binary.to_str().unwrap();
    let before = ["--era", era, "--env", "MARKET_LOG_LEVEL=CRITICAL"];
    check(everywhere, &before, &["--", binary], binary);
}

#[test]
fn over_stdio_in_either_era() {
    over_stdio("auto");
    over_stdio("legacy");
}

#[test]
fn over_http_in_either_era() {
    let server = Server::start(&["--transport=http", "--port=0"]);
    for era in ["modern", "legacy"] {
        check(
            everywhere,
            &["--url", &server.url, "--era", era],
            &[],
            &server.url,
        );
    }
}

#[test]
fn over_http_with_events() {
    let server = Server::start(&["--transport=sse", "--port=0"]);
    check(everywhere, &["--url", &server.url], &[], &server.url);
}
