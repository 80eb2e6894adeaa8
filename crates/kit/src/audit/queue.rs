//! Lines on their way to the writer, and the groups whose answers wait for them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time;

use super::caution::Caution;
use super::chain::{Head, MAX_OWN_BYTES};
use super::writer::Writer;

/// Bytes that lines take in the file which wait or are being written.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Bytes that wait from which on no call begins, so that those that have begun find room.
pub(super) const BUSY_BYTES: usize = MAX_BYTES / 2;

/// Bytes of memory that are kept of lines that are written.
const KEPT_BYTES: usize = 64 << 10;

/// Bodies of lines, one behind the other. A piece of memory for each, which another thread gives back, would cost more than
/// most of what a line takes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    ends: Vec<End>,
}

/// Where a line ends, and what it is.
#[derive(Debug, Clone, Copy)]
struct End {
    at: usize,
    waits: Waits,
}

/// Whether an answer waits for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// None does.
    No,
    /// One does.
    Yes,
    /// One did, and was withheld.
    Withheld,
}

impl Lines {
    pub(super) fn push(&mut self, body: &[u8], waits: Waits) {
        self.bytes.extend_from_slice(body);
        let at = self.bytes.len();
        self.ends.push(End { at, waits });
    }

    pub(super) fn append(&mut self, more: &Self) {
        more.iter().for_each(|(body, waits)| self.push(body, waits));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Waits)> {
        let begins = [0].into_iter().chain(self.ends.iter().map(|end| end.at));
        let lines = begins.zip(&self.ends);
        lines.map(|(begin, end)| (&self.bytes[begin..end.at], end.waits))
    }

    /// Takes note that the answers which wait for these are withheld.
    pub(super) fn withhold(&mut self, lines: Range<usize>) {
        for end in self.ends.get_mut(lines).unwrap_or_default() {
            if end.waits == Waits::Yes {
                end.waits = Waits::Withheld;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all in the file, at most.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.len() * MAX_OWN_BYTES
    }

    /// Bytes of one in the file, at most.
    pub(super) fn bytes_of(body: &[u8]) -> usize {
        body.len() + MAX_OWN_BYTES
    }

    /// Takes all out, and keeps the memory, if it is no more than usual.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.clear();
        self.ends.shrink_to(KEPT_BYTES / 64);
    }
}

/// Calls whose lines are written together.
#[derive(Debug, Default)]
pub(super) struct Group {
    done: AtomicU8,
    changed: Notify,
    /// Whether one of those who wait looks at the clock.
    watched: AtomicBool,
}

/// For the one who looks at the clock: when it goes, another one does.
struct Watch<'a>(&'a Group);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

const WAITS: u8 = 0;
const WRITTEN: u8 = 1;
const FAILED: u8 = 2;

impl Group {
    /// Whether the lines were written, as soon as that is known; `false` where that is later than `late`.
    pub(super) async fn written(&self, late: time::Instant) -> bool {
        loop {
            // From here on it hears of a change.
            let changed = self.changed.notified();
            if let Some(written) = self.is_written() {
                return written;
            }
            // A timer for each of them would cost more than the line. Who comes first has the least time left.
            if self.watched.swap(true, Ordering::Acquire) {
                changed.await;
                continue;
            }
            let _watch = Watch(self);
            if time::timeout_at(late, changed).await.is_err() {
                return false;
            }
        }
    }

    /// Whether the lines were written; `None` while that is not known.
    pub(super) fn is_written(&self) -> Option<bool> {
        match self.done.load(Ordering::Acquire) {
            WAITS => None,
            done => Some(done == WRITTEN),
        }
    }

    pub(super) fn finish(&self, written: bool) {
        let done = if written { WRITTEN } else { FAILED };
        self.done.store(done, Ordering::Release);
        self.changed.notify_waiters();
    }
}

/// What the callers and the writer share.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

pub(super) struct State {
    /// Who has it writes; none while somebody does, and at the end.
    pub(super) writer: Option<Box<Writer>>,
    /// Lines that are to be written.
    pub(super) waiting: Lines,
    /// How many lines there were so far, the last of them the last one that waits.
    pub(super) pushed: u64,
    /// Bytes of those that are being written.
    pub(super) in_flight: usize,
    /// The group of the others.
    pub(super) group: Arc<Group>,
    /// Whether the thread alone writes, because the disk was slow.
    pub(super) caution: Caution,
    /// Lines that were lost since the last one that was written.
    pub(super) lost: u64,
    /// Lines that were lost in all.
    pub(super) lost_in_all: u64,
    /// The last line that was written.
    pub(super) head: Head,
    /// Whether the last group could not be written.
    pub(super) failing: bool,
    /// Since when something is being written.
    pub(super) writing: Option<Instant>,
    /// Whether the file may have been renamed.
    pub(super) reopen: bool,
    /// What the writer is to do between two groups.
    pub(super) visit: Option<Visit>,
    /// Whether the writer is to end.
    pub(super) closing: bool,
    /// Whether the writer has ended.
    pub(super) ended: bool,
    /// Whether the writer waits for something to do.
    idle: bool,
}

/// Where a line is.
#[derive(Debug)]
pub(super) struct Place {
    /// The group that it is written with.
    pub(super) group: Arc<Group>,
    /// Its number among all that were to be written.
    pub(super) number: u64,
}

/// Something to do on the thread of the writer.
pub(super) struct Visit(pub(super) Box<dyn FnOnce() + Send>);

