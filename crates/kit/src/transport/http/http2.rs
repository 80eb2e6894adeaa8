//! HTTP/2: a connection, its requests, and every bound of both.
//!
//! Each request is a stream with a task and a place of its own, so whatever is promised of a connection over HTTP/1.1
//! holds for a stream: who waits longest makes room, bodies have a rate, and who does not read is not waited for. What
//! h2 is handed is never more than the client takes, so that a response that nobody takes is known as one.
//!
//! The frames, their order and the headers that HTTP/2 forbids are h2's to check.

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use h2::server::{Builder, SendResponse};
use h2::{Ping, Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HeaderName, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::App;
use super::activity::{Activity, Phase};
use super::body::Body;
use super::client::Client;
use super::connections::{NoSlot, Slot};
use super::listener::{Failed, LOOK, MAX_HEAD, MAX_HEADERS, PATIENCE, PLACE_PAUSE};
use super::reply;
use super::request_body::{Incoming, Incomplete, Piece};
use super::socket::Channel;

/// Requests of a connection at a time; RFC 9113 §6.5.2 advises against fewer. One more is refused.
const MAX_STREAMS: u32 = 100;

/// Bytes of a body that are kept before they are read: the initial window of RFC 9113 §6.9.2.
const STREAM_WINDOW: u32 = 65_535;

/// Bytes of all bodies of a connection that are.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of a frame: the least that RFC 9113 §4.2 allows.
const MAX_FRAME: u32 = 16 << 10;

/// Bytes of a response that wait for the socket.
const MAX_UNSENT: usize = 64 << 10;

/// Requests that their client resets before they have begun; at one more the connection ends
/// (CVE-2023-44487).
const MAX_UNBEGUN_RESETS: usize = 20;

/// Streams that are reset because their client breaks the rules, or has too many; at one more the connection ends
/// (CVE-2025-8671).
const MAX_BROKEN: usize = 1024;

/// Streams that were reset here and are known for a while, as frames for them may be on their way.
const MAX_RESET: usize = 50;
const RESET_KNOWN: Duration = Duration::from_secs(1);

/// CONTINUATION frames (CVE-2024-27316), small and empty DATA frames and the tables of headers are bounded by h2, by what
/// is set here.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .max_header_list_size(MAX_HEAD as u32)
        .max_send_buffer_size(MAX_UNSENT)
        .max_pending_accept_reset_streams(MAX_UNBEGUN_RESETS)
        .max_local_error_reset_streams(Some(MAX_BROKEN))
        .max_concurrent_reset_streams(MAX_RESET)
        .reset_stream_duration(RESET_KNOWN);
    builder
}

/// Serves the requests of a connection, until it ends or has to: after `stop` no new ones are taken than those that are
/// on their way.
pub(super) async fn serve(
    app: Arc<App>,
    client: Arc<Client>,
    channel: Channel,
    place: &Slot,
    stop: CancellationToken,
) -> Result<(), Failed> {
    let activity = &place.activity;
    let patience = app.config.header_timeout;
    let handshake = timeout(patience, builder().handshake::<_, Bytes>(channel));
    let mut connection = handshake.await??;
    let mut pings = connection.ping_pong();
    let mut awaits_pong = false;
    let unread = app.config.write_timeout;
    let mut ping = interval_at(Instant::now() + unread, unread);
    // Where this process stood still, its clients have had no time to answer.
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut idle = pin!(sleep(patience));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tasks = JoinSet::new();
    let mut streams: HashMap<_, Arc<Activity>> = HashMap::new();
    let mut full_until = Instant::now();
    let mut leaves = false;
    let mut stopped = pin!(stop.cancelled());
    let mut leaving_since = None;
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, mut respond) = accepted?;
                if !activity.carries() {
                    // Its place was given away a moment ago, and so nothing is begun.
                    return pending().await;
                }
                let now = Instant::now();
                let found = match now < full_until {
                    true => Err(NoSlot::Full),
                    false => place.of_stream(),
                };
                match found {
                    Ok(place) => {
                        let app = Arc::clone(&app);
                        let activity = Arc::clone(&place.activity);
                        let client = client.on(Arc::clone(&activity));
                        let task = tasks.spawn(async move {
                            stream(app, client, request, respond).await;
                            drop(place);
                        });
                        streams.insert(task.id(), Arc::clone(&activity));
                        activity.is(task);
                    }
                    Err(_) => {
                        // To look at all places for each of many that come at once would hold up others.
                        if now >= full_until {
                            full_until = now + PLACE_PAUSE;
                        }
                        // It was not begun, so the client may send it again (RFC 9113 §8.7).
                        respond.send_reset(Reason::REFUSED_STREAM);
                    }
                }
                if streams.is_empty() {
                    activity.vacant();
                }
            }
            Some(ended) = tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                streams.remove(&id);
                if streams.is_empty() {
                    activity.vacant();
                }
            }
            () = &mut idle => {
                let seen = activity.seen();
                let waited = activity.now().saturating_sub(seen.since);
                let left = match seen.phase {
                    Phase::Carries => patience,
                    // Whoever has not heard of the end by now does not listen.
                    _ if leaves => return Ok(()),
                    _ if waited < patience => patience - waited,
                    _ => {
                        connection.graceful_shutdown();
                        leaves = true;
                        PATIENCE.incomplete
                    }
                };
                idle.as_mut().reset(Instant::now() + left);
            }
            _ = ping.tick() => {
                if awaits_pong {
                    return Err("the client does not answer a ping".into());
                }
                if let Some(pings) = &mut pings {
                    pings.send_ping(Ping::opaque())?;
                    awaits_pong = true;
                }
            }
            pong = poll_fn(|cx| match &mut pings {
                Some(pings) => pings.poll_pong(cx),
                None => Poll::Pending,
            }), if awaits_pong => {
                pong?;
                awaits_pong = false;
            }
            () = &mut stopped, if leaving_since.is_none() => {
                connection.graceful_shutdown();
                leaving_since = Some(activity.now());
            }
            _ = looks.tick(), if leaving_since.is_some() => {
                let since = leaving_since.unwrap_or_default();
                for stream in streams.values() {
                    let seen = stream.seen();
                    if stream.may_leave(&PATIENCE, since) {
                        stream.end(seen);
                    }
                }
            }
        }
    }
}

