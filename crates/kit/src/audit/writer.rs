//! The thread that writes: as one group whatever waits when the group before it is written.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::OnFailure;
use super::chain::{Head, MAX_OWN_BYTES, Marks};
use super::entry::{Because, Closed, Event, Opened};
use super::file::Sink;
use super::queue::{Lines, Queue};
use crate::reason::reason;

/// Time after which a group is tried again that could not be written; twice as long each time, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Time for which a group waits for more lines, for each line of the group before, of which [`MANY`] count: handing a group
/// over and back wakes threads, which costs more than all else of a line, so the more come the more are to share it. A caller
/// that is alone waits for nothing.
const GATHERING: Duration = Duration::from_micros(50);
const MANY: usize = 8;

/// Time between two log lines that say that something failed.
const COMPLAINT: Duration = Duration::from_secs(10);

/// Bytes of memory that are kept between groups.
const KEPT_BYTES: usize = 64 << 10;

/// What each [`Opened`] line says.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Of the server.
    pub(super) server: String,
    /// Fingerprint of the key.
    pub(super) key: String,
}

impl Names {
    /// The line that begins a file.
    pub(super) fn opened(&self, because: Because, before: Option<&Path>, torn: u64) -> Vec<u8> {
        let before = before
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy());
        let opened = Opened {
            time: SystemTime::now(),
            because,
            server: &self.server,
            key: &self.key,
            before: before.as_deref(),
            torn_bytes: (torn > 0).then_some(torn),
        };
        Event::Opened(opened).body()
    }
}

pub(super) struct Writer<S> {
    pub(super) queue: Arc<Queue>,
    pub(super) sink: S,
    pub(super) on_failure: OnFailure,
    pub(super) names: Names,
    /// The last line that was written.
    pub(super) head: Head,
    /// A line that comes first in the file and is not written yet.
    pub(super) opening: Option<Vec<u8>>,
    /// The group as it is written.
    out: Vec<u8>,
    /// When something was last complained about.
    complained: Option<Instant>,
}

/// What is to be written at once.
struct Work {
    lines: Lines,
    /// How many of them, from the first one, are of answers that were withheld.
    withheld: usize,
    lost: u64,
    reopen: bool,
    closing: bool,
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(
        queue: Arc<Queue>,
        sink: S,
        on_failure: OnFailure,
        names: Names,
        head: Head,
    ) -> Self {
        Self {
            queue,
            sink,
            on_failure,
            names,
            head,
            opening: None,
            out: Vec::new(),
            complained: None,
        }
    }

    /// Writes the line that a server begins with.
    pub(super) fn begin(&mut self, opened: Vec<u8>) -> io::Result<()> {
        self.opening = Some(opened);
        self.append(&Lines::default(), 0, 0)?;
        self.queue.lock().head = self.head;
        Ok(())
    }

    /// Writes until it is told to close.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut pause = FIRST_PAUSE;
        let mut retry = None;
        let mut before = 0;
        let mut spare = Lines::default();
        loop {
            let mut state = queue.wait(retry);
            if before > 1 && !state.closing {
                drop(state);
                std::thread::sleep(GATHERING * before.min(MANY) as u32);
                state = queue.lock();
            }
            let mut work = Work {
                lines: std::mem::replace(&mut state.waiting, std::mem::take(&mut spare)),
                withheld: std::mem::take(&mut state.withheld),
                lost: state.lost,
                reopen: std::mem::take(&mut state.reopen),
                closing: state.closing,
            };
            before = work.lines.len();
            state.writing = Some(Instant::now());
            let was_failing = state.failing;
            let group = std::mem::take(&mut state.group);
            drop(state);
            // Whatever goes wrong there is a failed write, and no more.
            let done = catch_unwind(AssertUnwindSafe(|| self.work(&work)))
                .unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
            if let Err(error) = &done {
                self.complain("cannot be written", error);
            } else if was_failing {
                tracing::info!("The audit log is written again.");
                self.complained = None;
            }
            let mut state = queue.lock();
            state.writing = None;
            state.failing = done.is_err();
            state.head = self.head;
            let put_back = self.on_failure == OnFailure::Deny && !work.closing;
            match &done {
                Ok(()) => {
                    state.lost -= work.lost;
                    (retry, pause) = (None, FIRST_PAUSE);
                }
                Err(_) if put_back => {
                    state.withheld = work.lines.len();
                    work.lines.append(&state.waiting);
                    std::mem::swap(&mut state.waiting, &mut work.lines);
                    retry = Some(Instant::now() + pause);
                    pause = MAX_PAUSE.min(pause * 2);
                }
                Err(_) => state.lose(work.lines.len() as u64),
            }
            drop(state);
            group.finish(done.is_ok());
            spare = work.lines;
            spare.clear();
            if work.closing {
                // Whoever waits for the end may open the file again.
                drop(self);
                queue.tell(|state| {
                    state.ended = true;
                    // What came while it was closing.
                    let late = std::mem::take(&mut state.waiting).len();
                    state.lose(late as u64);
                    state.group.finish(late == 0);
                });
                return;
            }
        }
    }

    fn work(&mut self, work: &Work) -> io::Result<()> {
        if work.reopen {
            match self.sink.reopen() {
                Ok(true) => self.opening = Some(self.names.opened(Because::Reopened, None, 0)),
                Ok(false) => {}
                Err(error) => self.complain("cannot be opened again", &error),
            }
        }
        let size = work.lines.bytes() + work.lines.len() * MAX_OWN_BYTES;
        if self.sink.is_full(size) {
            match self.sink.rotate(self.head.sequence) {
                Ok(before) => {
                    let opened = self.names.opened(Because::Rotated, Some(&before), 0);
                    self.opening = Some(opened);
                }
                // The old file grows until there is a new one.
                Err(error) => self.complain("cannot be rotated", &error),
            }
        }
        if !work.closing {
            return self.append(&work.lines, work.withheld, work.lost);
        }
        let mut lines = Lines::default();
        lines.append(&work.lines);
        let time = SystemTime::now();
        lines.push(&Event::Closed(Closed { time }).body());
        self.append(&lines, work.withheld, work.lost)
    }

    fn append(&mut self, lines: &Lines, withheld: usize, mut lost: u64) -> io::Result<()> {
        let mut head = self.head;
        self.out.clear();
        let opening = self.opening.iter().map(|line| (&**line, false));
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(i, line)| (line, i < withheld));
        for (line, withheld) in opening.chain(lines) {
            let lost = std::mem::take(&mut lost);
            head = head.follow(Marks { lost, withheld }, line, &mut self.out);
        }
        if !self.out.is_empty() {
            self.sink.append(&self.out)?;
        }
        (self.head, self.opening) = (head, None);
        self.out.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Says in the log that something failed, once in a while.
    fn complain(&mut self, what: &str, error: &io::Error) {
        let recent = |at: &Instant| at.elapsed() < COMPLAINT;
        if self.complained.as_ref().is_some_and(recent) {
            return;
        }
        self.complained = Some(Instant::now());
        tracing::error!("The audit log {what}: {}.", reason(error));
    }
}
