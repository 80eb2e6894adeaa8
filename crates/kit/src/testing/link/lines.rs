//! A message a line.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use super::{Incoming, parse};

pub(super) struct Lines {
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    reading: JoinHandle<()>,
}

impl Lines {
    pub(super) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
        incoming: Sender<Incoming>,
    ) -> Self {
        let mut reader = BufReader::new(reader);
        let reading = tokio::spawn(async move {
            let mut line = Vec::new();
            while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
                let message = match line.last() {
                    Some(b'\n') => parse(&line),
                    _ => Err(format!("cut off: {}", String::from_utf8_lossy(&line))),
                };
                if incoming.send(message).await.is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self { writer, reading }
    }

    pub(super) async fn send(&mut self, message: &Value) -> io::Result<()> {
        self.writer
            .write_all(format!("{message}\n").as_bytes())
            .await?;
        self.writer.flush().await
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
