//! One worker, seen from the server.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::config::{Event, Observer, Program};
use super::conversation::Link;
use crate::confine::Layers;
use crate::wire::FromWorker;

/// How long a worker may take until it is ready: reading the standard library for the type checker
/// is most of it, and a busy machine takes many times as long.
const START_TIME: Duration = Duration::from_secs(30);

/// The exit code of a worker that needed more memory than it may.
const OUT_OF_MEMORY: i32 = monty_types::OOM_EXIT_CODE;

/// Bytes of the first message.
const READY: usize = 4 << 10;

/// How long a worker may take to be gone that has closed its output, and one that has not.
const LAST_WORDS: Duration = Duration::from_secs(2);
const NO_WORDS: Duration = Duration::from_millis(100);

/// A worker. Dropping it kills the process and sees to it that nothing is left of it.
pub(super) struct Worker {
    /// `None` when the process is being ended.
    child: Option<Child>,
    pub(super) link: Link<ChildStdout, ChildStdin>,
    alive: Alive,
    observer: Option<Observer>,
    pub(super) layers: Layers,
    /// Runs served.
    pub(super) runs: u32,
    /// Since when nothing runs.
    pub(super) idle_since: Instant,
}

/// Counts workers: from before they are started until they have been waited for.
pub(super) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a worker ended that was not told to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It needed more memory than it may.
    OutOfMemory,
    /// Anything else, in words for the log.
    Other(String),
}

impl Worker {
    /// Starts a worker, and waits until it is ready.
    pub(super) async fn start(
        program: &Program,
        alive: Alive,
        observer: Option<Observer>,
    ) -> io::Result<Self> {
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .current_dir(if cfg!(windows) { "C:\\" } else { "/" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.arg0("pymcp-python-worker");
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
        let mut worker = Self {
            child: Some(child),
            link: Link::new(stdout, stdin),
            alive,
            // Told of the end of those only that it was told of the start of.
            observer: None,
            layers: Layers::default(),
            runs: 0,
            idle_since: Instant::now(),
        };
        match tokio::time::timeout(START_TIME, worker.link.receive(READY)).await {
            Ok(Ok(FromWorker::Ready(layers))) => {
                worker.layers = layers;
                if let Some(observer) = &observer {
                    observer(Event::WorkerStarted);
                }
                worker.observer = observer;
                Ok(worker)
            }
            Ok(Ok(_)) => Err(io::Error::other("its first message is not the right one")),
            Ok(Err(error)) => match worker.end(&error).await {
                End::OutOfMemory => Err(io::Error::other("it ran out of memory")),
                End::Other(how) => Err(io::Error::other(format!("{how}: {error}"))),
            },
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Whether it is alive, and has said nothing that it was not asked.
    pub(super) fn is_fit(&mut self) -> bool {
        let alive = self
            .child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        alive && self.link.is_quiet()
    }

    /// How the process ended that just stopped talking.
    pub(super) async fn end(&mut self, error: &io::Error) -> End {
        let Some(child) = &mut self.child else {
            return End::Other("killed".into());
        };
        let patience = match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => LAST_WORDS,
            // It broke the protocol and lives on, most likely.
            _ => NO_WORDS,
        };
        let ended = match tokio::time::timeout(patience, child.wait()).await {
            Ok(ended) => ended,
            Err(_) => return End::Other("it said what no worker says".into()),
        };
        match ended {
            Ok(status) if status.code() == Some(OUT_OF_MEMORY) => End::OutOfMemory,
            Ok(status) => End::Other(describe(status)),
            Err(error) => End::Other(error.to_string()),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    format!("it ended with {status}")
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if let Some(observer) = &self.observer {
            observer(Event::WorkerEnded);
        }
        // Killed at once; waited for in its own time. Outside of a runtime the operating system
        // takes care of it when this process ends.
        let _ = child.start_kill();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let alive = Alive::new(&self.alive.0);
            runtime.spawn(async move {
                let _ = child.wait().await;
                drop(alive);
            });
        }
    }
}
