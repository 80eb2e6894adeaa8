//! One worker, seen from the server.

use std::convert::Infallible;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};

use super::config::{Config, Event, Observer};
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

/// A worker. Dropping it kills the process.
pub(super) struct Worker {
    pub(super) link: Link<ChildStdout, ChildStdin>,
    /// How the process ended; `None` when that was asked for already.
    ended: Option<oneshot::Receiver<io::Result<ExitStatus>>>,
    /// The keeper ends the process when this is gone.
    _held: oneshot::Sender<Infallible>,
    observer: Option<Observer>,
    pub(super) layers: Layers,
    /// Runs served.
    pub(super) runs: u32,
    /// Since when nothing runs.
    pub(super) idle_since: Instant,
}

/// Counts workers: from before they are started until they have been waited for.
pub(super) struct Alive(Arc<watch::Sender<usize>>);

impl Alive {
    pub(super) fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Waits for a process, which is what leaves nothing of it; ends it when nobody holds it any more, or
/// the pool is closed. A task of its own, because a process may end while nobody asks for it.
async fn keep(
    mut child: Child,
    held: oneshot::Receiver<Infallible>,
    mut closed: watch::Receiver<bool>,
    tell: oneshot::Sender<io::Result<ExitStatus>>,
    alive: Alive,
) {
    let let_go = async {
        tokio::select! {
            _ = held => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    };
    let ended_itself = tokio::select! {
        status = child.wait() => Some(status),
        () = let_go => None,
    };
    let status = match ended_itself {
        Some(status) => status,
        None => {
            // It fails for one that has ended only.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    drop(alive);
    // Nobody asks after a worker that was let go of.
    let _ = tell.send(status);
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
    /// Starts a worker, and waits until it is ready. It ends when it is dropped, or `closed` is true.
    pub(super) async fn start(
        config: &Config,
        alive: Alive,
        closed: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut command = Command::new(&config.program.path);
        command
            .args(&config.program.arguments)
            .env_clear()
            .env("TZ", time_zone(config.utc_offset))
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
        let (held, let_go) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        tokio::spawn(keep(child, let_go, closed, tell, alive));
        let mut worker = Self {
            link: Link::new(stdout, stdin),
            ended: Some(ended),
            _held: held,
            // Told of the end of those only that it was told of the start of.
            observer: None,
            layers: Layers::default(),
            runs: 0,
            idle_since: Instant::now(),
        };
        match tokio::time::timeout(START_TIME, worker.link.receive(READY)).await {
            Ok(Ok(FromWorker::Ready(layers))) => {
                worker.layers = layers;
                worker.observer = config.observer.clone();
                if let Some(observer) = &worker.observer {
                    observer(Event::WorkerStarted);
                }
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
        let ended = self.ended.as_mut().map(oneshot::Receiver::try_recv);
        matches!(ended, Some(Err(TryRecvError::Empty))) && self.link.is_quiet()
    }

    /// How the process ended that just stopped talking.
    pub(super) async fn end(&mut self, error: &io::Error) -> End {
        let Some(ended) = self.ended.take() else {
            return End::Other("killed".into());
        };
        let patience = match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => LAST_WORDS,
            // It broke the protocol and lives on, most likely.
            _ => NO_WORDS,
        };
        match tokio::time::timeout(patience, ended).await {
            Ok(Ok(Ok(status))) if status.code() == Some(OUT_OF_MEMORY) => End::OutOfMemory,
            Ok(Ok(Ok(status))) => End::Other(format!("it ended with {status}")),
            Ok(Ok(Err(error))) => End::Other(error.to_string()),
            Ok(Err(_)) => End::Other("killed".into()),
            Err(_) => End::Other("it said what no worker says".into()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer(Event::WorkerEnded);
        }
    }
}

/// A time zone as POSIX writes one (XBD 8.3), which needs no file: what is east of UTC is negative.
fn time_zone(offset: i32) -> String {
    let (sign, against) = match offset < 0 {
        true => ('-', '+'),
        false => ('+', '-'),
    };
    let seconds = offset.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match offset {
        0 => "UTC0".to_owned(),
        _ => format!("<{sign}{hours:02}{minutes:02}>{against}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_needs_no_file() {
        for (offset, zone) in [
            (0, "UTC0"),
            (19_800, "<+0530>-05:30:00"),
            (-12_600, "<-0330>+03:30:00"),
        ] {
            assert_eq!(time_zone(offset), zone);
        }
    }
}
