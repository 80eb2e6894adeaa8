//! A connection over HTTP+SSE as lines, for those who look at every byte of a server.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex, split};
use url::Url;

use super::super::target::{Target, TargetArgs};
use super::super::{failure, http};
use super::{Failure, open, post};
use crate::Result;

/// Bytes that wait to be looked at. What a server sends beyond that waits in its own connection.
const PIPE: usize = 64 << 10;

/// A server of HTTP+SSE, and what each request to it has.
pub(crate) struct SseServer {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl SseServer {
    /// The server at a URL.
    ///
    /// # Errors
    /// That no client can be made.
    pub(crate) fn new(url: &Url, args: &TargetArgs) -> Result<Self> {
        Ok(Self {
            client: http::client(url, args)?,
            url: url.clone(),
            headers: http::headers(args),
        })
    }

    /// What sentences call it.
    pub(crate) fn shown(&self) -> String {
        Target::Sse(self.url.clone()).to_string()
    }

    /// A connection of its own: each event with a message comes as a line, each line that is written goes as a `POST`. It
    /// ends with what is returned.
    ///
    /// # Errors
    /// The server cannot be reached, or names no address to post to in time.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<DuplexStream> {
        let opened = open(&self.client, &self.url, &self.headers, patience).await;
        let (mut events, endpoint) =
            opened.map_err(|error| failure::unreached(&error, &Target::Sse(self.url.clone())))?;
        let (ours, theirs) = duplex(PIPE);
        let (reader, mut writer) = split(theirs);
        let incoming = async move {
            while let Ok(Some(event)) = events.next().await {
                if !event.is_message() {
                    continue;
                }
                let mut line = event.data;
                // JSON means the same with any white space between its tokens, and has no line break within them.
                for byte in &mut line {
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
                line.push(b'\n');
                if writer.write_all(&line).await.is_err() {
                    return;
                }
            }
        };
        let (client, headers) = (self.client.clone(), self.headers.clone());
        let outgoing = async move {
            let mut lines = BufReader::new(reader).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                // What is refused has no answer among the events, which is seen there.
                if let Err(Failure::Request(_)) = post(&client, &endpoint, &headers, line).await {
                    return;
                }
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = incoming => {}
                () = outgoing => {}
            }
        });
        Ok(ours)
    }
}
