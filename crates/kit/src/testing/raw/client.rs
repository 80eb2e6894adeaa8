//! A client that sends exactly the bytes it is told to, malformed ones included, and reads strictly.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::events::Events;
use crate::testing::PATIENCE;

/// A request, to be changed into whatever a test needs.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request with a `Host` and nothing else.
    pub fn new(method: &str, target: &str) -> Self {
        let line = format!("{method} {target} HTTP/1.1");
        let host = ("Host".to_owned(), "localhost".to_owned());
        Self {
            line,
            headers: vec![host],
            body: Vec::new(),
        }
    }

    /// A POST to `/mcp` as a well-behaved client sends it; the headers of a revision come on top.
    pub fn post(body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", "/mcp")
            .with("Content-Type", "application/json")
            .with("Accept", "application/json, text/event-stream")
            .body(body)
    }

    /// The same at another path.
    pub fn at(mut self, target: &str) -> Self {
        let method = self.line.split(' ').next().unwrap_or_default();
        self.line = format!("{method} {target} HTTP/1.1");
        self
    }

    /// Sets a header.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// Adds a header, although there may be one already.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body and its length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.with("Content-Length", &length)
    }

    /// The request as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.line);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    head: String,
    /// Its body, without the framing.
    pub body: String,
}

impl Response {
    fn read(stream: impl BufRead, status: u16, head: String, framing: Framing) -> Self {
        let mut body = String::new();
        Body { stream, framing }
            .read_to_string(&mut body)
            .expect("a whole body of text in time");
        Self { status, head, body }
    }

    /// A header; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.head, name)
    }

    /// The answer in the body, be it JSON or the last of a stream of events.
    pub fn message(&self) -> Value {
        let json = match self.header("content-type") {
            Some("text/event-stream") => {
                let mut data = self
                    .body
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "));
                data.next_back().unwrap_or_default()
            }
            Some("application/json") => &self.body,
            _ => panic!("no message: {self:?}"),
        };
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status, and the code of the JSON-RPC error in the body.
    pub fn refusal(&self) -> (u16, i64) {
        let message = self.message();
        let code = message["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error: {self:?}"));
        (self.status, code)
    }
}

pub(super) fn find<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// One connection, blocking. Nothing may take longer than [`PATIENCE`].
///
/// Whatever is no HTTP/1.1, or cut off, is a panic that shows it.
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Opens it.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// Sends the bytes as they are. A server that does not want them all may have closed already;
    /// what it answered is read all the same.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
        self
    }

    /// Another way to write on the same connection, for another thread.
    pub fn another_writer(&self) -> TcpStream {
        self.0.get_ref().try_clone().expect("a socket")
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> &mut Self {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
        self
    }

    /// Sends a request and reads its answer to the end.
    pub fn ask(&mut self, request: &Request) -> Response {
        self.send(request.bytes()).response()
    }

    /// The next answer, to its end.
    pub fn response(&mut self) -> Response {
        self.try_response()
            .unwrap_or_else(|| panic!("closed without an answer"))
    }

    /// The next answer, to its end; `None` when the server closes the connection instead.
    pub fn try_response(&mut self) -> Option<Response> {
        let (status, head) = self.head()?;
        let mut body = String::new();
        let framing = Framing::of(status, &head);
        Body {
            stream: &mut self.0,
            framing,
        }
        .read_to_string(&mut body)
        .expect("a whole body of text in time");
        Some(Response { status, head, body })
    }

    /// Reads the head of an answer that streams events; the events come as the server sends them.
    pub fn events(self) -> Events {
        self.try_events()
            .unwrap_or_else(|response| panic!("no events: {response:?}"))
    }

    /// The same, or the answer that came instead.
    pub fn try_events(mut self) -> Result<Events, Response> {
        let (status, head) = self.head().expect("an answer");
        let framing = Framing::of(status, &head);
        if status == 200 && find(&head, "content-type") == Some("text/event-stream") {
            let body = Body {
                stream: self.0,
                framing,
            };
            return Ok(Events::new(head, body));
        }
        Err(Response::read(&mut self.0, status, head, framing))
    }

    /// Status line and headers of the next answer.
    fn head(&mut self) -> Option<(u16, String)> {
        let mut head = String::new();
        loop {
            match self.0.read_line(&mut head) {
                Ok(0) if head.is_empty() => return None,
                // Bytes of ours that nobody read make the end of a connection look like this.
                Err(error) if head.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                    return None;
                }
                Ok(0) => panic!("cut off: {head:?}"),
                Ok(_) if head.ends_with("\r\n\r\n") => break,
                Ok(_) => {}
                Err(error) => panic!("{error}: {head:?}"),
            }
        }
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.split([' ', '\r']).next());
        let status = status
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no HTTP: {head:?}"));
        Some((status, head))
    }
}

/// What says where a body ends.
enum Framing {
    /// After so many bytes.
    Length(usize),
    /// After an empty chunk; so many bytes are left of this one.
    Chunks(usize),
    /// There is no more.
    Done,
    /// At the end of the connection.
    Close,
}

impl Framing {
    fn of(status: u16, head: &str) -> Self {
        if status < 200 || status == 204 || status == 304 {
            return Self::Done;
        }
        match (
            find(head, "transfer-encoding"),
            find(head, "content-length"),
        ) {
            (Some("chunked"), None) => Self::Chunks(0),
            (None, Some(length)) => Self::Length(length.parse().expect("a length")),
            (None, None) => Self::Close,
            other => panic!("{other:?}"),
        }
    }
}

/// A body without its framing. One that ends too early is an error, never just shorter.
pub(super) struct Body<S> {
    stream: S,
    framing: Framing,
}

impl<S: BufRead> Body<S> {
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.strip_suffix("\r\n")
            .map(str::to_owned)
            .ok_or(ErrorKind::UnexpectedEof.into())
    }

    fn part(&mut self, buffer: &mut [u8], left: usize) -> io::Result<usize> {
        let most = left.min(buffer.len());
        match self.stream.read(&mut buffer[..most])? {
            0 if most > 0 => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl<S: BufRead> Read for Body<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.framing {
            Framing::Done | Framing::Length(0) => Ok(0),
            Framing::Close => self.stream.read(buffer),
            Framing::Length(left) => {
                let read = self.part(buffer, left)?;
                self.framing = Framing::Length(left - read);
                Ok(read)
            }
            Framing::Chunks(0) => {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
                self.framing = Framing::Chunks(size);
                if size == 0 {
                    self.line()?;
                    self.framing = Framing::Done;
                }
                self.read(buffer)
            }
            Framing::Chunks(left) => {
                let read = self.part(buffer, left)?;
                self.framing = Framing::Chunks(left - read);
                if left == read {
                    self.line()?;
                }
                Ok(read)
            }
        }
    }
}

/// The body that is still to come on a connection of its own.
pub(super) type Streamed = Body<BufReader<TcpStream>>;
