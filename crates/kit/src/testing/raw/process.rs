//! A program as a process: its end, its signals, what it writes to stderr.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What was run, for the message of a failure.
    pub command: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All that it wrote to stdout.
    pub stdout: String,
    /// All that it wrote to stderr.
    pub stderr: String,
}

/// Runs a program without input to its end.
pub(in crate::testing) fn run(mut command: Command, patience: Duration) -> Finished {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let asked = format!("{command:?}");
    let child = spawn(&mut command);
    let pid = child.id();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(patience) else {
        #[cfg(unix)]
        signal(pid, "KILL");
        panic!("process {pid} did not end within {patience:?}: {asked}");
    };
    let output = output.expect("the output can be read");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        command: asked,
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// Sends a process a signal: `HUP`, `INT`, `KILL` or `TERM`.
///
/// # Panics
/// When there is no such process any more.
#[cfg(unix)]
pub fn signal(pid: u32, name: &str) {
    use rustix::process::{Pid, Signal, kill_process};

    let signal = match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "TERM" => Signal::TERM,
        _ => panic!("no signal of tests: {name}"),
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let sent = pid.map(|pid| kill_process(pid, signal));
    assert!(matches!(sent, Some(Ok(()))), "it has ended: {sent:?}");
}

/// A program that runs; killed when dropped.
pub struct Process {
    pub(super) child: Child,
    pub(super) patience: Duration,
    stderr: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it, and gives each line of its stderr to `heard` as it comes.
    pub(super) fn start(
        mut command: Command,
        patience: Duration,
        mut heard: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let mut child = spawn(command.stderr(Stdio::piped()));
        let stderr = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&stderr);
        let mut pipe = BufReader::new(child.stderr.take().expect("stderr is piped"));
        thread::spawn(move || {
            let mut line = Vec::new();
            while let Ok(1..) = pipe.read_until(b'\n', &mut line) {
                let text = String::from_utf8_lossy(&line);
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
                heard(&text);
                line.clear();
            }
        });
        Self {
            child,
            patience,
            stderr,
        }
    }

    /// The id of its process, for signals and measurements.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr so far, whole lines.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + self.patience;
        // The standard library has no wait with a deadline.
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!(
            "the server did not end within {:?}\nstderr:\n{}",
            self.patience,
            self.stderr()
        );
    }

    /// Asks it to end, as a service manager does (SIGTERM).
    #[cfg(unix)]
    pub fn terminate(&self) {
        signal(self.pid(), "TERM");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
