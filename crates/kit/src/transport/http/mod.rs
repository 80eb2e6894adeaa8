//! MCP over HTTP: one listener, the checks every request passes, and two endpoints behind them.
//!
//! | file | what it does |
//! | --- | --- |
//! | `listener` | accepts connections, bounds them, drains them |
//! | `ingress` | Host, Origin, CORS: before anything is read |
//! | `streamable` | `/mcp`: POST, GET, DELETE of streamable HTTP, both eras |
//! | `legacy_sse` | `/sse` and `/messages/` of 2024-11-05, only when asked for |
//! | `respond` | from what the core replies to a response |
//! | `resume` | responses that outlive their connection, in legacy sessions |
//! | `body` | what is sent back: whole, or as server-sent events |
//! | `reply` | statuses and headers, in one place |

mod body;
mod ingress;
mod legacy_sse;
mod listener;
mod reply;
mod respond;
mod resume;
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

use body::Body;
use reply::Refusal;

pub use http::uri::Authority;
pub use ingress::Origins;
pub use listener::serve;

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
    /// Names that `Host` may have: lower case, without a port (any port then) or with one.
    pub hosts: Vec<String>,
    /// Origins that browsers may call from; all others get `403`.
    pub origins: Origins,
    /// Time for the head of a request, and for which a connection may idle. Default 15 s.
    pub header_timeout: Duration,
    /// Time for the body of a request. Default 30 s.
    pub body_timeout: Duration,
    /// Connections at a time; more are closed at once. Default 1,024.
    pub connections: usize,
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
    /// Time that requests in flight have at shutdown. Default 10 s.
    pub drain: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::Streamable,
            hosts: ["localhost", "127.0.0.1", "[::1]"]
                .map(str::to_owned)
                .into(),
            origins: Origins::loopback(),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            connections: 1024,
            sessions: SessionLimits::default(),
            keep_alive: Duration::from_secs(15),
            stream_after: Duration::from_secs(1),
            retry: Duration::from_secs(3),
            drain: Duration::from_secs(10),
        }
    }
}

/// Who is at the other end of one TCP connection.
#[derive(Clone)]
struct Client {
    address: IpAddr,
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
    fn client(&self, address: IpAddr) -> Client {
        let leaving = self.closing.clone();
        Client {
            address,
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
        match (self.config.endpoints, request.uri().path()) {
            (Endpoints::Streamable, "/mcp") => streamable::serve(self, client, request).await,
            (Endpoints::Streamable, "/mcp/") => Ok(reply::redirect("/mcp")),
            (Endpoints::LegacySse, "/sse") => legacy_sse::open(&self, &client, &request),
            (Endpoints::LegacySse, "/messages/") => legacy_sse::post(self, request).await,
            (Endpoints::LegacySse, "/messages") => Ok(reply::redirect("/messages/")),
            _ => Err(reply::not_found()),
        }
    }
}
