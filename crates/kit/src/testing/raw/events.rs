//! Server-sent events, read one by one while the server still writes.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use super::client::{Streamed, find};

/// One event.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Its `id`; empty when the stream cannot be resumed.
    pub id: String,
    /// Its `event`; empty when it has none.
    pub name: String,
    /// Its `data`, which is one line.
    pub data: String,
}

/// A stream of events. Dropping it closes the connection.
pub struct Events {
    head: String,
    body: BufReader<Streamed>,
}

impl Events {
    pub(super) fn new(head: String, body: Streamed) -> Self {
        Self {
            head,
            body: BufReader::new(body),
        }
    }

    /// A header of the response; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.head, name)
    }

    /// The next line as it is; empty at the end of the stream.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.body.read_line(&mut line);
        read.expect("an event, or the end of the stream, in time");
        line
    }

    /// The message in the next event.
    pub fn message(&mut self) -> Value {
        let event = self.next().expect("an event before the end of the stream");
        assert_eq!(event.name, "message");
        serde_json::from_str(&event.data).unwrap_or_else(|error| panic!("{error}: {event:?}"))
    }

    /// Reads up to the message with this method.
    pub fn until(&mut self, method: &str) -> Value {
        loop {
            let message = self.message();
            if message["method"] == method {
                return message;
            }
        }
    }

    /// Reads up to the answer; what comes before is dropped.
    pub fn answer(&mut self) -> Value {
        loop {
            let message = self.message();
            if message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Reads the end of the stream.
    pub fn end(mut self) {
        assert_eq!(self.next(), None);
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event; comments, and events without data, are skipped: those only tell an id and
    /// when to come back. `None` when the stream has ended as it should.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
        loop {
            let line = self.line();
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => value.clone_into(&mut data),
                Some(("" | "retry", _)) => {}
                Some(_) => panic!("an unknown field: {line:?}"),
                None if line.is_empty() && data.is_empty() => return None,
                None if line == "\n" && data.is_empty() => {}
                None if line == "\n" => return Some(Event { id, name, data }),
                None => panic!("no event: {line:?} after {data:?}"),
            }
        }
    }
}
