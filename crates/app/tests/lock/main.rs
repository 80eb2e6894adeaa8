//! Locks, over the real program: the example `vault` has one built in and changes in one place at a time; its operator
//! names others.
#![allow(clippy::unwrap_used)]

mod operator;
mod signatures;
mod verb;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder, and runs of programs in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs the vault without input to its end.
    fn vault(&self, arguments: &[&str]) -> Run {
        self.vault_with(arguments, &[])
    }

    fn vault_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        run("vault", self.0.path(), arguments, environment)
    }

    /// Runs the vault, which must succeed, and returns what it prints.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let run = self.vault(arguments);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    }
}

/// How a program ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// It ended with this code and these words on stderr, and printed nothing.
    #[track_caller]
    fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, &*self.stdout), (Some(code), ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {}", self.stderr);
        }
    }
}

fn run(example: &str, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let tests = std::env::current_exe().unwrap();
    let binary = tests
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(example);
    let binary = binary.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        binary.exists(),
        "cargo build -p pymcp-app --example {example}"
    );
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(environment.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Output {
        status,
        stdout,
        stderr,
    } = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// The lock that is built into the vault, in the sources.
fn built_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vault/vault.lock")
}

#[test]
fn the_lock_of_the_example_is_current() {
    let path = built_in();
    let run = Folder::new().vault(&["lock", "--check", path.to_str().unwrap()]);
    assert_eq!(
        run.code,
        Some(0),
        "{}{}\nIf that is as it should be: cargo run -p pymcp-app --example vault -- lock crates/app/examples/vault/vault.lock --accept",
        run.stdout,
        run.stderr
    );
}

#[test]
fn a_server_starts_as_its_lock_says_whatever_its_settings_are() {
    let folder = Folder::new();
    for arguments in [
        &[][..],
        &["--request-timeout=60", "--log-level=debug"],
        // Its author says that this one decides what the instructions are.
        &["--coins=5"],
        &["--response-cache-ttl=0", "--cellar=/tmp"],
    ] {
        let run = folder.vault(arguments);
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run:?}");
    }
}

/// What is changed, the line that names it, and what went and came.
const CHANGES: [(&str, &str, &[&str]); 8] = [
    (
        "instructions",
        "routing   server server /instructions",
        &["  - \"Keeps 100 coins.\"", "  + \"Keeps nothing.\""],
    ),
    (
        "description",
        "routing   tool open /definition/description",
        &["  - \"Opens a door.\"", "  + \"Opens any door.\""],
    ),
    (
        "bound",
        "breaking  tool open /definition/inputSchema/properties/number/maximum",
        &["  - 9", "  + 99"],
    ),
    (
        "effect",
        "breaking  tool open /effects",
        &["  + \"random\""],
    ),
    (
        "scope",
        "breaking  tool open /scopes",
        &["  - \"vault:open\"", "  + \"vault:look\""],
    ),
    (
        "limit",
        "breaking  tool open /timeoutMs",
        &["  - 5000", "  + 50000"],
    ),
    (
        "added",
        "routing   tool unlock is new",
        &["  +     \"description\": \"Unlocks a door.\","],
    ),
    ("gone", "breaking  prompt count is gone", &[]),
];

#[test]
fn one_change_keeps_a_server_from_starting_and_is_shown_with_its_class() {
    let folder = Folder::new();
    for (change, line, lines) in CHANGES {
        for (arguments, environment) in [
            (vec!["--change", change], vec![]),
            (
                vec!["serve", "--transport=http", "--port=0", "--change", change],
                vec![],
            ),
            (vec![], vec![("VAULT_CHANGE", change)]),
        ] {
            let run = folder.vault_with(&arguments, &environment);
            let class = line.split(' ').next().unwrap();
            let sentence = format!(
                "vault: The server differs from the lock that is built in and does not start: 1 change: 1 {class}.\n"
            );
            run.refused(1, &[&sentence, "vault lock --accept"]);
            let shown: Vec<_> = run.stderr.lines().collect();
            for line in [&[line][..], lines].concat() {
                assert!(shown.contains(&line), "{line}: {}", run.stderr);
            }
            assert!(!run.stderr.contains("listening"), "{}", run.stderr);
        }
    }
}

/// The other verbs of a server that drifted work, so that its author can look at it.
#[test]
fn a_server_that_drifted_can_be_looked_at() {
    let folder = Folder::new();
    let run = folder.vault_with(&["list", "tools"], &[("VAULT_CHANGE", "added")]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("unlock"), "{run:?}");
}

/// Whatever lies in the working directory is a stranger's.
#[test]
fn no_lock_of_the_working_directory_is_read() {
    let folder = Folder::new();
    folder.write("vault.lock", "no lock at all");
    assert_eq!(folder.vault(&[]).code, Some(0));
    run_and_compare(&folder);
}

fn run_and_compare(folder: &Folder) {
    let before = folder.read("vault.lock");
    folder.vault(&["--change=bound"]).refused(1, &["maximum"]);
    assert_eq!(folder.read("vault.lock"), before);
}
