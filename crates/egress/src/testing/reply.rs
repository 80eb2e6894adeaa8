//! What the server gets and gives: words only, nothing that acts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Such as `GET`.
    pub method: String,
    /// As it was written: a path with its query, or a whole address when it came to a proxy.
    pub target: String,
    /// In the order in which they came, names as they were written.
    pub headers: Vec<(String, String)>,
    /// The body, by its `Content-Length`.
    pub body: Vec<u8>,
}

impl Seen {
    /// The first header of this name, upper or lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What the server answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A whole response; the connection is kept.
    Whole(Page),
    /// Another reply, but only once the signal was given ([`Notify::notify_one`]).
    After(Arc<Notify>, Box<Reply>),
    /// The head, then the body byte by byte with this pause before each.
    Drip(Page, Duration),
    /// The head byte by byte with this pause before each, then the body.
    DripHead(Page, Duration),
    /// Nothing, ever; the connection stays open.
    Hang,
    /// The head of a body that is this much longer, then the body, then the end of the connection.
    Cut(Page, usize),
    /// A head without a length, the body, then the other bytes again and again until the client goes away.
    Endless(Page, Vec<u8>),
    /// Just these bytes, then the end of the connection.
    Raw(Vec<u8>),
}

/// A response.
#[derive(Debug, Clone)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Headers besides `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Page {
    /// Status 200 and a body.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// With another status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As a whole response.
    pub fn whole(self) -> Reply {
        Reply::Whole(self)
    }

    /// The head, with this length of the body or with none.
    pub(super) fn head(&self, length: Option<usize>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Status\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        (head + "\r\n").into_bytes()
    }
}

impl Reply {
    /// Status 200 and a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Page::new(body).whole()
    }

    /// An empty body with this status.
    pub fn status(status: u16) -> Self {
        Page::new("").status(status).whole()
    }

    /// A redirect to `location`.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Page::new("")
            .status(status)
            .header("Location", location)
            .whole()
    }
}
