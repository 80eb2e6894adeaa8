//! Responses that can be resumed: a log (Redis Streams) for each, whose ids are the numbers of its events.

use std::time::Duration;

use bytes::Bytes;

use crate::store::{EventStore, EventStream, StoreFuture, StoredEvent, StoredEvents};

use super::{Redis, millis, script};

const EVENTS: &str = "e";

/// Events that are read in one round trip.
const TOGETHER: usize = 64;

const BEGUN: &str = "b";
const MESSAGE: &str = "m";
const ANSWER: &str = "a";
const ENDED: &str = "z";

/// An entry: its id, and names and values by turns.
type Entry = (String, Vec<Vec<u8>>);

impl Redis {
    fn log_of(&self, of: &EventStream) -> String {
        let rest = format!("{:032x}:{:032x}", of.session, of.stream);
        self.nodes.keys().of(&of.owner, EVENTS, &rest)
    }
}

impl EventStore for Redis {
    fn append<'a>(
        &'a self,
        stream: &'a EventStream,
        events: &'a [(u64, StoredEvent)],
        first: u64,
        keep: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let appended: i64 = self
                .nodes
                .script(&script::APPEND, &self.log_of(stream), |call| {
                    call.arg(millis(keep)).arg(id(first));
                    for (number, event) in events {
                        let (kind, message) = match event {
                            StoredEvent::Begun => (BEGUN, &b""[..]),
                            StoredEvent::Message(message) => (MESSAGE, &message[..]),
                            StoredEvent::Answer(message) => (ANSWER, &message[..]),
                            StoredEvent::Ended => (ENDED, &b""[..]),
                        };
                        call.arg(id(*number)).arg(kind).arg(message);
                    }
                })
                .await?;
            Ok(appended == 1)
        })
    }

    fn after<'a>(
        &'a self,
        stream: &'a EventStream,
        after: u64,
    ) -> StoreFuture<'a, Option<StoredEvents>> {
        Box::pin(async move {
            let key = self.log_of(stream);
            let mut both = ::redis::pipe();
            both.cmd("XREVRANGE")
                .arg(&key)
                .arg("+")
                .arg("-")
                .arg("COUNT")
                .arg(1);
            // What the last is says no more about what is there by then than that it was there.
            both.cmd("XRANGE")
                .arg(&key)
                .arg(format!("({}", id(after)))
                .arg("+")
                .arg("COUNT")
                .arg(TOGETHER);
            let (last, found): (Vec<Entry>, Vec<Entry>) = self.nodes.read_all(&key, &both).await?;
            let Some(last) = last.first().and_then(|(id, _)| number(id)) else {
                return Ok(None);
            };
            let events = found.into_iter().filter_map(read).collect();
            Ok(Some(StoredEvents { events, last }))
        })
    }

    fn remove<'a>(&'a self, stream: &'a EventStream) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let _: i64 = self
                .nodes
                .script(&script::FORGET, &self.log_of(stream), |_| {})
                .await?;
            Ok(())
        })
    }
}

/// There is no id 0.
fn id(number: u64) -> String {
    format!("{}-0", number.saturating_add(1))
}

fn number(id: &str) -> Option<u64> {
    let (number, _) = id.split_once('-')?;
    number.parse::<u64>().ok()?.checked_sub(1)
}

/// Its first field; what a later release says beside it is passed over.
fn read((id, fields): Entry) -> Option<(u64, StoredEvent)> {
    let mut fields = fields.into_iter();
    let (kind, message) = (fields.next()?, fields.next()?);
    let event = match std::str::from_utf8(&kind).ok()? {
        BEGUN => StoredEvent::Begun,
        MESSAGE => StoredEvent::Message(Bytes::from(message)),
        ANSWER => StoredEvent::Answer(Bytes::from(message)),
        ENDED => StoredEvent::Ended,
        _ => return None,
    };
    Some((number(&id)?, event))
}
