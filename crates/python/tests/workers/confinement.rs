//! What the kernel refuses, layer by layer. Only Linux has these layers.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use pymcp_python::{Pool, Program};

use crate::attempts::{ATTEMPTS, MORE_ATTEMPTS};
use crate::{config, run, text, trial};

pub(crate) const EPERM: &str = "1";
const EACCES: &str = "13";

pub(crate) fn trials() -> Vec<Trial> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    vec![
        trial("unconfined_the_attempts_succeed", || async {
            let found = attempts("none");
            for name in [
                "open a file",
                "execute a program",
                "open a socket",
                "start a thread",
            ] {
                assert_eq!(found[name], "done", "{found:?}");
            }
        }),
        trial("landlock_alone_refuses_files_and_connections", || async {
            let found = attempts("landlock");
            assert_eq!(found["Landlock"], "true");
            for (name, _) in ATTEMPTS {
                assert_eq!(found[*name], EACCES, "{name}: {found:?}");
            }
        }),
        trial("seccomp_alone_refuses_every_attempt", || async {
            let found = attempts("seccomp");
            assert_eq!(found["seccomp"], "true");
            for (name, _) in ATTEMPTS.iter().chain(MORE_ATTEMPTS) {
                assert_eq!(found[*name], EPERM, "{name}: {found:?}");
            }
        }),
        trial("together_they_refuse_every_attempt", || async {
            let found = attempts("both");
            for (name, _) in ATTEMPTS.iter().chain(MORE_ATTEMPTS) {
                assert_eq!(found[*name], EPERM, "{name}: {found:?}");
            }
            assert_eq!(found["environment empty"], "true");
            assert_eq!(found["descriptors closed"], "true");
            assert_eq!(found["secret in the environment"], "false");
        }),
        trial("a_worker_is_confined_by_every_layer", || async {
            let pool = Pool::new(config());
            let layers = pool.probe().await.unwrap();
            assert_eq!(layers.missing(), [""; 0]);
            // What the worker says of itself, as the kernel sees it.
            let zygote = children().pop().unwrap();
            let status = std::fs::read_to_string(format!("/proc/{zygote}/status")).unwrap();
            for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "Threads:\t1"] {
                assert!(status.contains(line), "{line}: {status}");
            }
            let child = children_of(zygote).pop().unwrap();
            let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
            let line = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap().trim().to_owned()
            };
            assert_eq!(line("NoNewPrivs:"), "1");
            assert_eq!(line("Seccomp:"), "2");
            for task in std::fs::read_dir(format!("/proc/{child}/task")).unwrap() {
                let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
                assert!(status.contains("Seccomp:\t2"), "{status}");
            }
            let limits = std::fs::read_to_string(format!("/proc/{child}/limits")).unwrap();
            for name in ["Max core file size", "Max file size", "Max processes"] {
                let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
                let values = line.trim_start_matches(name).split_whitespace();
                let values: Vec<_> = values.take(2).collect();
                assert_eq!(values, ["0", "0"], "{line}");
            }
            assert_eq!(text(run(&pool, "6 * 7").await), "42");
        }),
    ]
}

/// Processes that this one started and that have not been waited for.
pub(crate) fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// Processes that this one started, and what those started.
pub(crate) fn descendants() -> Vec<u32> {
    let mut found = children();
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        found.extend(children_of(pid));
        at += 1;
    }
    found
}

pub(crate) fn children_of(me: u32) -> Vec<u32> {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let parent = |pid| {
        let stat = stat(pid)?;
        let fields = stat.rsplit(')').next()?;
        fields.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let mut found: Vec<u32> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| parent(pid) == Some(me))
        .collect();
    found.sort_unstable();
    found
}

/// The results of the attempts under these layers, by name.
fn attempts(layers: &str) -> BTreeMap<String, String> {
    let mut command = Command::new(Program::default().path);
    command.args(["attempts", layers]).stderr(Stdio::inherit());
    if layers == "both" {
        command.env_clear();
    } else {
        command.env("PYMCP_SECRET", "x");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?} {text}", output.status);
    text.lines()
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, result)| (name.to_owned(), result.to_owned()))
        .collect()
}
