//! The server's side of the wire protocol, over any pair of streams.
//!
//! The other side may be hostile: every message is bounded before it is read, there are only so many
//! of those that may repeat, and whatever is out of turn ends the conversation.

use std::io;

use futures_util::FutureExt as _;
use serde::Serialize;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use crate::limits::{Limits, size};
use crate::run::{Kind, Limit, MAX_DIAGNOSTICS, MAX_DIAGNOSTICS_SIZE, Printed, Request};
use crate::wire::{self, Done, FromWorker, HEAD, Run, Stream, ToWorker};

/// A way to a worker and back.
pub(super) struct Link<R, W> {
    from: BufReader<R>,
    to: W,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Link<R, W> {
    pub(super) fn new(from: R, to: W) -> Self {
        Self {
            from: BufReader::with_capacity(8 << 10, from),
            to,
        }
    }

    /// Whether the worker has said nothing that it was not asked for, and can still speak.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.from.fill_buf().now_or_never().is_none()
    }

    /// The next message, of at most so many bytes.
    ///
    /// # Errors
    /// When it is none, or there are no more.
    pub(super) async fn receive(&mut self, most: usize) -> io::Result<FromWorker> {
        let mut head = [0; HEAD];
        self.from.read_exact(&mut head).await?;
        let announced = wire::announced(head)?;
        if announced > most {
            return Err(broken("a larger frame than it may send"));
        }
        // Grows with what comes, not with what was announced.
        let mut body = Vec::with_capacity(announced.min(64 << 10));
        (&mut self.from)
            .take(announced as u64)
            .read_to_end(&mut body)
            .await?;
        if body.len() < announced {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        wire::decode(&body)
    }

    async fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.to.write_all(&wire::encode(message)?).await?;
        self.to.flush().await
    }

    /// Sends a request and answers the worker until it is done. What it prints is added to `printed`
    /// (stdout, stderr), so that it is there when the conversation is given up.
    ///
    /// # Errors
    /// When the worker is gone or breaks the protocol.
    pub(super) async fn converse(
        &mut self,
        request: Request,
        limits: Limits,
        utc_offset: i32,
        printed: &mut [Printed; 2],
    ) -> io::Result<Done> {
        let script_name = request.label();
        let host = request.host;
        let run = ToWorker::Run(Box::new(Run {
            code: request.code,
            inputs: request.inputs,
            script_name,
            check_types: request.check_types,
            stubs: request.stubs,
            limits,
            host: host.declared(),
            utc_offset,
        }));
        self.send(&run).await?;
        drop(run);
        let mut calls = 0;
        loop {
            match self.receive(largest_frame(limits)).await? {
                FromWorker::Output(stream, text) => {
                    let printed = &mut printed[stream as usize];
                    if text.is_empty() || text.len() > limits.output - printed.text.len() {
                        return Err(broken("more output than it may send"));
                    }
                    printed.text.push_str(&text);
                }
                FromWorker::Call(name, args, kwargs) => {
                    calls += 1;
                    if calls > limits.host_calls {
                        return Err(broken("more calls than it may make"));
                    }
                    if args.get().len() + kwargs.get().len() > limits.inputs {
                        return Err(broken("larger arguments than it may send"));
                    }
                    let answer = match host.call(&name, &args, &kwargs).await {
                        Ok(value) if value.get().len() > limits.inputs => ToWorker::Raised(
                            format!("{name}() returned more than {}.", size(limits.inputs)),
                        ),
                        Ok(value) => ToWorker::Returned(value),
                        Err(error) => ToWorker::Raised(error.0),
                    };
                    self.send(&answer).await?;
                }
                FromWorker::Done(done) => {
                    for stream in [Stream::Stdout, Stream::Stderr] {
                        printed[stream as usize].dropped = done.dropped[stream as usize];
                    }
                    return match is_allowed(&done, limits) {
                        true => Ok(done),
                        false => Err(broken("an answer that it may not give")),
                    };
                }
                FromWorker::Ready(_) => return Err(broken("ready twice")),
            }
        }
    }
}

/// Bytes of the largest frame that a worker needs: a value as text with everything escaped, and as
/// JSON; output; the arguments of a call.
fn largest_frame(limits: Limits) -> usize {
    const ENVELOPE: usize = (64 << 10) + 6 * MAX_DIAGNOSTICS_SIZE;
    let text = limits.value.max(limits.output).max(wire::MAX_MESSAGE);
    ENVELOPE + 6 * text + limits.value + limits.inputs
}

/// Whether the answer has the size that a worker keeps to, and a worker may say it.
fn is_allowed(done: &Done, limits: Limits) -> bool {
    match &done.result {
        Ok(value) => {
            let text = value.text.as_deref().map_or(0, str::len);
            let object = value.object.as_deref().map_or(0, |json| json.get().len());
            let told: usize = value.diagnostics.iter().map(String::len).sum();
            text.max(object) <= limits.value
                && value.diagnostics.len() <= MAX_DIAGNOSTICS
                && told <= MAX_DIAGNOSTICS_SIZE
        }
        Err(error) => {
            let servers = matches!(
                error.kind,
                Kind::Busy | Kind::Crashed | Kind::Unavailable | Kind::Limit(Limit::Source)
            );
            error.message.len() <= wire::MAX_MESSAGE && !servers
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
