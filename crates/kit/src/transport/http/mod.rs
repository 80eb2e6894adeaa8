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
//! | `routes` | what a server's author serves beside them |
//! | `path` | the prefix of all paths, and which paths there can be |
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
mod path;
mod pattern;
mod reply;
mod request_body;
mod respond;
mod resume;
mod routes;
mod socket;
mod streamable;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::build_error::BuildError;
use crate::connection::Connection;
use crate::core::Server;
use crate::principal::Principal;
use crate::session::{SessionLimits, Sessions};

use activity::Activity;
use body::Body;
use reply::Refusal;

pub use allowed::{BadEntry, Hosts, Origins};
pub use listener::{Listeners, bind, serve};
pub use path::{BadPath, PathPrefix};
pub use routes::Routes;

/// The types of [`HttpConfig::route`], of the crates `http` and `bytes`.
pub use ::bytes::Bytes;
pub use ::http::{Method, Request, Response, StatusCode};

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
    /// What the paths of all endpoints begin with. Default: nothing.
    pub path_prefix: PathPrefix,
    /// What is served beside the endpoints; see [`HttpConfig::route`]. Default: nothing.
    pub routes: Routes,
    /// Time that a route has for its answer, once the body is there; then the status is 503. Default
    /// 30 s.
    pub route_timeout: Duration,
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
            path_prefix: PathPrefix::default(),
            routes: Routes::default(),
            route_timeout: Duration::from_secs(30),
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
    /// Serves a path beside the endpoints of the protocol, behind the same checks (`Host`, `Origin`,
    /// CORS, the bounds of bodies and connections): a health check, a page, a webhook.
    ///
    /// The path is compared exactly, and served both as it is and below
    /// [`path_prefix`](Self::path_prefix). The request has the URI and all headers as they came, and
    /// its body whole, of at most [`WireLimits::message_bytes`]. A `HEAD` is answered as the `GET`.
    /// The handler is dropped when its time is up ([`route_timeout`](Self::route_timeout)) or its
    /// client has gone. It is no call of the protocol: no middleware sees it, and only the bounds of
    /// connections count it. Whoever reaches the server reaches it: nobody has to authenticate.
    ///
    /// ```
    /// use pymcp_kit::transport::http::{Bytes, HttpConfig, Method, Request, Response};
    ///
    /// async fn health(_: Request<Bytes>) -> Response<&'static str> {
    ///     Response::new("ok")
    /// }
    ///
    /// # fn main() -> Result<(), pymcp_kit::BuildError> {
    /// let config = HttpConfig::default().route(Method::GET, "/health", health)?;
    /// # drop(config);
    /// # Ok(()) }
    /// ```
    ///
    /// [`WireLimits::message_bytes`]: crate::wire::WireLimits::message_bytes
    ///
    /// # Errors
    /// The path is none, or one of the protocol's, or has such a route already; or no route can have
    /// the method.
    pub fn route<F, Fut, B>(
        mut self,
        method: Method,
        path: &str,
        handler: F,
    ) -> Result<Self, BuildError>
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        self.routes.add(method, path, handler)?;
        Ok(self)
    }

    /// The path that clients are told, with its prefix: `/mcp`, or `/sse` of the old transport.
    pub fn endpoint_path(&self) -> String {
        let path = match self.endpoints {
            Endpoints::Streamable => "/mcp",
            Endpoints::LegacySse => "/sse",
        };
        format!("{}{path}", self.path_prefix)
    }

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
    /// The methods that pages may use.
    methods: HeaderValue,
    /// The request headers that pages may send.
    headers: HeaderValue,
    sessions: Sessions,
    /// Ends the streams that would otherwise stay open for ever.
    closing: CancellationToken,
}

impl App {
    fn new(server: Server, config: HttpConfig) -> Arc<Self> {
        Arc::new(Self {
            methods: ingress::allowed_methods(&config.routes.methods()),
            headers: ingress::allowed_headers(
                &server.registry().mirrored_headers(),
                server.inner().facts.headers.iter(),
            ),
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
            Method::OPTIONS => ingress::preflight(&self.methods, &self.headers),
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
        let path = request.uri().path();
        // Both spellings are served as they are: a redirect would lose the prefix that a proxy took off.
        match (self.config.endpoints, self.config.path_prefix.strip(path)) {
            (Endpoints::Streamable, Some("/mcp" | "/mcp/")) => {
                streamable::serve(self, client, request).await
            }
            (Endpoints::LegacySse, Some("/sse" | "/sse/")) => {
                legacy_sse::open(&self, &client, &request)
            }
            (Endpoints::LegacySse, Some("/messages/" | "/messages")) => {
                legacy_sse::post(self, &client, request).await
            }
            (_, below) => {
                let routes = &self.config.routes;
                let handler = match below {
                    Some(below) if routes.knows(below) => routes.find(request.method(), below)?,
                    _ => routes.find(request.method(), path)?,
                };
                routes::serve(&self, &client, request, handler).await
            }
        }
    }
}
