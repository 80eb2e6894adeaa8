//! Writes lines: as one group whatever waits when the group before it is written. Callers do it (`direct`), and a thread does
//! wherever they cannot, and what takes longer: new files, failures, the end.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::MutexGuard;
use std::time::{Duration, Instant, SystemTime};

use super::OnFailure;
use super::chain::{Head, Marks};
use super::entry::{Because, Closed, Event, Opened};
use super::file::Sink;
use super::queue::{Lines, Queue, State, Waits};
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

/// Bytes of memory that a thread keeps between groups.
const KEPT_BYTES: usize = 64 << 10;

thread_local! {
    /// What is written at once. Of each thread: memory that several write to by turns is fetched from one CPU to the other each
    /// time.
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

pub(super) struct Writer {
    pub(super) sink: Box<dyn Sink>,
    pub(super) on_failure: OnFailure,
    pub(super) names: Names,
    /// The last line that was written.
    pub(super) head: Head,
    /// A line that comes first in the file and is not written yet.
    pub(super) opening: Option<Vec<u8>>,
    /// Memory for lines.
    spare: Lines,
    /// When something was last complained about.
    complained: Option<Instant>,
}

/// What is to be written at once.
struct Work<'a> {
    /// The line of the caller who writes, which comes first.
    own: Option<&'a [u8]>,
    lines: Lines,
    /// Lines that were lost, which no line has said yet.
    lost: u64,
    reopen: bool,
    closing: bool,
}

impl Work<'_> {
    fn bytes(&self) -> usize {
        self.lines.bytes() + self.own.map_or(0, Lines::bytes_of)
    }

    fn len(&self) -> usize {
        self.lines.len() + usize::from(self.own.is_some())
    }
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is in the file.
    Written,
    /// It waits again, ahead of what came since.
    ToBeRetried,
    /// It is counted in the next line that is written.
    Lost,
}

impl Writer {
    pub(super) fn new(sink: impl Sink, on_failure: OnFailure, names: Names, head: Head) -> Self {
        Self {
            sink: Box::new(sink),
            on_failure,
            names,
            head,
            opening: None,
            spare: Lines::default(),
            complained: None,
        }
    }

    /// Writes the line that a server begins with.
    pub(super) fn begin(&mut self, opened: Vec<u8>) -> io::Result<()> {
        self.opening = Some(opened);
        let nothing = Work {
            own: None,
            lines: Lines::default(),
            lost: 0,
            reopen: false,
            closing: false,
        };
        self.append(&mut { nothing }).map(drop)
    }

