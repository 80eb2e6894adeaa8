//! The door itself: what is sent, and what is read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use bytes::BytesMut;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use crate::connect;
use crate::counts::Counts;
use crate::hosts::{Allow, Hosts, shown};
use crate::redirect;
use crate::resolver::Lookup;
use crate::{Error, Proxy, Request, Response};

/// Headers that are about the connection (RFC 9110 §7.6.1), or that follow from the address, the body and the codings
/// that can be decompressed. One that a caller chose could make a request other than the one that was judged.
const OURS: &[HeaderName] = &[
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How much the headers of a response may be, names and values, in bytes. The client reads no more of a head than about
/// 800 KiB to find out, and no more than 100 headers.
const MAX_HEADERS: usize = 64 << 10;

/// What one request may take.
///
/// The headers of a response have bounds of their own: 100 of them, and 64 KiB for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For all of it: waiting for its turn, connecting, redirects, the body.
    pub time: Duration,
    /// For one connection: the look-up, the proxy and TLS included.
    pub connect: Duration,
    /// Bytes of the body after decompression. To read a body takes little more memory than this; one in Brotli has a
    /// window of up to 16 MiB besides (RFC 7932 §9.1).
    pub body: usize,
    /// Bytes of the body of a request.
    pub request: usize,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Requests that are under way at once, of all callers, at least one; one more waits.
    pub concurrent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            body: 2 << 20,
            request: 2 << 20,
            redirects: 3,
            concurrent: 64,
        }
    }
}

/// The door to the network. Cheap to clone; nothing is set up before the first request.
///
/// Works in a Tokio runtime with I/O and time.
#[derive(Debug, Clone)]
pub struct Egress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    setup: Builder,
    hosts: Arc<Hosts>,
    places: Semaphore,
    client: OnceCell<reqwest::Client>,
    counts: Counts,
}

/// What an [`Egress`] is made from.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    hosts: Hosts,
    pub(crate) lookup: Lookup,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) limits: Limits,
}

impl Egress {
    /// Nothing may be reached until it is allowed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Sends a request and reads the whole response. Dropping the future ends it at once.
    ///
    /// # Errors
    /// When there is no whole response within the bounds.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let sending = self.0.follow(request);
        let sent = tokio::time::timeout(self.0.setup.limits.time, sending).await;
        let sent = sent.unwrap_or(Err(Error::TimedOut));
        self.0.counts.count(&sent);
        sent
    }

    /// What became of the requests so far, of all clones: a word for each outcome, from a fixed set, and how often it was
    /// that. `ok` is a whole response, whatever its status. For metrics.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.counts.read()
    }
}

impl Inner {
    /// Sends a request, and those that the responses lead on to.
    async fn follow(&self, mut request: Request) -> Result<Response, Error> {
        if [Method::CONNECT, Method::TRACE].contains(&request.method) {
            return Err(Error::Method);
        }
        let limit = self.setup.limits.request;
        if request.body.len() > limit {
            return Err(Error::RequestTooLarge { limit });
        }
        for name in OURS {
            request.headers.remove(name);
        }
        // It is never closed, so there is always a place in the end.
        let _place = self.places.acquire().await.map_err(|_| Error::TimedOut)?;
        for _ in 0..=self.setup.limits.redirects {
            let response = self.exchange(&request).await?;
            match redirect::next(&request, response.status(), response.headers())? {
                // The body of a redirect is not read: dropping the response closes its connection.
                Some(next) => {
                    self.hosts.judge_redirect(&request.url, &next.url)?;
                    request = next;
                }
                None => return self.whole(request.url, response).await,
            }
        }
        Err(Error::Redirects)
    }

    /// Sends one request. Nothing else here sends, so nothing is sent unjudged.
    async fn exchange(&self, request: &Request) -> Result<reqwest::Response, Error> {
        self.hosts.judge(&request.url)?;
        let client = self
            .client
            .get_or_try_init(|| self.connect())
            .await
            .map_err(|error| {
                tracing::warn!(%error, "the HTTP client cannot be set up");
                Error::Tls {
                    host: shown(&request.url),
                }
            })?;
        let mut sent = reqwest::Request::new(request.method.clone(), request.url.clone());
        *sent.headers_mut() = request.headers.clone();
        if !request.body.is_empty() {
            *sent.body_mut() = Some(request.body.clone().into());
        }
        let response = client
            .execute(sent)
            .await
            .map_err(|error| Error::from_client(error, &request.url))?;
        let headers = response.headers().iter();
        let size: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if size > MAX_HEADERS {
            return Err(Error::Malformed);
        }
        Ok(response)
    }

    /// Reads the body, and no more of it than is allowed.
    async fn whole(&self, url: Url, mut response: reqwest::Response) -> Result<Response, Error> {
        // What could be decompressed has no such header any more.
        let coding = response.headers().get(header::CONTENT_ENCODING);
        if coding.is_some_and(|coding| coding != "identity") {
            return Err(Error::Malformed);
        }
        let limit = self.setup.limits.body;
        let too_large = Error::TooLarge { limit };
        // Known when it is not compressed.
        if response
            .content_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(too_large);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| Error::from_client(error, &url))?
        {
            if chunk.len() > limit - body.len() {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: response.status(),
            url,
            headers: mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }

    /// Sets the client up. On a thread of its own, as the authorities of the system are read from many files.
    async fn connect(&self) -> io::Result<reqwest::Client> {
        let (setup, hosts) = (self.setup.clone(), self.hosts.clone());
        let connecting = tokio::task::spawn_blocking(move || connect::client(&setup, hosts));
        connecting.await.map_err(io::Error::other)?
    }
}

impl Builder {
    /// Lets a host be reached: `"api.example.org"`, or [`Allow::host`] with more to say. What is no host is left out.
    pub fn allow(self, host: impl Into<Allow>) -> Self {
        self.hosts([host])
    }

    /// [`allow`](Self::allow), of several hosts.
    pub fn hosts<T: Into<Allow>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        for host in hosts {
            self.hosts.add(host.into());
        }
        self
    }

    /// The proxy for all requests, private hosts included. Without one there is none, whatever the environment says.
    pub fn proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// What the requests say they come from (RFC 9110 §10.1.5). What is not printable ASCII is left out.
    pub fn user_agent(mut self, text: &str) -> Self {
        let printable: String = text.chars().filter(|c| matches!(c, ' '..='~')).collect();
        self.user_agent = HeaderValue::try_from(printable)
            .ok()
            .filter(|value| !value.is_empty());
        self
    }

    /// What one request may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Looks names up in another way than the operating system's, such as from a table in tests. The addresses are
    /// judged all the same, and the future may be dropped at any time.
    pub fn resolver<F, L>(mut self, lookup: F) -> Self
    where
        F: Fn(String) -> L + Send + Sync + 'static,
        L: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.lookup = Lookup::new(lookup);
        self
    }

    /// The door.
    pub fn build(mut self) -> Egress {
        let hosts = Arc::new(mem::take(&mut self.hosts));
        let places = Semaphore::new(self.limits.concurrent.clamp(1, Semaphore::MAX_PERMITS));
        Egress(Arc::new(Inner {
            setup: self,
            hosts,
            places,
            client: OnceCell::new(),
            counts: Counts::default(),
        }))
    }
}
