//! HTTP+SSE, the transport of revision 2024-11-05: what the server says comes as events of one GET, the first of which names
//! the address to post messages to. Deprecated since 2025-03-26, and rmcp has it no more.

mod lines;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

pub(crate) use self::lines::SseServer;

/// Bytes that an event may have.
const MAX_EVENT: usize = 16 << 20;

/// Messages that may wait to be looked at.
const QUEUE: usize = 64;

/// A connection that is open.
pub(super) struct Sse {
    client: Client,
    headers: Arc<HeaderMap>,
    endpoint: Url,
    incoming: mpsc::Receiver<ServerJsonRpcMessage>,
    reading: JoinHandle<()>,
}

impl Sse {
    /// Opens the stream, and waits for the address to post to.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(super) async fn connect(
        client: Client,
        url: Url,
        headers: HeaderMap,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let (mut events, endpoint) = open(&client, &url, &headers, patience).await?;
        let (sender, incoming) = mpsc::channel(QUEUE);
        let reading = tokio::spawn(async move {
            // Whoever waits for an answer is told that the connection is closed.
            while let Ok(Some(event)) = events.next().await {
                // What is no message is left out, as on every other transport.
                let message = serde_json::from_slice(&event.data);
                if let (true, Ok(message)) = (event.is_message(), message)
                    && sender.send(message).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Self {
            client,
            headers: Arc::new(headers),
            endpoint,
            incoming,
            reading,
        })
    }

    pub(super) fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        let (client, endpoint) = (self.client.clone(), self.endpoint.clone());
        let headers = Arc::clone(&self.headers);
        async move {
            // A message of the protocol is JSON.
            let body = serde_json::to_vec(&message).unwrap_or_default();
            post(&client, &endpoint, &headers, body).await
        }
    }

    pub(super) async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        self.incoming.recv().await
    }

    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.reading.abort();
        Ok(())
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Opens the stream, and waits for the address to post to.
async fn open(
    client: &Client,
    url: &Url,
    headers: &HeaderMap,
    patience: Duration,
) -> Result<(Events, Url), Failure> {
    let get = client.get(url.clone()).headers(headers.clone());
    let get = get.header(ACCEPT, "text/event-stream").send();
    let response = timeout(patience, get).await.map_err(|_| Failure::Mute)??;
    if response.status() != StatusCode::OK {
        return Err(Failure::Status(response.status()));
    }
    let mut events = Events::new(response);
    let endpoint = timeout(patience, endpoint(&mut events, url));
    let endpoint = endpoint.await.map_err(|_| Failure::Mute)??;
    Ok((events, endpoint))
}

/// Sends a message.
async fn post(
    client: &Client,
    endpoint: &Url,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<(), Failure> {
    let post = client.post(endpoint.clone()).headers(headers.clone());
    let post = post.header(CONTENT_TYPE, "application/json").body(body);
    let response = post.send().await?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(Failure::Status(response.status())),
    }
}

/// The address that the server names, which must be of its own origin: tokens are sent there.
async fn endpoint(events: &mut Events, url: &Url) -> Result<Url, Failure> {
    while let Some(event) = events.next().await? {
        if event.name != "endpoint" {
            continue;
        }
        let named = String::from_utf8_lossy(&event.data).into_owned();
        let endpoint = url.join(named.trim()).ok();
        let endpoint = endpoint.filter(|endpoint| endpoint.origin() == url.origin());
        return endpoint.ok_or(Failure::Endpoint(named));
    }
    Err(Failure::Closed)
}

/// What is wrong with a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request failed.
    Request(reqwest::Error),
    /// The server answered with this status.
    Status(StatusCode),
    /// No answer in time, or no event with the address to post to.
    Mute,
    /// The stream ended before the address came.
    Closed,
    /// An address that is none, or of another origin.
    Endpoint(String),
    /// An event of more than [`MAX_EVENT`].
    TooLarge,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(_) => f.write_str("the request failed"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Mute => f.write_str("no endpoint event came in time"),
            Self::Closed => f.write_str("the stream ended without an endpoint event"),
            Self::Endpoint(named) => write!(
                f,
                "the endpoint event names {:?}, which is not an address of the same origin",
                named
            ),
            Self::TooLarge => write!(f, "an event has more than {MAX_EVENT} bytes"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            _ => None,
        }
    }
}

/// Server-sent events (HTML standard, section 9.2) of a response.
struct Events {
    response: Response,
    parser: Parser,
}

impl Events {
    fn new(response: Response) -> Self {
        let parser = Parser::default();
        Self { response, parser }
    }

    /// The next event that has data; none at the end.
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.response.chunk().await? else {
                return Ok(None);
            };
            if self.parser.held() + chunk.len() > MAX_EVENT {
                return Err(Failure::TooLarge);
            }
            self.parser.rest.extend_from_slice(&chunk);
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    data: Vec<u8>,
}

impl Event {
    /// Whether its data is a message of the protocol.
    fn is_message(&self) -> bool {
        self.name.is_empty() || self.name == "message"
    }
}

#[derive(Default)]
struct Parser {
    /// What is not parsed yet.
    rest: Vec<u8>,
    /// Bytes of `rest` that have no end of a line.
    seen: usize,
    event: Event,
}

impl Parser {
    fn held(&self) -> usize {
        self.rest.len() + self.event.data.len()
    }

    fn next(&mut self) -> Option<Event> {
        let mut start = 0;
        let mut found = None;
        // A CR that is the last byte may be the first half of a line's end.
        while let Some(end) = self.rest[self.seen..]
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .map(|at| self.seen + at)
            .filter(|&end| self.rest[end] == b'\n' || end + 1 < self.rest.len())
        {
            let crlf = self.rest[end] == b'\r' && self.rest[end + 1] == b'\n';
            let line = &self.rest[start..end];
            let blank = line.is_empty();
            take(&mut self.event, line);
            start = end + 1 + usize::from(crlf);
            self.seen = start;
            if blank {
                let mut event = std::mem::take(&mut self.event);
                if event.data.pop().is_some() {
                    found = Some(event);
                    break;
                }
            }
        }
        self.rest.drain(..start);
        self.seen = match found {
            Some(_) => 0,
            None => self.rest.len() - usize::from(self.rest.last() == Some(&b'\r')),
        };
        found
    }
}

/// Adds a line to an event; each line of data has its line break.
fn take(event: &mut Event, line: &[u8]) {
    let (field, value) = match line.iter().position(|&byte| byte == b':') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[][..]),
    };
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match field {
        b"event" => event.name = String::from_utf8_lossy(value).into_owned(),
        b"data" => {
            event.data.extend_from_slice(value);
            event.data.push(b'\n');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.rest.extend_from_slice(chunk);
            while let Some(Event { name, data }) = parser.next() {
                events.push((name, String::from_utf8(data).unwrap()));
            }
        }
        events
    }

    #[test]
    fn events_are_read_in_any_pieces_with_any_line_ends() {
        let text = ": hello\n\nevent: endpoint\ndata: /messages?id=1\n\ndata: {\ndata: }\nid: 3\n\nevent: x\n\n";
        let expected = [
            ("endpoint".to_owned(), "/messages?id=1".to_owned()),
            (String::new(), "{\n}".to_owned()),
        ];
        for end in ["\n", "\r\n", "\r"] {
            // The last line end is complete only when something follows.
            let text = format!("{}:", text.replace('\n', end));
            for size in 1..=text.len() {
                let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
                assert_eq!(events(&chunks), expected, "{end:?} in {size}");
            }
        }
    }
}
