//! Messages as lines: a process's stdin and stdout, or a pipe in memory. Whatever comes is bounded in bytes and time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::finding::quoted;
use super::super::observed::{Outcome, Stream};
use super::message::{self, Kind, Unread};

/// Bytes of a line: a list of a thousand tools has less.
const MAX_LINE: usize = 8 << 20;

/// Bytes of all lines of a connection.
const MAX_ALL: usize = 64 << 20;

/// Things of a kind that are kept of a stream.
const MAX_KEPT: usize = 10;

/// Lines that may wait to be looked at. What a server writes beyond that waits in its own pipe.
const QUEUE: usize = 16;

/// What was read.
enum Line {
    Text(Vec<u8>),
    /// A bound was hit; nothing is read any more.
    TooMuch,
}

/// A connection on which each line is a message.
pub(crate) struct Lines {
    /// None when it was closed.
    writer: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    lines: mpsc::Receiver<Line>,
    reading: JoinHandle<()>,
    next_id: u64,
    pub(super) stream: Stream,
}

impl Lines {
    pub(super) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (sender, lines) = mpsc::channel(QUEUE);
        Self {
            writer: Some(Box::new(writer)),
            lines,
            reading: tokio::spawn(read(reader, sender)),
            next_id: 0,
            stream: Stream::default(),
        }
    }

    /// Sends a request, and waits for its answer.
    pub(super) async fn ask(&mut self, method: &str, params: Value, patience: Duration) -> Outcome {
        self.next_id += 1;
        let id = json!(self.next_id);
        let request = message::request(&id, method, params);
        let end = Instant::now() + patience;
        if let Err(outcome) = self.send(&request, end).await {
            return outcome;
        }
        loop {
            let line = match timeout_at(end, self.lines.recv()).await {
                Ok(Some(Line::Text(line))) => line,
                Ok(Some(Line::TooMuch)) => {
                    self.stream.flooded = true;
                    return Outcome::Flooded;
                }
                Ok(None) => return Outcome::Closed,
                Err(_) => return Outcome::Silent,
            };
            if let Some(outcome) = self.take(&line, &id, end).await {
                return outcome;
            }
        }
    }

    /// Sends something that is not answered.
    pub(super) async fn notify(&mut self, method: &str, params: Value, patience: Duration) {
        let notification = message::notification(method, params);
        // Whether it arrived is seen by what is asked next.
        let _ = self.send(&notification, Instant::now() + patience).await;
    }

    /// Sends a line that is no JSON.
    pub(super) async fn garbage(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        let _ = self.write(b"{\"jsonrpc\": \"2.0\", \"id\n", end).await;
    }

    /// Ends the input of the server.
    pub(super) fn close(&mut self) {
        self.writer = None;
    }

    /// Looks at what came; the outcome, if it is the answer.
    async fn take(&mut self, line: &[u8], id: &Value, end: Instant) -> Option<Outcome> {
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return None;
        }
        let found = match message::parse(line) {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.stream.noise_lines += 1;
                keep(&mut self.stream.noise, || quoted(&text));
                return None;
            }
            Err(Unread::Ambiguous) => {
                keep(&mut self.stream.malformed, || quoted(&text));
                return Some(Outcome::Ambiguous);
            }
            Err(Unread::TooMany) => {
                self.stream.flooded = true;
                return Some(Outcome::Flooded);
            }
        };
        let several = match found {
            Value::Array(several) => several,
            one => vec![one],
        };
        let mut outcome = None;
        for found in several {
            match message::kind(&found) {
                Kind::Answer if found["id"] == *id => outcome = Some(message::outcome(&found)),
                // The answer to a line that could not be read has no id.
                Kind::Answer if found["id"].is_null() => {}
                Kind::Answer => keep(&mut self.stream.unasked, || quoted(&found.to_string())),
                Kind::Request => {
                    keep(&mut self.stream.asked, || {
                        found["method"].as_str().unwrap_or_default().to_owned()
                    });
                    let _ = self.send(&message::refusal(&found), end).await;
                }
                Kind::Notification => {}
                Kind::None => keep(&mut self.stream.malformed, || quoted(&found.to_string())),
            }
        }
        outcome
    }

    async fn send(&mut self, message: &Value, end: Instant) -> Result<(), Outcome> {
        let line = format!("{message}\n");
        self.write(line.as_bytes(), end).await
    }

    async fn write(&mut self, bytes: &[u8], end: Instant) -> Result<(), Outcome> {
        let Some(writer) = &mut self.writer else {
            return Err(Outcome::Closed);
        };
        let writing = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        match timeout_at(end, writing).await {
            Ok(Ok(())) => Ok(()),
            // It may have answered before it left.
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(Outcome::Silent),
        }
    }

    /// Reads what is left, for a while.
    pub(super) async fn drain(&mut self, patience: Duration) {
        let draining = async {
            while let Some(Line::Text(line)) = self.lines.recv().await {
                self.take(&line, &Value::Null, Instant::now() + patience)
                    .await;
            }
        };
        // Whatever more there is, enough was seen.
        let _ = timeout(patience, draining).await;
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn keep(kept: &mut Vec<String>, what: impl FnOnce() -> String) {
    if kept.len() < MAX_KEPT {
        kept.push(what());
    }
}

/// Reads lines within bounds.
async fn read(mut reader: impl AsyncRead + Unpin, sender: mpsc::Sender<Line>) {
    let (mut line, mut all) = (Vec::new(), 0);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let bytes = match reader.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(bytes) => bytes,
        };
        all += bytes;
        let mut rest = &chunk[..bytes];
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            if sender
                .send(Line::Text(std::mem::take(&mut line)))
                .await
                .is_err()
            {
                return;
            }
        }
        line.extend_from_slice(rest);
        if line.len() > MAX_LINE || all > MAX_ALL {
            // Nobody is there to be told when the connection was dropped.
            let _ = sender.send(Line::TooMuch).await;
            return;
        }
    }
    if !line.is_empty() {
        let _ = sender.send(Line::Text(line)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A connection to a server that says this, once it was asked something.
    fn says(text: &'static [u8]) -> Lines {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(theirs);
            let mut byte = [0];
            let _ = reader.read(&mut byte).await;
            let _ = writer.write_all(text).await;
        });
        let (reader, writer) = tokio::io::split(ours);
        Lines::new(reader, writer)
    }

    #[tokio::test]
    async fn what_is_no_answer_is_kept() {
        let mut lines = says(
            b"Listening!\n\n{\"a\": 1}\n{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}}\n\
              {\"jsonrpc\": \"2.0\", \"id\": 9, \"method\": \"roots/list\"}\n\
              {\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"x\": 1}}\n",
        );
        let outcome = lines.ask("ping", json!({}), PATIENCE).await;
        assert_eq!(outcome, Outcome::Result(json!({"x": 1})));
        let Stream {
            noise,
            noise_lines,
            malformed,
            unasked,
            asked,
            ..
        } = &lines.stream;
        assert_eq!(
            (&noise[..], *noise_lines),
            (&["'Listening!'".to_owned()][..], 1)
        );
        assert_eq!(malformed[..], ["'{\"a\":1}'"]);
        assert_eq!(
            (unasked.len(), &asked[..]),
            (1, &["roots/list".to_owned()][..])
        );
    }

    #[tokio::test]
    async fn a_server_that_leaves_or_says_nothing_is_no_hang() {
        assert_eq!(
            says(b"").ask("ping", json!({}), PATIENCE).await,
            Outcome::Closed
        );
        let (ours, _theirs) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(ours);
        let mut lines = Lines::new(reader, writer);
        let brief = Duration::from_millis(20);
        assert_eq!(lines.ask("ping", json!({}), brief).await, Outcome::Silent);
        // Nor does it read, and its pipe is full.
        let much = json!({ "x": "x".repeat(1000) });
        assert_eq!(lines.ask("ping", much, brief).await, Outcome::Silent);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_read_up_to_the_bound() {
        let reader = tokio::io::repeat(b'x');
        let mut lines = Lines::new(reader, tokio::io::sink());
        assert_eq!(
            lines.ask("ping", json!({}), PATIENCE).await,
            Outcome::Flooded
        );
        assert!(lines.stream.flooded);
    }
}
