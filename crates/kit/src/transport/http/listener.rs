//! Accepts connections, and lets them finish at shutdown.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::core::Server;

use super::activity::{Activity, Patience};
use super::body::Body;
use super::connections::{Connections, NoSlot, Slot};
use super::socket::Socket;
use super::{App, HttpConfig};

/// Headers of one request.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;

/// Connections that may wait to be accepted: as many as may be open. The system may allow fewer.
const BACKLOG: u32 = 1024;

/// Pause after `accept` failed and to displace somebody could not help: trying on at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Pause before a place is looked for again that will be free soon, and how often.
const PLACE_PAUSE: Duration = Duration::from_millis(2);
const PLACE_TRIES: usize = 125;

/// Time between two looks at a connection at shutdown.
const LOOK: Duration = Duration::from_millis(25);

/// Time at shutdown after which questions end: by then no connection is left to answer them on.
const ANSWERS: Duration = Duration::from_secs(1);

/// What a client may still say at shutdown.
const PATIENCE: Patience = Patience {
    next: Duration::from_millis(250),
    incomplete: Duration::from_secs(1),
    unread: Duration::from_secs(1),
};

/// Listens on an address, with room for as many connections that wait to be accepted as may be
/// open: tokio's own `bind` has room for 128, which a flood fills at once.
///
/// # Errors
/// What the system says.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // On Windows this would let another program take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What a server listens on: one socket or several.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Self(vec![listener])
    }
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(listeners: Vec<TcpListener>) -> Self {
        Self(listeners)
    }
}

impl Listeners {
    /// The next connection, from each listener by turns.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        for index in 0..self.0.len() {
            if let Poll::Ready(accepted) = self.0[index].poll_accept(cx) {
                self.0[index..].rotate_left(1);
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// What waits to be accepted, as far as the system knows; then nobody listens any more.
    fn close(self) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
        let listeners = self.0.into_iter().filter_map(|one| one.into_std().ok());
        listeners.flat_map(|listener| {
            waiting(move || listener.accept()).filter_map(|(stream, address)| {
                stream.set_nonblocking(true).ok()?;
                Some((TcpStream::from_std(stream).ok()?, address))
            })
        })
    }
}

/// What can be accepted without waiting. One that failed meanwhile is passed over.
fn waiting<T>(mut accept: impl FnMut() -> io::Result<T>) -> impl Iterator<Item = T> {
    (0..BACKLOG)
        .map(move |_| accept())
        .take_while(|accepted| {
            !accepted
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        })
        .filter_map(Result::ok)
}

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
/// Then it accepts what waits to be accepted, stops listening, and answers what has been sent:
/// requests in flight, and those that lie in the sockets of their connections. Answers say
/// `Connection: close`. A client that is silent in the middle of a request, or that does not read,
/// is not waited for, and nobody longer than [`HttpConfig::drain`]. Calls that wait for an answer of
/// their client hear after a second that there is none.
pub async fn serve(
    listeners: impl Into<Listeners>,
    server: Server,
    config: HttpConfig,
    shutdown: impl Future,
) {
    let app = App::new(server, config);
    let acceptor = Acceptor {
        connections: Connections::new(app.config.connections, app.config.connections_per_address),
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
    if let Some(Err(error)) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        resume_unwind(panic);
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
        loop {
            tokio::select! {
                () = leave.cancelled() => break,
                _ = sweep.tick() => self.app.sessions.sweep(),
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
        for (stream, address) in listeners.close().take(self.app.config.connections) {
            if let Ok(place) = self.connections.admit(address.ip()) {
                self.begin(stream, address, place);
            }
        }
        self.drain().await;
    }

    /// Gives a connection a place. Closing it is the cheapest honest answer when there is none.
    async fn accept(&mut self, stream: TcpStream, address: SocketAddr) {
        for _ in 0..PLACE_TRIES {
            match self.connections.admit(address.ip()) {
                Ok(place) => return self.begin(stream, address, place),
                Err(NoSlot::Full) => return,
                Err(NoSlot::Yet) => sleep(PLACE_PAUSE).await,
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr, place: Slot) {
        let activity = Arc::clone(&place.activity);
        let (app, stop) = (Arc::clone(&self.app), self.stop.clone());
        let task = self.tasks.spawn(async move {
            let activity = Arc::clone(&place.activity);
            if let Err(error) = connection(app, stream, address.ip(), activity, stop).await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
        activity.is(task);
    }

    /// Lets go of all connections, as soon as each of them has nothing to wait for.
    async fn drain(mut self) {
        self.connections.clock.leave();
        self.stop.cancel();
        // Subscriptions end with their result, which is what tells their clients to come back.
        self.app.closing.cancel();
        let drained = timeout(self.app.config.drain, async {
            let mut answers = pin!(sleep(ANSWERS));
            loop {
                tokio::select! {
                    ended = self.tasks.join_next() => if ended.is_none() { break },
                    () = &mut answers => break self.app.sessions.hang_up(),
                }
            }
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        if drained.is_err() {
            let connections = self.connections.len();
            tracing::warn!(connections, "gave up waiting for requests in flight");
        }
    }
}

async fn connection(
    app: Arc<App>,
    stream: TcpStream,
    address: IpAddr,
    activity: Arc<Activity>,
    stop: CancellationToken,
) -> Result<(), hyper::Error> {
    if let Err(error) = configure(&stream) {
        tracing::debug!(%error, "cannot configure a connection");
    }
    let socket = Socket::new(stream, Arc::clone(&activity), app.config.write_timeout);
    let client = app.client(address, Arc::clone(&activity));
    let service = service_fn(|request| {
        let (app, client) = (Arc::clone(&app), client.clone());
        async move {
            let activity = Arc::clone(&client.activity);
            activity.begin_in_turn().await;
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
        .timer(TokioTimer::new())
        .header_read_timeout(app.config.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(socket), service));
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

/// Without this every streamed event waits for the acknowledgement of the one before: 40 ms each.
fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
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

    #[test]
    fn a_connection_that_failed_in_the_backlog_does_not_end_it() {
        let aborted = || Err(io::ErrorKind::ConnectionAborted.into());
        let mut backlog = vec![
            Ok(1),
            aborted(),
            Ok(2),
            Err(io::ErrorKind::WouldBlock.into()),
            Ok(3),
        ]
        .into_iter();
        let accepted: Vec<i32> = waiting(|| backlog.next().unwrap()).collect();
        assert_eq!(accepted, [1, 2]);
        // It ends where nothing but errors come.
        let mut tries = 0;
        let accepted: Vec<i32> = waiting(|| {
            tries += 1;
            aborted()
        })
        .collect();
        assert_eq!((accepted.len(), tries), (0, BACKLOG));
    }

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
