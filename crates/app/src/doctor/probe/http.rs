//! Raw HTTP/1.1: a connection for each request, any header, and the response as it is. Nothing is followed or repeated.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pymcp_kit::transport::http::certificate_end;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::body;
use crate::{Error, Result};

/// Bytes of a head.
const MAX_HEAD: usize = 64 << 10;

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a server is reached.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    host: String,
    port: u16,
    /// Only for https.
    tls: Option<Arc<ClientConfig>>,
    /// In place of host and port.
    #[cfg(unix)]
    socket: Option<std::path::PathBuf>,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    /// In place of those of the same name.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) until: Until,
}

/// How far a response is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Until {
    /// The answer with this id, or the end.
    Answer(Value),
    /// The end; of a stream of events its head.
    End,
}

/// A response, as far as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The messages in it.
    pub(crate) messages: Vec<Value>,
    /// What was no message: the start of it.
    pub(crate) text: String,
    pub(crate) cut: Option<Cut>,
    /// When the certificate ends that the server showed.
    pub(crate) certificate_end: Option<SystemTime>,
}

/// Why a response was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    TimedOut,
    TooLarge,
    /// A message in it names a member twice.
    Ambiguous,
    /// The connection ended early, or it was no HTTP.
    Broken,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: a sentence's end.
    Unreached(String),
    TimedOut,
    Broken(String),
}

impl Failure {
    /// As the end of a sentence that begins with a URL.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Unreached(why) => format!("cannot be reached: {why}"),
            Self::TimedOut => "does not answer in time".into(),
            Self::Broken(why) => format!("does not speak HTTP: {why}"),
        }
    }
}

impl Reply {
    /// The value of a header, if it is text.
    pub(crate) fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref())?.to_str().ok()
    }

    /// Whether it says to be this type.
    pub(crate) fn is(&self, media_type: &str) -> bool {
        let kind = self.header(CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(media_type)
    }

    /// Whether a result of the protocol is in it.
    pub(crate) fn has_result(&self) -> bool {
        self.messages.iter().any(|one| one.get("result").is_some())
    }

    /// Whether any JSON-RPC answer is in it.
    pub(crate) fn has_answer(&self) -> bool {
        self.has_result() || self.messages.iter().any(|one| one.get("error").is_some())
    }
}

impl Sent {
    pub(crate) fn new(method: Method) -> Self {
        Self {
            method,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            until: Until::End,
        }
    }

    /// A `POST` of a message.
    pub(crate) fn post(message: &Value) -> Self {
        let until = match message.get("id") {
            Some(id) => Until::Answer(id.clone()),
            None => Until::End,
        };
        let sent = Self {
            body: message.to_string().into(),
            until,
            ..Self::new(Method::POST)
        };
        sent.header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// With this header in place of others of its name. One that cannot be sent is left out.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
        self
    }

