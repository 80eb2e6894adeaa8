//! MCP over HTTP: one listener, the checks every request passes, and two endpoints behind them.
//!
//! | file | what it does |
//! | --- | --- |
//! | `listener` | accepts connections, and lets them finish at shutdown |
//! | `connections` | which connections are open, and which goes when there is no place |
//! | `activity` | what a connection is doing |
//! | `socket` | its bytes: what comes, and what does not leave |
//! | `ingress` | framing, Host, Origin, CORS: before anything is read |
//! | `allowed` | the hosts and origins that are served, and `pattern` how they are written |
//! | `negotiate` | types: what the body is, and in which form the answer is taken |
//! | `request_body` | reads what is posted, within size, time and rate |
//! | `streamable` | `/mcp`: POST, GET, DELETE of streamable HTTP, both eras |
//! | `legacy_sse` | `/sse` and `/messages/` of 2024-11-05, only when asked for |
//! | `respond` | from what the core replies to a response |
//! | `resume` | responses that outlive their connection, in legacy sessions |
//! | `body` | what is sent back: whole, or as server-sent events |
//! | `reply` | statuses and headers, in one place |

mod activity;
mod allowed;
mod body;
mod connections;
mod ingress;
mod legacy_sse;
mod listener;
mod negotiate;
mod pattern;
mod reply;
mod request_body;
mod respond;
mod resume;
mod socket;
mod streamable;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio_util::sync::CancellationToken;

use crate::core::{Connection, Server};
use crate::principal::Principal;
use crate::session::{SessionLimits, Sessions};

use activity::Activity;
use body::Body;
use reply::Refusal;

pub use allowed::{BadEntry, Hosts, Origins};
pub use listener::{Listeners, bind, serve};

/// Which endpoints there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoints {
    /// Streamable HTTP at `/mcp`: both eras.
    Streamable,
    /// HTTP+SSE of 2024-11-05 at `/sse` and `/messages/`: deprecated, for old clients.
    LegacySse,
}

/// How HTTP is served.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Which endpoints there are.
    pub endpoints: Endpoints,
    /// What `Host` may say. Default: the names of this machine, on any port.
    pub hosts: Hosts,
    /// Origins that browsers may call from; all others get `403`.
    pub origins: Origins,
    /// Time for the head of a request, and for which a connection may idle. Default 15 s.
    pub header_timeout: Duration,
    /// Time for the body of a request. Default 30 s.
    pub body_timeout: Duration,
    /// Bytes a second that a body has to bring while it is waited for; one that brings fewer within
    /// [`body_window`](Self::body_window) is answered `408`. 0 asks for none. Default 1,024.
    pub body_rate: u32,
    /// Time over which the rate of a body is measured. Default 5 s.
    pub body_window: Duration,
    /// Time for which a client may read nothing of what is written to it; then its connection ends.
    /// Default 30 s.
    pub write_timeout: Duration,
    /// Connections at a time, at least 1. When all places are taken, a new connection takes that of
    /// the one that has waited longest: of heads that are not complete (as long as these hold more
    /// than a quarter of the places), then of connections that idle, of bodies under way, of
    /// answers of which nobody has read anything for 250 ms, of streams that answer no request, of
    /// responses in legacy sessions that can be resumed or only wait for their client (their calls
    /// go on), and of the other heads. It is closed at once when the requests of all are worked
    /// on. Default 1,024.
    pub connections: usize,
    /// Connections from one address at a time (IPv6: from one /64), but for loopback, where a proxy
    /// may stand; one more takes the place of one of them. Default 256.
    pub connections_per_address: usize,
    /// Bounds of legacy sessions.
    pub sessions: SessionLimits,
    /// Time between comments that keep an open stream alive, and after which the response to a
    /// modern request that is silent becomes such a stream. Default 15 s.
    pub keep_alive: Duration,
    /// Time after which the response to a silent call becomes a stream that can be resumed, in
    /// sessions of 2025-11-25. Default 1 s.
    pub stream_after: Duration,
    /// Time after which a client of 2025-11-25 is to come back when its stream ends early: the
    /// field `retry`, in whole milliseconds. Default 3 s.
    pub retry: Duration,
    /// Time that requests in flight have at shutdown; questions to clients end after 1 s of it.
    /// Default 10 s.
    pub drain: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::Streamable,
            hosts: Hosts::loopback(),
            origins: Origins::loopback(),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            body_rate: 1024,
            body_window: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            connections: 1024,
            connections_per_address: 256,
            sessions: SessionLimits::default(),
            keep_alive: Duration::from_secs(15),
            stream_after: Duration::from_secs(1),
            retry: Duration::from_secs(3),
            drain: Duration::from_secs(10),
        }
    }
}

impl HttpConfig {
    /// Bytes that a body has to bring within [`body_window`](Self::body_window).
    fn least_body(&self) -> usize {
        let least = self.body_window.as_secs_f64() * f64::from(self.body_rate);
        // Cut to what there is.
        least as usize
    }
}

/// Who is at the other end of one TCP connection.
#[derive(Clone)]
struct Client {
    address: IpAddr,
    activity: Arc<Activity>,
    /// The connection of its modern requests: they stand alone.
    stateless: Arc<Connection>,
}

/// The server as HTTP sees it.
struct App {
    server: Server,
    config: HttpConfig,
    /// The request headers that pages may send.
    headers: HeaderValue,
    sessions: Sessions,
    /// Ends the streams that would otherwise stay open for ever.
    closing: CancellationToken,
}

impl App {
    fn new(server: Server, config: HttpConfig) -> Arc<Self> {
        Arc::new(Self {
            headers: ingress::allowed_headers(&server.registry().mirrored_headers()),
            server,
            sessions: Sessions::new(config.sessions),
            config,
            closing: CancellationToken::new(),
        })
    }

    /// A client that has connected from this address.
    fn client(&self, address: IpAddr, activity: Arc<Activity>) -> Client {
        let leaving = self.closing.clone();
        Client {
            address,
            activity,
            stateless: Connection::stateless_from_address(Principal::ANONYMOUS, address, leaving),
        }
    }

    /// One request, from its head on.
    async fn serve(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Response<Body> {
        let origin = match ingress::admit(&request, &self.config) {
            Ok(origin) => origin,
            Err(refusal) => return refusal.into(),
        };
        let mut response = match *request.method() {
            Method::OPTIONS => ingress::preflight(&self.headers),
            _ => Arc::clone(&self)
                .route(client, request)
                .await
                .unwrap_or_else(Into::into),
        };
        if let Some(origin) = origin {
            ingress::allow(&mut response, origin, &self.config.origins);
        }
        response
    }

    async fn route(
        self: Arc<Self>,
        client: Client,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        // Both spellings are served as they are: a redirect would lose the prefix that a proxy took off.
        match (self.config.endpoints, request.uri().path()) {
            (Endpoints::Streamable, "/mcp" | "/mcp/") => {
                streamable::serve(self, client, request).await
            }
            (Endpoints::LegacySse, "/sse" | "/sse/") => legacy_sse::open(&self, &client, &request),
            (Endpoints::LegacySse, "/messages/" | "/messages") => {
                legacy_sse::post(self, &client, request).await
            }
            _ => Err(reply::not_found()),
        }
    }
}
