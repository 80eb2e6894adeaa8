//! Accepts connections, and lets them finish at shutdown.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body::{Frame, SizeHint};
use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::core::Server;
use crate::telemetry::Lasting;

use super::activity::{Activity, Patience};
use super::body::Body;
use super::connections::{Connections, NoSlot, Slot};
use super::listeners::Listeners;
use super::request_body::Incoming;
use super::socket::{Channel, Socket};
use super::stream::Stream;
use super::telling::Telling;
use super::timer::HeadTimer;
use super::{App, HttpConfig, http2, tls};

/// Headers of one request.
pub(super) const MAX_HEADERS: usize = 64;

/// Bytes of a request's head.
pub(super) const MAX_HEAD: usize = 16 << 10;

/// Time for connections that are half made when nobody else is taken any more: a round trip.
const HALF_MADE: Duration = Duration::from_millis(50);

/// Pause after `accept` failed and to displace somebody could not help: trying on at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Pause before a place is looked for again that will be free soon, and how often.
pub(super) const PLACE_PAUSE: Duration = Duration::from_millis(2);
const PLACE_TRIES: usize = 125;

/// Time between two looks at a connection at shutdown.
pub(super) const LOOK: Duration = Duration::from_millis(25);

/// Time at shutdown after which questions end: by then no connection is left to answer them on.
const ANSWERS: Duration = Duration::from_secs(1);

/// Time at shutdown for what other replicas are to find of responses that can be resumed.
const COPY: Duration = Duration::from_millis(500);

/// What a client may still say at shutdown.
pub(super) const PATIENCE: Patience = Patience {
    next: Duration::from_millis(250),
    incomplete: Duration::from_secs(1),
    unread: Duration::from_secs(1),
};

/// Whether the system has no file descriptor or no memory left for another connection.
fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    let exhausted = {
        use rustix::io::Errno;
        [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].map(Errno::raw_os_error)
    };
    // WSAEMFILE and WSAENOBUFS.
    #[cfg(not(unix))]
    let exhausted = [10024, 10055];
    error
        .raw_os_error()
        .is_some_and(|code| exhausted.contains(&code))
}

/// Serves on bound listeners until `shutdown` completes.
///
/// Then `/readyz` says `503`, and after [`HttpConfig::drain_delay`] it accepts what waits to be accepted, stops listening, and answers what has been sent:
/// requests in flight, and those that lie in the sockets of their connections. Answers say
/// `Connection: close`; over HTTP/2 the connection says it (`GOAWAY`). A client that is silent in the middle of a request, or that does not read,
/// is not waited for, and nobody longer than [`HttpConfig::drain`]. Tasks that others can look for afterwards
/// ([`TaskStore::outlives_process`](crate::tasks::TaskStore::outlives_process)) have that time too; those that take longer have failed. Calls that wait for an answer of
/// their client hear after a second that there is none.
pub async fn serve(
    listeners: impl Into<Listeners>,
    server: Server,
    config: HttpConfig,
    shutdown: impl Future,
) {
    let app = App::new(server, config);
    let most = app.config.connections;
    let connections = Connections::new(most, app.config.connections_per_address);
    for metrics in &app.server.inner().metrics {
        let open = Arc::downgrade(&connections);
        metrics.places("connections", most, move || {
            open.upgrade().map_or(0, |open| open.len())
        });
    }
    let telling = Telling::begin(&app).await;
    let last = Arc::clone(&app);
    let acceptor = Acceptor {
        connections,
        stop: CancellationToken::new(),
        tasks: JoinSet::new(),
        app,
    };
    let leave = CancellationToken::new();
    // A task of its own, since those that it begins then start on the thread that is awake already; as
    // one of a set it ends with whoever awaits this.
    let mut accepting = JoinSet::new();
    accepting.spawn(acceptor.run(listeners.into(), leave.clone()));
    let ended = tokio::select! {
        _ = shutdown => {
            leave.cancel();
            accepting.join_next().await
        }
        ended = accepting.join_next() => ended,
    };
    telling.end(&last).await;
    copied(&last).await;
    if let Some(Err(error)) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        resume_unwind(panic);
    }
}