    /// With this body.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Endpoint {
    /// The endpoint at a URL of http or https.
    ///
    /// # Errors
    /// What the URL has to be.
    pub(crate) fn new(url: &Url) -> Result<Self> {
        let must = || {
            Error::setting(
                "--url must be an address such as http://localhost:8000/mcp, without a user; a token goes into --bearer.",
            )
        };
        let mut url = url.clone();
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(must());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(must());
        };
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(tls()?),
            _ => return Err(must()),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls,
            url,
            #[cfg(unix)]
            socket: None,
        })
    }

    /// The endpoint `/mcp` on a Unix socket.
    ///
    /// # Errors
    /// None that is known.
    #[cfg(unix)]
    pub(crate) fn unix(socket: &std::path::Path) -> Result<Self> {
        let url = Url::parse("http://localhost/mcp")?;
        Ok(Self {
            socket: Some(socket.to_owned()),
            ..Self::new(&url)?
        })
    }

    /// What sentences call it: without the query, which may be secret.
    pub(crate) fn shown(&self) -> String {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            return format!("unix:{}", socket.display());
        }
        let (origin, path) = (self.url.origin().ascii_serialization(), self.url.path());
        format!("{origin}{path}")
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The host and, if it is not the scheme's own, the port.
    pub(crate) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether it is on this machine, by its name or address.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Whether any of its addresses is not public: then it is of a network of the user's own.
    pub(crate) async fn is_private(&self) -> bool {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<IpAddr> = match found {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => return self.is_loopback(),
        };
        addresses
            .iter()
            .any(|address| !pymcp_egress::is_public(*address))
    }

    /// Sends a request, and reads the response within bounds.
    ///
    /// # Errors
    /// Why there is no response.
    pub(crate) async fn send(&self, sent: Sent, patience: Duration) -> Result<Reply, Failure> {
        let end = Instant::now() + patience;
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let stream = tokio::net::UnixStream::connect(socket)
                .await
                .map_err(|error| Failure::Unreached(error.to_string()))?;
            return self.exchange(stream, sent, end).await;
        }
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout_at(end.min(Instant::now() + CONNECT), connecting)
            .await
            .map_err(|_| Failure::Unreached("no connection in time".into()))?
            .map_err(|error| Failure::Unreached(error.to_string()))?;
        match &self.tls {
            None => self.exchange(stream, sent, end).await,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|error| Failure::Unreached(error.to_string()))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = timeout_at(end, connector.connect(name, stream))
                    .await
                    .map_err(|_| Failure::TimedOut)?
                    .map_err(|error| Failure::Unreached(format!("TLS: {error}")))?;
                let shown = stream.get_ref().1.peer_certificates();
                let own = shown.and_then(<[_]>::first);
                let certificate_end = own.and_then(|own| certificate_end(own));
                let reply = self.exchange(stream, sent, end).await?;
                Ok(Reply {
                    certificate_end,
                    ..reply
                })
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        sent: Sent,
        end: Instant,
    ) -> Result<Reply, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        // Ends with the response, which ends with this call.
        let connection = tokio::spawn(connection);
        let _ends = End(connection.abort_handle());
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let mut request = Request::builder()
            .method(sent.method)
            .uri(path)
            .header(HOST, self.authority())
            .body(Full::new(sent.body))
            .map_err(|error| broken(&error))?;
        for (name, value) in &sent.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let response = timeout_at(end, sender.send_request(request))
            .await
            .map_err(|_| Failure::TimedOut)?
            .map_err(|error| broken(&error))?;
        let (head, content) = response.into_parts();
        let mut reply = Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            ..Reply::default()
        };
        let is_stream = reply.is("text/event-stream");
        if is_stream && sent.until == Until::End {
            return Ok(reply);
        }
        match is_stream {
            true => body::events(&mut reply, content, &sent.until, end).await,
            false => body::whole(&mut reply, content, end).await,
        }
        Ok(reply)
    }
}

/// Ends a connection.
struct End(tokio::task::AbortHandle);

impl Drop for End {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether a URL is of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// TLS 1.2 or 1.3 by ring; certificates are judged as the operating system does.
fn tls() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?;
    // "Dangerous" is to judge certificates in a way of one's own; this one is the operating system's.
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_of_http_and_has_no_user() {
        let new = |url: &str| Endpoint::new(&Url::parse(url).unwrap());
        let endpoint = new("http://[::1]:8000/mcp?key=x#c").unwrap();
        assert_eq!(endpoint.url.as_str(), "http://[::1]:8000/mcp?key=x");
        assert_eq!(endpoint.shown(), "http://[::1]:8000/mcp");
        assert_eq!(
            (endpoint.authority(), &*endpoint.host),
            ("[::1]:8000".into(), "::1")
        );
        assert!(endpoint.is_loopback() && !endpoint.is_secure());
        let endpoint = new("https://mcp.example/mcp").unwrap();
        assert_eq!(
            (endpoint.authority(), endpoint.port),
            ("mcp.example".into(), 443)
        );
        assert!(!endpoint.is_loopback() && endpoint.is_secure());
        for bad in ["ftp://a/", "http://me@a/", "http://:x@a/", "data:x"] {
            assert!(new(bad).is_err(), "{bad}");
        }
    }
}
