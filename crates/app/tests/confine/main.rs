//! What the operating system keeps from a real program, the example `mischief`, whose tools misbehave on purpose: each thing
//! works with `--confine off`, so that a test that fails to confine fails. Where the kernel has no Landlock a test says that
//! it is skipped.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod declared;
mod issuer;
mod refused;
mod said;
mod serving;

use std::path::{Path, PathBuf};

use pymcp_kit::testing::{Client, Era, Program, Running};
use serde_json::{Value, json};

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/mischief");
    assert!(path.exists(), "cargo build -p pymcp-app --example mischief");
    path
}

/// The program with these flags, in a folder of its own.
fn mischief(folder: &Path, flags: &[&str]) -> Program {
    let program = Program::new(binary()).args(flags.iter().copied());
    program.current_dir(folder).env("A_SECRET", "of the server")
}

/// Whether this kernel has all that is needed; says so if not.
fn is_confinable() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let required = mischief(folder.path(), &["--confine=require", "--declare=network:*"]);
    let mut command = required.command();
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let is_held = output.status.success();
    if !is_held {
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("skipped: this machine cannot confine a process: {why}");
    }
    is_held
}

/// A server and its client.
struct Served {
    running: Running,
    client: Client,
}

impl Served {
    fn stdio(program: &Program) -> Self {
        let mut running = program.stdio();
        let client = running.client(Era::Modern);
        Self { running, client }
    }

    async fn http(program: &Program) -> Self {
        let mut running = program.http().await;
        let client = running.client(Era::Modern);
        Self { running, client }
    }

    /// What comes of it on this thread: `Ok` with what was read, or the sentence of the system.
    async fn act(&mut self, what: &str, target: &str, on: &str) -> Result<String, String> {
        let arguments = json!({ "what": what, "target": target, "on": on });
        self.told(arguments).await
    }

    async fn told(&mut self, arguments: Value) -> Result<String, String> {
        let tool = match arguments["on"] == "blocking" {
            true => "act_blocking",
            false => "act",
        };
        let mut arguments = arguments;
        if arguments["on"] == "blocking" {
            arguments["on"] = "worker".into();
        }
        let said = self.client.call(tool, arguments).await.text().to_owned();
        match (said.strip_prefix("done: "), said.strip_prefix("refused: ")) {
            (Some(done), _) => Ok(done.to_owned()),
            (_, Some(why)) => Err(why.to_owned()),
            _ => panic!("{said}\n{}", self.running.stderr()),
        }
    }

    #[track_caller]
    fn assert_said(&self, line: &str) {
        let stderr = self.running.stderr();
        assert!(stderr.contains(line), "{line}\n{stderr}");
    }
}

/// Whether the kernel has refused it: for want of a right, and for no other reason.
fn is_refused(done: &Result<String, String>) -> bool {
    matches!(done, Err(why) if why.contains("os error 1)") || why.contains("os error 13)"))
}
