//! From what the core replies to a response.
//!
//! A call that says nothing but its answer is a JSON response, made without a task or a channel. As
//! soon as it says more, or is silent for too long, the response becomes a stream of events; one
//! that is complete already goes out whole. A client that takes one form only has its answer in that
//! one; where it is JSON, what else would have been said is left out.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use http::StatusCode;
use hyper::Response;

use crate::connection::Connection;
use crate::core::{Event, Exchange, Reply};
use crate::protocol::Era;

use super::body::{Body, Events, FRAME, KEEP_ALIVE, Kept, Source, written};
use super::negotiate::Forms;
use super::reply;
use super::resume::{self, Resume};
use super::{App, Client};

/// Messages that are gathered before a response that could be whole becomes a stream all the same.
const GATHERED: usize = 64;

/// Sends what the core replied, in a session or to a modern request.
pub(super) async fn send(
    app: &App,
    client: &Client,
    reply: Reply,
    session: Option<&Arc<Connection>>,
    forms: Forms,
) -> Response<Body> {
    let era = match session {
        Some(_) => Era::Legacy,
        None => Era::Modern,
    };
    match reply.into_exchange() {
        Err(None) => reply::empty(StatusCode::ACCEPTED),
        Err(Some(answer)) => reply::answer(answer, era, true, forms),
        Ok(exchange) if forms.stream => exchanged(app, client, exchange, session, era, forms).await,
        Ok(exchange) => answered(exchange, era, forms).await,
    }
}

/// The answer and nothing else, for a client that takes no stream.
async fn answered(exchange: Exchange, era: Era, forms: Forms) -> Response<Body> {
    let mut kept = Kept::new(exchange, era == Era::Legacy);
    loop {
        match poll_fn(|cx| kept.poll_event(cx)).await {
            Some(Event::Answer(answer)) => return reply::answer(answer, era, false, forms),
            Some(Event::Message(_) | Event::Release) => {
                // A call that always has something to say lets others have their turn.
                tokio::task::coop::consume_budget().await;
            }
            None => return reply::empty(StatusCode::ACCEPTED),
        }
    }
}

async fn exchanged(
    app: &App,
    client: &Client,
    exchange: Exchange,
    session: Option<&Arc<Connection>>,
    era: Era,
    forms: Forms,
) -> Response<Body> {
    // Looked up only when the answer is not there at once.
    let resume = || session.map_or(Resume::Never, |connection| Resume::of(connection));
    let mut kept = Kept::new(exchange, era == Era::Legacy);
    let mut said = Vec::new();
    let mut bytes = 0;
    let mut released = false;
    while said.len() < GATHERED && bytes < FRAME {
        let event = match ready(&mut kept).await {
            Some(event) => event,
            None if !said.is_empty() => break,
            None => match first(&mut kept, app, client, era, resume()).await {
                Some(event) => event,
                None => break,
            },
        };
        match event {
            Some(Event::Answer(answer)) if said.is_empty() => {
                return reply::answer(answer, era, false, forms);
            }
            // All is said already: no need to stream it.
            Some(Event::Answer(answer)) => {
                said.push(answer.body);
                return reply::events(Body::whole(written(&said).freeze()));
            }
            Some(Event::Message(message)) => {
                bytes += message.len();
                said.push(message);
            }
            Some(Event::Release) if resume() == Resume::Primed => {
                released = true;
                break;
            }
            Some(Event::Release) => {}
            // Cancelled: the specification wants no answer, HTTP wants a response.
            None if said.is_empty() => return reply::empty(StatusCode::ACCEPTED),
            None => return reply::events(Body::whole(written(&said).freeze())),
        }
    }
    let resume = resume();
    let log = session
        .filter(|_| resume != Resume::Never)
        .and_then(|connection| app.sessions.keep_stream(connection));
    if let Some((writer, reader)) = log
        && let Some(exchange) = kept.take()
    {
        let beginning = resume.prime(reader.stream(), &app.config);
        // Bounded like every call: by its timeout and by the calls that may be in flight.
        tokio::spawn(resume::pump(said, released, exchange, writer));
        return stream(app, beginning, Source::Log(reader));
    }
    let beginning = match said.is_empty() {
        true => BytesMut::from(KEEP_ALIVE),
        false => written(&said),
    };
    stream(app, beginning, Source::Exchange(kept))
}

/// The next event, if there is one now.
async fn ready(kept: &mut Kept) -> Option<Option<Event>> {
    poll_fn(|cx| match kept.poll_event(cx) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Waits for the first event. `None` when the response has to begin without one: because a client
/// that was told no id yet could not come back for the answer, or before a proxy takes the silence
/// for a failure.
async fn first(
    kept: &mut Kept,
    app: &App,
    client: &Client,
    era: Era,
    resume: Resume,
) -> Option<Option<Event>> {
    let patience = match (era, resume) {
        (Era::Modern, _) => app.config.keep_alive,
        (Era::Legacy, Resume::Primed) => app.config.stream_after,
        // Nothing but an event of its own would tell such a client an id.
        (Era::Legacy, _) => return Some(poll_fn(|cx| kept.poll_event(cx)).await),
    };
    let event = poll_fn(|cx| kept.poll_event(cx));
    client.silence.within(patience, event).await
}

fn stream(app: &App, beginning: BytesMut, source: Source) -> Response<Body> {
    reply::events(Events::new(beginning, source, app.config.keep_alive).into_body())
}
