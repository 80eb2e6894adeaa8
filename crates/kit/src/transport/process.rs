//! Stdin and stdout of the process for tasks: a thread each does what may block.
//!
//! Thread and task have a buffer each, which they read or write without a lock, or hand one over to the other: nothing that is
//! read is copied. Buffers are as large as what comes: most clients say little at a time, and a server that idles has
//! nothing to keep.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a buffer at most: what a pipe has on Linux.
const BUFFER: usize = 64 << 10;

/// Bytes that are read at once, until a read takes as many as it can.
const FIRST: usize = 8 << 10;

/// What a thread and a task share.
struct Shared<S> {
    state: Mutex<S>,
    /// Wakes the thread.
    changed: Condvar,
}

impl<S> Shared<S> {
    fn new(state: S) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, on the thread, while `condition` holds.
    fn wait_while(&self, condition: impl FnMut(&mut S) -> bool) -> MutexGuard<'_, S> {
        let woken = self.changed.wait_while(self.lock(), condition);
        woken.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers whom to wake.
fn wait<T>(waker: &mut Option<Waker>, cx: &Context<'_>) -> Poll<T> {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
    Poll::Pending
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

// ------------------------------------------------------------------------------------------ input

/// Reads ahead by one buffer. A read that is under way when this is dropped stays so until something comes or the
/// process ends.
pub(super) struct Input {
    shared: Arc<Shared<Reading>>,
    buffer: Vec<u8>,
    /// What has not been taken yet, within `buffer`.
    from: usize,
    to: usize,
}

struct Reading {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that the task has not had yet; zero if the thread may put others there.
    filled: usize,
    end: Option<io::Result<()>>,
    waker: Option<Waker>,
    dropped: bool,
}

impl Input {
    pub(super) fn new(mut source: impl Read + Send + 'static) -> io::Result<Self> {
        let shared = Shared::new(Reading {
            buffer: Vec::new(),
            filled: 0,
            end: None,
            waker: None,
            dropped: false,
        });
        let input = Self {
            shared: Arc::clone(&shared),
            buffer: Vec::new(),
            from: 0,
            to: 0,
        };
        let thread = thread::Builder::new().name("stdin".into());
        thread.spawn(move || read(&mut source, &shared))?;
        Ok(input)
    }
}

fn read(source: &mut impl Read, shared: &Shared<Reading>) {
    let mut size = FIRST;
    let mut buffer: Vec<u8> = Vec::new();
    loop {
        if buffer.len() < size {
            buffer = vec![0; size];
        }
        let read = source.read(&mut buffer);
        let mut state = shared.wait_while(|state| state.filled > 0 && !state.dropped);
        if state.dropped {
            return;
        }
        match read {
            Ok(0) => state.end = Some(Ok(())),
            Ok(length) => {
                if length == buffer.len() {
                    size = BUFFER.min(2 * size);
                }
                std::mem::swap(&mut state.buffer, &mut buffer);
                state.filled = length;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => state.end = Some(Err(error)),
        }
        let (ended, waker) = (state.end.is_some(), state.waker.take());
        drop(state);
        wake(waker);
        if ended {
            return;
        }
    }
}

impl AsyncBufRead for Input {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let input = self.get_mut();
        if input.from == input.to {
            let mut state = input.shared.lock();
            if state.filled == 0 {
                return match &mut state.end {
                    Some(end) => {
                        Poll::Ready(std::mem::replace(end, Ok(())).map(|()| <&[u8]>::default()))
                    }
                    None => wait(&mut state.waker, cx),
                };
            }
            std::mem::swap(&mut input.buffer, &mut state.buffer);
            (input.from, input.to) = (0, std::mem::take(&mut state.filled));
            drop(state);
            input.shared.changed.notify_one();
        }
        Poll::Ready(Ok(&input.buffer[input.from..input.to]))
    }

    fn consume(mut self: Pin<&mut Self>, taken: usize) {
        self.from = self.to.min(self.from + taken);
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = std::task::ready!(self.as_mut().poll_fill_buf(cx))?;
        let taken = left.len().min(into.remaining());
        into.put_slice(&left[..taken]);
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.changed.notify_one();
    }
}

// ----------------------------------------------------------------------------------------- output

/// Takes a buffer full while another one is written. What was taken is written even when this is dropped, unless the
/// process ends before.
pub(super) struct Output(Arc<Shared<Writing>>);

struct Writing {
    /// What the thread has not taken yet.
    buffer: Vec<u8>,
    /// Whether the thread has something that is not written yet.
    busy: bool,
    /// Why nothing more can be written; told once, then it is a broken pipe.
    failed: Option<io::Error>,
    waker: Option<Waker>,
    dropped: bool,
}

impl Output {
    pub(super) fn new(mut sink: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Shared::new(Writing {
            buffer: Vec::new(),
            busy: false,
            failed: None,
            waker: None,
            dropped: false,
        });
        let output = Self(Arc::clone(&shared));
        let thread = thread::Builder::new().name("stdout".into());
        thread.spawn(move || write(&mut sink, &shared))?;
        Ok(output)
    }
}

fn write(sink: &mut impl Write, shared: &Shared<Writing>) {
    let mut buffer = Vec::new();
    loop {
        let mut state = shared.wait_while(|state| state.buffer.is_empty() && !state.dropped);
        if state.buffer.is_empty() {
            return;
        }
        std::mem::swap(&mut state.buffer, &mut buffer);
        state.busy = true;
        // Only a full buffer makes a task wait for room.
        let waker = state.waker.take_if(|_| buffer.len() >= BUFFER);
        drop(state);
        wake(waker);
        let written = sink.write_all(&buffer).and_then(|()| sink.flush());
        buffer.clear();
        let mut state = shared.lock();
        state.busy = false;
        let failed = written.is_err();
        state.failed = written.err();
        let waker = state.waker.take();
        if failed {
            // Shows that nobody takes it any more.
            state.dropped = true;
        }
        drop(state);
        wake(waker);
        if failed {
            return;
        }
    }
}

impl Writing {
    /// Fails when the thread has ended.
    fn check(&mut self) -> io::Result<()> {
        match (self.failed.take(), self.dropped) {
            (Some(error), _) => Err(error),
            (None, true) => Err(io::ErrorKind::BrokenPipe.into()),
            (None, false) => Ok(()),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        state.check()?;
        let taken = bytes.len().min(BUFFER - state.buffer.len());
        if taken == 0 && !bytes.is_empty() {
            return wait(&mut state.waker, cx);
        }
        state.buffer.extend_from_slice(&bytes[..taken]);
        // A thread that is busy looks again by itself.
        if !state.busy {
            self.0.changed.notify_one();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        state.check()?;
        match state.busy || !state.buffer.is_empty() {
            true => wait(&mut state.waker, cx),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.0.lock().dropped = true;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A pipe whose writes are as large as the reader wants them: a send of a size lets so many bytes through.
    struct Slow {
        sizes: Receiver<usize>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    fn slow() -> (Slow, SyncSender<usize>, Arc<Mutex<Vec<u8>>>) {
        let (allow, sizes) = sync_channel(0);
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Slow {
            sizes,
            written: Arc::clone(&written),
        };
        (sink, allow, written)
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let size = self.sizes.recv().map_err(|_| io::ErrorKind::StorageFull)?;
            let taken = &bytes[..size.min(bytes.len())];
            self.written.lock().unwrap().extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn numbers(length: usize) -> Vec<u8> {
        (0..=250).cycle().take(length).collect()
    }

    #[tokio::test]
    async fn all_of_the_input_arrives_in_order_and_then_its_end() {
        let sent = numbers(5 * BUFFER + 77);
        let mut input = Input::new(io::Cursor::new(sent.clone())).unwrap();
        let mut received = Vec::new();
        input.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        assert_eq!(input.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn buffers_grow_to_a_limit_while_they_are_filled() {
        let mut input = Input::new(io::Cursor::new(numbers(16 * BUFFER))).unwrap();
        let mut lengths = Vec::new();
        loop {
            let length = input.fill_buf().await.unwrap().len();
            if length == 0 {
                break;
            }
            input.consume(length);
            lengths.push(length);
        }
        assert_eq!(lengths[..4], [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]);
        assert!(lengths[3..lengths.len() - 1].iter().all(|it| *it == BUFFER));
        assert_eq!(lengths.iter().sum::<usize>(), 16 * BUFFER);
    }

    #[tokio::test]
    async fn an_input_that_fails_says_so_after_what_came_before() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let mut input = Input::new(Read::chain(&b"ab"[..], Fails)).unwrap();
        let mut received = Vec::new();
        let failed = input.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(
            (&received[..], failed.kind()),
            (&b"ab"[..], io::ErrorKind::IsADirectory)
        );
    }

    #[tokio::test]
    async fn what_is_taken_is_bounded_and_all_of_it_is_written_in_order() {
        let (sink, allow, written) = slow();
        let mut output = Output::new(sink).unwrap();
        let sent = numbers(5 * BUFFER + 77);
        // Nobody reads: two buffers are taken, no more.
        let mut taken = 0;
        loop {
            let step = tokio::time::timeout(
                std::time::Duration::from_millis(200),
                output.write(&sent[taken..]),
            );
            match step.await {
                Ok(more) => taken += more.unwrap(),
                Err(_) => break,
            }
        }
        assert!((BUFFER..=2 * BUFFER).contains(&taken), "{taken}");
        let reader = thread::spawn(move || while allow.send(1000).is_ok() {});
        output.write_all(&sent[taken..]).await.unwrap();
        output.flush().await.unwrap();
        assert!(*written.lock().unwrap() == sent);
        drop(output);
        reader.join().unwrap();
    }

    #[tokio::test]
    async fn an_output_that_fails_says_so_and_stays_so() {
        let (sink, allow, _) = slow();
        drop(allow);
        let mut output = Output::new(sink).unwrap();
        output.write_all(b"x").await.unwrap();
        let failed = output.flush().await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        let failed = output.write(b"x").await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::BrokenPipe);
    }
}
