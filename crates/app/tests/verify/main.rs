//! `verify`, as a program, against servers that others might have written: scripts in plain Python and for Node.js, which
//! behave as they are told. What they do is found and said in a sentence, and neither time nor memory are theirs.
//!
//! Where there is no `python3` or `node`, the tests of it say so on stderr and pass.
#![allow(clippy::unwrap_used)]

mod bounds;
mod drift;
mod formats;
mod http;
mod own;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a server is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Node,
}

use Language::{Node, Python};

/// The lock of a test, in its folder.
fn lock_in(folder: &tempfile::TempDir) -> String {
    folder
        .path()
        .join("snake.lock")
        .to_str()
        .unwrap()
        .to_owned()
}

impl Language {
    /// The command of the server that behaves like this; none where there is no such language here.
    #[allow(clippy::print_stderr)]
    fn server(self, mode: &str) -> Option<[String; 3]> {
        let (program, script) = match self {
            Self::Python => ("python3", "foreign.py"),
            Self::Node => ("node", "foreign.mjs"),
        };
        let found = Command::new(program).arg("--version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "CI has no {program}");
            eprintln!("SKIPPED: there is no {program} here, and nothing was tested.");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/verify")
            .join(script);
        Some([program.into(), script.to_str().unwrap().into(), mode.into()])
    }
}

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/market");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "cargo build -p pymcp-app --example market");
    path
}

/// What a run came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
    /// Kilobytes of memory that the verb itself took at most; none where the system does not say.
    peak: Option<u64>,
}

impl Ran {
    /// The document of `--format json`.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn digest(&self) -> String {
        self.json()["shown"]["digest"].as_str().unwrap().to_owned()
    }

    /// That it could not be checked, and why: one sentence, within bounds of time and memory.
    #[track_caller]
    fn assert_unchecked(&self, why: &str) {
        assert_eq!(self.code, Some(2), "{self:?}");
        let sentence = self.stderr.lines().next().unwrap_or_default();
        assert!(
            sentence.starts_with("market: ") && sentence.ends_with('.'),
            "{self:?}"
        );
        assert!(sentence.contains(why), "{why}: {self:?}");
        assert!(self.took < PATIENCE, "{self:?}");
        if let Some(peak) = self.peak {
            assert!(peak < MAX_PEAK, "{peak} kB: {self:?}");
        }
    }
}

/// Kilobytes that the verb may take, whatever a server does: below the size of the largest message that is sent here.
const MAX_PEAK: u64 = 190 << 10;

/// Runs the verb against a command.
fn verify(arguments: &[&str], server: &[String]) -> Ran {
    let mut all: Vec<&str> = vec!["verify"];
    all.extend(arguments);
    all.push("--");
    all.extend(server.iter().map(String::as_str));
    run(&all)
}

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Ran {
    let began = Instant::now();
    let mut child = Command::new(binary())
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = text(child.stdout.take().unwrap());
    let stderr = text(child.stderr.take().unwrap());
    let mut peak = None;
    let status = loop {
        peak = high_water(child.id()).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    };
    Ran {
        code: status.code(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        took: began.elapsed(),
        peak,
    }
}

/// Reads a stream to its end beside what else is done.
fn text(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// The most memory that a process had so far.
fn high_water(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
