//! Which components a program has: `--profile`, `--enable` and `--disable` from every source, as every verb, transport and
//! era has it. The program is the example `risky`.
#![allow(clippy::unwrap_used)]

mod review;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left with the profile `safe`.
const SAFE: [&str; 6] = ["plain", "ask", "model", "dice", "time", "risky://text"];

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/risky");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "cargo build -p pymcp-app --example risky");
    path
}

fn command(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(environment.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end: exit code, stdout, stderr.
fn run(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> (i32, String, String) {
    let child = command(arguments, environment, folder).spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output: Output = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// The names of everything that is listed with these arguments.
fn listed(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Vec<String> {
    let arguments = [&["list", "--json"], arguments].concat();
    let (code, stdout, stderr) = run(&arguments, environment, folder);
    assert_eq!(code, 0, "{stderr}");
    let all: Value = serde_json::from_str(&stdout).unwrap();
    let members = [
        ("tools", "name"),
        ("resources", "uri"),
        ("resourceTemplates", "uriTemplate"),
        ("prompts", "name"),
    ];
    let names = members.into_iter().flat_map(|(member, name)| {
        let all = all[member].as_array().unwrap().iter();
        all.map(move |one| one[name].as_str().unwrap().to_owned())
    });
    names.collect()
}

/// A server that listens until it is dropped, and what it says until then.
struct Server {
    process: Child,
    url: String,
    said: Vec<String>,
}

impl Server {
    fn start(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Self {
        let arguments = [&["serve", "--transport=http", "--port=0"], arguments].concat();
        let mut command = command(&arguments, environment, folder);
        let mut process = command.stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        let url = loop {
            let line = receiver.recv_timeout(PATIENCE).unwrap();
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.split([' ', ',']).next().unwrap().to_owned();
            }
            said.push(line);
        };
        Self { process, url, said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const CONFIG: &str = "\
profile = 'mine'

[profiles.mine]
extends = 'safe'
disable = ['effect:asks-user', 'effect:uses-model']

[profiles.reading]
enable = ['tag:reading', 'risky://pages/{item}']
disable = ['effect:reads-files']
";

#[test]
fn every_source_says_which_components_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("risky.env"), "RISKY_PROFILE=safe\n").unwrap();
    std::fs::write(here.join("risky.toml"), CONFIG).unwrap();
    let all = listed(&[], &[], here);
    assert_eq!(all.len(), 15);
    assert_eq!(listed(&[], &[("RISKY_PROFILE", "full")], here), all);
    for (arguments, environment, expected) in [
        (&[][..], &[("RISKY_PROFILE", "safe")][..], &SAFE[..]),
        (&["--env-file", "risky.env"], &[], &SAFE),
        (
            &["--config", "risky.toml"],
            &[],
            &["plain", "dice", "time", "risky://text"],
        ),
        (
            &["--config", "risky.toml"],
            &[("RISKY_PROFILE", "reading")],
            &["plain", "risky://text", "risky://pages/{item}"],
        ),
        (
            &[],
            &[
                ("RISKY_ENABLE", "dice,describe"),
                ("RISKY_DISABLE", "random"),
            ],
            &["describe"],
        ),
    ] {
        assert_eq!(listed(arguments, environment, here), expected);
    }
}

#[test]
fn every_transport_and_era_has_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // By flags, which serve alone has.
    let server = Server::start(&["--profile=safe", "--disable=dice"], &[], here);
    let without_dice: Vec<_> = SAFE.into_iter().filter(|name| *name != "dice").collect();
    let off = server.said.iter().find(|line| line.contains("are off"));
    let off = off.unwrap_or_else(|| panic!("{:?}", server.said));
    assert!(
        off.contains("INFO")
            && off.contains("profile safe, 10 of 15 components are off: tool:dice, tool:fetch, ")
            && off.contains("template:risky://pages/{item} and prompt:describe"),
        "{off}"
    );
    for era in ["modern", "legacy"] {
        let target = ["--url", &server.url, "--era", era];
        assert_eq!(listed(&target, &[], here), without_dice, "{era}");
    }
    let binary = binary();
    let binary = binary.to_str().unwrap();
    for era in ["modern", "legacy"] {
        let target = ["--era", era, "--env", "RISKY_PROFILE=safe", "--", binary];
        assert_eq!(listed(&target, &[], here), SAFE, "{era}");
    }
    let full = Server::start(&[], &[], here);
    assert!(
        !full.said.iter().any(|line| line.contains("profile")),
        "{:?}",
        full.said
    );
}

#[test]
fn what_is_off_is_unknown_to_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let safe = [("RISKY_PROFILE", "safe")];
    for (off, never) in [
        (&["call", "run"][..], &["call", "never"][..]),
        (&["read", "risky://file"], &["read", "risky://never"]),
        (
            &["read", "risky://pages/pear"],
            &["read", "risky://never/pear"],
        ),
        (
            &["prompt", "describe", "item=x"],
            &["prompt", "never", "item=x"],
        ),
        (
            &["complete", "risky://pages/{item}", "item=p"],
            &["complete", "risky://never/{item}", "item=p"],
        ),
    ] {
        let (code, stdout, stderr) = run(off, &safe, here);
        let (name, never_named) = (off[1], never[1]);
        let as_never = run(never, &safe, here);
        assert_eq!(
            (code, stdout, stderr.replace(name, never_named)),
            as_never,
            "{off:?}"
        );
        assert_ne!(code, 0, "{off:?}");
        let (code, _, stderr) = run(off, &[], here);
        assert_eq!(code, 0, "{off:?}: {stderr}");
    }
    let (_, stdout, _) = run(&["inspect", "--json"], &safe, here);
    let inspected: Value = serde_json::from_str(&stdout).unwrap();
    let capabilities = &inspected["capabilities"];
    assert!(capabilities["prompts"].is_null() && capabilities["completions"].is_null());
    let (_, stdout, _) = run(&["doctor", "--json"], &safe, here);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let told = report["facts"]["Profile"].as_str().unwrap_or_default();
    assert!(
        told.starts_with("safe, 9 of 15 components are off: tool:fetch"),
        "{report}"
    );
    let (_, stdout, _) = run(&["version", "--verbose"], &safe, here);
    assert!(
        stdout.lines().any(|line| line.ends_with("  safe")),
        "{stdout}"
    );
    let (_, stdout, _) = run(&["version", "--verbose"], &[], here);
    assert!(!stdout.contains("profile"), "{stdout}");
}

#[test]
fn a_profile_that_is_wrong_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (text, sentence) in [
        (
            "[profiles.x]\nenabel = ['plain']",
            "line 2: [profiles.x] has 'enabel', which is no key of a profile; did you mean enable?",
        ),
        (
            "[profiles.x]\nzzz = 1",
            "line 2: [profiles.x] has 'zzz', which is no key of a profile; a profile has extends, enable, disable.",
        ),
        (
            "[profiles.x]\nenable = []",
            "line 2: enable of [profiles.x] must be a list of names, URIs, tag:WORD and effect:KIND, with at least one.",
        ),
        (
            "[profiles.x]\ndisable = 'plain'",
            "line 2: disable of [profiles.x] must be a list of",
        ),
        (
            "[profiles.x]\nextends = ['safe']",
            "line 2: extends of [profiles.x] must be the name of a profile.",
        ),
        (
            "port = 1\n[profiles.safe]\ndisable = ['x']",
            "line 2: [profiles.safe] is a profile that every server has; call yours by another name.",
        ),
        (
            "[profiles.'a b']",
            "line 1: [profiles.a b] must have a name of letters, digits, - and _.",
        ),
        (
            "[profiles]\nx = 1",
            "line 2: profiles.x must be a table, as in",
        ),
        (
            "profile = 'x'\n[profiles.x]\ndisable = ['plane']",
            "line 3: disable of [profiles.x] has 'plane', which is no tool, resource, template, prompt, tag or effect of \
             this server; did you mean plain?",
        ),
        (
            "profile = 'y'\n[profiles.x]\n",
            "line 1: profile is 'y', but must be one of full, safe, x.",
        ),
        (
            "profiles = 1",
            "line 1: profiles is not a setting; did you mean profile?",
        ),
    ] {
        std::fs::write(here.join("risky.toml"), text).unwrap();
        let (code, stdout, stderr) = run(&["--config", "risky.toml"], &[], here);
        assert_eq!((code, &*stdout), (2, ""), "{text}: {stderr}");
        let expected = format!("risky: risky.toml, {sentence}");
        assert!(stderr.starts_with(&expected), "{text}: {stderr}");
    }
    let (code, _, stderr) = run(
        &["--enable=plain", "--profile=safe", "--disable=rum"],
        &[],
        here,
    );
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("risky: --disable has 'rum', which is no tool,")
            && stderr.contains("did you mean run?\n  There are tools plain, ask, "),
        "{stderr}"
    );
}

#[test]
fn a_server_of_which_nothing_is_left_is_served_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        &["--enable=run", "--disable=effect:runs-untrusted-code"],
        &[],
        folder.path(),
    );
    let said = server.said.join("\n");
    assert!(
        said.contains("WARN") && said.contains("no component is left"),
        "{said}"
    );
    assert_eq!(listed(&["--url", &server.url], &[], folder.path()), [""; 0]);
}
