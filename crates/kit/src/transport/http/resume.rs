//! Responses that outlive their connection: legacy sessions only
//! (specification 2025-11-25 `basic/transports#resumability-and-redelivery`; SEP-1699).
//!
//! A task of its own writes such a response into a log of the session, and whoever reads the log
//! has the rest of it: first the body of the `POST`, then that of a `GET` with `Last-Event-ID`.
//! Requests since 2026-07-28 have nothing of it: no ids, no `retry`, and `Last-Event-ID` is not
//! looked at.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Context;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode};
use hyper::Response;

use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::{Event, Exchange};
use crate::protocol::LATEST_LEGACY;
use crate::streams::{EventId, Resumed, StreamWriter, Unread};

use super::body::{Body, Events, Source};
use super::reply::{self, Refusal};
use super::{App, HttpConfig, ingress};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the revision of a session has of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// No event has an id.
    Never,
    /// Messages have ids. An event without data is not sent: clients of these revisions take it
    /// for a message.
    Ids,
    /// The stream begins with an id and the time after which to come back, so that it can be
    /// resumed from the first moment on.
    Primed,
}

impl Resume {
    pub(super) fn of(connection: &Connection) -> Self {
        match connection.peer().map(|peer| peer.version) {
            Some(LATEST_LEGACY) => Self::Primed,
            Some("2025-06-18" | "2025-03-26") => Self::Ids,
            _ => Self::Never,
        }
    }

    /// What a stream begins with. `id` is the one to come back with until there is another.
    pub(super) fn prime(self, id: EventId, config: &HttpConfig) -> BytesMut {
        match self {
            Self::Primed => {
                let retry = config.retry.as_millis();
                let event = format!("id: {id}\nretry: {retry}\ndata: \n\n");
                BytesMut::from(event.as_bytes())
            }
            Self::Ids | Self::Never => BytesMut::new(),
        }
    }
}

/// Runs a call to its end and writes down what it says, `said` first.
pub(super) async fn pump(
    said: Vec<Bytes>,
    released: bool,
    mut exchange: Exchange,
    writer: StreamWriter,
) {
    for message in said {
        writer.say(message).await;
    }
    if released {
        writer.release();
    }
    let next = |exchange: &mut Exchange, cx: &mut Context<'_>| {
        exchange.set_read(writer.is_read(cx));
        exchange.poll_event(cx)
    };
    while let Some(event) = poll_fn(|cx| next(&mut exchange, cx)).await {
        match event {
            Event::Message(message) => writer.say(message).await,
            Event::Release => writer.release(),
            Event::Answer(answer) => return writer.answer(answer.body),
        }
        // A call that always has something to say lets others have their turn.
        tokio::task::coop::consume_budget().await;
    }
}

/// Answers a `GET` in a session.
///
/// Without `Last-Event-ID` it opens a stream of what belongs to no request, next to those that are
/// open. With the id of an event of a response it yields what came after that event, and goes on
/// until the answer; whoever read that response before is cut off. With the id that began a stream of
/// what belongs to no request it opens that one again, in place of its older connection; what was
/// said meanwhile is not repeated.
///
/// Where replicas share streams, that response may be written by another one: then what the store has of it is read, and
/// what that replica adds.
///
/// Any other id of ours (of another session, or of a stream that is not kept any more) is a status
/// 400. It is no 404, which would tell the client that its session is over; and to open the
/// session's own stream instead would leave the client waiting there for an answer that never
/// comes. What cannot be an id of ours counts as none, as always: a client that made one up waits
/// for nothing.
pub(super) async fn listen(
    app: &Arc<App>,
    connection: &Arc<Connection>,
    permit: &Permit,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let resume = Resume::of(connection);
    let named = match resume {
        Resume::Never => None,
        Resume::Ids | Resume::Primed => named(headers)?,
    };
    if let Some(shared) = connection.shared() {
        connection.streams().share(shared);
    }
    let resumed = match named {
        Some(id) => match app.sessions.resume_stream(connection, id) {
            Some(resumed) => Some(resumed),
            None => return followed(app, connection, resume, id).await,
        },
        None => None,
    };
    let unsolicited = match resumed {
        Some(Resumed::Response(reader)) => {
            // The same id again, without data: a client that loses this stream before its first
            // event may know no other.
            let beginning = resume.prime(named.unwrap_or(reader.stream()), &app.config);
            let events = Events::new(beginning, Source::Log(reader), app.config.keep_alive);
            return Ok(reply::events(events.into_body()));
        }
        Some(Resumed::Unsolicited(number)) => connection.take_over_stream(number),
        None => connection.listen(),
    };
    let (number, unsolicited) = unsolicited.ok_or_else(|| {
        reply::refuse(
            StatusCode::CONFLICT,
            "This session has as many open GET streams as are allowed (8); end one first.",
        )
    })?;
    if let Some(replicas) = &app.server.inner().replicas {
        replicas.listening(connection);
    }
    let beginning = match resume {
        Resume::Primed => connection.streams().unsolicited(number),
        Resume::Ids | Resume::Never => None,
    };
    let beginning = beginning.map_or_else(BytesMut::new, |id| resume.prime(id, &app.config));
    let source = Source::Unsolicited(unsolicited);
    let events = Events::new(beginning, source, app.config.keep_alive).until(app.over(permit));
    Ok(reply::events(events.into_body()))
}

/// What comes after this event of a response that another replica writes.
async fn followed(
    app: &App,
    connection: &Connection,
    resume: Resume,
    id: EventId,
) -> Result<Response<Body>, Refusal> {
    let follower = app.sessions.follow_stream(connection, id).await;
    let follower = follower.map_err(|unread| match unread {
        Unread::Gone => gone(),
        Unread::Unavailable => reply::refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "Last-Event-ID names an event of another replica, and the store that replicas share cannot be asked; try again after the time in Retry-After.",
        ),
        Unread::Full => reply::refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "There are as many responses that can be resumed as are allowed; try again after the time in Retry-After.",
        ),
    })?;
    let beginning = resume.prime(id, &app.config);
    let events = Events::new(beginning, Source::Followed(follower), app.config.keep_alive);
    Ok(reply::events(events.into_body()))
}

/// The id in `Last-Event-ID`, if it looks like one of ours.
fn named(headers: &HeaderMap) -> Result<Option<EventId>, Refusal> {
    if !headers.contains_key(LAST_EVENT_ID) {
        return Ok(None);
    }
    let value = ingress::only(headers, LAST_EVENT_ID).ok_or_else(gone)?;
    Ok(value.to_str().ok().and_then(EventId::parse))
}

fn gone() -> Refusal {
    reply::refuse(
        StatusCode::BAD_REQUEST,
        "Last-Event-ID names no event that this session still keeps; leave it out to listen, or send the request again.",
    )
}
