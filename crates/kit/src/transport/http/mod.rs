//! MCP over HTTP: one listener, the checks every request passes, and two endpoints behind them.
//!
//! | file | what it does |
//! | --- | --- |
//! | `config` | what can be set, and what it is by default |
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
mod config;
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

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use tokio_util::sync::CancellationToken;

use crate::auth::Permit;
use crate::core::{self, Server};
use crate::limits::Flood;
use crate::session::Sessions;

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
pub use config::{Endpoints, HttpConfig};
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