/// Waits for a moment until other replicas find what was said last in responses that can be resumed.
async fn copied(app: &App) {
    let until = Instant::now() + COPY;
    while !app.sessions.streams_are_copied() && Instant::now() < until {
        sleep(Duration::from_millis(5)).await;
    }
}

struct Acceptor {
    app: Arc<App>,
    connections: Arc<Connections>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Acceptor {
    async fn run(mut self, mut listeners: Listeners, leave: CancellationToken) {
        let mut sweep = interval(self.app.sessions.sweep_interval());
        let mut look = interval(tls::LOOK);
        let app = Arc::clone(&self.app);
        let mut closing = pin!(async {
            leave.cancelled().await;
            app.draining.store(true, Relaxed);
            let delay = app.config.drain_delay;
            if !delay.is_zero() {
                sleep(delay).await;
            }
        });
        loop {
            tokio::select! {
                () = &mut closing => break,
                _ = sweep.tick() => {
                    self.app.sessions.sweep();
                    self.app.server.sweep();
                }
                _ = look.tick(), if self.app.config.tls.is_some() => self.reload(),
                Some(_) = self.tasks.join_next() => {}
                accepted = poll_fn(|cx| listeners.poll_accept(cx)) => match accepted {
                    Ok((stream, address)) => self.accept(stream, address).await,
                    // Somebody who waits may have what is wanting.
                    Err(error) if is_exhausted(&error) && self.connections.make_room() => {
                        sleep(PLACE_PAUSE).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        self.leave();
        if listeners.turn_away() {
            let half_made = async {
                loop {
                    match poll_fn(|cx| listeners.poll_accept(cx)).await {
                        Ok((stream, address)) => {
                            if let Ok(place) = self.admit(address) {
                                self.begin(stream, address, place);
                            }
                        }
                        Err(_) => sleep(ACCEPT_PAUSE).await,
                    }
                }
            };
            // Nobody else is to come.
            let _ = timeout(HALF_MADE, half_made).await;
        }
        let waiting = listeners.close();
        for (stream, address) in waiting.take(self.app.config.connections) {
            if let Ok(place) = self.admit(address) {
                self.begin(stream, address, place);
            }
        }
        self.drain().await;
    }

    /// Looks whether certificate or key have changed; files may be slow.
    fn reload(&mut self) {
        if let Some(tls) = self.app.config.tls.clone() {
            tokio::task::spawn_blocking(move || tls.reload());
        }
    }

    fn admit(&self, address: IpAddr) -> Result<Slot, NoSlot> {
        let proxies = &self.app.config.trusted_proxies;
        self.connections.admit(proxies.counted(address))
    }

    /// Gives a connection a place. Closing it is the cheapest honest answer when there is none.
    async fn accept(&mut self, stream: Stream, address: IpAddr) {
        for _ in 0..PLACE_TRIES {
            match self.admit(address) {
                Ok(place) => return self.begin(stream, address, place),
                Err(NoSlot::Full) => return,
                Err(NoSlot::Yet) => sleep(PLACE_PAUSE).await,
            }
        }
    }

    fn begin(&mut self, stream: Stream, address: IpAddr, place: Slot) {
        let activity = Arc::clone(&place.activity);
        let (app, stop) = (Arc::clone(&self.app), self.stop.clone());
        let task = self.tasks.spawn(async move {
            let _open = app.server.inner().observers.open(Lasting::Connection);
            if let Err(error) = connection(app, stream, address, &place, stop).await {
                tracing::debug!(%error, "connection ended");
            }
        });
        activity.is(task);
    }

    /// Tells all connections, and those to come, that they end.
    fn leave(&self) {
        self.connections.clock.leave();
        self.stop.cancel();
        // Subscriptions end with their result, which is what tells their clients to come back.
        self.app.closing.cancel();
    }

    /// Lets go of all connections, as soon as each of them has nothing to wait for.
    async fn drain(mut self) {
        let tasks = self.app.server.inner().tasks.clone();
        let drained = timeout(self.app.config.drain, async {
            let mut answers = pin!(sleep(ANSWERS));
            loop {
                tokio::select! {
                    ended = self.tasks.join_next() => if ended.is_none() { break },
                    () = &mut answers => break self.app.sessions.hang_up(),
                }
            }
            while self.tasks.join_next().await.is_some() {}
            tasks.ended().await;
        })
        .await;
        if drained.is_err() {
            let connections = self.connections.len();
            let tasks = tasks.running();
            tracing::warn!(connections, tasks, "gave up waiting for what is in flight");
        }
        tasks.stop().await;
    }
}

async fn connection(
    app: Arc<App>,
    stream: Stream,
    address: IpAddr,
    place: &Slot,
    stop: CancellationToken,
) -> Result<(), Failed> {
    let activity = &place.activity;
    if let Err(error) = stream.configure() {
        tracing::debug!(%error, "cannot configure a connection");
    }
    let socket = Socket::new(stream, Arc::clone(activity), app.config.write_timeout);
    let client = app.client(address, Arc::clone(activity));
    let unused = AtomicBool::new(true);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        unused.store(false, Relaxed);
        let (app, client) = (Arc::clone(&app), Arc::clone(&client));
        async move {
            let activity = Arc::clone(&client.activity);
            activity.begin_in_turn().await;
            let request = request.map(Incoming::Http1);
            let mut response = app.serve(client, request).await;
            if response.body().is_standalone() {
                activity.streams(response.body().session());
            }
            if activity.leaving() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(response.map(|body| Tracked { body, activity }))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::default())
        .header_read_timeout(app.config.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    let mut serving = pin!(async {
        let channel = secure(&app.config, socket).await?;
        let streams = |channel| {
            let (app, client) = (Arc::clone(&app), Arc::clone(&client));
            // Else all connections would be as large as those over HTTP/2.
            Box::pin(http2::serve(app, client, channel, place, stop.clone()))
        };
        if channel.is_http2() {
            return streams(channel).await;
        }
        let mut serving = builder.serve_connection(TokioIo::new(channel), service);
        match (&mut serving).await {
            // The client knows that HTTP/2 is served (RFC 9113 §3.3).
            Err(error) if error.is_parse_version_h2() && unused.load(Relaxed) => {
                let parts = serving.into_parts();
                match parts.io.into_inner() {
                    Channel::Plain(socket) => {
                        streams(Channel::Plain(socket.rewound(parts.read_buf))).await
                    }
                    Channel::Tls(_) => Err(error.into()),
                }
            }
            ended => Ok(ended?),
        }
    });
    let mut connection = pin!(poll_fn(|cx| {
        activity.takes_turn();
        serving.as_mut().poll(cx)
    }));
    tokio::select! {
        ended = &mut connection => return ended,
        () = stop.cancelled() => {}
    }
    // To ask hyper to end it would end it at once between two requests, even where the next one
    // lies in the socket already.
    let since = activity.now();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            _ = looks.tick() => {}
        }
        if activity.may_leave(&PATIENCE, since) {
            return Ok(());
        }
    }
}

/// Why a connection has ended.
pub(super) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Agrees on keys, where connections are encrypted: a head like that of a request, and as long in coming.
async fn secure(config: &HttpConfig, socket: Socket) -> Result<Channel, Failed> {
    let Some(tls) = &config.tls else {
        return Ok(Channel::Plain(socket));
    };
    let handshake = timeout(config.header_timeout, tls.accept(socket));
    Ok(Channel::Tls(Box::new(handshake.await??)))
}

/// The body of an answer, which says when all of it is written.
struct Tracked {
    body: Body,
    activity: Arc<Activity>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.activity.answered();
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(self.body, Body::Events(_)) {
            self.activity.waits(self.body.waits());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_what_is_exhausted_is_a_reason_to_displace_somebody() {
        use rustix::io::Errno;
        for error in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_exhausted(&error.into()), "{error}");
        }
        for error in [Errno::CONNABORTED, Errno::PROTO, Errno::INTR, Errno::PERM] {
            assert!(!is_exhausted(&error.into()), "{error}");
        }
        assert!(!is_exhausted(&io::ErrorKind::Other.into()));
    }
}
