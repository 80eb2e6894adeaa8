//! MCP over HTTP: one listener, the checks every request passes, and two endpoints behind them.
//!
//! | file | what it does |
//! | --- | --- |
//! | `listeners` | what is listened on: TCP and Unix sockets, by turns |
//! | `listener` | accepts connections, and lets them finish at shutdown |
//! | `connections` | which connections are open, and which goes when there is no place |
//! | `activity` | what a connection is doing |
//! | `http2` | the requests of a connection over HTTP/2, with its bounds; `no_http2` in a build without that feature |
//! | `timer` | the time that heads have |
//! | `stream` | what a connection is made of: TCP, or a Unix socket |
//! | `socket` | its bytes: what comes, and what does not leave |
//! | `tls` | certificate and key, and how they are replaced; `no_tls` in a build without that feature |
//! | `certificate` | until when a certificate is good |
//! | `unix` | the file of a Unix socket |
//! | `probes` | `/healthz` and `/readyz`, before all checks |
//! | `client` | who is at the other end, and `forwarded` who is behind a proxy that is trusted |
//! | `ingress` | framing, Host, Origin, CORS: before anything is read |
//! | `allowed` | the hosts and origins that are served, and `pattern` how they are written |
//! | `door` | who asks: before the body is read, from the head to a permit |
//! | `telling` | what replicas tell each other of who may not be served any more |
//! | `negotiate` | types: what the body is, and in which form the answer is taken |
//! | `request_body` | reads what is posted, within size, time and rate |
//! | `streamable` | `/mcp`: POST, GET, DELETE of streamable HTTP, both eras |
//! | `card` | the Server Card, for whoever has not connected yet |
//! | `routes` | what a server's author serves beside them |
//! | `path` | the prefix of all paths, and which paths there can be |
//! | `legacy_sse` | `/sse` and `/messages/` of 2024-11-05, only when asked for |
//! | `respond` | from what the core replies to a response |
//! | `resume` | responses that outlive their connection, in legacy sessions |
//! | `body` | what is sent back: whole, or as server-sent events |
//! | `reply` | statuses and headers, in one place |

// What only TLS or HTTP/2 uses of all that is here has no user without them. A build with both says what is dead.
#![cfg_attr(not(all(feature = "http2", feature = "tls")), allow(dead_code))]

mod activity;
mod allowed;
mod body;
mod card;
#[cfg(feature = "tls")]
mod certificate;
mod client;
mod connections;
mod door;
mod forwarded;
#[cfg_attr(not(feature = "http2"), path = "no_http2.rs")]
mod http2;
mod ingress;
mod legacy_sse;
mod listener;
mod listeners;
mod negotiate;
mod path;
mod pattern;
mod probes;
mod reply;
mod request_body;
mod respond;
mod resume;
mod routes;
mod socket;
mod stream;
mod streamable;
mod telling;
mod timer;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
#[cfg(unix)]
mod unix;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authentication, Permit};
use crate::build_error::BuildError;
use crate::core::{self, Server};
use crate::limits::{Flood, FloodLimits};
use crate::session::{SessionLimits, Sessions};

use activity::Activity;
use body::Body;
use card::Card;
use client::Client;
use door::Door;
use reply::{Lacking, Refusal};
use request_body::Incoming;

pub use allowed::{BadEntry, Hosts, Origins};
#[cfg(feature = "tls")]
pub use certificate::certificate_end;
pub use forwarded::TrustedProxies;
pub use listener::serve;
pub use listeners::{Listeners, bind};
pub use path::{BadPath, PathPrefix};
pub use probes::{Check, Readiness};
pub use routes::{ConnectionInfo, Routes};
pub use tls::{BadTls, Tls};
#[cfg(unix)]
pub use unix::{UnixSocket, bind_unix};

