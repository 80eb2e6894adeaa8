//! Lines of bounded length from a byte stream.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end; the last one needs no newline.
    Text(Vec<u8>),
    /// A line longer than the limit: skipped to its end.
    TooLong,
}

/// Reads lines; what is beyond the limit is dropped as it arrives, never gathered.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    skipping: bool,
    limit: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self {
            reader,
            line: Vec::new(),
            skipping: false,
            limit,
        }
    }

    /// The next line; `None` at the end. Dropping the future loses nothing: what was read is kept.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let at_end = chunk.is_empty();
            let (used, complete) = match chunk.iter().position(|&b| b == b'\n') {
                Some(newline) => (newline + 1, true),
                None => (chunk.len(), at_end),
            };
            if !self.skipping {
                self.line.extend_from_slice(&chunk[..used]);
                if self.line.len() > self.limit.saturating_add(2) {
                    self.skipping = true;
                    self.line = Vec::new();
                }
            }
            self.reader.consume(used);
            if complete {
                let mut line = std::mem::take(&mut self.line);
                let nothing = at_end && line.is_empty();
                for end in [b'\n', b'\r'] {
                    line.pop_if(|last| *last == end);
                }
                return Ok(match (std::mem::take(&mut self.skipping), nothing) {
                    (true, _) => Some(Line::TooLong),
                    (false, true) => None,
                    (false, false) => Some(Line::Text(line)),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &str, limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(
            tokio::io::BufReader::with_capacity(4, text.as_bytes()),
            limit,
        );
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn the_last_line_needs_no_newline() {
        let text = |s: &str| Line::Text(s.as_bytes().to_vec());
        assert_eq!(
            all("one\ntwo\r\n\nthree", 100).await,
            [text("one"), text("two"), text(""), text("three")]
        );
        assert_eq!(all("", 100).await, []);
    }

    #[tokio::test]
    async fn a_long_line_is_skipped_and_the_next_one_read() {
        let text = format!("{}\nok\n{}", "x".repeat(1000), "y".repeat(1000));
        assert_eq!(
            all(&text, 10).await,
            [Line::TooLong, Line::Text(b"ok".to_vec()), Line::TooLong]
        );
    }
}
