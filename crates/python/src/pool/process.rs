//! One worker, seen from the server.

use std::convert::Infallible;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, Command};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};

use super::config::{Config, Event, Observer};
use super::conversation::Link;
use crate::alloc::OUT_OF_MEMORY;
use crate::confine::Layers;
use crate::wire::{Ended, FromWorker};

/// How long a worker may take until it is ready: reading the standard library for the type checker
/// is most of it, and a busy machine takes many times as long.
pub(super) const START_TIME: Duration = Duration::from_secs(30);

/// Bytes of the first message.
const READY: usize = 4 << 10;

/// How long a worker may take to be gone that has closed its output, and one that has not.
const LAST_WORDS: Duration = Duration::from_secs(2);
const NO_WORDS: Duration = Duration::from_millis(100);

/// The signal to a process that has used all the CPU time it may: 24 on every Unix.
const CPU_TIME_IS_UP: i32 = 24;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A worker. Dropping it kills the process.
pub(super) struct Worker {
    pub(super) link: Link<Reader, Writer>,
    /// How the process ended; `None` when that was asked for already.
    ended: Option<oneshot::Receiver<Ended>>,
    /// Whoever looks after the process ends it when this is gone.
    _held: Held,
    observer: Option<Observer>,
    pub(super) layers: Layers,
    /// Since when it waits for a run.
    pub(super) idle_since: Instant,
}

/// What keeps a process alive.
enum Held {
    Process {
        _held: oneshot::Sender<Infallible>,
    },
    #[cfg(target_os = "linux")]
    Fork {
        _held: super::zygote::Held,
    },
}

/// Counts processes: from before they are started until they have been waited for.
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

/// Asks the system's allocator (glibc 2.35) for pages of 2 MiB: to fork a process is to copy its table
/// of pages, and to end it to give each of them back.
const HUGE_PAGES: &str = "glibc.malloc.hugetlb=1";

/// The program that is a worker, with nothing of the server's.
pub(super) fn command(config: &Config) -> Command {
    let mut command = Command::new(&config.program.path);
    command
        .args(&config.program.arguments)
        .env_clear()
        .env("TZ", time_zone(config.utc_offset))
        .env("GLIBC_TUNABLES", HUGE_PAGES)
        .current_dir(if cfg!(windows) { "C:\\" } else { "/" })
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Waits for a process, which is what leaves nothing of it; ends it when nobody holds it any more, or
/// the pool is closed. A task of its own, because a process may end while nobody asks for it.
async fn keep(
    mut child: Child,
    held: oneshot::Receiver<Infallible>,
    mut closed: watch::Receiver<bool>,
    tell: oneshot::Sender<Ended>,
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
    let _ = tell.send(how(status));
}

fn how(status: io::Result<ExitStatus>) -> Ended {
    let status = match status {
        Ok(status) => status,
        Err(error) => return Ended::Other(error.to_string()),
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ended::Signal(signal);
    }
    match status.code() {
        Some(code) => Ended::Code(code),
        None => Ended::Other(status.to_string()),
    }
}

/// How a worker ended that was not told to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It needed more memory than it may.
    OutOfMemory,
    /// It needed more CPU time than any run may.
    OutOfTime,
    /// Anything else, in words for the log.
    Other(String),
}

impl Worker {
    /// Starts a process, and waits until it is ready. It ends when it is dropped, or `closed` is true.
    pub(super) async fn start(
        config: &Config,
        alive: Alive,
        closed: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut command = command(config);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        command.arg0("pymcp-python-worker");
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
        let (held, let_go) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        tokio::spawn(keep(child, let_go, closed, tell, alive));
        let link = Link::new(Box::new(stdout) as Reader, Box::new(stdin) as Writer);
        let held = Held::Process { _held: held };
        Self::ready(link, ended, held, config).await
    }

    /// Has a process forked, and waits until it is ready. It ends when it is dropped.
    #[cfg(target_os = "linux")]
    pub(super) async fn fork(
        config: &Config,
        zygote: &Arc<super::zygote::Zygote>,
        alive: Alive,
    ) -> io::Result<Self> {
        let (socket, ended, held) = zygote.fork(alive)?;
        let (from, to) = socket.into_split();
        let link = Link::new(Box::new(from) as Reader, Box::new(to) as Writer);
        Self::ready(link, ended, Held::Fork { _held: held }, config).await
    }

    async fn ready(
        link: Link<Reader, Writer>,
        ended: oneshot::Receiver<Ended>,
        held: Held,
        config: &Config,
    ) -> io::Result<Self> {
        let mut worker = Self {
            link,
            ended: Some(ended),
            _held: held,
            // Told of the end of those only that it was told of the start of.
            observer: None,
            layers: Layers::default(),
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
                End::OutOfTime => Err(io::Error::other("it ran out of CPU time")),
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
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => LAST_WORDS,
            // It broke the protocol and lives on, most likely.
            _ => NO_WORDS,
        };
        match tokio::time::timeout(patience, ended).await {
            Ok(Ok(Ended::Code(OUT_OF_MEMORY))) => End::OutOfMemory,
            Ok(Ok(Ended::Signal(CPU_TIME_IS_UP))) => End::OutOfTime,
            Ok(Ok(Ended::Code(code))) => End::Other(format!("it ended with exit code {code}")),
            Ok(Ok(Ended::Signal(signal))) => End::Other(format!("signal {signal} ended it")),
            Ok(Ok(Ended::Other(how))) => End::Other(how),
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