/// The types of [`HttpConfig::route`], of the crates `http` and `bytes`.
pub use ::bytes::Bytes;
pub use ::http::request::Parts;
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
    /// What `/readyz` asks; see [`HttpConfig::readiness_check`]. Default: nothing.
    pub readiness: Readiness,
    /// Certificate and key, of the feature `tls`; without them connections are not encrypted. Default: none.
    pub tls: Option<Tls>,
    /// Proxies whose `Forwarded` and `X-Forwarded-For`, `-Proto` and `-Host` are believed. What they
    /// name as the host has to be one of [`hosts`](Self::hosts), as `Host` has. Default: none.
    pub trusted_proxies: TrustedProxies,
    /// What `Host` may say. Default: the names of this machine, on any port.
    pub hosts: Hosts,
    /// Origins that browsers may call from; all others get `403`.
    pub origins: Origins,
    /// Who may ask. Default: everyone who reaches the server.
    pub auth: Authentication,
    /// Time for the head of a request, and for which a connection may idle. Over HTTP/2 a head that stops while other
    /// requests of its connection go on has up to twice [`write_timeout`](Self::write_timeout). Default 15 s.
    pub header_timeout: Duration,
    /// Time for the body of a request. Default 30 s.
    pub body_timeout: Duration,
    /// Bytes a second that a body has to bring while it is waited for; one that brings fewer within
    /// [`body_window`](Self::body_window) is answered `408`. 0 asks for none. Default 1,024.
    pub body_rate: u32,
    /// Time over which the rate of a body is measured. Default 5 s.
    pub body_window: Duration,
    /// Time for which a client may read nothing of what is written to it; then its connection ends. Over HTTP/2 a
    /// response that its client takes no more of is reset after it, and a connection ends whose client does not answer
    /// a ping; one is sent every `write_timeout` while requests are open. Default 30 s.
    pub write_timeout: Duration,
    /// Connections at a time, at least 1. A request over HTTP/2 counts as one more while it is open, and is refused
    /// (`REFUSED_STREAM`, so that it may be sent again) when there is no place for it. When all places are taken, a new connection takes that of
    /// the one that has waited longest: of heads that are not complete (as long as these hold more
    /// than a quarter of the places), then of connections that idle, of bodies under way, of
    /// answers of which nobody has read anything for 250 ms, of streams that answer no request, of
    /// responses in legacy sessions that can be resumed or only wait for their client (their calls
    /// go on), and of the other heads. It is closed at once when the requests of all are worked
    /// on. Default 1,024.
    pub connections: usize,
    /// Connections from one address at a time (IPv6: from one /64), but for loopback, where a proxy
    /// may stand, and for trusted proxies; one more takes the place of one of them. Default 256.
    pub connections_per_address: usize,
    /// How often requests may come.
    pub flood: FloodLimits,
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
    /// Time at shutdown for which connections are accepted and served as before while `/readyz` says
    /// `503`, so that a load balancer notices before the listener closes. Default 0 s.
    pub drain_delay: Duration,
    /// Time that requests in flight have at shutdown, once the listener is closed; questions to clients end after 1 s of it.
    /// So have tasks that others can look for when the process has ended. Default 10 s.
    pub drain: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            endpoints: Endpoints::Streamable,
            path_prefix: PathPrefix::default(),
            routes: Routes::default(),
            route_timeout: Duration::from_secs(30),
            readiness: Readiness::default(),
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            hosts: Hosts::loopback(),
            origins: Origins::loopback(),
            auth: Authentication::default(),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            body_rate: 1024,
            body_window: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            connections: 1024,
            connections_per_address: 256,
            flood: FloodLimits::default(),
            sessions: SessionLimits::default(),
            keep_alive: Duration::from_secs(15),
            stream_after: Duration::from_secs(1),
            retry: Duration::from_secs(3),
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

impl HttpConfig {
    /// Serves a path beside the endpoints of the protocol, behind the same checks (`Host`, `Origin`,
    /// CORS, the bounds of bodies and connections): a page, a webhook. `/healthz` and `/readyz` are
    /// there already.
    ///
    /// The path is compared exactly, and served both as it is and below
    /// [`path_prefix`](Self::path_prefix). The request has the URI and all headers as they came, and
    /// its body whole, of at most [`WireLimits::message_bytes`]. A `HEAD` is answered as the `GET`.
    /// The handler is dropped when its time is up ([`route_timeout`](Self::route_timeout)) or its
    /// client has gone. It is no call of the protocol: no middleware sees it, and only the bounds of
    /// connections count it. Whoever reaches the server reaches it: nobody has to authenticate. Where
    /// it comes from is in its extensions: [`ConnectionInfo`].
    ///
    /// ```
    /// use pymcp_kit::transport::http::{Bytes, HttpConfig, Method, Request, Response};
    ///
    /// async fn about(_: Request<Bytes>) -> Response<&'static str> {
    ///     Response::new("A server of the Model Context Protocol")
    /// }
    ///
    /// # fn main() -> Result<(), pymcp_kit::BuildError> {
    /// let config = HttpConfig::default().route(Method::GET, "/about", about)?;
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

