//! What a server's author serves beside the protocol: a page, a webhook; and the page of the server itself.
//!
//! A route stands behind the same checks as the endpoints of the protocol (`Host`, `Origin`, CORS,
//! framing, the bounds of bodies and connections). It is a plain async function from a whole request to
//! a whole response.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::{Method, Request, Response};
use tokio::time::timeout;

use crate::build_error::BuildError;

use super::body::Body;
use super::reply::{self, Refusal};
use super::request_body::Incoming;
use super::streamable::SESSION;
use super::{App, Client, negotiate, path, request_body};

/// Where a request comes from, in the extensions of requests to routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The address of the client: what has connected, or whom trusted proxies name; 127.0.0.1 for a
    /// Unix socket.
    pub address: IpAddr,
    /// Whether the client speaks TLS, with this server or with a trusted proxy.
    pub https: bool,
    /// The `Host` that the client named, where a trusted proxy says it.
    pub forwarded_host: Option<String>,
    /// The URL of the endpoint of the protocol as this client writes it: what
    /// [`Authentication::resource`](crate::auth::Authentication::resource) says, or with the `Host` of
    /// the request, which is one that is served.
    pub endpoint: Option<String>,
    /// The URL of the endpoint's metadata (RFC 9728), where tokens come from somewhere.
    pub metadata: Option<String>,
}

type Answer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

type Handler = Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;

/// Routes beside the endpoints of the protocol; see [`HttpConfig::route`](super::HttpConfig::route) and
/// [`HttpConfig::page`](super::HttpConfig::page).
#[derive(Clone, Default)]
pub struct Routes {
    paths: BTreeMap<String, Vec<(Method, Handler)>>,
    page: Option<Handler>,
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.paths.iter().flat_map(|(path, methods)| {
            methods
                .iter()
                .map(move |(method, _)| format!("{method} {path}"))
        });
        f.debug_list().entries(routes).finish()
    }
}

impl Routes {
    pub(super) fn add<F, Fut, B>(
        &mut self,
        method: Method,
        path: &str,
        handler: F,
    ) -> Result<(), BuildError>
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        let refuse = |why: &str| {
            BuildError(format!(
                "The route {method} {path:?} cannot be served: its path {why}"
            ))
        };
        path::check_route(path).map_err(refuse)?;
        if [Method::OPTIONS, Method::CONNECT, Method::TRACE].contains(&method) {
            return Err(refuse(
                "cannot have this method; OPTIONS is answered for all routes.",
            ));
        }
        let known = self.paths.get(path).into_iter().flatten();
        if known.into_iter().any(|(known, _)| *known == method) {
            return Err(refuse("has a route of this method already."));
        }
        let methods = self.paths.entry(path.to_owned()).or_default();
        methods.push((method, boxed(handler)));
        Ok(())
    }

    /// The page for people; at `/` only where nothing answers a `GET` there yet.
    pub(super) fn set_page<F, Fut, B>(&mut self, handler: F)
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Bytes>,
    {
        let page = boxed(handler);
        let methods = self.paths.entry("/".to_owned()).or_default();
        if !methods.iter().any(|(method, _)| method == Method::GET) {
            methods.push((Method::GET, Arc::clone(&page)));
        }
        self.page = Some(page);
    }

    /// The page, if that is what somebody at the endpoint wants: who reads HTML and has no session.
    pub(super) fn page(&self, head: &Parts) -> Option<Handler> {
        let page = self.page.as_ref()?;
        let reads = matches!(head.method, Method::GET | Method::HEAD)
            && negotiate::prefers_html(&head.headers)
            && !negotiate::says(&head.headers, &SESSION);
        reads.then(|| Arc::clone(page))
    }

    /// Whether there is anything at this path.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// All methods that are served, each once.
    pub(super) fn methods(&self) -> Vec<&Method> {
        let mut methods: Vec<_> = self.paths.values().flatten().map(|(one, _)| one).collect();
        methods.sort_by_key(|method| method.as_str());
        methods.dedup();
        methods
    }

    /// Who answers this; a `HEAD` that nobody answers is answered as its `GET`, without the body.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Handler, Refusal> {
        let methods = self.paths.get(path).ok_or_else(reply::not_found)?;
        let of = |wanted: &Method| methods.iter().find(|(known, _)| known == wanted);
        let found = match of(method) {
            None if *method == Method::HEAD => of(&Method::GET),
            found => found,
        };
        found
            .map(|(_, handler)| Arc::clone(handler))
            .ok_or_else(|| wrong_method(methods))
    }
}

