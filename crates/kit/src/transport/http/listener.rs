//! Accepts connections, bounds them, and lets them finish at shutdown.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::core::Server;

use super::{App, HttpConfig};

/// Headers of one request.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;

/// Pause after `accept` failed, mostly for want of file descriptors: trying on at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves on a bound listener until `shutdown` completes; then takes no more connections, lets
/// requests in flight finish for [`HttpConfig::drain`], and ends.
pub async fn serve(
    listener: TcpListener,
    server: Server,
    config: HttpConfig,
    shutdown: impl Future,
) {
    let app = App::new(server, config);
    let places = Arc::new(Semaphore::new(app.config.connections));
    let stop = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut sweep = tokio::time::interval(app.sessions.sweep_interval());
    loop {
        tokio::select! {
            _ = &mut shutdown => break,
            _ = sweep.tick() => app.sessions.sweep(),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    // Closing it at once is the cheapest honest answer when there is no place.
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                    let (app, stop) = (Arc::clone(&app), stop.clone());
                    connections.spawn(async move {
                        if let Err(error) = connection(app, stream, address.ip(), stop).await {
                            tracing::debug!(%error, "connection ended");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    stop.cancel();
    // Subscriptions end with their result, which is what tells their clients to come back.
    app.closing.cancel();
    let drained = timeout(app.config.drain, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
    if drained.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "gave up waiting for requests in flight"
        );
    }
}

async fn connection(
    app: Arc<App>,
    stream: TcpStream,
    address: IpAddr,
    stop: CancellationToken,
) -> Result<(), hyper::Error> {
    if let Err(error) = configure(&stream) {
        tracing::debug!(%error, "cannot configure a connection");
    }
    let client = app.client(address);
    let service = service_fn(|request| {
        let (app, client) = (Arc::clone(&app), client.clone());
        async move { Ok::<_, Infallible>(app.serve(client, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(app.config.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = &mut connection => return ended,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Without this every streamed event waits for the acknowledgement of the one before: 40 ms each.
fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}