    /// Serves a page for people at `/`, unless a route answers a `GET` there, and at the endpoint to whoever
    /// reads HTML: a `GET` (or `HEAD`) without a session whose `Accept` names `text/html` and wants it
    /// more than JSON and event streams, as browsers do. Everybody else finds the endpoint as it is.
    ///
    /// It is a route like any other ([`route`](Self::route)): **nobody has to authenticate**, at the
    /// endpoint neither. One that was set before is replaced there.
    #[must_use]
    pub fn page<F, Fut, B>(mut self, handler: F) -> Self
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        self.routes.set_page(handler);
        self
    }

    /// Adds a check that `/readyz` asks by name: `503` while it says no. One of the same name is
    /// replaced.
    ///
    /// It is asked for each request of `/readyz`, by anyone who reaches the server, and everyone reads
    /// what it says: it looks at what is known already, does not wait, and tells nothing secret.
    ///
    /// ```
    /// use pymcp_kit::transport::http::{Check, HttpConfig};
    ///
    /// let config = HttpConfig::default()
    ///     .readiness_check("stock", || Check::ready().fact("items", 3));
    /// # drop(config);
    /// ```
    #[must_use]
    pub fn readiness_check(
        mut self,
        name: impl Into<String>,
        check: impl Fn() -> Check + Send + Sync + 'static,
    ) -> Self {
        self.readiness.add(name.into(), Arc::new(check));
        self
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

/// The server as HTTP sees it.
struct App {
    server: Server,
    config: HttpConfig,
    /// The methods that pages may use.
    methods: HeaderValue,
    /// The request headers that pages may send.
    headers: HeaderValue,
    flood: Flood,
    sessions: Sessions,
    door: Door,
    card: Card,
    /// Whether the server is about to leave.
    draining: AtomicBool,
    /// Ends the streams that would otherwise stay open for ever.
    closing: CancellationToken,
}

impl App {
    fn new(server: Server, mut config: HttpConfig) -> Arc<Self> {
        // So that replicas can be compared.
        let shown = server.clone();
        let manifest = move || Check::ready().fact("digest", shown.manifest_digest().to_string());
        config.readiness.add("manifest".into(), Arc::new(manifest));
        let sessions = Sessions::new(config.sessions, Arc::clone(server.keys()));
        let sessions = match server.inner().replicas.clone() {
            Some(replicas) => {
                sessions.joined_by(move |connection, nonce| replicas.join(connection, nonce))
            }
            None => sessions,
        };
        let sessions = match server.inner().streams.clone() {
            Some(streams) => sessions.sharing_streams(streams),
            None => sessions,
        };
        let app = Arc::new(Self {
            methods: ingress::allowed_methods(&config.routes.methods()),
            headers: ingress::allowed_headers(
                &server.registry().mirrored_headers(),
                server.inner().facts.headers.iter(),
            ),
            door: Door::new(
                &config.auth,
                config.endpoint_path(),
                &server.registry().needs(),
            ),
            flood: Flood::new(&config.flood),
            sessions: match server.inner().ended_sessions {
                Some(_) => sessions.telling(),
                None => sessions,
            },
            card: Card::default(),
            server,
            config,
            draining: AtomicBool::new(false),
            closing: CancellationToken::new(),
        });
        app.measure();
        app
    }

    /// Has metrics say how much of what it keeps there is.
    fn measure(self: &Arc<Self>) {
        let metrics = &self.server.inner().metrics;
        self.sessions.measure_streams("resumable_streams", metrics);
        for metrics in metrics {
            let app = Arc::downgrade(self);
            metrics.places("sessions", self.config.sessions.max, move || {
                app.upgrade().map_or(0, |app| app.sessions.len())
            });
        }
        if let Some(tls) = &self.config.tls {
            tls.measure(metrics);
        }
    }

    /// A client that has connected from this address.
    fn client(&self, address: IpAddr, activity: Arc<Activity>) -> Arc<Client> {
        let https = self.config.tls.is_some();
        Arc::new(Client::new(address, https, activity, self.closing.clone()))
    }

    /// One request, from its head on.
    async fn serve(
        self: Arc<Self>,
        client: Arc<Client>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if let Some(probe) = probes::answer(&request, &self.config, self.draining.load(Relaxed)) {
            return probe;
        }
        let connected = client.address;
        let admitted = ingress::admit(&request, &self.config);
        let admitted = admitted.and_then(|origin| {
            let client = client.behind(request.headers(), &self.config)?;
            Ok((origin, client))
        });
        let (origin, client) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refused(refusal, connected),
        };
        let address = client.address;
        let mut response = match *request.method() {
            Method::OPTIONS => ingress::preflight(&self.methods, &self.headers),
            _ => match self.flood.admit(&client.place) {
                Ok(()) => Arc::clone(&self)
                    .route(client, request)
                    .await
                    .unwrap_or_else(|refusal| self.refused(refusal, address)),
                Err(exceeded) => self.refused(reply::too_many(exceeded), address),
            },
        };
        if let Some(origin) = origin {
            ingress::allow(&mut response, origin, &self.config.origins);
        }
        response
    }

    /// The response to what is refused, which is told to whoever listens.
    fn refused(&self, refusal: Refusal, address: IpAddr) -> Response<Body> {
        let observers = &self.server.inner().observers;
        let told = refusal.told(address);
        observers.refused(&told);
        core::audit_refused(self.server.inner(), &told);
        refusal.into()
    }

    async fn route(
        self: Arc<Self>,
        client: Arc<Client>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        if let Some(metadata) = self.door.metadata(&client, &head) {
            return metadata;
        }
        let path = head.uri.path();
        let routes = &self.config.routes;
        let below = self.config.path_prefix.strip(path);
        // Both spellings are served as they are: a redirect would lose the prefix that a proxy took off.
        match (self.config.endpoints, below) {
            (Endpoints::Streamable, Some("/mcp" | "/mcp/"))
            | (Endpoints::LegacySse, Some("/sse" | "/sse/"))
                if let Some(page) = routes.page(&head) =>
            {
                let request = Request::from_parts(head, body);
                routes::serve(&self, &client, request, page).await
            }
            (Endpoints::Streamable, Some("/mcp" | "/mcp/")) => {
                let permit = self.admit(&client, &head).await?;
                let app = Arc::clone(&self);
                let served = streamable::serve(app, &client, &permit, &head, body).await;
                Ok(self.challenged(&client, &head, served?))
            }
            (Endpoints::Streamable, Some(path::CARD))
            | (Endpoints::LegacySse, Some(path::SSE_CARD)) => {
                let endpoints = self.config.endpoints;
                self.card
                    .serve(&self.server, endpoints, &self.door, &client, &head)
            }
            (Endpoints::LegacySse, Some("/sse" | "/sse/")) => {
                let permit = self.admit(&client, &head).await?;
                legacy_sse::open(&self, &client, &permit, &head)
            }
            (Endpoints::LegacySse, Some("/messages/" | "/messages")) => {
                let permit = self.admit(&client, &head).await?;
                legacy_sse::post(self, &client, &permit, &head, body).await
            }
            (_, below) => {
                let handler = match below {
                    // The prefix itself, as people write it.
                    Some("") if routes.knows("/") => routes.find(&head.method, "/")?,
                    Some(below) if routes.knows(below) => routes.find(&head.method, below)?,
                    _ => routes.find(&head.method, path)?,
                };
                let request = Request::from_parts(head, body);
                routes::serve(&self, &client, request, handler).await
            }
        }
    }

    /// Lets in who may ask, as often as they may.
    async fn admit(&self, client: &Client, head: &Parts) -> Result<Permit, Refusal> {
        let permit = self.door.admit(client, head).await?;
        let admitted = self.flood.admit_principal(permit.principal());
        admitted.map_err(reply::too_many)?;
        Ok(permit)
    }

    /// A response with the challenge of a call that its token lacks a scope for.
    fn challenged(
        &self,
        client: &Client,
        head: &Parts,
        mut response: Response<Body>,
    ) -> Response<Body> {
        if let Some(Lacking(needed)) = response.extensions_mut().remove::<Lacking>() {
            let challenge = self.door.insufficient(client, head, &needed);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// Completes when a stream that answers no request has to end: with the server, or with its permit.
    fn over(&self, permit: &Permit) -> impl Future<Output = ()> + Send + 'static {
        let closing = self.closing.clone().cancelled_owned();
        let ended = permit.can_end().then(|| permit.ended());
        async move {
            match ended {
                None => closing.await,
                Some(ended) => tokio::select! {
                    () = closing => {}
                    () = ended => {}
                },
            }
        }
    }
}
