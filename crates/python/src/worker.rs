//! A worker: the process that the untrusted code runs in.
//!
//! Two threads: the first reads frames, and ends the process when the server goes away, whatever
//! the second is busy with; the second, with a stack for the deepest source there may be, runs one
//! request after the other. Nothing of a run outlives it: interpreter and heap are made anew.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::engine::Engine;
use crate::wire::{self, Done, FromWorker, HEAD, Stream, ToWorker};
use crate::{alloc, confine};

/// The argument that makes a program a worker.
pub const ARGUMENT: &str = "python-worker";

/// Seconds of CPU after which the kernel ends a worker that the server could not. The server lets
/// one go long before.
pub(crate) const CPU_SECONDS: u64 = 240;

/// Bytes of stack. Parser and type checker recurse with the nesting of the source: 140 bytes and
/// more a level, and [`crate::Limits::MAX`] has room for a quarter of a million levels.
const STACK: usize = 256 << 20;

/// Whether this process was started to be a worker. To be asked first of all in `main`.
pub fn is_requested() -> bool {
    std::env::args_os().nth(1).as_deref() == Some(OsStr::new(ARGUMENT))
}

/// Serves runs on stdin and stdout until stdin ends. To be called first of all in `main`, with
/// [`crate::Allocator`] as the global allocator: no thread may exist yet.
pub fn main() -> ExitCode {
    // A thread that unwinds would leave the other one waiting for it.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let mut layers = confine::before_threads();
    layers.memory = alloc::start_counting();
    let (requests, received) = mpsc::sync_channel(1);
    let (started, ready) = mpsc::sync_channel(1);
    let (confined, start) = mpsc::sync_channel(1);
    let engine = thread::Builder::new()
        .name("engine".into())
        .stack_size(STACK)
        .spawn(move || {
            if started.send(()).is_ok()
                && let Ok(layers) = start.recv()
            {
                serve(layers, &received);
            }
        });
    if let Err(error) = engine {
        return fail(&format!("no thread: {error}"));
    }
    // A thread that is still being set up needs system calls that are not for later.
    let running = ready.recv().is_ok();
    layers.seccomp = confine::all_threads();
    if !running || confined.send(layers).is_err() {
        return fail("the engine did not start");
    }
    match listen(&requests) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(reason: &str) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "python worker: {reason}");
    ExitCode::FAILURE
}

/// Hands on what the server sends, until it sends no more.
fn listen(requests: &mpsc::SyncSender<ToWorker>) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    loop {
        let mut head = [0; HEAD];
        match stdin.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut body = vec![0; wire::announced(head)?];
        stdin.read_exact(&mut body)?;
        if requests.send(wire::decode(&body)?).is_err() {
            return Err(io::Error::other("the engine is gone"));
        }
    }
}

/// The second thread.
fn serve(layers: confine::Layers, requests: &mpsc::Receiver<ToWorker>) {
    let mut engine = Engine::new();
    let mut host = Host::new(requests);
    host.send(&FromWorker::Ready(layers));
    while let Ok(ToWorker::Run(run)) = requests.recv() {
        host.start(run.limits.output);
        let result = engine.run(*run, &mut host);
        alloc::unlimited();
        host.flush();
        host.send(&FromWorker::Done(Done {
            result,
            dropped: host.dropped,
            cpu_seconds: cpu_seconds(),
            memory: alloc::live(),
        }));
    }
    std::process::exit(0);
}

/// Seconds of CPU used by this process.
fn cpu_seconds() -> u64 {
    #[cfg(unix)]
    let seconds = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    #[cfg(not(unix))]
    let seconds = 0;
    u64::try_from(seconds).unwrap_or(0)
}

/// The way of a run to the server. Where the server can't be reached any more the process ends:
/// there is nobody to run anything for.
pub(crate) struct Host<'a> {
    requests: &'a mpsc::Receiver<ToWorker>,
    /// What was printed and not sent yet, by stream, as the three below.
    pending: [String; 2],
    /// Bytes that may still be printed.
    left: [usize; 2],
    dropped: [u64; 2],
    sent: Instant,
}

impl<'a> Host<'a> {
    /// Output is sent in pieces of this size or when it is this old, and so is not lost when a run
    /// is ended.
    const PIECE: usize = 4 << 10;
    const AGE: Duration = Duration::from_millis(50);

    fn new(requests: &'a mpsc::Receiver<ToWorker>) -> Self {
        Self {
            requests,
            pending: Default::default(),
            left: [0; 2],
            dropped: [0; 2],
            sent: Instant::now(),
        }
    }

    /// A new run, which may print this many bytes.
    fn start(&mut self, limit: usize) {
        *self = Self {
            left: [limit; 2],
            ..Self::new(self.requests)
        };
    }

    /// Takes what fits of `text`, and counts the rest.
    pub(crate) fn print(&mut self, stream: Stream, text: &str) {
        let at = stream as usize;
        let fits = text.floor_char_boundary(self.left[at].min(text.len()));
        self.left[at] -= fits;
        if fits < text.len() {
            // Whatever is printed next would not follow what was printed last.
            self.left[at] = 0;
            self.dropped[at] += (text.len() - fits) as u64;
        }
        self.pending[at].push_str(&text[..fits]);
        if self.pending[at].len() >= Self::PIECE {
            self.flush();
        }
    }

    /// Sends what was printed.
    pub(crate) fn flush(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let pending = std::mem::take(&mut self.pending[stream as usize]);
            if !pending.is_empty() {
                self.send(&FromWorker::Output(stream, pending));
            }
        }
        self.sent = Instant::now();
    }

    /// Sends what was printed a while ago.
    pub(crate) fn flush_old(&mut self) {
        if self.pending.iter().any(|text| !text.is_empty()) && self.sent.elapsed() > Self::AGE {
            self.flush();
        }
    }

    /// Calls a function of the server, and waits for its answer.
    pub(crate) fn call(&mut self, call: &FromWorker) -> Result<Box<RawValue>, String> {
        self.flush();
        self.send(call);
        match self.requests.recv() {
            Ok(ToWorker::Returned(value)) => Ok(value),
            Ok(ToWorker::Raised(message)) => Err(message),
            Ok(ToWorker::Run(_)) | Err(_) => std::process::exit(1),
        }
    }

    fn send(&self, message: &FromWorker) {
        let sent = wire::encode(message).and_then(|frame| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&frame)?;
            stdout.flush()
        });
        if sent.is_err() {
            std::process::exit(1);
        }
    }
}
