//! How a pool is set up, and what it tells of itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::run::{Kind, Limit};
use crate::worker;

/// Is told of events.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// How a pool works.
#[derive(Clone)]
pub struct Config {
    /// How many runs there may be at once. Default: one for each CPU; at most 64.
    pub workers: usize,
    /// How many runs may wait for a worker; one more is refused, unless another caller has more of
    /// the queue: then the latest of that caller's is refused in its place. So a caller has all of it
    /// while nobody else waits, and an even share otherwise. Default 64.
    pub queue: usize,
    /// How long a run may wait. Default 10 s.
    pub queue_time: Duration,
    /// Where the process of a run comes from. Default [`Isolation::Session`].
    pub isolation: Isolation,
    /// What to do where the operating system lacks a layer of confinement. Default
    /// [`Sandbox::BestEffort`].
    pub sandbox: Sandbox,
    /// How long a process that is not needed is kept. Default 5 min.
    pub idle_time: Duration,
    /// Offset from UTC in seconds of the time that code sees, less than a day: for `datetime.now()`
    /// without a time zone and `date.today()`. Where the host is, is nobody's business. Default 0.
    pub utc_offset: i32,
    /// The program to start as a worker. Default: this one, with [`worker::ARGUMENT`]. To be a zygote it
    /// is started with one argument more.
    pub program: Program,
    /// Is told what happens, at once and in order of a single run: for metrics. Has to be quick.
    pub observer: Option<Observer>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            queue: 64,
            queue_time: Duration::from_secs(10),
            isolation: Isolation::default(),
            sandbox: Sandbox::default(),
            idle_time: Duration::from_secs(300),
            utc_offset: 0,
            program: Program::default(),
            observer: None,
        }
    }
}

/// Where the process of a run comes from. Every run has one of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A fork of a process that has the interpreter ready and runs no code itself. Where a process can't
    /// be forked (only Linux has it), as [`Isolation::Process`].
    #[default]
    Session,
    /// A new start of the program, which shares no memory layout and no interpreter with other runs.
    /// Costs the CPU time and the memory of an interpreter for each run.
    Process,
}

/// What to do where the operating system lacks a layer of confinement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// Say so in the log, and run with the others.
    #[default]
    BestEffort,
    /// Run nothing.
    Require,
}

/// A program that is a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file to execute.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Default for Program {
    fn default() -> Self {
        // Stays this very program when its file is replaced, as an update does.
        let itself = match cfg!(target_os = "linux") {
            true => "/proc/self/exe".into(),
            false => std::env::current_exe().unwrap_or_default(),
        };
        Self {
            path: itself,
            arguments: vec![worker::ARGUMENT.into()],
        }
    }
}

/// Something that happened in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A worker was started and is ready.
    WorkerStarted,
    /// A worker is gone: let go of, or killed.
    WorkerEnded,
    /// A run ended; without a kind it has a value.
    Finished {
        /// Why it has no value.
        failure: Option<Kind>,
        /// How long it waited for a worker.
        queued: Duration,
        /// How long it took from then on.
        duration: Duration,
    },
    /// A run ended its worker, for this reason; `None`: the caller went away.
    Killed(Option<Kind>),
}

/// What can become of a run, as words for metrics: a value, or the kind of its failure.
pub const OUTCOMES: [&str; 9] = [
    "ok",
    "syntax",
    "types",
    "exception",
    "inputs",
    "limit",
    "busy",
    "crashed",
    "unavailable",
];

/// Its place in [`OUTCOMES`].
fn outcome(failure: Option<Kind>) -> usize {
    match failure {
        None => 0,
        Some(Kind::Syntax) => 1,
        Some(Kind::Types) => 2,
        Some(Kind::Exception) => 3,
        Some(Kind::Inputs) => 4,
        Some(Kind::Limit(_)) => 5,
        Some(Kind::Busy) => 6,
        Some(Kind::Crashed) => 7,
        Some(Kind::Unavailable) => 8,
    }
}

/// Counts of what happened since the pool was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Runs that ended, with a value or without.
    pub runs: u64,
    /// The same, by what became of them: in the order of [`OUTCOMES`].
    pub outcomes: [u64; OUTCOMES.len()],
    /// Workers that ended because a run took too long.
    pub killed_for_time: u64,
    /// Workers that ended because a run needed too much memory.
    pub killed_for_memory: u64,
    /// Workers killed because the caller went away.
    pub killed_for_absence: u64,
    /// Workers that died of themselves, or said what no worker says.
    pub crashed: u64,
    /// Runs refused because too many waited, or this one too long.
    pub refused: u64,
    /// Time that all runs together waited for a worker.
    pub queued: Duration,
    /// Workers there are now, those included that are being started or ended.
    pub workers: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    outcomes: [AtomicU64; OUTCOMES.len()],
    killed_for_time: AtomicU64,
    killed_for_memory: AtomicU64,
    killed_for_absence: AtomicU64,
    crashed: AtomicU64,
    refused: AtomicU64,
    queued_micros: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, event: Event) {
        let counter = match event {
            Event::Finished {
                failure, queued, ..
            } => {
                let micros = u64::try_from(queued.as_micros()).unwrap_or(u64::MAX);
                self.queued_micros.fetch_add(micros, Ordering::Relaxed);
                if failure == Some(Kind::Busy) {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                &self.outcomes[outcome(failure)]
            }
            Event::Killed(None) => &self.killed_for_absence,
            Event::Killed(Some(Kind::Limit(Limit::Time))) => &self.killed_for_time,
            Event::Killed(Some(Kind::Limit(Limit::Memory))) => &self.killed_for_memory,
            Event::Killed(Some(_)) => &self.crashed,
            Event::WorkerStarted | Event::WorkerEnded => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, workers: usize) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let outcomes = self.outcomes.each_ref().map(read);
        Stats {
            runs: outcomes.iter().sum(),
            outcomes,
            killed_for_time: read(&self.killed_for_time),
            killed_for_memory: read(&self.killed_for_memory),
            killed_for_absence: read(&self.killed_for_absence),
            crashed: read(&self.crashed),
            refused: read(&self.refused),
            queued: Duration::from_micros(read(&self.queued_micros)),
            workers: workers as u64,
        }
    }
}
