//! Lines on their way to a stream that may be slow, full or gone.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait; as many again may be under way.
const MAX_BYTES: usize = 1 << 20;

/// Bytes of memory that are kept when nothing waits.
const KEPT_BYTES: usize = 16 << 10;

/// Time that a line may wait for others, to be written with them: each write, and each waking of the thread that does it,
/// costs more than the line.
const GROUP: Duration = Duration::from_millis(10);

/// Bytes that do not wait for more.
const GROUP_BYTES: usize = 64 << 10;

/// Lines that wait for the thread that writes them.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<u8>,
    writing: bool,
    /// Whether the thread that writes waits for the first line, and not for more.
    idle: bool,
    /// Whether what waits is to be written now.
    hurry: bool,
    /// Lines that were not written.
    lost_in_all: u64,
    /// Lines that were not written, and of which nobody was told yet.
    lost: usize,
    /// What the thread that writes is to do between two writes.
    visit: Option<Visit>,
}

/// Something to do on a thread.
pub(super) type Visit = Box<dyn FnOnce() + Send>;

/// Time for the thread that writes to be given a processor: on a busy machine that takes long, and what is lost then is
/// why the program ended.
const START: Duration = Duration::from_secs(5);

impl Queue {
    pub(super) const fn new() -> Self {
        let state = State {
            waiting: Vec::new(),
            writing: false,
            idle: false,
            hurry: false,
            lost_in_all: 0,
            lost: 0,
            visit: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Adds a line, or counts it where there is no room. Waits for nobody. One that is urgent is written at once, with
    /// all before it.
    pub(super) fn push(&self, line: &[u8], urgent: bool) {
        let mut state = self.lock();
        if line.len() > MAX_BYTES.saturating_sub(state.waiting.len()) {
            state.lost = state.lost.saturating_add(1);
            state.lost_in_all += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        let hurry = urgent || state.waiting.len() >= GROUP_BYTES;
        // Whoever waits is woken once, and not by each line.
        let wake = std::mem::take(&mut state.idle) || (hurry && !state.hurry);
        state.hurry |= hurry;
        drop(state);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Has the thread that writes do this before its next write.
    pub(super) fn visit(&self, visit: Visit) {
        self.lock().visit = Some(visit);
        self.changed.notify_all();
    }

    /// Lines that were lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost_in_all
    }

    /// Waits until nothing is left to be written, or until a write has taken longer than `most`.
    pub(super) fn flush(&self, most: Duration) {
        let mut deadline = Instant::now() + START.max(most);
        let mut seen = false;
        let mut state = self.lock();
        state.hurry = true;
        self.changed.notify_all();
        while state.writing || !state.waiting.is_empty() {
            if state.writing && !seen {
                seen = true;
                deadline = deadline.min(Instant::now() + most);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left.min(most));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes to `stream` what is pushed, for ever.
    pub(super) fn run(&self, mut stream: impl Write) {
        let mut batch = Vec::new();
        // Whether the last line that was begun was cut off.
        let mut cut = false;
        loop {
            self.take(&mut batch);
            let line_end = usize::from(cut);
            if cut {
                batch.insert(0, b'\n');
            }
            let written = write(&mut stream, &batch);
            let rest = &batch[written..];
            cut = match batch[..written].last() {
                Some(last) => *last != b'\n',
                None => cut,
            };
            // The end of a line that was lost before is none of its own.
            let lines = &batch[written.max(line_end)..];
            let lost = lines.split_inclusive(|byte| *byte == b'\n').count();
            let owed = self.count(lost);
            if rest.is_empty() && owed > 0 {
                let note =
                    format!("{owed} log lines were lost, because stderr did not take them.\n");
                let told = write(&mut stream, note.as_bytes());
                cut = told > 0 && told < note.len();
                if told == note.len() {
                    self.lock().lost -= owed;
                }
            }
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Takes what waits into `batch`, which is empty, as soon as there is something.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.lock();
        loop {
            if let Some(visit) = state.visit.take() {
                drop(state);
                visit();
                state = self.lock();
            } else if state.waiting.is_empty() {
                state.idle = true;
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            } else {
                break;
            }
        }
        state.idle = false;
        let since = Instant::now();
        while !state.hurry {
            let left = GROUP.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.hurry = false;
        std::mem::swap(&mut state.waiting, batch);
        state.writing = true;
    }

    /// Counts lines that were lost; returns how many nobody was told of.
    fn count(&self, lost: usize) -> usize {
        let mut state = self.lock();
        state.lost = state.lost.saturating_add(lost);
        state.lost_in_all += lost as u64;
        state.lost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes as much as the stream takes; returns how much that was.
fn write(stream: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    /// A stream that does with each write what the test says: takes so many bytes, or fails.
    struct Scripted {
        takes: Receiver<Option<usize>>,
        taken: Sender<String>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.takes.recv() {
                Ok(Some(most)) => {
                    let taken = &bytes[..most.min(bytes.len())];
                    let _ = self.taken.send(String::from_utf8_lossy(taken).into_owned());
                    Ok(taken.len())
                }
                Ok(None) => {
                    let _ = self.taken.send("failed".into());
                    Err(io::ErrorKind::StorageFull.into())
                }
                // The test is over.
                Err(_) => loop {
                    thread::park();
                },
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> (Arc<Queue>, Sender<Option<usize>>, Receiver<String>) {
        let queue = Arc::new(Queue::new());
        let ((take, takes), (taken, written)) = (channel(), channel());
        let runs = Arc::clone(&queue);
        thread::spawn(move || runs.run(Scripted { takes, taken }));
        (queue, take, written)
    }

    #[test]
    fn lines_that_are_not_urgent_are_written_together() {
        let queue = Queue::new();
        let ((take, takes), (taken, written)) = (channel(), channel());
        take.send(ALL).unwrap();
        take.send(ALL).unwrap();
        // All are there before the thread that writes them looks.
        for line in ["a\n", "b\n", "c\n"] {
            queue.push(line.as_bytes(), false);
        }
        let queue = Arc::new(queue);
        let runs = Arc::clone(&queue);
        thread::spawn(move || runs.run(Scripted { takes, taken }));
        assert_eq!(next(&written), "a\nb\nc\n");
        queue.push(b"d\n", false);
        assert_eq!(next(&written), "d\n");
        assert_eq!(queue.lost(), 0);
    }

    const ALL: Option<usize> = Some(usize::MAX);

    fn next(written: &Receiver<String>) -> String {
        written.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn the_thread_that_writes_is_visited_with_and_without_lines() {
        let (queue, take, written) = queue();
        let (tell, told) = channel();
        for line in [None, Some("line\n")] {
            let tell = tell.clone();
            queue.visit(Box::new(move || tell.send(thread::current().id()).unwrap()));
            if let Some(line) = line {
                take.send(ALL).unwrap();
                queue.push(line.as_bytes(), true);
                assert_eq!(next(&written), line);
            }
            let on = told.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_ne!(on, thread::current().id());
        }
    }

    #[test]
    fn a_writer_that_starts_late_is_waited_for() {
        let queue = Arc::new(Queue::new());
        queue.push(b"why it ended\n", true);
        let (flushes, (flushed, done)) = (Arc::clone(&queue), channel());
        thread::spawn(move || {
            flushes.flush(Duration::from_millis(1));
            flushed.send(())
        });
        assert!(done.recv_timeout(Duration::from_millis(100)).is_err());
        let ((take, takes), (taken, written)) = (channel(), channel());
        take.send(ALL).unwrap();
        thread::spawn(move || queue.run(Scripted { takes, taken }));
        assert_eq!(next(&written), "why it ended\n");
        done.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn a_stream_that_takes_nothing_holds_nobody_up_and_what_was_lost_is_said() {
        let (queue, take, written) = queue();
        queue.push(b"first\n", true);
        while !queue.lock().writing {
            thread::yield_now();
        }
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..2048 {
            queue.push(&line, true);
        }
        assert_eq!(queue.lock().waiting.len(), MAX_BYTES);
        queue.flush(Duration::from_millis(1));
        for _ in 0..4 {
            take.send(ALL).unwrap();
        }
        assert_eq!(next(&written), "first\n");
        assert_eq!(
            next(&written),
            "1024 log lines were lost, because stderr did not take them.\n"
        );
        assert_eq!(next(&written).len(), MAX_BYTES);
        queue.flush(Duration::from_secs(20));
        assert!(queue.lock().waiting.is_empty() && queue.lock().lost == 0);
        queue.push(b"last\n", true);
        assert_eq!(next(&written), "last\n");
    }

    #[test]
    fn what_fails_is_counted_once_and_said_when_it_works_again() {
        let (queue, take, written) = queue();
        for (line, does, shown) in [
            ("a\nb\n", None, "failed"),
            ("c\n", None, "failed"),
            ("d\n", Some(1), "d"),
            // With the end of the line that was cut off before it.
            ("e\n", None, "failed"),
        ] {
            take.send(does).unwrap();
            queue.push(line.as_bytes(), true);
            assert_eq!(next(&written), shown);
            if does.is_some() {
                take.send(None).unwrap();
                assert_eq!(next(&written), "failed");
            }
            queue.flush(Duration::from_secs(20));
        }
        for _ in 0..3 {
            take.send(ALL).unwrap();
        }
        queue.push(b"f\n", true);
        assert_eq!(next(&written), "\nf\n");
        assert_eq!(
            next(&written),
            "5 log lines were lost, because stderr did not take them.\n"
        );
        queue.push(b"g\n", true);
        assert_eq!(next(&written), "g\n");
    }

    #[test]
    fn a_line_that_could_never_fit_is_lost_alone() {
        let (queue, take, written) = queue();
        queue.push(&vec![b'x'; MAX_BYTES + 1], true);
        queue.push(b"ok\n", true);
        for _ in 0..2 {
            take.send(ALL).unwrap();
        }
        assert_eq!(next(&written), "ok\n");
        assert!(next(&written).starts_with("1 log lines"));
    }
}