impl Queue {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            state: Mutex::new(State {
                head: writer.head,
                writer: Some(Box::new(writer)),
                waiting: Lines::default(),
                pushed: 0,
                in_flight: 0,
                group: Arc::default(),
                caution: Caution::default(),
                lost: 0,
                lost_in_all: 0,
                failing: false,
                writing: None,
                reopen: false,
                visit: None,
                closing: false,
                ended: false,
                idle: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; none where there is no room, and it is lost.
    pub(super) fn push(&self, body: &[u8], waits: Waits) -> Option<Place> {
        let mut state = self.lock();
        if state.ended || state.bytes() + Lines::bytes_of(body) > MAX_BYTES {
            state.lose(1);
            return None;
        }
        state.waiting.push(body, waits);
        state.pushed += 1;
        let place = Place {
            group: Arc::clone(&state.group),
            number: state.pushed,
        };
        self.wake_if_wanted(state);
        Some(place)
    }

    /// Takes note that the answer of this line is withheld, if the line waits still: what is being written says nothing of it.
    pub(super) fn withhold(&self, number: u64) {
        let mut state = self.lock();
        // The last one that was pushed is the last one that waits.
        let before = state.pushed - state.waiting.len() as u64;
        let at = number.checked_sub(before + 1);
        if let Some(at) = at.and_then(|at| usize::try_from(at).ok()) {
            state.waiting.withhold(at..at + 1);
        }
    }

    /// Wakes the thread if it sleeps and there is something for it: waking it is what costs most of a line.
    pub(super) fn wake_if_wanted(&self, mut state: MutexGuard<'_, State>) {
        let wanted = state.is_for_thread() && std::mem::take(&mut state.idle);
        drop(state);
        if wanted {
            self.changed.notify_all();
        }
    }

    /// Changes something that the writer is to see.
    pub(super) fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits for something to do; with `retry` not for lines, but until then.
    pub(super) fn wait(&self, retry: Option<Instant>) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            if let Some(Visit(visit)) = state.visit.take() {
                drop(state);
                visit();
                state = self.lock();
            }
            let busy = state.writing.is_some();
            if (state.reopen || state.closing) && !busy {
                return state;
            }
            let left = retry.map(|retry| retry.saturating_duration_since(Instant::now()));
            match left.filter(|left| !left.is_zero()) {
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    state = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if !busy && (retry.is_some() || state.is_for_thread()) => return state,
                None => {
                    state.idle = true;
                    let woken = self.changed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                    state.idle = false;
                }
            }
        }
    }

    /// Waits until the writer has ended, or until then.
    pub(super) fn wait_for_end(&self, until: Instant) {
        let mut state = self.lock();
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    /// Bytes of the lines that wait or are being written.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.bytes() + self.in_flight
    }

    /// Whether a caller may write in place of the thread.
    pub(super) fn is_for_callers(&self) -> bool {
        let thread = self.failing || self.reopen || self.closing || self.ended;
        !thread && self.caution.is_over(Instant::now)
    }

    /// Whether there is something that nobody but the thread does. Whoever writes looks for what came meanwhile.
    fn is_for_thread(&self) -> bool {
        let lines = !self.waiting.is_empty() && self.writing.is_none();
        lines || self.reopen || self.closing || self.visit.is_some()
    }

    pub(super) fn lose(&mut self, lines: u64) {
        self.lost = self.lost.saturating_add(lines);
        self.lost_in_all = self.lost_in_all.saturating_add(lines);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::super::OnFailure;
    use super::super::file::Sink;
    use super::super::writer::Names;
    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        fn append(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn is_full(&self, _: usize) -> bool {
            false
        }

        fn rotate(&mut self, _: u64, _: &mut dyn FnMut(&Path) -> Vec<u8>) -> io::Result<()> {
            Ok(())
        }

        fn reopen(&mut self) -> io::Result<bool> {
            Ok(false)
        }
    }

    fn queue() -> Queue {
        let names = Names {
            server: String::new(),
            key: String::new(),
        };
        Queue::new(Writer::new(Nowhere, OnFailure::Deny, names, Head::NONE))
    }

    /// Otherwise each line that comes meanwhile wakes a thread that has nothing to do.
    #[test]
    fn what_comes_while_another_line_is_written_is_not_for_the_thread() {
        let queue = queue();
        queue.lock().writing = Some(Instant::now());
        queue.push(b"{}", Waits::Yes).unwrap();
        assert!(!queue.lock().is_for_thread());
        queue.lock().writing = None;
        assert!(queue.lock().is_for_thread());
    }

    #[test]
    fn what_is_being_written_counts_with_what_waits() {
        let queue = queue();
        let body = [b'x'; 1 << 10];
        let push = || queue.push(&body, Waits::Yes).is_some();
        queue.lock().in_flight = MAX_BYTES - 3 * (body.len() + MAX_OWN_BYTES);
        assert_eq!([push(), push(), push(), push()], [true, true, true, false]);
        assert_eq!(queue.lock().lost, 1);
    }

    #[test]
    fn an_answer_is_withheld_in_its_own_line_if_that_waits_still() {
        use Waits::{No, Withheld, Yes};
        let queue = queue();
        let push = |waits| queue.push(b"{}", waits).unwrap().number;
        let written = push(Yes);
        queue.lock().waiting.clear();
        let numbers = [Yes, Yes, No, Yes].map(push);
        let withheld = |number| {
            queue.withhold(number);
            let state = queue.lock();
            let waits: Vec<_> = state.waiting.iter().map(|(_, waits)| waits).collect();
            waits
        };
        assert_eq!(withheld(written), [Yes, Yes, No, Yes]);
        assert_eq!(withheld(numbers[1]), [Yes, Withheld, No, Yes]);
        assert_eq!(withheld(numbers[2]), [Yes, Withheld, No, Yes]);
        assert_eq!(withheld(numbers[3]), [Yes, Withheld, No, Withheld]);
        assert_eq!(withheld(numbers[3] + 1), [Yes, Withheld, No, Withheld]);
    }
}
