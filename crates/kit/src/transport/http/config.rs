//! How HTTP is served.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Bytes, Check, Hosts, Method, Origins, PathPrefix, Readiness, Request, Response, Routes, Tls,
    TrustedProxies,
};
use crate::auth::Authentication;
use crate::build_error::BuildError;
use crate::limits::FloodLimits;
use crate::session::SessionLimits;

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
    /// it comes from is in its extensions: [`ConnectionInfo`](super::ConnectionInfo).
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
    pub(super) fn least_body(&self) -> usize {
        let least = self.body_window.as_secs_f64() * f64::from(self.body_rate);
        // Cut to what there is.
        least as usize
    }
}