/// One request, up to the end of its response. What is not finished when it is dropped is reset.
async fn stream(
    app: Arc<App>,
    client: Arc<Client>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let activity = Arc::clone(&client.activity);
    let patience = app.config.write_timeout;
    activity.begin().await;
    let without_body = *request.method() == Method::HEAD;
    let expects = request.headers().get(EXPECT);
    if expects.is_some_and(|what| what.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let mut go_on = Response::new(());
        *go_on.status_mut() = StatusCode::CONTINUE;
        if respond.send_informational(go_on).is_err() {
            return;
        }
    }
    let response = tokio::select! {
        biased;
        // Whoever resets a request has no more to do with it than one whose connection is closed.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
        response = answer(app, client, request) => response,
    };
    if response.body().is_standalone() {
        activity.streams(response.body().session());
    }
    let (response, body) = headed(response);
    let ends = without_body || body.is_end_stream();
    let Ok(sending) = respond.send_response(response, ends) else {
        return;
    };
    if !ends {
        send(body, sending, &activity, patience).await;
    }
}

async fn answer(
    app: Arc<App>,
    client: Arc<Client>,
    request: Request<RecvStream>,
) -> Response<Body> {
    if request.headers().len() > MAX_HEADERS {
        return reply::empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let request = request.map(|body| Incoming::Http2(Received(body)));
    app.serve(client, request).await
}

/// The body of a request.
pub(super) struct Received(RecvStream);

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
        let data = ready!(self.0.poll_data(cx));
        Poll::Ready(data.map(|data| {
            let data = data.map_err(|_| Incomplete)?;
            // What is read here is bounded here, so the client may send as much again.
            let released = self.0.flow_control().release_capacity(data.len());
            released.map_err(|_| Incomplete)?;
            Ok(Frame::data(data))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// What says something of connections, which HTTP/2 forbids (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A response with the headers that HTTP wants, and without those that HTTP/2 forbids.
fn headed(response: Response<Body>) -> (Response<()>, Body) {
    let (mut head, body) = response.into_parts();
    for name in OF_CONNECTIONS {
        head.headers.remove(name);
    }
    let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        head.headers.insert(DATE, date);
    }
    if let Some(length) = body.size_hint().exact()
        && head.status != StatusCode::NO_CONTENT
    {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    (Response::from_parts(head, ()), body)
}

/// Sends a body as its client takes it, unless the client takes nothing for too long.
async fn send(body: Body, mut sending: SendStream<Bytes>, activity: &Activity, patience: Duration) {
    let mut body = pin!(body);
    loop {
        let mut next = |cx: &mut Context<'_>| {
            let frame = body.as_mut().poll_frame(cx);
            activity.waits(body.waits());
            frame
        };
        let frame = tokio::select! {
            biased;
            _ = poll_fn(|cx| sending.poll_reset(cx)) => return,
            frame = poll_fn(&mut next) => frame,
        };
        let last = frame.is_none() || body.is_end_stream();
        // Bodies here have neither errors nor trailers.
        let mut data = match frame {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            _ => Bytes::new(),
        };
        while !data.is_empty() {
            let Some(room) = room(&mut sending, data.len(), activity, patience).await else {
                return;
            };
            let part = data.split_to(room.min(data.len()));
            let ends = last && data.is_empty();
            if sending.send_data(part, ends).is_err() || ends {
                return;
            }
        }
        if last {
            let _ = sending.send_data(Bytes::new(), true);
            return;
        }
    }
}

/// How much the client takes now of so much. `None` if it takes nothing for too long, or nothing more at all.
async fn room(
    sending: &mut SendStream<Bytes>,
    length: usize,
    activity: &Activity,
    patience: Duration,
) -> Option<usize> {
    sending.reserve_capacity(length);
    if sending.capacity() == 0 {
        activity.stalls();
        let taken = timeout(patience, poll_fn(|cx| sending.poll_capacity(cx))).await;
        activity.flows();
        let Ok(Some(Ok(_))) = taken else {
            return None;
        };
    }
    Some(sending.capacity())
}
