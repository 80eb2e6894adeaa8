//! One client over a pair of byte streams: stdin and stdout, a pipe in memory, a socket.
//!
//! A call that is ready at once is answered right where its line was read; only one that has to
//! wait becomes a task. While too much waits, no more is read: the client's pipe fills up instead of
//! our memory.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::{Answer, Event, Exchange, Server};
use crate::telemetry::{Refused, Transport};
use crate::wire::{Malformed, RpcError};

use super::lines::{Line, Lines};
use super::process::{Input, Output};
use crate::descriptor;

/// Bytes that are read or written at once.
const BUFFER: usize = 64 << 10;

/// Calls that may wait before reading pauses.
const MAX_WAITING: usize = 128;

/// How long reading pauses at most: a client whose calls all hang must still be heard cancelling.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Messages of waiting calls that may queue for the writer.
const OUTGOING: usize = 64;

/// Time that calls in flight have after the end of the input.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves one client until its input ends and what is in flight is answered. Whoever has the other end started the
/// process, which is theirs: everything is allowed.
///
/// # Errors
/// When a stream fails; a client that closes our output is no error.
pub async fn serve<R, W>(server: Server, reader: R, writer: W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    serve_as(server, Permit::owner(), reader, writer).await
}

/// [`serve`], for a client that may do what this permit allows.
///
/// # Errors
/// As of [`serve`].
pub async fn serve_as<R, W>(server: Server, permit: Permit, reader: R, writer: W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let reader = BufReader::with_capacity(BUFFER, reader);
    serve_buffered(server, permit, reader, writer).await
}

async fn serve_buffered<R, W>(
    server: Server,
    permit: Permit,
    reader: R,
    writer: W,
) -> io::Result<()>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let connection = Connection::new(permit.principal().clone());
    let served = Session::new(server, Arc::clone(&connection), permit, reader, writer)
        .run()
        .await;
    connection.close();
    match served {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Serves one client on stdin and stdout of this process, as [`serve`] does; they may be non-blocking. To be called once,
/// where nothing else reads or writes them.
///
/// # Errors
/// As of [`serve`].
pub async fn serve_process(server: Server) -> io::Result<()> {
    let input = Input::new(descriptor::stdin())?;
    let output = Output::new(descriptor::stdout())?;
    serve_buffered(server, Permit::unrestricted(), input, output).await
}

struct Session<R, W> {
    server: Server,
    connection: Arc<Connection>,
    permit: Permit,
    lines: Lines<R>,
    writer: BufWriter<W>,
    waiting: JoinSet<()>,
    outgoing: (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>),
}

impl<R: AsyncBufRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    fn new(
        server: Server,
        connection: Arc<Connection>,
        permit: Permit,
        reader: R,
        writer: W,
    ) -> Self {
        let limit = server.wire_limits().message_bytes;
        Self {
            server,
            connection,
            permit,
            lines: Lines::new(reader, limit),
            writer: BufWriter::with_capacity(BUFFER, writer),
            waiting: JoinSet::new(),
            outgoing: mpsc::channel(OUTGOING),
        }
    }

    async fn run(mut self) -> io::Result<()> {
        let mut unsolicited = self.connection.open_stream();
        let mut paused_enough = false;
        loop {
            let crowded = self.waiting.len() >= MAX_WAITING;
            let reads = !crowded || paused_enough || self.connection.awaits_client();
            // Ready input first: answers are flushed once for everything that has arrived.
            tokio::select! {
                biased;
                Some(message) = self.outgoing.1.recv() => self.write(&message).await?,
                Some(message) = next(&mut unsolicited) => self.write(&message).await?,
                Some(_) = self.waiting.join_next() => {}
                line = self.lines.next(), if reads => {
                    paused_enough = false;
                    match line? {
                        Some(line) => self.receive(line).await?,
                        None => break,
                    }
                }
                flushed = flush(&mut self.writer) => flushed?,
                () = sleep(LONGEST_PAUSE), if !reads => paused_enough = true,
            }
        }
        self.drain().await
    }

    async fn receive(&mut self, line: Line) -> io::Result<()> {
        let reply = match &line {
            Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Text(text) => self
                .server
                .parse(text)
                .map(|body| self.server.receive(&self.connection, &self.permit, body)),
            Line::TooLong => Err(Malformed {
                id: None,
                error: RpcError::invalid_request(format!(
                    "The message is larger than the {} bytes allowed.",
                    self.server.wire_limits().message_bytes
                )),
            }),
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(Malformed { id, error }) => {
                if matches!(line, Line::TooLong) {
                    let refused = Refused::malformed(&error.message, Transport::Stdio);
                    self.server.inner().observers.refused(&refused);
                }
                return self.write(&Answer::error(id.as_ref(), &error).body).await;
            }
        };
        match reply.into_exchange() {
            Err(None) => Ok(()),
            Err(Some(answer)) => self.write(&answer.body).await,
            Ok(exchange) => self.start(exchange).await,
        }
    }

    /// Writes what is ready now; the rest of the call becomes a task.
    async fn start(&mut self, mut exchange: Exchange) -> io::Result<()> {
        loop {
            let event = poll_fn(|cx| match exchange.poll_event(cx) {
                Poll::Ready(event) => Poll::Ready(Some(event)),
                Poll::Pending => Poll::Ready(None),
            });
            match event.await {
                Some(Some(Event::Message(message))) => self.write(&message).await?,
                Some(Some(Event::Release)) => {}
                Some(Some(Event::Answer(answer))) => return self.write(&answer.body).await,
                Some(None) => return Ok(()),
                None => break,
            }
        }
        let outgoing = self.outgoing.0.clone();
        self.waiting.spawn(async move {
            while let Some(event) = exchange.next_event().await {
                let (Event::Message(message) | Event::Answer(Answer { body: message, .. })) = event
                else {
                    continue;
                };
                if outgoing.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        self.writer.write_all(message).await?;
        self.writer.write_all(b"\n").await
    }

    /// The input has ended: nobody will answer our questions, but what was asked is answered.
    async fn drain(mut self) -> io::Result<()> {
        self.connection.hang_up();
        let Self {
            ref mut waiting,
            outgoing: (sender, mut receiver),
            ref mut writer,
            ..
        } = self;
        drop(sender);
        let drained = timeout(DRAIN, async {
            writer.flush().await?;
            // Ends when the last task has dropped its sender.
            while let Some(message) = receiver.recv().await {
                writer.write_all(&message).await?;
                writer.write_all(b"\n").await?;
                writer.flush().await?;
            }
            io::Result::Ok(())
        });
        let result = drained.await.unwrap_or(Ok(()));
        waiting.abort_all();
        result
    }
}

/// Completes when there was something to flush and it is flushed; never when there was nothing.
async fn flush<W: AsyncWrite + Unpin>(writer: &mut BufWriter<W>) -> io::Result<()> {
    match writer.buffer().is_empty() {
        true => std::future::pending().await,
        false => writer.flush().await,
    }
}

async fn next(stream: &mut Option<mpsc::Receiver<Bytes>>) -> Option<Bytes> {
    match stream {
        Some(stream) => stream.recv().await,
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_without_reading_is_not_waited_for_for_ever() {
        let server = Server::builder("test", "1.0.0").build().unwrap();
        let (_unread, writer) = tokio::io::duplex(16);
        let input = &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"[..];
        let served = timeout(DRAIN * 2, serve(server, input, writer));
        served.await.unwrap().unwrap();
    }
}
