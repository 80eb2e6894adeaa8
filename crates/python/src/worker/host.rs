//! The way of a run to the server.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::run::Value;
use crate::wire::{self, Done, FromWorker, HEAD, RunError, Stream, ToWorker};

/// Where the next message of the server comes from; `None` when there is none any more.
pub(crate) type Incoming = Box<dyn FnMut() -> Option<ToWorker> + Send>;

/// The way of a run to the server. Where the server can't be reached any more the process ends:
/// there is nobody to run anything for.
pub(crate) struct Host {
    incoming: Incoming,
    outgoing: Box<dyn Write + Send>,
    /// What was printed and not sent yet, by stream, as the two below.
    pending: [String; 2],
    /// Bytes that may still be printed.
    left: [usize; 2],
    dropped: [u64; 2],
    sent: Instant,
}

impl Host {
    /// Output is sent in pieces of this size or when it is this old, and so is not lost when a run
    /// is ended.
    const PIECE: usize = 4 << 10;
    const AGE: Duration = Duration::from_millis(50);

    pub(crate) fn new(incoming: Incoming, outgoing: Box<dyn Write + Send>) -> Self {
        Self {
            incoming,
            outgoing,
            pending: Default::default(),
            left: [0; 2],
            dropped: [0; 2],
            sent: Instant::now(),
        }
    }

    /// From now on this many bytes may be printed.
    pub(super) fn allow_output(&mut self, most: usize) {
        self.left = [most; 2];
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
        match self.receive() {
            ToWorker::Returned(value) => Ok(value),
            ToWorker::Raised(message) => Err(message),
            ToWorker::Run(_) => super::leave(1),
        }
    }

    /// Sends what is left of the output and how the run ended, and ends the process.
    pub(crate) fn end(&mut self, result: Result<Value, RunError>) -> ! {
        self.flush();
        self.send(&FromWorker::Done(Done {
            result,
            dropped: self.dropped,
        }));
        super::leave(0)
    }

    /// The next message of the server.
    pub(super) fn receive(&mut self) -> ToWorker {
        (self.incoming)().unwrap_or_else(|| super::leave(1))
    }

    pub(super) fn send(&mut self, message: &FromWorker) {
        let sent = wire::encode(message).and_then(|frame| {
            self.outgoing.write_all(&frame)?;
            self.outgoing.flush()
        });
        if sent.is_err() {
            super::leave(1);
        }
    }
}

/// The next message of a stream; `None` where it ends.
///
/// # Errors
/// When it can't be read, or is none.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<ToWorker>> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut body = vec![0; wire::announced(head)?];
    from.read_exact(&mut body)?;
    wire::decode(&body).map(Some)
}