    /// Whether so many bytes go into the file that is open.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        !self.sink.is_full(bytes)
    }

    /// Writes a caller's own line, or else what waits as one group, and says what became of it. Nobody else does meanwhile,
    /// since nobody else has the writer.
    pub(super) fn turn<'a>(
        mut self: Box<Self>,
        queue: &'a Queue,
        mut state: MutexGuard<'a, State>,
        own: Option<&[u8]>,
    ) -> (Turn, MutexGuard<'a, State>) {
        let mut work = Work {
            own,
            lines: Lines::default(),
            lost: state.lost,
            reopen: false,
            closing: state.closing,
        };
        let mut group = None;
        if own.is_none() {
            work.lines = std::mem::replace(&mut state.waiting, std::mem::take(&mut self.spare));
            work.reopen = std::mem::take(&mut state.reopen);
            group = Some(std::mem::take(&mut state.group));
        } else {
            state.pushed += 1;
        }
        state.writing = Some(Instant::now());
        state.in_flight = work.bytes();
        let was_failing = state.failing;
        let (calls, lost) = (work.len(), work.lost);
        drop(state);
        // Whatever goes wrong there is a failed write, and no more.
        let done = catch_unwind(AssertUnwindSafe(|| self.work(&mut work)))
            .unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        match &done {
            Ok(true) if was_failing => {
                tracing::info!("The audit log is written again.");
                self.complained = None;
            }
            Ok(_) => {}
            Err(error) => self.complain("cannot be written", error),
        }
        let mut state = queue.lock();
        let now = Instant::now();
        if let Some(began) = state.writing.take() {
            state.caution.took(now - began, now);
        }
        state.in_flight = 0;
        // Where there was nothing to write, nothing is known of the disk.
        state.failing = done.is_err() || state.failing && done.as_ref().is_ok_and(|wrote| !wrote);
        state.lost -= lost - work.lost;
        state.head = self.head;
        let turn = match &done {
            Ok(_) => Turn::Written,
            Err(_) if self.on_failure == OnFailure::Deny && !work.closing => {
                if let Some(own) = own {
                    work.lines.push(own, Waits::Yes);
                }
                work.lines.withhold(0..calls);
                work.lines.append(&state.waiting);
                std::mem::swap(&mut state.waiting, &mut work.lines);
                Turn::ToBeRetried
            }
            Err(_) => {
                state.lose(calls as u64);
                Turn::Lost
            }
        };
        if let Some(group) = group {
            work.lines.clear();
            self.spare = work.lines;
            state.writer = Some(self);
            drop(state);
            group.finish(done.is_ok());
            state = queue.lock();
        } else {
            state.writer = Some(self);
        }
        (turn, state)
    }

    /// Returns whether there was something to write.
    fn work(&mut self, work: &mut Work<'_>) -> io::Result<bool> {
        let is_full = !self.has_room(work.bytes());
        // A file that somebody else renamed needs no other name.
        if work.reopen || is_full {
            match self.sink.reopen() {
                Ok(true) => self.opening = Some(self.names.opened(Because::Reopened, None, 0)),
                Ok(false) => {}
                Err(error) => self.complain("cannot be opened again", &error),
            }
        }
        if is_full && !self.has_room(work.bytes()) {
            // The old file grows until there is a new one.
            if let Err(error) = self.rotate(work) {
                self.complain("cannot be rotated", &error);
            }
        }
        if work.closing {
            let time = SystemTime::now();
            let closed = Event::Closed(Closed { time }).body();
            work.lines.push(&closed, Waits::No);
        }
        self.append(work)
    }

    /// Goes on in a new file, whose first line says so.
    fn rotate(&mut self, work: &mut Work<'_>) -> io::Result<()> {
        let head = self.head;
        let mut next = head;
        let marks = Marks {
            lost: work.lost,
            withheld: false,
        };
        self.sink.rotate(head.sequence, &mut |before| {
            let mut line = Vec::new();
            let opened = self.names.opened(Because::Rotated, Some(before), 0);
            next = head.follow(marks, &opened, &mut line);
            line
        })?;
        self.head = next;
        work.lost = 0;
        Ok(())
    }

    /// Returns whether there was something to write. The first line says how many were lost, which are none then.
    fn append(&mut self, work: &mut Work<'_>) -> io::Result<bool> {
        OUT.with_borrow_mut(|out| {
            out.clear();
            let mut head = self.head;
            let mut to_say = work.lost;
            let first = self.opening.as_deref().into_iter().chain(work.own);
            let first = first.map(|line| (line, Waits::No));
            for (line, waits) in first.chain(work.lines.iter()) {
                let marks = Marks {
                    lost: std::mem::take(&mut to_say),
                    withheld: waits == Waits::Withheld,
                };
                head = head.follow(marks, line, out);
            }
            if out.is_empty() {
                return Ok(false);
            }
            let appended = self.sink.append(out);
            out.shrink_to(KEPT_BYTES);
            appended?;
            (self.head, self.opening, work.lost) = (head, None, 0);
            Ok(true)
        })
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

/// The thread: writes what no caller does, until it is told to close.
pub(super) fn run(queue: &Queue) {
    let mut pause = FIRST_PAUSE;
    let mut retry = None;
    let mut before = 0;
    loop {
        let mut state = queue.wait(retry);
        if before > 1 && !state.closing {
            drop(state);
            std::thread::sleep(GATHERING * before.min(MANY) as u32);
            state = queue.lock();
        }
        before = state.waiting.len();
        let closing = state.closing;
        // A caller may have begun meanwhile.
        let Some(writer) = state.writer.take() else {
            before = 0;
            continue;
        };
        let (turn, state) = writer.turn(queue, state, None);
        drop(state);
        if closing {
            break;
        }
        match turn {
            Turn::Written => (retry, pause) = (None, FIRST_PAUSE),
            Turn::ToBeRetried => {
                retry = Some(Instant::now() + pause);
                pause = MAX_PAUSE.min(pause * 2);
            }
            Turn::Lost => {}
        }
    }
    // Whoever waits for the end may open the file again.
    let writer = queue.lock().writer.take();
    drop(writer);
    queue.tell(|state| {
        state.ended = true;
        // What came while it was closing.
        let late = std::mem::take(&mut state.waiting).len();
        state.lose(late as u64);
        state.group.finish(late == 0);
    });
}
