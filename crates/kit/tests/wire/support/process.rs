//! A program as a process: runs that end by themselves, signals, memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use super::stdio::{PATIENCE, command};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What was run, for the message of a failure.
    _asked: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary without input to its end.
pub(crate) fn run(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
    let mut command = command(directory, args, env);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.expect("the program starts");
    let pid = child.id();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        signal(pid, "KILL");
        panic!("{args:?} {env:?} did not end within {PATIENCE:?}");
    });
    let output = output.expect("the output can be read");
    Finished {
        _asked: format!("{args:?} {env:?}"),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal. The shell's own `kill`, because the standard library has none.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {pid}"))
        .status();
    assert!(
        sent.expect("a shell").success(),
        "no process {pid} to send SIG{name}"
    );
}

/// The most memory that the process has had so far, in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn peak_memory(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

/// The memory that the process has now, in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn resident_memory(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The processes that the process has started and not waited for.
#[cfg(target_os = "linux")]
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before may hold spaces and parentheses.
        let fields = stat.rsplit(')').next()?;
        fields.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&child| parent(child) == Some(pid))
        .collect()
}

#[cfg(target_os = "linux")]
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("a size");
    size.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of KiB")
}