fn boxed<F, Fut, B>(handler: F) -> Handler
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Into<Bytes>,
{
    Arc::new(move |request| {
        let answer = handler(request);
        Box::pin(async move { answer.await.map(Into::into) })
    })
}

fn wrong_method(methods: &[(Method, Handler)]) -> Refusal {
    let mut allowed: Vec<_> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    // Names of methods are always a valid value.
    let allowed = HeaderValue::try_from(allowed.join(", "));
    reply::wrong_method(allowed.unwrap_or(HeaderValue::from_static("OPTIONS")))
}

pub(super) async fn serve(
    app: &App,
    client: &Client,
    request: Request<Incoming>,
    handler: Handler,
) -> Result<Response<Body>, Refusal> {
    let (mut head, body) = request.into_parts();
    let body = request_body::read(app, client, &head.headers, body).await?;
    // hyper's own, of which nothing is a handler's business.
    head.extensions.clear();
    let (endpoint, metadata) = app.door.endpoint(client, &head);
    head.extensions.insert(ConnectionInfo {
        address: client.address,
        https: client.https,
        forwarded_host: client.forwarded_host.as_deref().map(str::to_owned),
        endpoint,
        metadata,
    });
    let request = Request::from_parts(head, body);
    // What it shares with others is its own to keep whole.
    let work = AssertUnwindSafe(async move { handler(request).await }).catch_unwind();
    let failed = |why| reply::refuse(StatusCode::INTERNAL_SERVER_ERROR, why);
    match timeout(app.config.route_timeout, work).await {
        Ok(Ok(response)) if response.status().is_informational() => {
            tracing::error!(status = %response.status(), "a route answered with no final status");
            Err(failed("The handler of this path gave no response."))
        }
        Ok(Ok(response)) => Ok(whole(response)),
        // The panic hook has logged where it happened.
        Ok(Err(_)) => Err(failed("The handler of this path failed.")),
        Err(_) => {
            let why = "This path took too long to answer; try again later.";
            Err(reply::refuse(StatusCode::SERVICE_UNAVAILABLE, why))
        }
    }
}

/// What is sent of a response: how it is framed is decided by what it is.
fn whole(response: Response<Bytes>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE] {
        head.headers.remove(name);
    }
    let body = match body.is_empty() {
        true => Body::empty(),
        false => Body::whole(body),
    };
    Response::from_parts(head, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ok(_: Request<Bytes>) -> Response<&'static str> {
        Response::new("ok")
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_a_sentence() {
        let mut routes = Routes::default();
        routes.add(Method::GET, "/health", ok).unwrap();
        routes.add(Method::PUT, "/health", ok).unwrap();
        assert_eq!(format!("{routes:?}"), r#"["GET /health", "PUT /health"]"#);
        for (method, path, why) in [
            (Method::GET, "/health", "already"),
            (Method::OPTIONS, "/health", "OPTIONS"),
            (Method::CONNECT, "/x", "method"),
            (Method::POST, "/mcp", "the protocol's"),
            (Method::GET, "health", "slash before it"),
        ] {
            let error = routes.add(method, path, ok).unwrap_err().to_string();
            assert!(
                error.starts_with("The route ") && error.contains(why),
                "{error}"
            );
        }
    }
}
